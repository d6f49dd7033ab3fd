"""R3GAN in PyTorch, with both penalties of one pass of the discriminator.

Huang et al., "The GAN is dead; long live the GAN! A Modern GAN Baseline", 2024,
arXiv:2501.05441, in the form of `ganjax.networks.r3gan`.
"""

from experiments.benchmark import torch_resample
from experiments.benchmark.torch_game import Game, Turn

_SLOPE = 0.2  # of the leaky ReLU below 0
_DENSE = ('start', 'head')


def _generate(params, latents):
  weights = latents @ params['start']['kernel']
  images = weights[:, :, None, None] * params['basis']
  for stage in range(_stages(params)):
    if stage:
      images = torch_resample.up(_widened(params, images, stage))
    images = _residuals(params, images, stage)
  return _convolved(images, params['to_rgb']['kernel'])


def _judge(params, images):
  images = _convolved(images, params['from_rgb']['kernel'])
  for stage in reversed(range(_stages(params))):
    images = _residuals(params, images, stage)
    if stage:
      images = _widened(params, torch_resample.down(images), stage)
  features = (images * params['basis']).sum((2, 3))
  return (features @ params['head']['kernel'])[:, 0]


def discriminator_value(judge, real, fake, weight):
  """Returns the relativistic loss with R1 and R2 of the same pass.

  Args:
    judge: images -> logits `[N]`.
    real: images `[N, C, H, W]`.
    fake: likewise, without a gradient.
    weight: of both penalties, gamma / 2.
  """
  import torch

  images = torch.cat([real, fake]).requires_grad_()
  logits = judge(images)
  (gradient,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
  of_real, of_fake = logits.chunk(2)
  loss = torch.nn.functional.softplus(of_fake - of_real).mean()
  return loss + weight * gradient.square().sum() / len(real)


def generator_value(judge, real, fake):
  """Returns the generator's relativistic loss.

  Args:
    judge: images -> logits `[N]`.
    real: images `[N, C, H, W]`.
    fake: likewise.
  """
  import torch

  return torch.nn.functional.softplus(judge(real) - judge(fake)).mean()


def _turns(config, real, twice, once):
  """Returns the turns of a step, which see different reals."""
  import torch

  weight = config.regularizers.discriminator.r1_r2.weight

  def latents():
    shape = config.batch_size, config.prior.size
    return torch.randn(shape, device=real.device)

  def of_discriminator(params):
    with torch.no_grad():
      fake = once.generator(params.generator, latents())
    return discriminator_value(
      lambda images: twice.discriminator(params.discriminator, images),
      real[: config.batch_size],
      fake,
      weight,
    )

  def of_generator(params):
    return generator_value(
      lambda images: once.discriminator(params.discriminator, images),
      real[config.batch_size :],
      once.generator(params.generator, latents()),
    )

  return [
    Turn('discriminator', of_discriminator),
    Turn('generator', of_generator),
  ]


def _stages(params):
  return sum(name.endswith('_0') for name in params)


def _convolved(images, kernel, bias=None, groups=1):
  from torch.nn import functional

  padding = kernel.shape[-1] // 2
  return functional.conv2d(images, kernel, bias, padding=padding, groups=groups)


def _residuals(params, images, stage):
  number = 0
  while (block := params.get(f'block{stage}_{number}')) is not None:
    images = images + _bottleneck(block, images)
    number += 1
  return images


def _bottleneck(block, images):
  from torch.nn import functional

  hidden = _convolved(images, block['widen']['kernel'], block['bias_before'])
  hidden = functional.leaky_relu(hidden, _SLOPE)
  kernel = block['kernel']
  groups = hidden.shape[1] // kernel.shape[1]
  hidden = _convolved(hidden, kernel, block['bias_after'], groups)
  hidden = functional.leaky_relu(hidden, _SLOPE)
  return _convolved(hidden, block['narrow']['kernel'])


def _widened(params, images, stage):
  if f'width{stage}' in params:
    return _convolved(images, params[f'width{stage}']['kernel'])
  return images


GAME = Game(_generate, _judge, _turns, lambda path: path[-2] in _DENSE)
