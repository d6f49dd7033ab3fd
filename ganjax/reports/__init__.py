"""Tables, figures and pages from what is on the disk, without jax."""
