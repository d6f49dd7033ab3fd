"""StyleGAN2 (Karras et al., 2020, arXiv:1912.04958) as in its PyTorch code.

  python -m experiments.train --config configs/stylegan2.py --workdir runs/s2

trains on scikit-learn's handwritten digits, which need no download, with narrow
networks; so does `:mnist32` on MNIST. `:cifar10` and `:ffhq256` have the
settings of Karras et al., "Training Generative Adversarial Networks with
Limited Data", 2020, arXiv:2006.06676, without its augmentation
(augment.name=ada); `:auto32`, `:auto64` and `:auto128` are what its code
chooses for any pictures in a folder, on one accelerator:

  --config configs/stylegan2.py:auto64 --config.data.dir=PATH

Penalties have updates of their own (`update_rule`). The learning rates and
decays of both optimisers are those without such updates, and are corrected.
"""

from configs import _high_resolution as high_resolution
from configs import base


def get_config(name='digits'):
  """Returns the config of a preset, locked."""
  config = base.get_config()
  method(config)
  base.preset(name, *PRESETS)(config)
  return config.lock()


def method(config):
  """Sets what all presets share: the networks, the loss and the step."""
  config.network = 'stylegan2'
  config.update_rule = 'lazy_regularization'
  config.prior = dict(name='normal', size=512)
  config.ema.ramp = None
  shared = dict(
    base=16384,  # channels times half the resolution
    max_channels=512,  # at any resolution
    low_precision=4,  # resolutions, from the highest down, in the dtype
    remat=False,  # computes blocks again in the backward pass, to save memory
  )
  config.generator = dict(
    shared,
    style=512,  # size of a style
    depth=8,  # layers of the mapping
    mixing=0.9,  # probability of a batch with styles of two latents
  )
  config.discriminator = dict(
    shared,
    residual=True,  # blocks have a skip connection
    statistics=base.statistics() | dict(name='stddev', group=4),
  )
  config.regularizers.generator.path_length.update(weight=2.0, every=4)
  config.regularizers.discriminator.r1.every = 16
  for player in config.optimizers.values():
    player.update(b1=0.0, b2=0.99, eps=1e-8, eps_root=0.0)


def rates(config, batch_size, rate, gamma, half_life, ramp=None):
  """Sets the numbers by which the presets of the code differ.

  Args:
    config: the config, which is changed.
    batch_size: images of a batch.
    rate: the learning rate of both players.
    gamma: of R1.
    half_life: of the generator's average, in images.
    ramp: the share of the images seen so far that it is at most, or None.
  """
  config.batch_size = batch_size
  for player in config.optimizers.values():
    player.learning_rate = rate
  config.regularizers.discriminator.r1.weight = gamma / 2
  config.ema.update(half_life=half_life, ramp=ramp)


def _widths(config, base):
  for player in config.generator, config.discriminator:
    player.base = base


def _small(config, resolution, size, half_life):
  """Sets narrow networks, of which two cores can train some.

  As in the code's settings for CIFAR-10, styles are not mixed and path lengths
  not penalised. With both, and a gamma of .1 or 1, nearly all samples were one
  digit after 18,000 to 40,000 of MNIST's images, in four runs.
  """
  config.data.resolution = resolution
  config.prior.size = size
  config.generator.update(style=size, depth=2)
  for player in config.generator, config.discriminator:
    player.update(base=16 * resolution, max_channels=size)
  config.generator.mixing = 0.0
  config.regularizers.generator.path_length.weight = 0.0
  rates(config, 32, 2.5e-3, gamma=5.0, half_life=half_life, ramp=0.05)


def digits(config):
  """Sets scikit-learn's digits at 16 pixels, for a first try.

  Expect about 6 minutes on two cores, and an FID of 7.2 of 2,000 samples (11 of
  297; the 297 digits held out: 24).
  """
  _small(config, 16, 32, half_life=2_000.0)
  config.images = 100_000


def mnist32(config):
  """Sets MNIST at 32 pixels: digits that are harder, and more of them."""
  _small(config, 32, 64, half_life=10_000.0)
  config.images = 300_000
  config.data.name = 'mnist'


def cifar10(config):
  """Sets CIFAR-10: an FID of 8.32 in the paper on ADA, without it."""
  config.images = 100_000_000
  config.dtype = 'bfloat16'
  config.data.update(name='cifar10', resolution=32)
  rates(config, 64, 2.5e-3, gamma=0.01, half_life=500_000.0, ramp=0.05)
  config.generator.update(depth=2, mixing=0.0)
  config.discriminator.residual = False
  config.discriminator.statistics.group = 32
  config.regularizers.generator.path_length.weight = 0.0
  # The code corrects the generator's optimiser for updates of a penalty that
  # it then leaves out.
  share = 4 / 5
  generator = config.optimizers.generator
  generator.update(learning_rate=2.5e-3 * share, b2=0.99**share)
  high_resolution.long_run(config)


def _folder(config, resolution):
  config.images = 25_000_000
  config.dtype = 'bfloat16'
  config.data.update(
    name='folder', resolution=resolution, mirror=True, loader='stream'
  )
  _widths(config, 8192)
  high_resolution.long_run(config)


def ffhq256(config):
  """Sets FFHQ at 256 pixels, in a folder: an FID of 5.28 with 70,000 images."""
  _folder(config, 256)
  rates(config, 64, 2.5e-3, gamma=1.0, half_life=20_000.0)
  config.discriminator.statistics.group = 8


def _auto(config, resolution):
  """Sets what the code chooses for a resolution on one accelerator."""
  _folder(config, resolution)
  batch_size = 32
  gamma = 2e-4 * resolution**2 / batch_size
  half_life = 10_000.0 * batch_size / 32
  rates(config, batch_size, 2.5e-3, gamma, half_life, ramp=0.05)
  config.generator.depth = 2


def auto32(config):
  """Sets a folder of pictures at 32 pixels."""
  _auto(config, 32)


def auto64(config):
  """Sets a folder of pictures at 64 pixels."""
  _auto(config, 64)


def auto128(config):
  """Sets a folder of pictures at 128 pixels."""
  _auto(config, 128)


def sweep(add):
  """Adds R1's gamma and the path length penalty, each on its own."""
  for gamma in (0.1, 1.0, 5.0):
    add({'regularizers.discriminator.r1.weight': gamma / 2})
  for weight in (0.0, 2.0):
    add({'regularizers.generator.path_length.weight': weight})


PRESETS = digits, mnist32, cifar10, ffhq256, auto32, auto64, auto128
