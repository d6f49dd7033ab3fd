"""Neural style transfer: statistics, objectives, and what moves pictures."""
