"""Times training steps, beside PyTorch's where torch is installed.

  python -m experiments.benchmark --output benchmark.json

Rounds of both alternate within one process, so that whatever else the machine
does meets both; medians and their ratio are printed. Only ratios of one run
compare. Each step draws latents, and moves the discriminator and the generator
by Adam. The ring's sides are processes of their own, which wait for their turn:
a population over all devices, PyTorch on one thread, and on one for each core.
Style transfer wants a file of weights and two pictures:

  python -m experiments.benchmark --match style \
    --weights compressed_SqueezeNet.net --content cat.jpg --style marc.jpg
"""

import contextlib
import os
import pathlib
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from absl import flags
from tqdm import tqdm

from experiments.benchmark import style
from ganjax import files, game, launch, losses, priors, regularizers, steps
from ganjax.networks import dcgan
from ganjax.players import Pair
from ganjax.training import provenance

_ROUNDS = flags.DEFINE_integer('rounds', 9, 'Of each side.', lower_bound=1)
_MATCH = flags.DEFINE_string('match', '', 'Only cases whose name has this.')
_RUNS = flags.DEFINE_integer(
  'runs', 8, 'Of the ring population; 256 fill a GPU.', lower_bound=1
)
_WEIGHTS = flags.DEFINE_string('weights', None, "SqueezeNet 1.0's, for style.")
_CONTENT = flags.DEFINE_string('content', None, 'Picture to paint.')
_STYLE = flags.DEFINE_string('style', None, 'Picture to paint like.')
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


_RING, _RING_BATCH, _RING_STEPS = 'ring population', 256, 250


class Side(NamedTuple):
  """One implementation of a case."""

  run: Callable  # makes a round of steps and waits
  steps: int  # in a round
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

  return Side(run, case.steps, seconds)


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

  return Side(run, case.steps, {})


@contextlib.contextmanager
def ring_sides(torch_too, ways):
  """The ring's `Side`s, each of own processes; `ways` will tell how they go."""
  cores = len(os.sched_getaffinity(0))
  plans = {'ganjax': ('ganjax', 1, _RUNS.value)}
  if torch_too:
    plans['torch'] = ('torch', 1, 2)
    plans[f'torch, {cores} processes'] = ('torch', cores, 1)

  def side(name, program, number, runs):
    command = [sys.executable, '-m', 'experiments.benchmark.population']
    command += [f'--side={program}', f'--steps={_RING_STEPS}']
    command += [f'--batch={_RING_BATCH}']
    processes = [
      stack.enter_context(
        subprocess.Popen(
          command,
          # A GPU that processes share is not for the first of them to take.
          env=os.environ | {'XLA_PYTHON_CLIENT_PREALLOCATE': 'false'},
          stdin=subprocess.PIPE,
          stdout=subprocess.PIPE,
          bufsize=0,
        )
      )
      for _ in range(number)
    ]

    def run():
      with contextlib.suppress(BrokenPipeError):
        for process in processes:
          process.stdin.write(b'%d\n' % runs)
      answers = [process.stdout.readline() for process in processes]
      if not all(answers):
        raise ChildProcessError(
          f'A process of the side {name!r} ended too early; see above what it '
          'said, or run `python -m experiments.benchmark.population` by itself.'
        )
      ways[name] = answers[0].decode().strip()

    return Side(run, number * runs * _RING_STEPS, {})

  with contextlib.ExitStack() as stack:
    yield {name: side(name, *plan) for name, plan in plans.items()}


def measured(name, batch, sides):
  """The row of a case, whose sides' rounds alternate, and words on it."""
  times = {side: [] for side in sides}
  for turn in tqdm(range(_ROUNDS.value + 1), name, disable=None):
    for side, (run, number, _) in sides.items():
      before = time.perf_counter()
      run()
      if turn:  # The first round warms up.
        times[side].append((time.perf_counter() - before) / number)
  medians = {side: statistics.median(series) for side, series in times.items()}
  row = {
    'case': name,
    'batch': batch,
    'images_per_second': {side: batch / s for side, s in medians.items()},
    'seconds': times,
  }
  own = medians.pop('ganjax')
  row['times_the_speed_of'] = {
    side: other / own for side, other in medians.items()
  }
  words = [f'{name}: {1000 * own:.4g} ms a step'] + [
    f'{side} {1000 * other:.4g} ms: {other / own:.2f} times its speed'
    for side, other in medians.items()
  ]
  return row, ', '.join(words)


def main():
  """Times all cases; prints a table and writes it as JSON."""
  sides, versions = {'ganjax': ganjax_side}, {}
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
    row, words = measured(case.name, _BATCH, built)
    before = built['ganjax'].seconds
    tqdm.write(
      f'{words}; traced in {before["traced"]:.1f} s, compiled in '
      f'{before["compiled"]:.1f} s.'
    )
    rows.append(row | {'before': before})
  if _MATCH.value in _RING:
    ways = {}
    with ring_sides('torch' in sides, ways) as built:
      row, words = measured(_RING, _RING_BATCH, built)
    pace = 1 / statistics.median(row['seconds']['ganjax'])
    tqdm.write(
      f'{words}; {_RUNS.value} runs made {pace:.0f} steps a second in all, '
      f'{ways["ganjax"]}.'
    )
    rows.append(row | {'runs': _RUNS.value, 'ways': ways})
  if _MATCH.value in style.NAME:
    given = _WEIGHTS.value, _CONTENT.value, _STYLE.value
    if all(given):
      for row, words in style.rows(measured, given, 'torch' in sides):
        tqdm.write(f'{words}.')
        rows.append(row)
    else:
      tqdm.write(
        'Style transfer is left out: it wants --weights, --content and --style.'
      )
  about = provenance.record()
  about['versions'] |= versions
  path = pathlib.Path(_OUTPUT.value)
  path.parent.mkdir(parents=True, exist_ok=True)
  files.write_json(path, {'rows': rows, **about})
  tqdm.write(f'Written to {path}.')
  return 0


if __name__ == '__main__':
  launch.run(main)
