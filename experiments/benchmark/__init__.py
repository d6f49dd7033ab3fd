"""Benchmarks of training steps and style transfer, beside PyTorch."""
