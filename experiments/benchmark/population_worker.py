"""Trains small GANs, for one side of the benchmark of populations.

  python -m experiments.benchmark.population_worker --side ganjax
  python -m experiments.benchmark.population_worker --side torch --steps 100

For each number on its standard input it makes as many training runs, and writes
a line to its standard output that says how they were computed. The games: 8
Gaussians on a ring, and two networks with two layers of 128 ReLU, each step of
which draws points; or DCGAN at 16 pixels, on one batch. Each step draws
latents, and updates the discriminator and the generator by Adam.
"""

import sys

import jax
import jax.numpy as jnp
from absl import flags
from tqdm import tqdm

from experiments.benchmark import (
  dcgan,
  dcgan_cases,
  dcgan_torch,
  ring_game,
  ring_torch,
)
from ganjax import launch
from ganjax.arrays import Batch
from ganjax.training import population

_SIDE = flags.DEFINE_enum(
  'side', 'ganjax', ['ganjax', 'torch'], 'The library that trains.'
)
_GAME = flags.DEFINE_enum('game', 'ring', ['ring', 'dcgan'], 'The game.')
_STEPS = flags.DEFINE_integer('steps', 250, 'Steps of a run.', lower_bound=1)
_BATCH = flags.DEFINE_integer('batch', 256, 'Examples a step.', lower_bound=1)
_WIDTH = flags.DEFINE_integer('width', 128, 'Of both networks.', lower_bound=1)
_MAPPING = flags.DEFINE_enum(
  'mapping',
  'auto',
  ['auto', 'vmap', 'map', 'steps'],
  'How the runs of ganjax are mapped.',
)
_THREADS = flags.DEFINE_integer(
  'threads',
  1,
  'Of an operation; with several, ganjax takes all cores as one device.',
  lower_bound=1,
)


def ganjax_trainer(training, data, mapping):
  """Returns a function `runs -> words` that trains a population by ganjax.

  Args:
    training: a `population.Training`.
    data: as in `population.train`.
    mapping: likewise.
  """

  def train(runs):
    nonlocal mapping
    mapping = population.train(
      training,
      jax.random.split(jax.random.key(0), runs),
      data=data,
      mapping=mapping,
      chunk=runs,
      announce=lambda words: tqdm.write(words, file=sys.stderr),
    ).mapping
    return (
      f'by {mapping!r} on {jax.device_count()} x {jax.devices()[0].device_kind}'
    )

  return train


def _of_ring():
  ring = ring_game.Ring(widths=(_WIDTH.value,) * 2)
  sizes = _STEPS.value, _BATCH.value
  if _SIDE.value == 'torch':
    return ring_torch.trainer(ring, *sizes)
  training = ring_game.training(ring, *sizes)
  return ganjax_trainer(training, (), _MAPPING.value)


def _of_dcgan():
  case = dcgan_cases.Case(
    'DCGAN-16', 16, 1, _WIDTH.value, 0.0, _STEPS.value, batch=_BATCH.value
  )
  if _SIDE.value == 'torch':
    return dcgan_torch.trainer(case, _THREADS.value)
  data = Batch(jnp.asarray(dcgan_cases.batch(case)))
  training = dcgan.training(case, case.steps)
  return ganjax_trainer(training, data, _MAPPING.value)


def main():
  """Trains as it is told until its standard input ends."""
  if _THREADS.value == 1:
    launch.one_device_a_core()
  train = {'ring': _of_ring, 'dcgan': _of_dcgan}[_GAME.value]()
  for line in sys.stdin:
    sys.stdout.write(f'{train(int(line))}\n')
    sys.stdout.flush()
  return 0


if __name__ == '__main__':
  launch.run(main)
