"""The benchmark of steps that configs describe, beside PyTorch."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from experiments.benchmark import (
  compiled,
  configured_cases,
  memory,
  rounds,
  torch_game,
)
from ganjax import steps
from ganjax.arrays import Batch
from ganjax.config import games, schedules

CASES = configured_cases.CASES


def measured(name, task):
  """Returns the row of a case.

  Args:
    name: of one of `CASES`.
    task: a `task.Task`.
  """
  case, tiny = named(name), task.tiny
  makers = {'ganjax': functools.partial(ours, name, tiny)} | {
    f'{title}{way}': functools.partial(peer, name, tiny, way, tuning)
    for place, way in enumerate(case.games if task.torch_too else ())
    for title, tuning in torch_game.PEERS.items()
    # To compile takes minutes, whatever the sizes.
    if not (tuning.compiled and (tiny or place))
  }
  found = rounds.compare(task, makers, case.config(tiny).batch_size)
  sides = {'ganjax': ('jax', ours, name, tiny)}
  if task.torch_too:
    sides['torch'] = 'torch', peer, name, tiny
  return memory.added(found, sides) if case.memory else found


def named(name):
  """Returns the `configured_cases.Case` of a name."""
  (case,) = (case for case in CASES if case.name == name)
  return case


def ours(name, tiny):
  """Returns the `rounds.Side` of a case, as `side` does.

  Args:
    name: of one of `CASES`.
    tiny: whether it is a rehearsal.
  """
  case = named(name)
  return side(case.config(tiny), case.shape, 1 if tiny else case.steps)


def peer(name, tiny, way='', tuning=torch_game.PEERS['torch']):
  """Returns the `rounds.Side` of a case in PyTorch.

  Args:
    name: of one of `CASES`.
    tiny: whether it is a rehearsal.
    way: of `Case.games`.
    tuning: a `torch_game.Tuning`.
  """
  case = named(name)
  config, number = case.config(tiny), 1 if tiny else case.steps
  params = initial(config, case.shape).params
  images = batch(config, case.shape).images
  return torch_game.side(
    case.games[way], config, params, images, number, tuning
  )


def batch(config, shape):
  """Returns the `Batch` of every step of a config, drawn from [-1, 1]."""
  rows = schedules.rows_taken(config)
  drawn = np.random.default_rng(0)
  images = drawn.uniform(-1, 1, (rows, *shape)).astype(np.float32)
  labels = np.arange(rows) % config.classes if config.labels else None
  return Batch(images, labels)


def initial(config, shape):
  """Returns the state before the first step of a config."""
  schedule = games.schedule(config, shape)
  optimizers = games.optimizer_pair(config)
  return jax.jit(lambda key: steps.init(schedule, optimizers, key))(
    jax.random.key(0)
  )


def step_of(config, shape):
  """Returns the update of a config, its first state, and a step's `Batch`."""
  update = games.update_step(config, games.schedule(config, shape))
  own = jax.tree.map(jnp.asarray, batch(config, shape))
  return update, initial(config, shape), own


def side(config, shape, number, precision=''):
  """Returns the `rounds.Side` of a config, with one step in each dispatch.

  Args:
    config: of the run.
    shape: of an image.
    number: of steps in a round.
    precision: what to call that of products.
  """
  update, state, own = step_of(config, shape)
  found = compiled.side(update, state, (own,), number, None, precision)
  # Of the steps of StyleGAN2, the one with both penalties would be counted.
  lazy = config.update_rule == 'lazy_regularization'
  return found._replace(flops=None) if lazy else found
