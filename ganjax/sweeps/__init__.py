"""Sweeps and searches: many runs of many configs, and what became of them."""
