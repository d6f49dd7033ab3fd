"""Progressive growing of GANs (Karras et al., 2018, arXiv:1710.10196).

  python -m experiments.train --config configs/progressive.py --workdir runs/pg

grows from 4 to 16 pixels on scikit-learn's handwritten digits, which need no
download: under ten minutes on two cores. `:flowers32` is compared with that of
configs/msg.py in the README, each with its own paper's settings;
configs/flowers_matched.py has the same settings for both. `:cifar10`,
`:table1`, `:flowers128` and `:paper1024` are the papers' own settings, spelled
out, for accelerators:

  --config configs/progressive.py:cifar10 --config.data.dir=PATH

Deviations from the authors' code: the learning rate does not rise at the start,
each update of a player draws its own latents, and the moving average of the
generator has a smaller decay at first.
"""

from configs import _high_resolution as high_resolution
from configs import base


def get_config(name='digits'):
  """Returns the config of a preset, locked."""
  config = base.get_config()
  config.network = 'progressive'
  config.batch_size = 16
  config.loss = 'wasserstein'
  config.regularizers.discriminator.wgan_gp.weight = 10.0
  config.regularizers.discriminator.drift.weight = 1e-3
  _adam(config, 1e-3)
  config.prior = dict(name='normal', size=512)
  config.generator = dict(
    base=8192,  # channels times half the resolution
    max_channels=512,  # at any resolution
    norm='pixel',  # or batch, layer, instance, group, none
    activation='leaky_relu',  # or relu
    output='linear',  # or tanh
    scaling='equalized',  # or init: He's constant in the initialisation only
    remat=False,  # computes blocks again in the backward pass, to save memory
  )
  config.discriminator = dict(
    base=8192,
    max_channels=512,
    norm='none',  # or layer, instance, group, batch, pixel
    activation='leaky_relu',
    scaling='equalized',
    remat=False,
    statistics=base.statistics() | dict(name='stddev', group=4),
  )
  config.growth = dict(
    first=4,  # pixels of the first stage; 0: those of the data, no growth
    fade=600_000,  # images seen while a stage fades in
    hold=600_000,  # images seen while a stage is held
    # One value each for 4, 8, 16 pixels and so on; the last one is for all
    # later stages too.
    batch_size=(),  # empty: that of the config
    rate=(1.0,),  # factor of both learning rates
  )
  base.preset(name, *PRESETS)(config)
  return config.lock()


def _adam(config, rate):
  for player in config.optimizers.values():
    player.update(learning_rate=rate, b1=0.0, b2=0.99)


def digits(config):
  """Sets digits at 16 pixels with narrow networks, for a first try.

  Expect about 7 minutes on two cores.
  """
  high_resolution.small(config, 16)
  config.images = 90_000
  config.growth.update(fade=15_000, hold=15_000)


def flowers32(config):
  """Sets flowers at 32 pixels, with the paper's optimiser, rate and prior.

  Expect 27 minutes on two cores that train a second run beside it, and an FID
  of 4.7 of 2,000 samples (two seeds; 734 flowers held out: .64).
  """
  high_resolution.flowers(config)
  config.growth.update(fade=10_000, hold=10_000)


def cifar10(config):
  """Sets CIFAR-10 as in the authors' Theano code, whose best IS is 8.80.

  Its penalty has a target of 750: 10 ((|g| - 750) / 750)^2. Its players are
  updated simultaneously, and here alternately.
  """
  config.images = config.paper_images = 20_000_000
  config.data.update(name='cifar10', resolution=32)
  config.growth.update(fade=400_000, hold=400_000)
  high_resolution.widths(config, 4096, 128, latents=128)
  penalty = config.regularizers.discriminator.wgan_gp
  penalty.update(weight=10.0 / 750**2, target=750.0)
  high_resolution.long_run(config)


def table1(config):
  """Sets row (g) of the paper's ablation at 128 pixels.

  It is for CelebA and LSUN bedrooms. `sweep` adds the rows from (a) to (h).
  """
  config.images = 10_000_000
  config.data.update(name='folder', resolution=128, mirror=True)
  config.growth.update(fade=800_000, hold=800_000)
  high_resolution.widths(config, 2048, 512, latents=512)
  high_resolution.long_run(config)


def flowers128(config):
  """Sets flowers at 128 pixels, as the authors' TensorFlow code on one GPU."""
  config.images = config.paper_images = 12_000_000
  config.data.update(name='tf_flowers', resolution=128, mirror=True)
  config.growth.batch_size = (128, 128, 128, 64, 32, 16)
  high_resolution.long_run(config)


def paper1024(config):
  """Sets CelebA-HQ at 1024 pixels on one GPU, from a folder of pictures.

  Batch sizes are those of the authors' TensorFlow code for one GPU, which
  raises the learning rate to .0015 at 1024 pixels only.
  """
  config.images = config.paper_images = 12_000_000
  config.data.update(name='folder', resolution=1024, mirror=True)
  config.data.loader = 'stream'
  config.growth.batch_size = (128, 128, 128, 64, 32, 16, 8, 4, 4)
  config.growth.rate = (1.0,) * 8 + (1.5,)
  config.checkpoint.keep = 2
  high_resolution.long_run(config)


def sweep(add):
  """Adds the paper's table 1, from Gulrajani et al.'s baseline (a) to (h)."""
  row = {
    # (a): WGAN-GP at the full resolution from the beginning.
    'growth.first': 0,
    'batch_size': 64,
    'critic_steps': 5,
    'ema_decay': 0.999**20,
    'prior.size': 128,
    'generator.activation': 'relu',
    'generator.norm': 'batch',
    'generator.output': 'tanh',
    'generator.scaling': 'init',
    'discriminator.norm': 'layer',
    'discriminator.scaling': 'init',
    'discriminator.statistics.name': 'none',
  }
  for player in ('generator', 'discriminator'):
    row |= {
      f'optimizers.{player}.learning_rate': 1e-4,
      f'optimizers.{player}.b2': 0.9,
    }
  for changes in (
    {},
    {'growth.first': 4},  # (b) + progressive growing
    {'batch_size': 16},  # (c) + small minibatch
    {  # (d) + revised training parameters
      'critic_steps': 1,
      'ema_decay': 0.999,
      'prior.size': 512,
      'generator.activation': 'leaky_relu',
      'generator.output': 'linear',
      'discriminator.norm': 'none',
      'optimizers.generator.b2': 0.99,
      'optimizers.discriminator.b2': 0.99,
    },
    {'discriminator.statistics.name': 'discrimination'},  # (e)
    {'discriminator.statistics.name': 'stddev'},  # (e*)
    {  # (f) + equalised learning rate
      'generator.scaling': 'equalized',
      'discriminator.scaling': 'equalized',
      'optimizers.generator.learning_rate': 1e-3,
      'optimizers.discriminator.learning_rate': 1e-3,
    },
    {'generator.norm': 'pixel'},  # (g) + pixelwise normalisation
    {'images': 20_000_000},  # (h) converged; the paper does not say when
  ):
    row = row | changes
    add(row)


PRESETS = digits, flowers32, cifar10, table1, flowers128, paper1024
