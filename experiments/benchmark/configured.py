"""The benchmark of steps that configs describe, beside PyTorch."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from configs import r3gan, stylegan2
from experiments.benchmark import (
  compiled,
  peers,
  r3gan_torch,
  stylegan2_torch,
  torch_game,
)
from ganjax import steps
from ganjax.arrays import Batch
from ganjax.config import games, schedules


class Case(NamedTuple):
  """A game to time.

  Attributes:
    name: of the case.
    config: `tiny -> config` of the run, where tiny is whether its sizes are
      those of a rehearsal.
    shape: of an image.
    steps: in a round.
    games: the same in PyTorch, `torch_game.Game`s by what is added to the names
      of its sides; only the first one is compiled too.
  """

  name: str
  config: Callable
  shape: tuple
  steps: int
  games: dict


def _r3gan(tiny):
  config = r3gan.get_config('digits')
  with config.unlocked():
    config.data.resolution = 32
    for player in config.generator, config.discriminator:
      player.widths = (128, 64, 32, 16)
    if tiny:
      config.batch_size = 4
      config.prior.size = 8
      for player in config.generator, config.discriminator:
        player.update(widths=(16, 8, 8, 4), group=4)
  return config


def _stylegan2(tiny):
  config = stylegan2.get_config('mnist32')
  if tiny:
    with config.unlocked():
      config.batch_size = 8
      config.prior.size = config.generator.style = 8
      for player in config.generator, config.discriminator:
        player.update(base=64, max_channels=8)
  return config


CASES = (
  Case(
    'R3GAN-32, widths 128 to 16',
    _r3gan,
    (32, 32, 3),
    1,
    {'': r3gan_torch.GAME},
  ),
  Case(
    'StyleGAN2-32, widths 64 to 32',
    _stylegan2,
    (32, 32, 3),
    16,  # of which four have the path length, and one R1
    {'': stylegan2_torch.BY_FACTORS, ', by groups': stylegan2_torch.BY_GROUPS},
  ),
)


def row(measure, case, torch_too, tiny):
  """Returns the row of a case, and a sentence about it.

  Args:
    measure: `(name, batch, sides) -> row, sentence`, of `rounds.measure`.
    case: a `Case`.
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
