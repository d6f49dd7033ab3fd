"""Neural style transfer: a content picture in the style of others.

  python -m experiments.style_transfer --content cat.jpg --style marc.jpg

`:default` is scale-free: relative distances, several sizes from 128 pixels up,
Adam, the moving average as the result. `:fast` stops at half the steps with
L-BFGS. The others are published ones, on pictures in [0, 1], whose layers are
VGG's; where features are of another network, its own layers stand in for them:

- `:gatys` (Gatys, Ecker and Bethge, 2016, arXiv:1508.06576): VGG-19, L-BFGS on
  Gatys' losses from the content, 500 evaluations;
- `:wasserstein` (K. Crowson's style-transfer-pytorch, 2021): VGG-19, the
  Wasserstein distance of Gaussians, sizes by the square root of two;
- `:lesson_content`, `:lesson_style` and `:lesson` are the three pictures of the
  lesson's notebook: the content from noise; from noise with the style; and from
  the content with noise, style and variation. It has VGG-16 and Adam with a
  rate of .002, b1 .99 and an epsilon of .1, for 1,000 steps at 256 pixels. Its
  weights are for VGG-16: features of another network that stand in are made as
  large, but they are others, so terms weigh but roughly as much.
"""

from ml_collections import ConfigDict

from configs import base


def get_config(name='default'):
  """The config of that name, locked."""
  config = ConfigDict()
  config.seed = 0
  config.size = 512  # of the longer side, in pixels
  config.min_size = 128  # of the first scale; each is root 2 times the last
  config.steps = dict(first=200, others=100)  # at the first scale, at others
  config.features = (
    ''  # vgg19, vgg16, squeezenet, random; '': the best there is
  )
  config.pool = 'max'  # average, l2; of VGG
  # Layers are names and shares; none: the encoder's own.
  config.content = dict(weight=0.1, statistic='relative', layers={})
  config.style = dict(weight=1.0, statistic='gram', layers={}, scale=1.0)
  config.variation = dict(weight=0.1, statistic='nine')
  config.optimizer = dict(name='adam', learning_rate=0.02, b1=0.9, b2=0.99)
  config.clamp = True  # pictures to [0, 1], after each step
  config.start = 'content'  # colors, noise, noisy_content, style_stats
  config.decay = 0.99  # of the moving average, which is the result; 0: the last
  config.colors = 'style'  # luminance, match: those of the content
  config.dtype = 'float32'  # bfloat16
  config.tiles = 0  # pixels of tiles, for huge pictures with VGG; 0: none
  with config.unlocked():
    base.preset(
      name,
      default,
      fast,
      gatys,
      wasserstein,
      lesson_content,
      lesson_style,
      lesson,
    )(config)
  return config.lock()


def default(config):
  """As it stands above."""


def fast(config):
  """Half the steps, by L-BFGS."""
  config.steps.update(first=100, others=50)
  config.optimizer = dict(name='lbfgs', memory=10)
  config.decay = 0.0


def gatys(config):
  """The first: 500 evaluations at one size."""
  config.min_size = 512
  config.steps.first = 500
  config.pool = 'average'
  config.content.update(statistic='gatys', weight=1.0, layers=dict(relu4_2=1.0))
  config.style.update(
    statistic='gatys',
    weight=1000.0,
    layers={f'relu{block}_1': 0.2 for block in range(1, 6)},
  )
  config.variation.weight = 0.0
  config.optimizer = dict(name='lbfgs', memory=10)
  config.clamp = False
  config.decay = 0.0


def wasserstein(config):
  """Crowson's: 1,000 steps at the first scale and 500 at the others."""
  config.steps.update(first=1000, others=500)
  config.content.update(statistic='mean', weight=0.015)
  config.content.layers = dict(relu4_2=1.0)
  config.style.statistic = 'wasserstein_mean'
  shares = {1: 256, 2: 64, 3: 16, 4: 4, 5: 1}
  config.style.layers = {
    f'relu{block}_1': share / sum(shares.values())
    for block, share in shares.items()
  }
  config.variation.weight = 2.0


def _notebook(config):
  config.size = config.min_size = 256
  config.steps.first = 1000
  config.optimizer = dict(
    name='adam', learning_rate=0.002, b1=0.99, b2=0.999, eps=0.1
  )
  config.clamp = False
  config.decay = 0.0
  config.start = 'noise'
  config.content.update(statistic='gatys', weight=1.0, layers=dict(relu4_2=1.0))
  config.style.update(
    statistic='mean',
    weight=0.0,
    layers={f'relu{block}_1': 0.25 for block in range(1, 5)},
  )
  config.variation.update(statistic='l1', weight=0.0)


def lesson_content(config):
  """The content alone, from noise."""
  _notebook(config)


def lesson_style(config):
  """Twice the content and the style, from noise."""
  _notebook(config)
  config.content.weight = 2.0
  config.style.weight = 1.0


def lesson(config):
  """The content, 150 of style, 30 of variation, from the content in noise."""
  _notebook(config)
  config.start = 'noisy_content'
  config.style.weight = 150.0
  config.variation.weight = 30.0
