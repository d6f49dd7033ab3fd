"""The fully connected GAN (Goodfellow et al., 2014, arXiv:1406.2661).

  python -m experiments.train --config configs/dense.py --workdir runs/dense

trains on scikit-learn's handwritten digits; with --config.data.name=mnist and
--config.data.dir=PATH on MNIST, the generator being 100-256-512-1024-784.

Expect about 4 minutes on two cores.
"""

from configs import base


def get_config():
  """Returns the config, locked."""
  config = base.get_config()
  config.images = 600_000
  config.data.resolution = 28
  config.network = 'mlp'
  config.generator = dict(
    widths=(256, 512, 1024),  # of the hidden layers
    norm='batch',  # or none
  )
  config.discriminator = dict(
    widths=(512, 256),
    statistics=base.statistics(),
  )
  return config.lock()


def sweep(add):
  """Adds learning rates of the discriminator, and thresholds to skip it."""
  for rate in (5e-5, 2e-4, 8e-4):
    add({'optimizers.discriminator.learning_rate': rate})
  for threshold in (0.3, 0.6, 0.9):
    add({'skip_below': threshold})
