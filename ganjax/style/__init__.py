"""Neural style transfer: statistics of features, objectives, and optimisers."""
