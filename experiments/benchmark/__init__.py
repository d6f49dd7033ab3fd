"""Benchmarks beside PyTorch."""
