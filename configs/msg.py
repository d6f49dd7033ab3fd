"""MSG-GAN: multi-scale gradients (Karnewar and Wang, 2020, arXiv:1903.06048).

  python -m experiments.train --config configs/msg.py --workdir runs/msg

trains on scikit-learn's handwritten digits at 16 pixels, which need no
download: under ten minutes on two cores. `:flowers32` is the comparison with
progressive growing in the README. `:cifar10`, `:flowers128` and `:paper1024`
are MSG-ProGAN as the paper has it, `:bmsg128` as its authors' code has it
(BMSG-GAN); `:style_digits`, `:style128` and `:style1024` are MSG-StyleGAN:

  --config configs/msg.py:flowers128 --config.data.dir=PATH

The paper does not say with which decay RMSprop averages, nor which batches
MSG-ProGAN saw; here they are .99 and 16.
"""

from configs import _sizes, base


def get_config(name='digits'):
  """The config of that name, locked."""
  config = base.get_config()
  config.network = 'msg'
  config.connections = 'all'  # none, coarse, middle, fine
  config.batch_size = 16
  config.loss = 'wasserstein'
  # One epsilon for an example at all scales, the mean of their penalties.
  config.regularizers.discriminator.wgan_gp.weight = 10.0
  config.regularizers.discriminator.drift.weight = 1e-3
  _optimizers(config, name='rmsprop', b1=0.0, b2=0.99, learning_rate=3e-3)
  config.prior = dict(name='sphere', size=512)
  config.generator = dict(
    base=8192,  # channels times half the resolution,
    max_channels=512,  # and channels at any
    gain=1.0,  # of the layers that make images
    scaling='equalized',  # at_init: He's constant is in the draw only
    remat=False,  # blocks are computed again instead of being kept
  )
  config.discriminator = dict(
    base=8192,
    max_channels=512,
    gain=1.0,
    combine='simple',  # lin_cat, cat_lin
    scaling='equalized',
    remat=False,
    statistics=base.statistics() | dict(name='stddev', group=4),
    everywhere=True,  # statistics in each block, or in the last
  )
  presets = (
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
  base.preset(name, *presets)(config)
  return config.lock()


def _optimizers(config, **section):
  for player in config.optimizers.values():
    player.update(section)


def digits(config):
  """Small, narrow and soon done."""
  _sizes.small(config, 16)
  config.images = 60_000


def flowers32(config):
  """Flowers at 32 pixels, to be compared with the other way to them."""
  _sizes.flowers(config)


def cifar10(config):
  """CIFAR-10: an IS of 8.63 at the rate .003, from 7.92 to 8.33 at others."""
  config.images = 20_000_000
  config.data.update(name='cifar10', resolution=32)
  _sizes.seldom(config)


def flowers128(config):
  """Flowers; at 256 pixels the paper has an FID of 28.27 at 1.7 M images."""
  config.images = 1_700_000
  config.data.update(name='tf_flowers', resolution=128, mirror=True)
  _sizes.seldom(config)


def paper1024(config):
  """FFHQ, in a folder: an FID of 8.36 at 6 M images, on four V100."""
  config.images = 6_000_000
  config.data.update(
    name='folder', resolution=1024, mirror=True, loader='stream'
  )
  config.checkpoint.keep = 2
  _sizes.seldom(config)


def bmsg128(config):
  """The authors' code: relativistic average hinge, Adam, wider gains."""
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


def _styles(config, scales):
  """MSG-StyleGAN: non-saturating with R1, whose gamma is 10."""
  config.network = 'stylegan'
  config.loss = 'non_saturating'
  config.regularizers.discriminator.wgan_gp.weight = 0.0
  config.regularizers.discriminator.drift.weight = 0.0
  # Half of gamma; the paper's is a mean over scales, of which ours is the sum.
  config.regularizers.discriminator.r1.weight = 5.0 / scales
  _optimizers(config, name='adam', b1=0.0, b2=0.99, learning_rate=3e-3)
  config.prior.name = 'normal'
  config.discriminator.combine = 'cat_lin'
  del config.generator.gain, config.discriminator.gain
  config.generator.update(
    style=512,  # numbers in one
    depth=8,  # layers of the mapping
    mixing=0.0,  # share of the examples with styles of two latents
  )
  # Half of what is averaged is older than 10,000 images.
  config.ema_decay = 0.5 ** (config.batch_size / 10_000)


def style_digits(config):
  """As `digits`, with styles."""
  digits(config)
  _styles(config, scales=3)
  config.generator.update(style=32, depth=4)


def style128(config):
  """Flowers; at 256 pixels the paper has an FID of 19.60 at 1.6 M images."""
  flowers128(config)
  _styles(config, scales=6)


def style1024(config):
  """FFHQ, in a folder: an FID of 5.80 at 9.6 M images, on four V100."""
  paper1024(config)
  config.images = 9_600_000
  _styles(config, scales=9)


def sweep(add):
  """Which connections matter, and how much the learning rate does."""
  for connections in ('none', 'coarse', 'middle', 'fine', 'all'):
    add({'connections': connections})
  for rate in (1e-3, 5e-3, 1e-2):
    add(
      {
        'optimizers.generator.learning_rate': rate,
        'optimizers.discriminator.learning_rate': rate,
      }
    )
