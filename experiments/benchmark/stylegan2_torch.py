"""The turns of StyleGAN2 in PyTorch, with lazy penalties of their own.

Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", 2020,
arXiv:1912.04958, as in its code; the networks are in
`stylegan2_torch_networks`.
"""

import functools
import random

from experiments.benchmark import stylegan2_torch_networks as networks
from experiments.benchmark.torch_game import Game, Turn

_DENSE = ('affine', 'dense', 'head')
_DECAY = 0.99  # of the mean path length


def game(modulated):
  """Returns the `Game` whose styles modulate convolutions in one way.

  Args:
    modulated: a function of `stylegan2_torch_networks`, `by_factors` or
      `by_groups`.
  """

  def generate(params, styles):
    import torch

    return networks.synthesized(modulated, torch.randn_like, params, styles)

  return Game(generate, networks.judged, _turns, _dense)


def path_length(synthesize, styles, noise, mean):
  """Returns the penalty on path lengths far from their mean, and the mean.

  Args:
    synthesize: styles -> images, of which it is differentiated twice.
    styles: `[N, L, W]`, with a gradient.
    noise: `[N, C, H, W]`, drawn N(0, 1).
    mean: of the lengths so far.
  """
  import torch

  images = synthesize(styles)
  side = images.shape[-1]
  (gradient,) = torch.autograd.grad(
    (images * noise).sum() / side, styles, create_graph=True
  )
  lengths = (gradient.square().sum(2).mean(1) + 1e-12).sqrt()
  mean = mean + (1 - _DECAY) * (lengths.mean() - mean)
  return (lengths - mean).square().mean(), mean.detach()


def r1(judge, real):
  """Returns the mean R1 of images `[N, C, H, W]`, without gamma / 2."""
  import torch

  real = real.detach().requires_grad_()
  (gradient,) = torch.autograd.grad(judge(real).sum(), real, create_graph=True)
  return gradient.square().sum() / len(real)


def styles(params, latents, mixing, number):
  """Returns styles `[N, number, W]`, of other latents from a layer on.

  Args:
    params: of the generator.
    latents: `[N, Z]`.
    mixing: probability that there are others.
    number: of styles of an image.
  """
  import torch

  own = networks.mapped(params, latents)[:, None].expand(-1, number, -1)
  if random.random() >= mixing:
    return own
  first = random.randint(1, number - 1)
  others = networks.mapped(params, torch.randn_like(latents))[:, None]
  others = others.expand(-1, number - first, -1)
  return torch.cat([own[:, :first], others], 1)


def _turns(config, real, twice, once):
  """Returns the turns of a step: each player's loss, and then its penalty."""
  import torch
  from torch.nn.functional import softplus

  of_generator = config.regularizers.generator.path_length
  of_discriminator = config.regularizers.discriminator.r1
  number = 2 * (real.shape[-1].bit_length() - 1) - 2
  mean = torch.zeros((), device=real.device)

  def drawn(params, rows):
    latents = torch.randn(rows, config.prior.size, device=real.device)
    return styles(params, latents, config.generator.mixing, number)

  def fool(params):
    fake = once.generator(params.generator, drawn(params.generator, len(real)))
    return softplus(-once.discriminator(params.discriminator, fake)).mean()

  def smooth(params):
    nonlocal mean
    rows = len(real) // of_generator.shrink
    penalty, mean = path_length(
      functools.partial(twice.generator, params.generator),
      drawn(params.generator, rows),
      torch.randn_like(real[:rows]),
      mean,
    )
    return of_generator.every * of_generator.weight * penalty

  def tell(params):
    with torch.no_grad():
      fake = once.generator(
        params.generator, drawn(params.generator, len(real))
      )
    judge = functools.partial(once.discriminator, params.discriminator)
    return softplus(judge(fake)).mean() + softplus(-judge(real)).mean()

  def flatten(params):
    penalty = r1(
      functools.partial(twice.discriminator, params.discriminator), real
    )
    return of_discriminator.every * of_discriminator.weight * penalty

  return [
    Turn('generator', fool),
    Turn('generator', smooth, of_generator.every),
    Turn('discriminator', tell),
    Turn('discriminator', flatten, of_discriminator.every),
  ]


def _dense(path):
  return path[-2] in _DENSE or path[-2].removeprefix('dense').isdigit()


BY_FACTORS = game(networks.by_factors)
BY_GROUPS = game(networks.by_groups)
