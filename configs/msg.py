"""MSG-GAN: multi-scale gradients (Karnewar and Wang, 2020, arXiv:1903.06048).

  python -m experiments.train --config configs/msg.py --workdir runs/msg

trains on scikit-learn's handwritten digits at 16 pixels, which need no
download: under ten minutes on two cores. `:flowers32` is compared with that of
configs/progressive.py in the README, each with its own paper's settings;
configs/flowers_matched.py has the same settings for both. `:cifar10`,
`:flowers128` and `:paper1024` are MSG-ProGAN as the paper has it, `:bmsg128` as
its authors' code has it (BMSG-GAN); `:style_digits`, `:style128` and
`:style1024` are MSG-StyleGAN:

  --config configs/msg.py:flowers128 --config.data.dir=PATH

The paper gives neither the decay of RMSprop's average nor the batch size of
MSG-ProGAN; here they are .99 and 16.
"""

from configs import _high_resolution as high_resolution
from configs import base


def get_config(name='digits'):
  """Returns the config of a preset, locked."""
  config = base.get_config()
  config.network = 'msg'
  config.connections = 'all'  # or none, coarse, middle, fine
  config.batch_size = 16
  config.loss = 'wasserstein'
  # One epsilon for all scales of an example, and the mean of their penalties.
  config.regularizers.discriminator.wgan_gp.weight = 10.0
  config.regularizers.discriminator.drift.weight = 1e-3
  # The epsilons are PyTorch's, as in the authors' code.
  _optimizers(
    config,
    **dict(name='rmsprop', learning_rate=3e-3, b1=0.0, b2=0.99),
    **dict(eps=1e-8, eps_root=0.0),
  )
  config.prior = dict(name='sphere', size=512)
  config.generator = dict(
    base=8192,  # channels times half the resolution
    max_channels=512,  # at any resolution
    gain=1.0,  # of the layers that make images
    scaling='equalized',  # or init: He's constant in the initialisation only
    remat=False,  # computes blocks again in the backward pass, to save memory
  )
  config.discriminator = dict(
    base=8192,
    max_channels=512,
    gain=1.0,
    combine='simple',  # or lin_cat, cat_lin: how blocks take images
    scaling='equalized',
    remat=False,
    statistics=base.statistics() | dict(name='stddev', group=4),
    everywhere=True,  # statistics in each block, or else in the last alone
  )
  base.preset(name, *PRESETS)(config)
  return config.lock()


def _optimizers(config, **section):
  for player in config.optimizers.values():
    player.update(section)


def digits(config):
  """Sets digits at 16 pixels with narrow networks, for a first try.

  Expect about 8 minutes on two cores.
  """
  high_resolution.small(config, 16)
  config.images = 60_000


def flowers32(config):
  """Sets flowers at 32 pixels, with the paper's optimiser, rate and prior.

  Expect 45 minutes on two cores that train a second run beside it, and an FID
  of 1.8 of 2,000 samples (two seeds; 734 flowers held out: .64).
  """
  high_resolution.flowers(config)


def cifar10(config):
  """Sets CIFAR-10: an IS of 8.63 at the rate .003, 7.92 to 8.33 at others."""
  config.images = 20_000_000
  config.data.update(name='cifar10', resolution=32)
  high_resolution.long_run(config)


def flowers128(config):
  """Sets flowers: at 256 pixels, an FID of 28.27 in the paper, 1.7 M images."""
  config.images = 1_700_000
  config.data.update(name='tf_flowers', resolution=128, mirror=True)
  high_resolution.long_run(config)


def paper1024(config):
  """Sets FFHQ, in a folder: an FID of 8.36 at 6 M images, on four V100."""
  config.images = config.paper_images = 6_000_000
  config.data.update(
    name='folder', resolution=1024, mirror=True, loader='stream'
  )
  config.checkpoint.keep = 2
  high_resolution.long_run(config)


def bmsg128(config):
  """Sets the authors' code: relativistic average hinge, Adam, larger gains."""
  flowers128(config)
  config.batch_size = 20
  config.loss = 'relativistic_average_hinge'
  config.regularizers.discriminator.wgan_gp.weight = 0.0
  config.regularizers.discriminator.drift.weight = 0.0
  _optimizers(config, name='adam', b1=0.0, b2=0.99, learning_rate=3e-3)
  config.generator.gain = config.discriminator.gain = 2**0.5
  config.discriminator.combine = 'lin_cat'
  config.discriminator.statistics.group = 0
  config.discriminator.everywhere = False


def _stylegan(config, scales):
  """Sets MSG-StyleGAN: the non-saturating loss with R1, whose gamma is 10."""
  config.network = 'stylegan'
  config.loss = 'non_saturating'
  config.regularizers.discriminator.wgan_gp.weight = 0.0
  config.regularizers.discriminator.drift.weight = 0.0
  # Half of gamma, over the scales: the paper's R1 is their mean, ours a sum.
  config.regularizers.discriminator.r1.weight = 5.0 / scales
  _optimizers(config, name='adam', b1=0.0, b2=0.99, learning_rate=3e-3)
  config.prior.name = 'normal'
  config.discriminator.combine = 'cat_lin'
  del config.generator.gain, config.discriminator.gain
  config.generator.update(
    style=512,  # size of a style
    depth=8,  # layers of the mapping
    mixing=0.0,  # share of the examples with styles of two latents
  )
  # The half-life of the average is 10,000 images.
  config.ema_decay = 0.5 ** (config.batch_size / 10_000)


def style_digits(config):
  """Sets `digits` with MSG-StyleGAN.

  Expect about 10 minutes on two cores.
  """
  digits(config)
  _stylegan(config, scales=3)
  config.generator.update(style=32, depth=4)


def style128(config):
  """Sets flowers: at 256 pixels, an FID of 19.60 in the paper, 1.6 M images."""
  flowers128(config)
  _stylegan(config, scales=6)


def style1024(config):
  """Sets FFHQ, in a folder: an FID of 5.80 at 9.6 M images, on four V100."""
  paper1024(config)
  config.images = config.paper_images = 9_600_000
  _stylegan(config, scales=9)


def sweep(add):
  """Adds the ablations of the connections and of the learning rate."""
  for connections in ('none', 'coarse', 'middle', 'fine', 'all'):
    add({'connections': connections})
  for rate in (1e-3, 5e-3, 1e-2):
    add(
      {
        'optimizers.generator.learning_rate': rate,
        'optimizers.discriminator.learning_rate': rate,
      }
    )


PRESETS = (
  digits,
  flowers32,
  cifar10,
  flowers128,
  paper1024,
  bmsg128,
  style_digits,
  style128,
  style1024,
)
