"""MSG-ProGAN in PyTorch, with WGAN-GP: all resolutions are judged at once.

Karnewar and Wang, "MSG-GAN: Multi-Scale Gradients for Generative Adversarial
Networks", 2020, arXiv:1903.06048, in the form of `ganjax.networks.msg` with
images of each resolution, which are joined simply, and the deviation of groups
in each block. Pyramids are tuples of `[N, C, r, r]`, the smallest first.
"""

from experiments.benchmark import wgan_gp_torch
from experiments.benchmark.progressive_torch import (
  activated,
  convolved_by,
  normalised,
)
from experiments.benchmark.stylegan2_torch_networks import with_deviation
from experiments.benchmark.torch_game import Game


def _generate(params, latents):
  from torch.nn import functional

  # Of a single pixel, the first convolution makes 4x4.
  start = params['block4']
  images = activated(start['Conv_0'], normalised(latents)[:, :, None, None], 3)
  images = normalised(activated(start['Conv_1'], images))
  side, pyramid = 4, [convolved_by(params['rgb4'], images)]
  while (block := params.get(f'block{2 * side}')) is not None:
    side *= 2
    images = functional.interpolate(images, scale_factor=2, mode='nearest')
    for layer in 'Conv_0', 'Conv_1':
      images = normalised(activated(block[layer], images))
    pyramid.append(convolved_by(params[f'rgb{side}'], images))
  return tuple(pyramid)


def _judge(params, pyramid):
  import torch
  from torch.nn import functional

  *below, largest = pyramid
  side = largest.shape[-1]
  hidden = convolved_by(params[f'rgb{side}']['Conv_0'], largest)
  for image in reversed(below):
    hidden = with_deviation(hidden)
    for layer in 'Conv_0', 'Conv_1':
      hidden = activated(params[f'block{side}'][layer], hidden)
    hidden = torch.cat([image, functional.avg_pool2d(hidden, 2)], 1)
    side //= 2
  end = params['block4']
  hidden = activated(end['Conv_0'], with_deviation(hidden))
  features = activated(end['Conv_1'], hidden, 0)
  return convolved_by(params['logits'], features)[:, 0, 0, 0]


def pyramid(images):
  """Returns images `[N, C, R, R]` at each resolution from 4 pixels on."""
  from torch.nn import functional

  levels = [images]
  while levels[0].shape[-1] > 4:
    levels.insert(0, functional.avg_pool2d(levels[0], 2))
  return tuple(levels)


def _turns(config, real, twice, once):
  return wgan_gp_torch.turns(config, pyramid(real), twice, once)


GAME = Game(_generate, _judge, _turns, lambda path: False)
