"""Files of trained weights: fetched, checked and read."""
