"""The last stage of progressive growing in PyTorch, with WGAN-GP.

Karras et al., "Progressive Growing of GANs for Improved Quality, Stability, and
Variation", 2018, arXiv:1710.10196, in the form of `ganjax.networks.progressive`
after growth: full resolution, and no fade.
"""

from experiments.benchmark.stylegan2_torch_networks import with_deviation
from experiments.benchmark.torch_game import Game, Turn

_GAIN = 2**0.5


def _generate(params, latents):
  from torch.nn import functional

  def convolved(layer, images, padding=1):
    hidden = functional.leaky_relu(_conv(layer, images, padding), 0.2)
    return _normalised(hidden)

  last = _stages(params) - 1
  images = _normalised(latents)[:, :, None, None]
  for stage in range(last + 1):
    block = params[f'block{stage}']
    if stage:
      images = functional.interpolate(images, scale_factor=2, mode='nearest')
    # Of a single pixel, the first convolution makes 4x4.
    images = convolved(block['Conv_0'], images, 1 if stage else 3)
    images = convolved(block['Conv_1'], images)
  return _conv(params[f'rgb{last}'], images, 0, gain=1.0)


def _judge(params, images):
  from torch.nn import functional

  def convolved(layer, images, padding=1):
    return functional.leaky_relu(_conv(layer, images, padding), 0.2)

  last = _stages(params) - 1
  images = convolved(params[f'rgb{last}'], images, 0)
  for stage in range(last, 0, -1):
    for layer in 'Conv_0', 'Conv_1':
      images = convolved(params[f'block{stage}'][layer], images)
    images = functional.avg_pool2d(images, 2)
  images = convolved(params['block0']['Conv_0'], with_deviation(images))
  features = convolved(params['block0']['Conv_1'], images, 0)[:, :, 0, 0]
  kernel, bias = params['logits']['kernel'], params['logits']['bias']
  return (features @ (kernel * len(kernel) ** -0.5) + bias)[:, 0]


def critic_value(judges, real, fake, shares, weight, drift):
  """Returns the critic's Wasserstein loss with WGAN-GP's penalty and a drift.

  Gulrajani et al., "Improved Training of Wasserstein GANs", 2017,
  arXiv:1704.00028, equation 3.

  Args:
    judges: two functions images -> logits `[N]`, of which the gradient of the
      first one is differentiated again.
    real: images `[N, C, H, W]`.
    fake: likewise, without a gradient.
    shares: of the real in what lies between each real and fake, `[N]`.
    weight: of the penalty.
    drift: the weight of the squared logits of reals.
  """
  import torch

  twice, once = judges
  between = fake + shares[:, None, None, None] * (real - fake)
  between.requires_grad_()
  (gradient,) = torch.autograd.grad(
    twice(between).sum(), between, create_graph=True
  )
  norms = (gradient.square().sum((1, 2, 3)) + 1e-12).sqrt()
  of_real, of_fake = once(real), once(fake)
  loss = of_fake.mean() - of_real.mean() + drift * of_real.square().mean()
  return loss + weight * (norms - 1).square().mean()


def _turns(config, real, twice, once):
  import torch

  penalties = config.regularizers.discriminator
  weights = penalties.wgan_gp.weight, penalties.drift.weight

  def latents():
    return torch.randn(len(real), config.prior.size, device=real.device)

  def of_critic(params):
    with torch.no_grad():
      fake = once.generator(params.generator, latents())
    judges = (
      lambda images: twice.discriminator(params.discriminator, images),
      lambda images: once.discriminator(params.discriminator, images),
    )
    shares = torch.rand(len(real), device=real.device)
    return critic_value(judges, real, fake, shares, *weights)

  def of_generator(params):
    fake = once.generator(params.generator, latents())
    return -once.discriminator(params.discriminator, fake).mean()

  return [Turn('discriminator', of_critic), Turn('generator', of_generator)]


def _stages(params):
  return sum(name.startswith('block') for name in params)


def _normalised(inputs):
  squares = inputs.square().mean(1, keepdim=True)
  return inputs * (squares + 1e-8).rsqrt()


def _conv(layer, images, padding, gain=_GAIN):
  from torch.nn import functional

  kernel = layer['kernel'] * (gain * layer['kernel'][0].numel() ** -0.5)
  return functional.conv2d(images, kernel, layer['bias'], padding=padding)


GAME = Game(_generate, _judge, _turns, lambda path: path[-2] == 'logits')
