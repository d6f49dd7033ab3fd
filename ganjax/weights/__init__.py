"""Weights of trained networks: files are downloaded, checked and read."""
