"""Schedules of numbers, by their closed forms and through a config's steps."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import dense
from ganjax import schedules, steps
from ganjax.arrays import Batch
from ganjax.config import games
from ganjax.config import schedules as config_schedules

SHAPE = (4, 4, 1)


@pytest.mark.parametrize(
  ('schedule', 'expected'),
  [
    (schedules.constant(to=9.0, images=4.0), [8, 8, 8, 8, 8]),
    (schedules.linear(to=0.0, images=100.0), [8, 8, 6, 0, 0]),
    (schedules.linear(to=0.0, images=50.0, start=50.0), [8, 8, 8, 0, 0]),
    # Half a cosine: a quarter of the way is (1 - cos(pi / 4)) / 2.
    (schedules.cosine(to=0.0, images=100.0), [8, 8, 4 + 8**0.5, 0, 0]),
    (schedules.piecewise((4.0, 2.0), (25.0, 100.0)), [8, 8, 4, 2, 2]),
  ],
  ids=['constant', 'linear', 'later', 'cosine', 'piecewise'],
)
def test_values_at_their_moments(schedule, expected):
  moments = [-1.0, 0.0, 25.0, 100.0, 1e9]
  found = [float(schedule(8.0, seen)) for seen in moments]
  np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.fixture
def config():
  config = dense.get_config()
  config.generator.widths = config.discriminator.widths = (4,)
  config.batch_size = 8
  for player in config.optimizers.values():
    player.name, player.learning_rate, player.b1 = 'sgd', 0.5, 0.0
  return config


def falling(section):
  """A line to 0 over 16 images, two steps."""
  section.update(name='linear', to=0.0, images=16.0)


def updates(config, number):
  """The changes of both players in each of some steps of the same batch."""
  game = games.schedule(config, SHAPE)
  step = jax.jit(games.update_step(config, game))

  state = steps.init(game, games.optimizer_pair(config), jax.random.key(0))
  batch, found = Batch(jnp.ones((8, *SHAPE))), []
  for _ in range(number):
    after, metrics = step(state, batch)
    change = jax.tree.map(jnp.subtract, after.params, state.params)
    found.append(
      [
        float(jnp.sqrt(sum(jnp.vdot(x, x) for x in jax.tree.leaves(own))))
        / metrics[f'gradient/{player}']
        for player, own in change._asdict().items()
      ]
    )
    state = after
  return np.array(found)


def test_a_learning_rate_falls_with_the_images_of_its_player(config):
  falling(config.schedules.optimizers.generator.learning_rate)
  rates = updates(config, 4)
  np.testing.assert_allclose(rates[:, 0], [0.5, 0.25, 0, 0], atol=1e-5)
  np.testing.assert_allclose(rates[:, 1], 4 * [0.5], rtol=1e-4)


def test_a_weight_falls_with_the_images_seen(config):
  config.regularizers.discriminator.r1.weight = 1.0
  falling(config.schedules.regularizers.discriminator.r1.weight)
  at = games.schedule(config, SHAPE)
  own = config_schedules.scheduled(config, 4.0)
  assert own.regularizers.discriminator.r1.weight == 0.75
  assert config.regularizers.discriminator.r1.weight == 1.0
  params, buffers = at(0).init(jax.random.key(0))
  batch = Batch(jnp.ones((8, *SHAPE)))

  def penalty(step):
    game = at(step)
    key = jax.random.key(1)
    return game.discriminator(params, buffers, batch, key)[1][1][
      'regularizer/r1'
    ]

  first = penalty(0)
  assert first > 0
  np.testing.assert_allclose(penalty(1), first / 2, rtol=1e-6)
  assert penalty(2) == 0


def test_no_schedule_leaves_the_config_and_its_optimisers_alone(config):
  assert config_schedules.scheduled(config, 4.0) is config
  assert not callable(games.optimizer_pair(config))


def test_a_schedule_that_there_is_not_is_refused(config):
  falling(config.schedules.ema_decay)
  config.schedules.ema_decay.name = 'exponential'
  with pytest.raises(ValueError, match="no schedule 'exponential'"):
    games.schedule(config, SHAPE)
