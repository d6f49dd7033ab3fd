"""The training step of DCGAN in PyTorch's eager mode, as in its example."""

from experiments.benchmark import torch_device


def round_of_steps(case, images):
  """Returns a function without arguments that makes a round of steps.

  Args:
    case: a `dcgan.Case`.
    images: `[N, H, W, C]` in [-1, 1], float32, the batch of every step.
  """
  import torch
  from torch import nn

  torch_device.chosen()
  rate, b1 = case.adam
  generator, discriminator = _networks(case)
  optimizers = [
    torch.optim.Adam(player.parameters(), lr=rate, betas=(b1, 0.999))
    for player in (discriminator, generator)
  ]
  softplus = nn.functional.softplus
  batch = torch.tensor(images.transpose(0, 3, 1, 2))

  def update(optimizer, loss):
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

  def step():
    fake = generator(torch.randn(case.batch, case.latents, 1, 1))
    real = batch.clone().requires_grad_(bool(case.penalty))
    logits = discriminator(real)
    loss = softplus(-logits).mean()
    loss = loss + softplus(discriminator(fake.detach())).mean()
    if case.penalty:
      (gradient,) = torch.autograd.grad(logits.sum(), real, create_graph=True)
      loss = loss + case.penalty * gradient.square().sum((1, 2, 3)).mean()
    update(optimizers[0], loss)
    fake = generator(torch.randn(case.batch, case.latents, 1, 1))
    update(optimizers[1], softplus(-discriminator(fake)).mean())

  def run():
    for _ in range(case.steps):
      step()
    next(generator.parameters()).sum().item()  # waits for the device

  return run


def _networks(case):
  from torch import nn

  sizes = [
    case.width * 2**power
    for power in range((case.resolution // 8).bit_length())
  ]

  def normal(module):
    if isinstance(module, nn.BatchNorm2d):
      nn.init.normal_(module.weight, 1, 0.02)
    elif hasattr(module, 'weight'):
      nn.init.normal_(module.weight, 0, 0.02)

  layers = [nn.ConvTranspose2d(case.latents, sizes[-1], 4, 1, 0, bias=False)]
  for wide, narrow in zip(sizes[::-1], sizes[-2::-1], strict=False):
    layers += [nn.BatchNorm2d(wide), nn.ReLU(True)]
    layers += [nn.ConvTranspose2d(wide, narrow, 4, 2, 1, bias=False)]
  layers += [nn.BatchNorm2d(sizes[0]), nn.ReLU(True)]
  layers += [nn.ConvTranspose2d(sizes[0], case.channels, 4, 2, 1, bias=False)]
  generator = nn.Sequential(*layers, nn.Tanh()).apply(normal)

  layers = [nn.Conv2d(case.channels, sizes[0], 4, 2, 1, bias=False)]
  layers += [nn.LeakyReLU(0.2, True)]
  for narrow, wide in zip(sizes, sizes[1:], strict=False):
    layers += [nn.Conv2d(narrow, wide, 4, 2, 1, bias=False)]
    layers += [nn.BatchNorm2d(wide), nn.LeakyReLU(0.2, True)]
  layers += [nn.Conv2d(sizes[-1], 1, 4, 1, 0, bias=False), nn.Flatten(0)]
  return generator, nn.Sequential(*layers).apply(normal)
