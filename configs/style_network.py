r"""A network that learns one style, and then paints in milliseconds.

  python -m experiments.style_network --style marc.jpg --data folder \
    --data_dir photographs --workdir runs/marc

`:default` is small, for two cores: relative errors on whatever features there
are, a narrow network, and crops of 128 pixels. `:johnson` is the published one
(Johnson, Alahi and Fei-Fei, 2016, arXiv:1603.08155), for an accelerator:
VGG-16, 256 pixels, batches of 4, and two passes through 80,000 photographs. Its
weights are those of PyTorch's fast_neural_style, for torchvision's VGG-16 on
pictures in [0, 1]. There a Gram matrix is also divided by the number of
channels C, hence the share 1 / C^2 of a layer here.
"""

from ml_collections import ConfigDict

from configs import base


def get_config(name='default'):
  """Returns the config of that name, locked."""
  config = ConfigDict()
  config.seed = 0
  config.images = 4_000  # on which it is trained in all
  config.batch_size = 2
  config.data = dict(
    split='train',
    resolution=256,  # of the shorter side, to which pictures are resized
    window=128,  # side of the random crop that is painted, in pixels
    crop='center',
  )
  config.network = dict(width=16, blocks=5, outer_kernel=5)
  config.features = ''  # vgg19, vgg16, squeezenet; '' takes the best available
  config.pool = 'max'  # or average, l2; for VGG only
  # Layers are names and shares; without any, they are the encoder's default.
  # The style's longer side is `scale` times the data's resolution.
  config.content = dict(weight=0.4, statistic='relative', layers={})
  config.style = dict(weight=1.0, statistic='gram', layers={}, scale=1.5)
  config.variation = dict(weight=0.1, statistic='nine_point')
  config.learning_rate = 2e-3  # of Adam
  config.dtype = 'float32'  # of the features; or bfloat16
  config.tiles = 0  # as in configs/style_transfer.py
  # All three are counted in images.
  config.log = dict(every=100)
  config.samples = dict(every=400)
  config.checkpoint = dict(every=400, keep=1)
  with config.unlocked():
    base.preset(name, *PRESETS)(config)
  return config.lock()


def default(config):
  """Changes nothing."""


def johnson(config):
  """Sets the paper's layers and training."""
  config.images = 160_000
  config.batch_size = 4
  config.data.window = 256
  config.network = dict(width=32, blocks=5, outer_kernel=9)
  config.features = 'vgg16'
  config.content.update(weight=1e5, statistic='mse', layers=dict(relu2_2=1.0))
  channels = dict(relu1_2=64, relu2_2=128, relu3_3=256, relu4_3=512)
  config.style.update(
    weight=1e10,
    statistic='mse',
    layers={layer: 1 / number**2 for layer, number in channels.items()},
  )
  config.style.scale = 1.0
  config.variation.weight = 0.0
  config.learning_rate = 1e-3
  for name in ('log', 'samples', 'checkpoint'):
    config[name].every = 4_000


PRESETS = default, johnson
