"""The last stage of progressive growing in PyTorch, with WGAN-GP.

Karras et al., "Progressive Growing of GANs for Improved Quality, Stability, and
Variation", 2018, arXiv:1710.10196, in the form of `ganjax.networks.progressive`
after growth: full resolution, and no fade.
"""

from experiments.benchmark import wgan_gp_torch
from experiments.benchmark.stylegan2_torch_networks import with_deviation
from experiments.benchmark.torch_game import Game


def _generate(params, latents):
  from torch.nn import functional

  def convolved(layer, images, padding=1):
    return normalised(activated(layer, images, padding))

  last = _stages(params) - 1
  images = normalised(latents)[:, :, None, None]
  for stage in range(last + 1):
    block = params[f'block{stage}']
    if stage:
      images = functional.interpolate(images, scale_factor=2, mode='nearest')
    # Of a single pixel, the first convolution makes 4x4.
    images = convolved(block['Conv_0'], images, 1 if stage else 3)
    images = convolved(block['Conv_1'], images)
  return (convolved_by(params[f'rgb{last}'], images),)


def _judge(params, images):
  from torch.nn import functional

  last = _stages(params) - 1
  images = activated(params[f'rgb{last}'], *images, padding=0)
  for stage in range(last, 0, -1):
    for layer in 'Conv_0', 'Conv_1':
      images = activated(params[f'block{stage}'][layer], images)
    images = functional.avg_pool2d(images, 2)
  images = activated(params['block0']['Conv_0'], with_deviation(images))
  features = activated(params['block0']['Conv_1'], images, 0)[:, :, 0, 0]
  kernel, bias = params['logits']['kernel'], params['logits']['bias']
  return (features @ (kernel * len(kernel) ** -0.5) + bias)[:, 0]


def _turns(config, real, twice, once):
  return wgan_gp_torch.turns(config, (real,), twice, once)


def _stages(params):
  return sum(name.startswith('block') for name in params)


def normalised(inputs):
  """Returns inputs `[N, C, ...]`, divided by the norm over their channels."""
  squares = inputs.square().mean(1, keepdim=True)
  return inputs * (squares + 1e-8).rsqrt()


def activated(layer, images, padding=1):
  """Returns the leaky ReLU of an equalised convolution, with He's gain.

  Args:
    layer: a dict of the kernel and the bias.
    images: `[N, C, H, W]`.
    padding: zeros on each side.
  """
  from torch.nn import functional

  hidden = convolved_by(layer, images, padding, gain=2**0.5)
  return functional.leaky_relu(hidden, 0.2)


def convolved_by(layer, images, padding=0, gain=1.0):
  """Returns an equalised convolution without activation.

  For the other arguments, see `activated`.

  Args:
    gain: the output's standard deviation over the input's.
  """
  from torch.nn import functional

  kernel = layer['kernel'] * (gain * layer['kernel'][0].numel() ** -0.5)
  return functional.conv2d(images, kernel, layer['bias'], padding=padding)


GAME = Game(_generate, _judge, _turns, lambda path: path[-2] == 'logits')
