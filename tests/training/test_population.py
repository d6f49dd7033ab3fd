"""Populations: each member is the run alone, however it is mapped and kept."""

import itertools
import re
import signal
import subprocess
import sys
import types

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from ganjax import game, losses, priors, steps
from ganjax.arrays import Batch
from ganjax.data import order, toy
from ganjax.networks import mlp
from ganjax.players import Pair
from ganjax.training import chunks, population
from tests.test_parallel import ROOT, environment

RUNS, LOOKS, EVERY = 5, 4, 3
KEYS = jax.random.split(jax.random.key(0), RUNS)
NUMBERS = {'rate': jnp.array([0.1, 0.3, 0.2, 0.05, 0.5])}
DATA = toy.ring(modes=8)
LATENTS = jax.random.normal(jax.random.key(1), (16, 2))


def ring():
  """A tiny game on a ring, whose learning rates are numbers of the run."""
  played = game.gan(
    mlp.generator((2,), (8,)),
    mlp.discriminator((8,)),
    losses.non_saturating,
    priors.normal(2),
  )

  def optimizers(numbers):
    return Pair(*[optax.sgd(numbers['rate'])] * 2)

  def step(state, numbers, centres):
    key = jax.random.fold_in(order.data_key(state.key), state.step)
    batch = Batch(toy.mixture(centres, 0.02)(key, 16))
    return steps.alternating(played, optimizers(numbers))(state, batch)

  return population.Training(
    init=lambda key, numbers, centres: steps.init(
      played, optimizers(numbers), key
    ),
    step=step,
    evaluate=lambda state, numbers, centres: {
      'samples': played.sample(*steps.weights(state, 'ema'), LATENTS),
      'step': state.step,
    },
    steps=LOOKS * EVERY,
    every=EVERY,
  )


RING = ring()


def train(**options):
  """The population of all runs, on one device, one after another."""
  options = {'mapping': 'map', 'chunk': RUNS, 'data': DATA} | options
  return population.train(
    RING, KEYS, NUMBERS, devices=jax.devices()[:1], **options
  )


def leaves(tree):
  """Numpy arrays of a tree's leaves, keys as their words."""
  return [
    np.asarray(
      jax.random.key_data(leaf)
      if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
      else leaf
    )
    for leaf in jax.tree.leaves(tree)
  ]


def assert_equal(left, right, **tolerance):
  """The same trees: to the bit, unless a tolerance is given."""
  assert jax.tree.structure(left) == jax.tree.structure(right)
  compare = (
    np.testing.assert_allclose if tolerance else np.testing.assert_array_equal
  )
  for a, b in zip(leaves(left), leaves(right), strict=True):
    compare(a, b, strict=True, **tolerance)


def results(found):
  return found.states, found.records


@pytest.fixture(scope='module')
def alone():
  """What each run comes to by itself, `[RUNS, ...]`."""
  run = jax.jit(population.whole(RING))
  done = [
    run(key, {'rate': rate}, DATA)
    for key, rate in zip(KEYS, NUMBERS['rate'], strict=True)
  ]
  return jax.tree.map(lambda *rows: jnp.stack(rows), *done)


@pytest.fixture(scope='module')
def mapped():
  return train()


def test_a_whole_run_is_its_steps_and_its_looks(alone):
  key, numbers = KEYS[2], {'rate': NUMBERS['rate'][2]}
  state = jax.jit(RING.init)(key, numbers, DATA)
  step, values = jax.jit(RING.step), []
  for _ in range(RING.steps):
    state, metrics = step(state, numbers, DATA)
    values.append(metrics['loss/generator'])
  states, (looked, means) = alone
  assert states.step.tolist() == [RING.steps] * RUNS
  assert looked['step'][2].tolist() == [EVERY * t for t in range(1, LOOKS + 1)]
  np.testing.assert_allclose(
    means['loss/generator'][2],
    np.reshape(values, (LOOKS, EVERY)).mean(1),
    rtol=1e-5,
  )
  np.testing.assert_allclose(
    looked['samples'][2, -1],
    RING.evaluate(state, numbers, DATA)['samples'],
    rtol=1e-4,
    atol=1e-6,
  )
  # Other keys and other numbers are other runs.
  assert np.unique(looked['samples'][:, -1, 0, 0]).size == RUNS


@pytest.mark.parametrize(
  ('mapping', 'tolerance'),
  [('map', {}), ('steps', {}), ('vmap', {'rtol': 1e-3, 'atol': 1e-5})],
)
def test_a_member_is_the_same_run_alone(alone, mapping, tolerance):
  found = train(mapping=mapping)
  assert found.mapping == mapping
  assert_equal(results(found), alone, **tolerance)


def test_chunks_are_filled_up_and_change_nothing(mapped):
  found = train(chunk=2)
  assert_equal(results(found), results(mapped))
  assert all(
    isinstance(leaf, np.ndarray) for leaf in jax.tree.leaves(found.records)
  )


def test_a_chunk_is_as_many_members_as_fit_the_memory(monkeypatch):
  def fitting(limit, rows):
    device = types.SimpleNamespace(memory_stats=lambda: {'bytes_limit': limit})
    monkeypatch.setattr(jax, 'local_devices', lambda: [device])
    training = population.Training(
      init=lambda key, numbers, data: jnp.zeros(1000),
      step=lambda state, numbers, data: (state + data.sum(), {}),
      evaluate=lambda state, numbers, data: state[0],
      steps=4,
      every=2,
    )
    return population._fitting(training, KEYS, (), jnp.zeros(rows))

  few, many = fitting(2**20, 1), fitting(2**23, 1)
  # A state of 4000 bytes, before and after a step, in 3/4 of the memory.
  assert 50 < few <= 0.75 * 2**20 / 8000
  assert many == pytest.approx(8 * few, abs=8)
  # Data that all share take their bytes once.
  assert fitting(2**23, 2**20) == pytest.approx(
    many * (1 - 2**22 / (0.75 * 2**23)), abs=1
  )
  assert fitting(1000, 1) == 1


def test_a_second_chunk_is_no_second_program():
  traces = []

  def traced(chunk):
    def step(state, numbers, data):
      traces.append(chunk)
      return state + 1, {}

    training = population.Training(
      init=lambda key, numbers, data: jnp.zeros(()),
      step=step,
      evaluate=lambda state, numbers, data: state,
      steps=4,
      every=2,
    )
    population.train(training, KEYS, mapping='map', chunk=chunk)
    return traces.count(chunk)

  assert traced(1) == traced(RUNS)


def bars(updates, last=None):
  """Progress bars that note their updates and raise SIGTERM at the `last`."""

  class Bar(population.tqdm):
    def update(self, number):
      updates.append(number)
      if len(updates) == last:
        signal.raise_signal(signal.SIGTERM)
      return super().update(number)

  return Bar


@pytest.mark.parametrize(
  ('chunk', 'last', 'resumed'),
  [
    (RUNS, 2, [2 * EVERY, *[EVERY] * (LOOKS - 2)]),
    # The first of three chunks is done, and of the second an evaluation.
    (2, LOOKS + 1, [LOOKS * EVERY, *[EVERY] * 2 * LOOKS]),
  ],
)
def test_what_a_signal_ended_goes_on_to_the_bit(
  mapped, monkeypatch, tmp_path, chunk, last, resumed
):
  # Each reading of this clock is a second after the one before.
  clock = types.SimpleNamespace(monotonic=itertools.count().__next__)
  monkeypatch.setattr(chunks, 'time', clock)
  handler = signal.getsignal(signal.SIGTERM)

  def go_on(last=None):
    updates = []
    with monkeypatch.context() as patch:
      patch.setattr(population, 'tqdm', bars(updates, last))
      found = train(chunk=chunk, folder=tmp_path, config={'of': 'a test'})
    assert signal.getsignal(signal.SIGTERM) == handler
    return found, updates

  assert go_on(last) == (None, [EVERY] * last)
  found, updates = go_on()
  assert updates == resumed
  assert_equal(results(found), results(mapped))
  # An evaluation takes one second, before the signal and after it.
  assert found.seconds == LOOKS * len(range(0, RUNS, chunk)) / RUNS
  again, updates = go_on()
  assert updates == [RING.steps] * len(range(0, RUNS, chunk))
  assert_equal(results(again), results(mapped))
  assert (again.seconds, again.mapping) == (found.seconds, 'map')


@pytest.mark.slow
def test_two_halves_are_the_whole_to_the_bit(mapped, tmp_path):
  half = RING._replace(steps=RING.steps // 2, every=RING.steps // 2)

  def go_on(runs, states, folder, mapping='map'):
    return population.train(
      half,
      KEYS[runs],
      jax.tree.map(lambda leaf: leaf[runs], NUMBERS),
      DATA,
      states=states,
      mapping=mapping,
      chunk=3,
      devices=jax.devices()[:1],
      folder=tmp_path / folder,
    )

  first = go_on(np.arange(RUNS), None, 'first')
  # In between, one is dropped.
  left = jax.tree.map(lambda leaf: leaf[1:], first.states)
  second = go_on(np.arange(1, RUNS), left, 'second')
  for found, runs, evaluation in ((first, 0, LOOKS // 2 - 1), (second, 1, -1)):
    looked = jax.tree.map(lambda leaf: leaf[:, 0], found.records[0])
    expected = jax.tree.map(
      lambda leaf, runs=runs, at=evaluation: leaf[runs:, at], mapped.records[0]
    )
    assert_equal(looked, expected)
  assert_equal(
    second.states, jax.tree.map(lambda leaf: leaf[1:], mapped.states)
  )
  # Once more, from what the folder keeps.
  again = go_on(np.arange(1, RUNS), left, 'second', mapping='vmap')
  assert_equal(results(again), results(second))


@pytest.fixture
def cache(tmp_path, monkeypatch):
  """The folder in which choices of mappings are remembered."""
  monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
  return tmp_path / 'ganjax' / 'mappings'


def test_auto_says_what_it_took(alone, cache):
  said = []
  found = train(mapping='auto', announce=said.append)
  assert found.mapping in ('vmap', 'map', 'steps')
  words = said[-1]
  assert words.startswith(
    f'Runs go by {found.mapping!r}; a step and run takes '
  )
  times = dict(
    reversed(pair) for pair in re.findall(r'([\d.]+) ms by (\w+)', words)
  )
  assert times.keys() == {'vmap', 'map', 'steps'}
  assert float(times[found.mapping]) == min(map(float, times.values()))
  assert_equal(results(found), alone, rtol=1e-3, atol=1e-5)


def test_what_takes_several_dispatches_is_for_runs_by_steps():
  def found(mapping):
    training = population.Training(
      init=lambda key, numbers, data: jnp.zeros(()),
      step=lambda state, numbers, data: (state + numbers, {}),
      evaluate=lambda state, numbers, data: state,
      steps=4,
      every=2,
      # Of floats, which no tracer turns into.
      host_evaluate=lambda state, numbers, data: jnp.float32(-float(state)),
      host_step=lambda state, numbers, data: (
        jnp.float32(float(state) + 10 * numbers),
        {},
      ),
    )
    numbers = jnp.arange(1.0, RUNS + 1)
    return population.train(
      training, KEYS, numbers, mapping=mapping, chunk=RUNS
    )

  steps_taken = np.outer(np.arange(1, RUNS + 1), [2, 4])
  np.testing.assert_array_equal(found('map').records[0], steps_taken)
  np.testing.assert_array_equal(found('steps').records[0], -10 * steps_taken)


def test_any_function_has_a_population():
  keys, numbers = population.cross(KEYS[:3], {'scale': jnp.array([1.0, -2.0])})

  def draw(key, numbers):
    return numbers['scale'] * jax.random.normal(key, (4,))

  found = population.train(population.of(draw), keys, numbers, mapping='vmap')
  drawn = [
    [scale * np.asarray(jax.random.normal(key, (4,))) for key in KEYS[:3]]
    for scale in (1.0, -2.0)
  ]
  looked, metrics = found.records
  assert metrics == {}
  np.testing.assert_allclose(looked[:, 0], np.reshape(drawn, (6, 4)), rtol=1e-6)


def test_crossing_has_the_seeds_innermost():
  numbers = {'rate': jnp.array([1.0, 2.0]), 'width': jnp.array([[3], [4]])}
  keys, crossed = population.cross(KEYS[:3], numbers)
  np.testing.assert_array_equal(*leaves((keys[:3], keys[3:])))
  np.testing.assert_array_equal(*leaves((keys[:3], KEYS[:3])))
  assert crossed['rate'].tolist() == [1, 1, 1, 2, 2, 2]
  assert crossed['width'].tolist() == [[3], [3], [3], [4], [4], [4]]


def test_what_cannot_be_is_refused_in_a_sentence():
  with pytest.raises(ValueError, match='every 5 steps do not divide .* 12 st'):
    population.train(RING._replace(every=5), KEYS, NUMBERS, DATA)
  with pytest.raises(
    ValueError, match="no mapping 'pmap' .* auto, vmap, map, ste"
  ):
    train(mapping='pmap')
  with pytest.raises(ValueError, match='states of 3 runs to go on from, for 5'):
    train(states=jnp.zeros((3, 2)))


# One process for what two devices are needed for.
SCRIPT = """
import sys
import jax, numpy as np
from ganjax.training import population
from tests.training.test_population import (
  DATA, KEYS, NUMBERS, RING, leaves, results
)

assert jax.device_count() == 2
found = population.train(
  RING, KEYS, NUMBERS, DATA, mapping='map', folder=sys.argv[1]
)
np.savez(sys.argv[2], *leaves(results(found)))
"""


def test_two_devices_compute_what_one_does_and_one_takes_over(mapped, tmp_path):
  path, folder = tmp_path / 'found.npz', tmp_path / 'runs'
  variables = environment(2)
  variables['PJRT_NPROC'] = '1'
  done = subprocess.run(
    [sys.executable, '-c', SCRIPT, str(folder), str(path)],
    cwd=ROOT,
    env=variables,
    capture_output=True,
    text=True,
    timeout=300,
  )
  assert done.returncode == 0, done.stderr
  with np.load(path) as found:
    assert_equal([*found.values()], leaves(results(mapped)))
  # Three members each: the sixth, which only fills up, is not kept.
  again = train(mapping='map', folder=folder)
  assert_equal(results(again), results(mapped))
