"""Generative adversarial networks and style transfer as pure functions."""
