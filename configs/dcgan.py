"""DCGAN (Radford, Metz and Chintala, 2016, arXiv:1511.06434).

  python -m experiments.train --config configs/dcgan.py --workdir runs/dcgan

trains on scikit-learn's handwritten digits, which need no download: about two
minutes on two cores, to digits that a person reads. The README has a command
for MNIST with its score (FID 5.3 on a classifier's features, 21 minutes).
"""

from configs import base


def get_config():
  """Returns the config, locked."""
  config = base.get_config()
  config.images = 80_000
  # The paper has batches of 128, uniform latents (prior.name=uniform), and both
  # networks four times as wide (width=128), at 64 pixels. Few images need many
  # steps, and two cores small ones.
  config.batch_size = 32
  config.network = 'dcgan'
  # Channels at half the resolution, and ghost batches of batch normalisation.
  config.generator = dict(width=32, groups=1)
  config.discriminator = dict(
    width=32,
    groups=1,
    # Or layer, instance, group, none, pixel: R1 and WGAN-GP are then those of
    # each example, where batch normalisation adds terms between examples.
    norm='batch',
    statistics=base.statistics(),
  )
  return config.lock()


def sweep(add):
  """Adds the ablation of the losses, with and without R1."""
  for loss in ('minimax', 'non_saturating', 'least_squares', 'hinge'):
    for weight in (0.0, 5.0):
      add({'loss': loss, 'regularizers.discriminator.r1.weight': weight})
