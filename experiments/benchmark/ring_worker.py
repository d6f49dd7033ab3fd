"""Trains GANs on a ring of Gaussians, for one side of the benchmark.

  python -m experiments.benchmark.ring_worker --side ganjax
  python -m experiments.benchmark.ring_worker --side torch --steps 100

For each number on its standard input it makes as many training runs, and writes
a line to its standard output that says how they were computed. The game: 8
Gaussians, and two networks with two layers of 128 ReLU; each step draws points
and latents, and updates the discriminator and the generator by Adam.
"""

import sys

import jax
from absl import flags
from tqdm import tqdm

from experiments.benchmark import ring_game, ring_torch
from ganjax import launch
from ganjax.training import population

_SIDE = flags.DEFINE_enum(
  'side', 'ganjax', ['ganjax', 'torch'], 'The library that trains.'
)
_STEPS = flags.DEFINE_integer('steps', 250, 'Steps of a run.', lower_bound=1)
_BATCH = flags.DEFINE_integer('batch', 256, 'Points in a step.', lower_bound=1)


def ganjax_trainer(ring, number, batch):
  """Returns a function `runs -> words` that trains a population by ganjax.

  Args:
    ring: a `ring_game.Ring`.
    number: of steps of a run.
    batch: points in a step.
  """
  training = ring_game.training(ring, number, batch)
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


def main():
  """Trains as it is told until its standard input ends."""
  make = {'ganjax': ganjax_trainer, 'torch': ring_torch.trainer}[_SIDE.value]
  train = make(ring_game.Ring(), _STEPS.value, _BATCH.value)
  for line in sys.stdin:
    sys.stdout.write(f'{train(int(line))}\n')
    sys.stdout.flush()
  return 0


if __name__ == '__main__':
  launch.one_device_a_core()
  launch.run(main)
