"""Optimisers of PyTorch with the numbers of a config."""

from ganjax import lazy
from ganjax.config import regularizers


def optimizer(config, player, leaves, tuned):
  """Returns the optimiser of a player: Adam or RMSprop.

  Args:
    config: of the run, with the numbers of this optimiser.
    player: 'generator' or 'discriminator'.
    leaves: its parameters, tensors.
    tuned: whether Adam is a fused one, and RMSprop takes tensors together.
  """
  import torch

  section, every = config.optimizers[player], 0
  if config.update_rule == 'lazy_regularization':
    every = regularizers.interval(config.regularizers[player])
  rate, b1, b2 = lazy.corrected(
    every, section.learning_rate, section.b1, section.b2
  )
  if section.name == 'rmsprop':
    # PyTorch has no fused one.
    return torch.optim.RMSprop(
      leaves, rate, b2, section.eps, momentum=b1, foreach=tuned or None
    )
  return torch.optim.Adam(
    leaves, rate, (b1, b2), section.eps, fused=tuned or None
  )
