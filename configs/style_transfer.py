"""Neural style transfer: a content picture in the style of others.

  python -m experiments.style_transfer --content cat.jpg --style marc.jpg

`:default` does not depend on the scale of features: it takes relative errors,
several sizes from 128 pixels up, Adam, and the moving average as the result.
`:fast` takes half the steps, with L-BFGS. The other presets are published
methods, on pictures in [0, 1]. Their layers are those of VGG; if the features
are those of another network, its own default layers take their place.

- `:gatys` (Gatys, Ecker and Bethge, 2016, arXiv:1508.06576): VGG-19, and L-BFGS
  on Gatys' losses from the content, with 500 evaluations;
- `:wasserstein` (K. Crowson's style-transfer-pytorch, 2021): VGG-19, the
  Wasserstein distance of Gaussians, and sizes by the square root of two;
- `:lesson_content`, `:lesson_style` and `:lesson` are the three pictures of the
  lesson's notebook: the content from noise; the content and the style from
  noise; and content, style and variation from the content with noise. The
  notebook has VGG-16, and Adam with a learning rate of .002, b1 of .99 and an
  epsilon of .1, for 1,000 steps at 256 pixels. Its weights are for VGG-16. The
  features of another network are made as large, but its terms are then weighed
  only roughly alike.
"""

from ml_collections import ConfigDict

from configs import base


def get_config(name='default'):
  """Returns the config of that name, locked."""
  config = ConfigDict()
  config.seed = 0
  config.size = 512  # of the longer side, in pixels
  config.min_size = 128  # of the first scale; each scale is root 2 times larger
  # From 0, the content alone, to 1, the style alone: the weight of style over
  # that of content is strength / (1 - strength) times what is given below.
  config.strength = 0.5
  config.steps = dict(
    first=200, others=100
  )  # at the first scale and at each other
  config.features = (
    ''  # vgg19, vgg16, squeezenet, random; '' takes the best available
  )
  config.pool = 'max'  # or average, l2; for VGG only
  # Layers are names and shares; without any, they are the encoder's default.
  config.content = dict(weight=0.1, statistic='relative', layers={})
  config.style = dict(weight=1.0, statistic='gram', layers={}, scale=1.0)
  config.variation = dict(weight=0.1, statistic='nine_point')
  config.optimizer = dict(name='adam', learning_rate=0.02, b1=0.9, b2=0.99)
  config.clamp = True  # pictures to [0, 1] after each step
  config.init = (
    'content'  # colors, noise, noisy_content, style_stats, or a file
  )
  config.ema_decay = 0.99  # of the pictures; with 0 the result is the last one
  config.colors = 'style'  # or luminance, match, to preserve the content's
  config.dtype = 'float32'  # of the features; or bfloat16
  config.tiles = 0  # side of tiles in pixels, for huge pictures with VGG
  with config.unlocked():
    base.preset(name, *PRESETS)(config)
  return config.lock()


def default(config):
  """Changes nothing."""


def fast(config):
  """Takes half the steps, with L-BFGS."""
  config.steps.update(first=100, others=50)
  config.optimizer = dict(name='lbfgs', memory=10)
  config.ema_decay = 0.0


def gatys(config):
  """Sets the method of Gatys et al.: 500 evaluations at one size."""
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
  config.ema_decay = 0.0


def wasserstein(config):
  """Sets Crowson's method: 1,000 steps at the first scale, 500 at others."""
  config.steps.update(first=1000, others=500)
  config.content.update(statistic='mse', weight=0.015)
  config.content.layers = dict(relu4_2=1.0)
  config.style.statistic = 'wasserstein_crowson'
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
  config.ema_decay = 0.0
  config.init = 'noise'
  config.content.update(statistic='gatys', weight=1.0, layers=dict(relu4_2=1.0))
  config.style.update(
    statistic='mse',
    weight=0.0,
    layers={f'relu{block}_1': 0.25 for block in range(1, 5)},
  )
  config.variation.update(statistic='l1', weight=0.0)


def lesson_content(config):
  """Sets the content alone, from noise."""
  _notebook(config)


def lesson_style(config):
  """Sets content and style, weighed 2 to 1, from noise."""
  _notebook(config)
  config.content.weight = 2.0
  config.style.weight = 1.0


def lesson(config):
  """Sets all three terms, from the content with noise."""
  _notebook(config)
  config.init = 'noisy_content'
  config.style.weight = 150.0
  config.variation.weight = 30.0


PRESETS = (
  default,
  fast,
  gatys,
  wasserstein,
  lesson_content,
  lesson_style,
  lesson,
)
