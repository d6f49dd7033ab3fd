"""One side of the ring population's benchmark, a process that waits for orders.

  python -m experiments.benchmark_population --side=torch

For each number on standard input it trains so many runs, and answers by a line
on how they went. The game: 8 Gaussians on a ring, two networks of two layers of
128 ReLU; each step draws points and latents, and moves the discriminator and
the generator by Adam.
"""

import math
import sys

import jax
import optax
from absl import flags
from tqdm import tqdm

from ganjax import game, launch, losses, priors, steps
from ganjax.data import toy
from ganjax.networks import mlp
from ganjax.players import Pair
from ganjax.training import population

_SIDE = flags.DEFINE_enum('side', 'ganjax', ['ganjax', 'torch'], 'Who trains.')
_STEPS = flags.DEFINE_integer('steps', 250, 'Of a run.', lower_bound=1)
_BATCH = flags.DEFINE_integer('batch', 256, 'Points in a step.', lower_bound=1)

_MODES, _STD, _LATENT, _WIDTHS, _RATE = 8, 0.01, 2, (128, 128), 1e-3


def ganjax_side(number, batch):
  """The function `runs -> words` that trains a population, `number` steps."""
  played = game.gan(
    mlp.generator((2,), _WIDTHS),
    mlp.discriminator(_WIDTHS),
    losses.non_saturating,
    priors.normal(_LATENT),
  )
  optimizers = Pair(optax.adam(_RATE), optax.adam(_RATE))
  move = steps.alternating(played, optimizers)
  points = toy.mixture(toy.ring(_MODES), _STD)

  def step(state, numbers, data):
    key = jax.random.fold_in(steps.data_key(state), state.step)
    return move(state, points(key, batch))

  training = population.Training(
    init=lambda key, numbers, data: steps.init(played, optimizers, key),
    step=step,
    evaluate=lambda state, numbers, data: (),
    steps=number,
    every=number,
  )
  mapping = 'auto'

  def train(runs):
    nonlocal mapping
    mapping = population.train(
      training,
      jax.random.split(jax.random.key(0), runs),
      mapping=mapping,
      chunk=runs,
      announce=lambda words: tqdm.write(words, file=sys.stderr),
    ).mapping
    return (
      f'by {mapping!r} on {jax.device_count()} x {jax.devices()[0].device_kind}'
    )

  return train


def torch_side(number, batch):
  """The same of PyTorch in eager mode, a run after another on one thread."""
  import torch
  from torch import nn

  torch.set_num_threads(1)
  device = 'cuda' if torch.cuda.is_available() else 'cpu'
  angles = 2 * math.pi * torch.arange(_MODES, device=device) / _MODES
  centres = torch.stack([angles.cos(), angles.sin()], 1)
  softplus = nn.functional.softplus

  def perceptron(inputs, outputs):
    layers = []
    for narrow, wide in zip((inputs, *_WIDTHS), _WIDTHS, strict=False):
      layers += [nn.Linear(narrow, wide), nn.ReLU(True)]
    return nn.Sequential(*layers, nn.Linear(_WIDTHS[-1], outputs)).to(device)

  def move(descent, loss):
    descent.zero_grad()
    loss.backward()
    descent.step()

  def run():
    generator, discriminator = perceptron(_LATENT, 2), perceptron(2, 1)
    descents = [
      torch.optim.Adam(player.parameters(), lr=_RATE)
      for player in (discriminator, generator)
    ]
    for _ in range(number):
      modes = torch.randint(_MODES, (batch,), device=device)
      real = centres[modes]
      real = real + _STD * torch.randn(real.shape, device=device)
      fake = generator(torch.randn(batch, _LATENT, device=device)).detach()
      loss = softplus(-discriminator(real)).mean()
      move(descents[0], loss + softplus(discriminator(fake)).mean())
      fake = generator(torch.randn(batch, _LATENT, device=device))
      move(descents[1], softplus(-discriminator(fake)).mean())
    next(generator.parameters()).sum().item()  # waits for the device

  def train(runs):
    for _ in range(runs):
      run()
    return f'eager on {device}'

  return train


def main():
  """Trains as it is told until there is nothing more to read."""
  side = {'ganjax': ganjax_side, 'torch': torch_side}[_SIDE.value]
  train = side(_STEPS.value, _BATCH.value)
  for line in sys.stdin:
    sys.stdout.write(f'{train(int(line))}\n')
    sys.stdout.flush()
  return 0


if __name__ == '__main__':
  launch.one_device_a_core()
  launch.run(main)
