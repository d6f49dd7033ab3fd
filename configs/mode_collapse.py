r"""Protocols of mode collapse: experiments, each with many remedies.

  python -m experiments.mode_collapse --workdir runs/NAME \
    --config configs/mode_collapse.py:NAME

Each name is a function of `configs.protocols`, whose docstring says which paper
it is from, what the paper leaves open, and where each number comes from. A
remedy is a dict of the fields that it changes.

A training run is one seed of one remedy. Computed from the time of a step, one
without a remedy takes this long on one of two busy x86-64 cores: `ring` 5
seconds, `unrolled_ring` 2 minutes, `pacgan_ring` 2 hours, `wgan_gp_toys` 6
hours. In `unrolled_ring`, 10 unrolled updates take 4 times as long, and
minibatch discrimination 7 times. The protocols of Stacked MNIST need an
accelerator, except `stacked_mnist`. `--length=0.25` runs a quarter.
"""

from configs import base
from configs.protocols import comparison, stacked_mnist, toy


def get_config(name='ring'):
  """Returns the config of a protocol, locked."""
  protocols = {protocol.__name__: protocol for protocol in PRESETS}
  config = base.choose('protocol', protocols, name)()
  config.protocol = name
  return config.lock()


PRESETS = (
  comparison.ring,
  comparison.conditional_ring,
  comparison.conditional_digits,
  comparison.grid,
  comparison.spiral,
  stacked_mnist.stacked_mnist,
  toy.dirac,
  toy.pacgan_ring,
  toy.pacgan_grid,
  toy.unrolled_ring,
  toy.unrolled_ring_demo,
  toy.wgan_gp_toys,
  toy.wgan_gp_grid,
  toy.wgan_gp_spiral,
  stacked_mnist.stacked_mnist_unrolled_quarter,
  stacked_mnist.stacked_mnist_unrolled_half,
  stacked_mnist.stacked_mnist_pacgan,
  stacked_mnist.stacked_mnist_r3gan,
  stacked_mnist.stacked_mnist_r3gan_paper,
)
