"""A network that learns one style, and then paints in milliseconds.

  python -m experiments.style_network --style marc.jpg --data folder \
    --data_dir photographs --workdir runs/marc

`:default` is small, for two cores: scale-free distances on whatever features
there are, a narrow network, windows of 128 pixels. `:johnson` is the published
one (Johnson, Alahi and Fei-Fei, 2016, arXiv:1603.08155), for an accelerator:
VGG-16, 256 pixels, batches of 4, two passes through 80,000 photographs. Its
weights are those of PyTorch's fast_neural_style, for torchvision's VGG-16 on
pictures in [0, 1]; there a Gram matrix is also divided by the channels C, and
so here the share of a layer is 1 / C^2.
"""

from ml_collections import ConfigDict

from configs import base


def get_config(name='default'):
  """The config of that name, locked."""
  config = ConfigDict()
  config.seed = 0
  config.images = 4_000  # shown in all
  config.batch_size = 2
  config.data = dict(
    split='train',
    resolution=256,  # to which the shorter side is brought
    window=128,  # of it, at random, is what is painted
    crop='center',
  )
  config.network = dict(width=16, blocks=5, outer=5)
  config.features = ''  # vgg19, vgg16, squeezenet; '': the best there is
  config.pool = 'max'  # average, l2; of VGG
  # Layers are names and shares; none: the encoder's own. The style's longer
  # side is `scale` times the data's resolution.
  config.content = dict(weight=0.4, statistic='relative', layers={})
  config.style = dict(weight=1.0, statistic='gram', layers={}, scale=1.5)
  config.variation = dict(weight=0.1, statistic='nine')
  config.learning_rate = 2e-3  # of Adam
  config.dtype = 'float32'  # of the features; bfloat16
  config.tiles = 0  # as in configs/style_transfer.py
  # All three in images shown.
  config.log = dict(every=100)
  config.samples = dict(every=400)
  config.checkpoint = dict(every=400, keep=1)
  with config.unlocked():
    base.preset(name, default, johnson)(config)
  return config.lock()


def default(config):
  """As it stands above."""


def johnson(config):
  """The paper's layers and training."""
  config.images = 160_000
  config.batch_size = 4
  config.data.window = 256
  config.network = dict(width=32, blocks=5, outer=9)
  config.features = 'vgg16'
  config.content.update(weight=1e5, statistic='mean', layers=dict(relu2_2=1.0))
  channels = dict(relu1_2=64, relu2_2=128, relu3_3=256, relu4_3=512)
  config.style.update(
    weight=1e10,
    statistic='mean',
    layers={layer: 1 / number**2 for layer, number in channels.items()},
  )
  config.style.scale = 1.0
  config.variation.weight = 0.0
  config.learning_rate = 1e-3
  for name in ('log', 'samples', 'checkpoint'):
    config[name].every = 4_000
