"""Populations: many runs at once, beside one after another."""

import functools

import jax
import jax.numpy as jnp

from experiments.benchmark import (
  dcgan,
  dcgan_cases,
  flops,
  ring_game,
  rounds,
)
from ganjax.arrays import Batch
from ganjax.training import mappings


def of_ring(task):
  """Returns the row of 256 runs on a ring of Gaussians, beside one alone."""
  runs, points, number = (4, 16, 2) if task.tiny else (256, 256, 16)
  training = ring_game.training(ring_game.Ring(), number, points)
  makers = {
    'one run': functools.partial(_side, training, (), 'vmap', 1),
    f'{runs} runs by vmap': functools.partial(
      _side, training, (), 'vmap', runs
    ),
  }
  return rounds.compare(task, makers, 1, 'steps of a run')


def of_dcgan(task):
  """Returns the row of 8 runs of DCGAN-16, by each mapping."""
  case = dcgan_cases.Case('DCGAN-16', 16, 1, 32, 0.0, 1, batch=32)
  runs, number = 8, 8
  if task.tiny:
    case, runs, number = case._replace(width=4, batch=4), 2, 1
  training = dcgan.training(case, number)
  data = Batch(jnp.asarray(dcgan_cases.batch(case)))
  makers = {
    f'{runs} runs by {mapping}': functools.partial(
      _side, training, data, mapping, runs
    )
    for mapping in ('steps', 'map', 'vmap')
  }
  return rounds.compare(task, makers, case.batch)


def _side(training, data, mapping, runs):
  """Returns the `Side` of a population, whose steps are those of one run."""
  keys = jax.random.split(jax.random.key(0), runs)
  states = mappings.started(training)(keys, (), data)
  advance = mappings.MAPPINGS[mapping](training, training.every)

  def run():
    nonlocal states
    states, _ = advance(states, (), data)
    jax.block_until_ready(states)

  one = jax.tree.map(lambda leaf: leaf[0], states)
  operations = flops.of(jax.make_jaxpr(training.step)(one, (), data))
  return rounds.Side(run, runs * training.every, {}, 'tf32', operations)
