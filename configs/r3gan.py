"""R3GAN (Huang et al., 2024, arXiv:2501.05441), a modern baseline.

  python -m experiments.train --config configs/r3gan.py --workdir runs/r3gan

trains on scikit-learn's handwritten digits, which need no download, with narrow
networks; so does `:mnist16` on MNIST. `:cifar10`, `:ffhq64` and `:ffhq256` have
the networks and schedules of the paper and its code:

  --config configs/r3gan.py:ffhq64 --config.data.dir=PATH

Stacked MNIST, which is made while training, is the protocol
`stacked_mnist_r3gan_paper` of configs/mode_collapse.py.

Learning rates, b2, gamma, the half-life of the average and the probability of
augmentations change along half a cosine over the images of the burn-in. Both
players see different reals in a step, which the images seen count once.
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
  config.network = 'r3gan'
  config.loss = 'relativistic'
  config.critic_pass = 'joint'
  config.generator_batches = 1
  config.fake_labels = dict(name='paired')
  config.prior = dict(name='normal', size=64)
  config.augment.policy = 'r3gan'
  config.ema.ramp = None
  shared = dict(
    widths=(768,) * 4,  # channels at 4 pixels, 8 pixels and so on
    blocks=2,  # residual blocks at each resolution
    expansion=2,  # times more channels within a block
    group=16,  # channels in a group of its 3x3 convolution
    low_precision=4,  # resolutions, from the highest down, in the dtype
  )
  config.generator = dict(shared, embedding=64)  # size of a class's vector
  config.discriminator = dict(shared)
  for player in config.optimizers.values():
    player.update(b1=0.0, b2=0.9, eps=1e-8, eps_root=0.0)


def _networks(config, **arguments):
  for player in config.generator, config.discriminator:
    player.update(arguments)


def burn_in(config, images, gamma, half_life, p=0.0, rate=(2e-4, 5e-5)):
  """Sets everything that changes over the first images.

  Args:
    config: the config, which is changed.
    images: of the burn-in.
    gamma: of R1 and R2, at first; it falls to a tenth.
    half_life: of the average in the end, in images; it begins at 0.
    p: probability of each augmentation in the end; it begins at 0.
    rate: learning rates of both players, at first and in the end.
  """
  over = dict(name='cosine', images=float(images))
  for player, optimizer in config.optimizers.items():
    schedules = config.schedules.optimizers[player]
    optimizer.learning_rate = rate[0]
    schedules.learning_rate.update(over, to=rate[1])
    schedules.b2.update(over, to=0.99)
  # The weight is gamma / 2.
  config.regularizers.discriminator.r1_r2.weight = gamma / 2
  penalties = config.schedules.regularizers.discriminator
  penalties.r1_r2.weight.update(over, to=gamma / 20)
  config.ema.half_life = 0.0
  config.schedules.ema.half_life.update(over, to=float(half_life))
  if p:
    config.augment.update(name='ada', p=0.0)
    config.schedules.augment.p.update(over, to=p)


def _small(config):
  """Sets narrow networks at 16 pixels, of which two cores can train some."""
  config.data.resolution = 16
  config.batch_size = 32
  _networks(config, widths=(64, 32, 16), blocks=1)


def digits(config):
  """Sets scikit-learn's digits at 16 pixels, for a first try.

  Expect about 6 minutes on two cores, and an FID of 15 of 2,000 samples (21 of
  297; the 297 digits held out: 24).
  """
  _small(config)
  config.images = 80_000
  burn_in(config, 30_000, gamma=1.0, half_life=2_000, rate=(1e-3, 2.5e-4))


def mnist16(config):
  """Sets MNIST at 16 pixels: digits that are harder, and more of them.

  Expect about 25 minutes on two cores.
  """
  _small(config)
  config.images = 300_000
  config.data.name = 'mnist'
  burn_in(config, 150_000, gamma=1.0, half_life=10_000, rate=(1e-3, 2.5e-4))


def cifar10(config):
  """Sets CIFAR-10 by class: an FID of 1.96 in the paper, on 8 L40."""
  config.images = config.paper_images = 250_000_000
  config.batch_size = 512
  config.labels = True
  config.dtype = 'bfloat16'
  config.data.update(name='cifar10', resolution=32, mirror=True)
  burn_in(config, 20_000_000, gamma=0.05, half_life=5_000_000, p=0.55)
  high_resolution.long_run(config)


def _ffhq(config, resolution, gamma):
  config.batch_size = 256
  config.dtype = 'bfloat16'
  config.data.update(
    name='folder', resolution=resolution, mirror=True, loader='stream'
  )
  burn_in(config, 20_000_000, gamma=gamma, half_life=500_000, p=0.3)
  high_resolution.long_run(config)


def ffhq64(config):
  """Sets FFHQ at 64 pixels, in a folder: an FID of 1.95 in the paper."""
  config.images = config.paper_images = 100_000_000
  _networks(config, widths=(768, 768, 768, 768, 384))
  _ffhq(config, 64, gamma=2.0)


def ffhq256(config):
  """Sets FFHQ at 256 pixels, in a folder: an FID of 2.75 in the paper."""
  config.images = config.paper_images = 200_000_000
  _networks(config, widths=(768, 768, 768, 768, 384, 192, 96))
  _ffhq(config, 256, gamma=150.0)


def sweep(add):
  """Adds the ablation of the penalties: both, one of them, or seldom."""
  penalties = 'regularizers.discriminator'
  for every in (1, 4, 8):
    add({f'{penalties}.r1_r2.every': every})
  for name in ('r1', 'r2'):
    add({f'{penalties}.r1_r2.weight': 0.0, f'{penalties}.{name}.weight': 0.05})


PRESETS = digits, mnist16, cifar10, ffhq64, ffhq256
