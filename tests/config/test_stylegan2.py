"""StyleGAN2's presets: their numbers, updates and resuming."""

import contextlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import stylegan2
from ganjax import averages, parallel
from ganjax.arrays import Batch
from ganjax.config import datasets, games, runs, schedules
from ganjax.data import images
from ganjax.training import dispatch

SHAPE = (8, 8, 1)
# Of the table of presets in the PyTorch code: batch, learning rate, gamma,
# half-life and ramp of the average, layers of the mapping, and the group of
# the statistics.
NUMBERS = {
  'cifar10': (64, 2.5e-3 * 4 / 5, 0.01, 500_000, 0.05, 2, 32),
  'ffhq256': (64, 2.5e-3, 1, 20_000, None, 8, 8),
  'auto32': (32, 2.5e-3, 0.0064, 10_000, 0.05, 2, 4),
  'auto64': (32, 2.5e-3, 0.0256, 10_000, 0.05, 2, 4),
  'auto128': (32, 2.5e-3, 0.1024, 10_000, 0.05, 2, 4),
}
PRESETS = 'digits', 'mnist32', *NUMBERS
WITHOUT_PATH_LENGTHS = PRESETS[:3]


@pytest.fixture
def config():
  own = stylegan2.get_config('digits')
  own.data.resolution, own.prior.size = 8, 8
  own.generator.style = 8
  for player in own.generator, own.discriminator:
    player.update(base=32, max_channels=8)
  own.batch_size, own.images = 8, 48
  own.generator.mixing = 0.9
  own.regularizers.generator.path_length.update(weight=2.0, every=2)
  own.regularizers.discriminator.r1.every = 3
  return own


@pytest.mark.parametrize('name', NUMBERS)
def test_numbers_are_those_of_the_code(name):
  own = stylegan2.get_config(name)
  found = (
    own.batch_size,
    own.optimizers.generator.learning_rate,
    2 * own.regularizers.discriminator.r1.weight,
    own.ema.half_life,
    own.ema.ramp,
    own.generator.depth,
    own.discriminator.statistics.group,
  )
  assert found == pytest.approx(NUMBERS[name])
  cifar = name == 'cifar10'
  assert own.regularizers.generator.path_length.weight == (0 if cifar else 2)
  assert own.generator.mixing == (0 if cifar else 0.9)
  assert own.discriminator.residual is not cifar


def test_the_average_has_the_decays_of_the_code():
  for name, seen, expected in (
    ('cifar10', 20e6, 0.99991128),
    ('cifar10', 1e6, 0.5 ** (64 / 50_000)),
    ('ffhq256', 64, 0.99778439),
  ):
    own = stylegan2.get_config(name)
    rows, seen_before = schedules.rows(own), schedules.images_seen(own)
    decay = averages.half_life(
      own.ema.half_life, own.ema.ramp, rows, seen_before
    )
    step = seen / rows
    np.testing.assert_allclose(decay(step), expected, rtol=1e-7)


def test_optimisers_are_corrected_for_their_updates():
  own = stylegan2.get_config('ffhq256')
  pair = games.optimizer_pair(own)
  ones = jnp.float32(1.0)
  for optimizer, rate, decay in zip(
    pair, (0.002, 0.00235294), (0.991992, 0.990585), strict=True
  ):
    update, state = optimizer.update(ones, optimizer.init(ones))
    np.testing.assert_allclose(update, -rate, rtol=1e-5)
    np.testing.assert_allclose(1 - state[0].nu, decay, rtol=1e-5)
  # Of penalties in every update, or none, nothing is.
  own.regularizers.generator.path_length.every = 1
  own.regularizers.discriminator.r1.weight = 0.0
  for optimizer in games.optimizer_pair(own):
    update, _ = optimizer.update(ones, optimizer.init(ones))
    np.testing.assert_allclose(update, -0.0025, rtol=1e-5)


def test_the_generator_of_cifar10_has_the_rates_of_the_code():
  pair = games.optimizer_pair(stylegan2.get_config('cifar10'))
  ones = jnp.float32(1.0)
  for optimizer, rate, decay in zip(
    pair, (0.002, 0.00235294), (0.991992, 0.990585), strict=True
  ):
    update, state = optimizer.update(ones, optimizer.init(ones))
    np.testing.assert_allclose(update, -rate, rtol=1e-5)
    np.testing.assert_allclose(1 - state[0].nu, decay, rtol=1e-5)


def test_lazy_penalties_of_a_player_share_an_interval(config):
  config.regularizers.discriminator.drift.update(weight=1e-3, every=5)
  with pytest.raises(ValueError, match='drift every 5, r1 every 3; give them'):
    runs.phases(config, SHAPE)
  config.regularizers.discriminator.drift.every = 1
  game = games.schedule(config, SHAPE)(0)
  _, buffers = jax.eval_shape(game.init, jax.random.key(0))
  assert set(buffers.discriminator['memory']) == {'r1', 'drift'}


def tracked(state):
  """What a state remembers: the mean of styles, and that of path lengths."""
  own = state.buffers.generator
  return (
    own['network']['mapping']['average']['styles'],
    own['memory']['path_length'],
  )


@pytest.fixture
def advance(config):
  """`state -> states`, each step of a run of six from a state on."""
  data = images.load('digits', None, 'train', 8)
  mesh = parallel.mesh(1)
  phases = runs.phases(config, SHAPE)
  loader = datasets.loader(config, data, mesh)

  def run(state):
    with contextlib.closing(
      dispatch.dispatches(phases, state, loader, mesh, 1, lambda *_: None)
    ) as states:
      for _, state, metrics, _ in states:
        yield jax.tree.map(jnp.copy, state), metrics

  return run


def test_a_run_goes_on_to_the_bit_with_what_it_remembers(config, advance):
  start = jax.jit(runs.start(config, SHAPE))()
  np.testing.assert_array_equal(tracked(start)[1], 0)
  states, metrics = zip(*advance(start), strict=True)
  assert len(states) == 6
  again = [state for state, _ in advance(jax.tree.map(jnp.copy, states[2]))]
  jax.tree.map(
    lambda one, other: np.testing.assert_array_equal(*map(raw, (one, other))),
    again[-1],
    states[-1],
  )
  means, lengths = zip(*map(tracked, states), strict=True)
  # Of penalties in steps 0, 2 and 4; in between the mean stays.
  lengths = np.array(lengths)
  assert 0 < lengths[0] == lengths[1] != lengths[2] == lengths[3] != lengths[4]
  # Styles are counted in updates of penalties too.
  assert all((a != b).any() for a, b in zip(means[:-1], means[1:], strict=True))
  counts = [int(own[0].count) for own in states[-1].opt_state]
  assert counts == [9, 8]
  path, r1 = (
    np.array([float(row[f'regularizer/{name}'][0]) for row in metrics])
    for name in ('path_length', 'r1')
  )
  assert (np.flatnonzero(path) == [0, 2, 4]).all()
  assert (np.flatnonzero(r1) == [0, 3]).all()
  for row in metrics:
    assert all(np.isfinite(value).all() for value in row.values())


def raw(leaf):
  """The leaf itself, or the words of a key."""
  if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
    return jax.random.key_data(leaf)
  return leaf


def test_runs_of_several_gammas_are_one_program(config):
  config.regularizers.generator.path_length.weight = 0.0
  batch = Batch(jax.random.uniform(jax.random.key(1), (8, *SHAPE), minval=-1))

  def run(weight, number=3):
    own = schedules.with_values(
      config, {'regularizers.discriminator.r1.weight': weight}
    )
    [phase] = runs.phases(own, SHAPE)
    state, _ = jax.lax.scan(
      lambda state, _: phase.step(state, batch),
      runs.start(own, SHAPE)(),
      length=number,
    )
    return state.params.discriminator['head']['kernel']

  weights = jnp.array([0.05, 5.0])
  together = jax.jit(jax.vmap(run))(weights)
  alone = jax.jit(run)(weights[1])
  np.testing.assert_allclose(together[1], alone, rtol=1e-3, atol=1e-4)
  assert np.abs(together[0] - together[1]).max() > 1e-4


@pytest.mark.slow
@pytest.mark.parametrize(
  ('name', 'labels'),
  [*((name, False) for name in PRESETS), ('cifar10', True)],
)
def test_presets_take_a_step(name, labels):
  own = stylegan2.get_config(name)
  own.labels, own.classes = labels, 10 if labels else 0
  side, channels = own.data.resolution, 1 if name in PRESETS[:2] else 3
  shape = side, side, channels
  [phase] = runs.phases(own, shape)
  batch = Batch(
    jax.ShapeDtypeStruct((phase.rows, *shape), jnp.float32),
    jax.ShapeDtypeStruct((phase.rows,), jnp.int32) if labels else None,
  )
  before = jax.eval_shape(runs.start(own, shape))
  after, metrics = jax.eval_shape(phase.step, before, batch)
  assert after == before
  assert 'regularizer/r1' in metrics
  penalized = name not in WITHOUT_PATH_LENGTHS
  assert ('regularizer/path_length' in metrics) is penalized
