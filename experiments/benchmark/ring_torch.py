"""GANs on a ring of Gaussians in PyTorch's eager mode, on one thread."""

import math

from experiments.benchmark import torch_device


def trainer(ring, number, batch):
  """Returns a function `runs -> words` that trains one run after another.

  Args:
    ring: a `ring_game.Ring`.
    number: of steps of a run.
    batch: points in a step.
  """
  import torch
  from torch import nn

  torch.set_num_threads(1)
  device = torch_device.chosen()
  angles = 2 * math.pi * torch.arange(ring.modes) / ring.modes
  centres = torch.stack([angles.cos(), angles.sin()], 1)
  softplus = nn.functional.softplus

  def perceptron(inputs, outputs):
    layers = []
    for narrow, wide in zip((inputs, *ring.widths), ring.widths, strict=False):
      layers += [nn.Linear(narrow, wide), nn.ReLU(True)]
    return nn.Sequential(*layers, nn.Linear(ring.widths[-1], outputs))

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
      modes = torch.randint(ring.modes, (batch,))
      real = centres[modes]
      real = real + ring.std * torch.randn(real.shape)
      latents = torch.randn(batch, ring.latents)
      fake = generator(latents).detach()
      loss = softplus(-discriminator(real)).mean()
      update(optimizers[0], loss + softplus(discriminator(fake)).mean())
      latents = torch.randn(batch, ring.latents)
      loss = softplus(-discriminator(generator(latents))).mean()
      update(optimizers[1], loss)
    next(generator.parameters()).sum().item()  # waits for the device

  def train(runs):
    for _ in range(runs):
      run()
    return f'eager on {device}'

  return train
