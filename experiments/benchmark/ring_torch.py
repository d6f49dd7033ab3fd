"""GANs on a ring of Gaussians in PyTorch's eager mode, on one thread."""

import math


def trainer(ring, number, batch):
  """Returns a function `runs -> words` that trains one run after another.

  Args:
    ring: a `ring_worker.Ring`.
    number: of steps of a run.
    batch: points in a step.
  """
  import torch
  from torch import nn

  torch.set_num_threads(1)
  device = 'cuda' if torch.cuda.is_available() else 'cpu'
  angles = 2 * math.pi * torch.arange(ring.modes, device=device) / ring.modes
  centres = torch.stack([angles.cos(), angles.sin()], 1)
  softplus = nn.functional.softplus

  def perceptron(inputs, outputs):
    layers = []
    for narrow, wide in zip((inputs, *ring.widths), ring.widths, strict=False):
      layers += [nn.Linear(narrow, wide), nn.ReLU(True)]
    return nn.Sequential(*layers, nn.Linear(ring.widths[-1], outputs)).to(
      device
    )

  def update(optimizer, loss):
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

  def run():
    generator, discriminator = perceptron(ring.latents, 2), perceptron(2, 1)
    optimizers = [
      torch.optim.Adam(player.parameters(), lr=ring.learning_rate)
      for player in (discriminator, generator)
    ]
    for _ in range(number):
      modes = torch.randint(ring.modes, (batch,), device=device)
      real = centres[modes]
      real = real + ring.std * torch.randn(real.shape, device=device)
      latents = torch.randn(batch, ring.latents, device=device)
      fake = generator(latents).detach()
      loss = softplus(-discriminator(real)).mean()
      update(optimizers[0], loss + softplus(discriminator(fake)).mean())
      latents = torch.randn(batch, ring.latents, device=device)
      loss = softplus(-discriminator(generator(latents))).mean()
      update(optimizers[1], loss)
    next(generator.parameters()).sum().item()  # waits for the device

  def train(runs):
    for _ in range(runs):
      run()
    return f'eager on {device}'

  return train
