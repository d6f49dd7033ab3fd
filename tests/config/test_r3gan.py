"""R3GAN's presets: schedules within the burn-in, steps and resuming."""

import contextlib
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import r3gan
from ganjax import parallel
from ganjax.arrays import Batch
from ganjax.config import datasets, games, runs, schedules
from ganjax.data import images
from ganjax.training import dispatch

SHAPE = (16, 16, 1)


@pytest.fixture
def config():
  own = r3gan.get_config('digits')
  for player in own.generator, own.discriminator:
    player.update(widths=(8, 8, 8), group=8)
  own.batch_size, own.images = 4, 16
  return own


@pytest.mark.parametrize(
  ('share', 'expected'),
  [
    (0.0, (2e-4, 0.9, 0.05, 0, 0)),
    (0.25, (1.78033e-4, 0.913180, 0.0434099, 732_233, 0.0805456)),
    (0.5, (1.25e-4, 0.945, 0.0275, 2_500_000, 0.275)),
    (1.0, (5e-5, 0.99, 0.005, 5_000_000, 0.55)),
    (9.0, (5e-5, 0.99, 0.005, 5_000_000, 0.55)),
  ],
)
def test_burn_in_of_cifar10(share, expected):
  own = schedules.scheduled(r3gan.get_config('cifar10'), share * 20e6)
  for player in own.optimizers.values():
    np.testing.assert_allclose(
      (
        player.learning_rate,
        player.b2,
        2 * own.regularizers.discriminator.r1_r2.weight,
        own.ema.half_life,
        own.augment.p,
      ),
      expected,
      rtol=1e-5,
      atol=1e-9,
    )


def test_adam_corrects_its_bias_by_the_b2_of_the_step(config):
  config.schedules.optimizers.generator.b2.images = 8.0
  pair = games.optimizer_pair(config)
  gradients = np.array([0.5, -0.2, 1.5])
  state = pair(0).generator.init(jnp.zeros(()))
  square = 0.0
  for step, gradient in enumerate(gradients):
    share = (1 - math.cos(math.pi * min(step * 4 / 8, 1))) / 2
    b2 = 0.9 + share * 0.09
    seen = step * 4
    rate = schedules.scheduled(config, seen).optimizers.generator.learning_rate
    square = b2 * square + (1 - b2) * gradient**2
    expected = (
      -rate * gradient / (math.sqrt(square / (1 - b2 ** (step + 1))) + 1e-8)
    )
    update, state = pair(step).generator.update(jnp.float32(gradient), state)
    np.testing.assert_allclose(update, expected, rtol=1e-4)


def test_losses_are_the_log_of_two_where_the_critic_is_zero(config):
  def play(key):
    game = games.schedule(config, SHAPE)(0)
    params, buffers = game.init(key)
    params.discriminator['head']['kernel'] *= 0
    batch = Batch(jax.random.normal(key, (4, *SHAPE)))
    return (
      getattr(game, player)(params, buffers, batch, key)
      for player in params._fields
    )

  for value, (_, metrics) in jax.jit(lambda key: tuple(play(key)))(
    jax.random.key(0)
  ):
    np.testing.assert_allclose(value, math.log(2), rtol=1e-6)
    assert metrics.get('regularizer/r1_r2', 0) == 0


def test_a_run_goes_on_to_the_bit_and_averages_nothing_at_first(config):
  data = images.load('digits', None, 'train', 16)
  mesh = parallel.mesh(1)
  config.schedules.ema.half_life.images = 16.0
  phases = runs.phases(config, SHAPE)
  loader = datasets.loader(config, data, mesh)

  def run(state):
    return dispatch.dispatches(phases, state, loader, mesh, 1, lambda *_: None)

  start = jax.jit(runs.start(config, SHAPE))()
  saved, states = [], run(start)
  with contextlib.closing(states):
    for _, state, _, _ in states:
      saved.append(jax.tree.map(jnp.copy, state))
  assert len(saved) == 4
  with contextlib.closing(run(jax.tree.map(jnp.copy, saved[1]))) as states:
    *_, (_, again, _, _) = states
  jax.tree.map(
    lambda one, other: np.testing.assert_array_equal(*map(raw, (one, other))),
    again,
    saved[-1],
  )
  first, last = saved[0], saved[-1]
  jax.tree.map(
    np.testing.assert_array_equal, first.ema_params, first.params.generator
  )
  moved = jax.tree.map(
    lambda one, other: bool((one != other).any()),
    last.ema_params,
    last.params.generator,
  )
  assert any(jax.tree.leaves(moved))


def raw(leaf):
  """The leaf itself, or the words of a key."""
  if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
    return jax.random.key_data(leaf)
  return leaf


@pytest.mark.slow
@pytest.mark.parametrize('name', ['mnist16', 'cifar10', 'ffhq64', 'ffhq256'])
def test_presets_take_a_step(name):
  own = r3gan.get_config(name)
  if own.labels:
    own.classes = 10
  side, channels = own.data.resolution, 1 if name == 'mnist16' else 3
  shape = side, side, channels
  [phase] = runs.phases(own, shape)
  batch = Batch(
    jax.ShapeDtypeStruct((phase.rows, *shape), jnp.float32),
    jax.ShapeDtypeStruct((phase.rows,), jnp.int32) if own.labels else None,
  )
  before = jax.eval_shape(runs.start(own, shape))
  after, metrics = jax.eval_shape(phase.step, before, batch)
  assert after == before
  assert 'regularizer/r1_r2' in metrics
