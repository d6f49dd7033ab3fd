"""How much of a training to compile into one program."""

import jax


def steps_together(params):
  """Returns how many steps to compile into one program: 32, or 1.

  Many steps in one program save the host's work between them. But XLA on a CPU
  runs a convolution within a loop about seven times slower, so there a network
  with kernels of four axes takes one step at a time.
  """
  return 1 if convolutional(params) and jax.default_backend() == 'cpu' else 32


def convolutional(params):
  """Returns whether a tree has kernels of four axes."""
  return any(leaf.ndim == 4 for leaf in jax.tree.leaves(params))
