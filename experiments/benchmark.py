"""Times training steps, beside PyTorch's where torch is installed.

  python -m experiments.benchmark --output benchmark.json

Rounds of both alternate within one process, so that whatever else the machine
does meets both; medians and their ratio are printed. Only ratios of one run
compare. Each step draws latents, and moves the discriminator and the generator
by Adam.
"""

import json
import pathlib
import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from absl import flags
from tqdm import tqdm

from experiments import launch, workdir
from ganjax import game, losses, priors, regularizers, steps
from ganjax.networks import dcgan
from ganjax.players import Pair

_ROUNDS = flags.DEFINE_integer('rounds', 9, 'Of each side.', lower_bound=1)
_MATCH = flags.DEFINE_string('match', '', 'Only cases whose name has this.')
_OUTPUT = flags.DEFINE_string('output', 'runs/benchmark.json', 'A JSON file.')


class Case(NamedTuple):
  """A training step to time."""

  name: str
  resolution: int
  channels: int
  width: int
  penalty: float  # of R1, gamma / 2
  steps: int  # in a round


_CASES = (
  Case('DCGAN-64, width 64', 64, 3, 64, 0.0, 1),
  Case('DCGAN-32, width 32', 32, 1, 32, 0.0, 8),
  Case('DCGAN-32, width 32, R1', 32, 1, 32, 5.0, 5),
)
_BATCH, _LATENT = 64, 100
_ADAM = {'learning_rate': 2e-4, 'b1': 0.5}


class Side(NamedTuple):
  """One implementation of a case: `run()` makes a round of steps and waits."""

  run: Callable
  seconds: dict  # until the step could run: traced, compiled


def ganjax_side(case, images):
  """The `Side` of this package, one step a dispatch."""
  term = game.stateless(
    lambda turn: case.penalty * regularizers.r1(turn.critic, turn.real)
  )
  played = game.gan(
    dcgan.generator(case.resolution, case.channels, case.width),
    dcgan.discriminator(case.resolution, case.channels, case.width),
    losses.non_saturating,
    priors.normal(_LATENT),
    Pair({}, {'r1': term} if case.penalty else {}),
  )
  optimizers = Pair(optax.adam(**_ADAM), optax.adam(**_ADAM))
  state = jax.jit(lambda key: steps.init(played, optimizers, key))(
    jax.random.key(0)
  )
  batch = jnp.asarray(images)
  step = steps.alternating(played, optimizers)
  begun = time.perf_counter()
  lowered = jax.jit(step, donate_argnums=0).lower(state, batch)
  traced = time.perf_counter()
  program = lowered.compile()
  seconds = {'traced': traced - begun, 'compiled': time.perf_counter() - traced}

  def run():
    nonlocal state
    for _ in range(case.steps):
      state, metrics = program(state, batch)
    jax.block_until_ready(metrics)

  return Side(run, seconds)


def torch_side(case, images):
  """The `Side` of PyTorch in eager mode, as in its DCGAN example."""
  import torch
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

  layers = [nn.ConvTranspose2d(_LATENT, sizes[-1], 4, 1, 0, bias=False)]
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
  discriminator = nn.Sequential(*layers).apply(normal)

  descents = [
    torch.optim.Adam(
      player.parameters(), lr=_ADAM['learning_rate'], betas=(_ADAM['b1'], 0.999)
    )
    for player in (discriminator, generator)
  ]
  softplus = nn.functional.softplus
  real = torch.from_numpy(images.transpose(0, 3, 1, 2).copy())

  def move(descent, loss):
    descent.zero_grad()
    loss.backward()
    descent.step()

  def step():
    fake = generator(torch.randn(_BATCH, _LATENT, 1, 1))
    shown = real.clone().requires_grad_(bool(case.penalty))
    logits = discriminator(shown)
    loss = softplus(-logits).mean()
    loss = loss + softplus(discriminator(fake.detach())).mean()
    if case.penalty:
      (slope,) = torch.autograd.grad(logits.sum(), shown, create_graph=True)
      loss = loss + case.penalty * slope.square().sum((1, 2, 3)).mean()
    move(descents[0], loss)
    fake = generator(torch.randn(_BATCH, _LATENT, 1, 1))
    move(descents[1], softplus(-discriminator(fake)).mean())

  def run():
    for _ in range(case.steps):
      step()

  return Side(run, {})


def main():
  """Times all cases; prints a table and writes it as JSON."""
  sides = {'ganjax': ganjax_side}
  versions = {}
  try:
    import torch

    sides['torch'] = torch_side
    versions['torch'] = torch.__version__
  except ModuleNotFoundError:
    tqdm.write('torch is not installed, so there is nothing to compare with.')
  rows = []
  for case in (case for case in _CASES if _MATCH.value in case.name):
    images = np.random.default_rng(0).uniform(
      -1, 1, (_BATCH, case.resolution, case.resolution, case.channels)
    )
    built = {
      name: side(case, images.astype(np.float32))
      for name, side in sides.items()
    }
    times = {name: [] for name in built}
    for turn in tqdm(range(_ROUNDS.value + 1), case.name, disable=None):
      for name, side in built.items():
        before = time.perf_counter()
        side.run()
        if turn:  # The first round warms up.
          times[name].append((time.perf_counter() - before) / case.steps)
    medians = {
      name: statistics.median(series) for name, series in times.items()
    }
    row = {
      'case': case.name,
      'batch': _BATCH,
      'before': built['ganjax'].seconds,
      'images_per_second': {n: _BATCH / s for n, s in medians.items()},
      'seconds': times,
    }
    words = f'{case.name}: {1000 * medians["ganjax"]:.0f} ms a step'
    if 'torch' in medians:
      row['speed_of_torch'] = medians['torch'] / medians['ganjax']
      words += (
        f', torch {1000 * medians["torch"]:.0f} ms: '
        f'{row["speed_of_torch"]:.2f} times its speed'
      )
    before = row['before']
    tqdm.write(
      f'{words}; traced in {before["traced"]:.1f} s, compiled in '
      f'{before["compiled"]:.1f} s.'
    )
    rows.append(row)
  about = workdir.provenance()
  about['versions'] |= versions
  path = pathlib.Path(_OUTPUT.value)
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_text(json.dumps({'rows': rows, **about}, indent=2) + '\n')
  tqdm.write(f'Written to {path}.')
  return 0


if __name__ == '__main__':
  launch.run(main)
