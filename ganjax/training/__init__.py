"""Training on a host: the loop, its checkpoints, logs and populations."""
