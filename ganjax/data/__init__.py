"""Data: key and step in, batches out."""
