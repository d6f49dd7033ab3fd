"""The turns of a game with WGAN-GP in PyTorch, of images or of pyramids.

Images are a tuple of tensors `[N, C, r, r]`, one for each resolution.
"""

from experiments.benchmark.torch_game import Turn


def critic_value(judges, real, fake, shares, weight, drift):
  """Returns the critic's Wasserstein loss with WGAN-GP's penalty and a drift.

  Gulrajani et al., "Improved Training of Wasserstein GANs", 2017,
  arXiv:1704.00028, equation 3. A pyramid has the mean of its penalties.

  Args:
    judges: two functions images -> logits `[N]`, of which the gradient of the
      first one is differentiated again.
    real: a tuple of images.
    fake: likewise, without a gradient.
    shares: of the real in what lies between each real and fake, `[N]`.
    weight: of the penalty.
    drift: the weight of the squared logits of reals.
  """
  import torch

  twice, once = judges
  shares = shares[:, None, None, None]
  between = tuple(
    (own + shares * (other - own)).requires_grad_()
    for own, other in zip(fake, real, strict=True)
  )
  gradients = torch.autograd.grad(
    twice(between).sum(), between, create_graph=True
  )
  penalties = [
    ((gradient.square().sum((1, 2, 3)) + 1e-12).sqrt() - 1).square().mean()
    for gradient in gradients
  ]
  of_real, of_fake = once(real), once(fake)
  loss = of_fake.mean() - of_real.mean() + drift * of_real.square().mean()
  return loss + weight * sum(penalties) / len(penalties)


def turns(config, real, twice, once):
  """Returns the turns of a step, as `torch_game.Game` has them.

  Args:
    config: of the run.
    real: a tuple of images, those of every step.
    twice: a `Pair` of functions, whose gradients can be differentiated again.
    once: likewise of those that may be compiled.
  """
  import torch

  penalties = config.regularizers.discriminator
  weights = penalties.wgan_gp.weight, penalties.drift.weight
  rows, device = len(real[0]), real[0].device

  def latents():
    return torch.randn(rows, config.prior.size, device=device)

  def of_critic(params):
    with torch.no_grad():
      fake = once.generator(params.generator, latents())
    judges = (
      lambda images: twice.discriminator(params.discriminator, images),
      lambda images: once.discriminator(params.discriminator, images),
    )
    shares = torch.rand(rows, device=device)
    return critic_value(judges, real, fake, shares, *weights)

  def of_generator(params):
    fake = once.generator(params.generator, latents())
    return -once.discriminator(params.discriminator, fake).mean()

  return [Turn('discriminator', of_critic), Turn('generator', of_generator)]
