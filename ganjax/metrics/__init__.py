"""Measures of samples: features or images in, numbers out."""
