"""The benchmark of steps that configs describe, beside PyTorch."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from experiments.benchmark import compiled, configured_cases, peers, torch_game
from ganjax import steps
from ganjax.arrays import Batch
from ganjax.config import games, schedules

CASES = configured_cases.CASES


def row(measure, case, torch_too, tiny):
  """Returns the row of a case, and a sentence about it.

  Args:
    measure: `(name, batch, sides) -> row, sentence`, of `rounds.measure`.
    case: a `configured_cases.Case`.
    torch_too: whether PyTorch is installed.
    tiny: whether to rehearse it.
  """
  config = case.config(tiny)
  images = batch(config, case.shape).images
  state, number = initial(config, case.shape), 1 if tiny else case.steps
  makers = {
    f'{name}{way}': functools.partial(
      torch_game.side, game, config, state.params, images, number, tuning
    )
    for place, (way, game) in enumerate(case.games.items() if torch_too else ())
    for name, tuning in torch_game.PEERS.items()
    # To compile takes minutes, whatever the sizes.
    if not (tuning.compiled and (tiny or place))
  }
  own = side(config, case.shape, number)
  return peers.row(measure, case.name, config.batch_size, own, makers)


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


def side(config, shape, number, precision=''):
  """Returns the `rounds.Side` of a config, with one step in each dispatch.

  Args:
    config: of the run.
    shape: of an image.
    number: of steps in a round.
    precision: what to call that of products.
  """
  schedule = games.schedule(config, shape)
  found = compiled.side(
    games.update_step(config, schedule),
    initial(config, shape),
    (jax.tree.map(jnp.asarray, batch(config, shape)),),
    number,
    None,
    precision,
  )
  # Of the steps of StyleGAN2, the one with both penalties would be counted.
  lazy = config.update_rule == 'lazy_regularization'
  return found._replace(flops=None) if lazy else found
