"""Which mapping is taken: by a rule, from memory, or by a few steps."""

import concurrent.futures
import types

import jax
import jax.numpy as jnp
import pytest

from ganjax.training import calibration, mappings, population

KEYS = jax.random.split(jax.random.key(0), 3)


def counting(steps=6, scale=1.0):
  """A training that adds to a number."""
  return population.Training(
    init=lambda key, numbers, data: jnp.float32(0),
    step=lambda state, numbers, data: (state + scale, {}),
    evaluate=lambda state, numbers, data: state,
    steps=steps,
    every=3,
  )


@pytest.fixture
def clock(monkeypatch, tmp_path):
  """A clock that only what is mapped moves, by `seconds` of each mapping."""
  monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
  own = types.SimpleNamespace(now=0.0, calls=[], seconds={})
  ticking = types.SimpleNamespace(monotonic=lambda: own.now)
  monkeypatch.setattr(calibration, 'time', ticking)

  def slowed(name, make):
    def made(training, number):
      advance = make(training, number)

      def timed(states, numbers, data):
        own.calls.append(name)
        own.now += own.seconds[name](own.calls.count(name))
        return advance(states, numbers, data)

      return timed

    return made

  table = {name: slowed(name, make) for name, make in mappings.MAPPINGS.items()}
  monkeypatch.setattr(mappings, 'MAPPINGS', table)
  return own


def fastest(training):
  """The mapping that is chosen, and what is said of it."""
  said = []
  states = jax.vmap(lambda key: training.init(key, (), ()))(KEYS)
  with concurrent.futures.ThreadPoolExecutor(1) as pool:
    shares = [(states, ())]
    name = calibration.fastest(training, shares, [()], pool, said.append)
  # What takes time is announced before.
  measured = 'before' not in said[-1]
  assert said[0].startswith('Timing') == measured
  return name, said[-1]


def test_steps_are_timed_once_and_the_choice_is_remembered(clock):
  clock.seconds = {
    'vmap': lambda call: 0.3,
    'map': lambda call: 0.25,
    'steps': lambda call: 5.0,
  }
  name, words = fastest(counting())
  # A trial has 3 steps of 3 runs.
  assert name == 'map'
  assert words == (
    "Runs go by 'map'; a step and run takes 33.33 ms by vmap, 27.78 ms by map, "
    '555.56 ms by steps.'
  )
  # One call compiles, and two trials agree.
  assert {name: clock.calls.count(name) for name in clock.seconds} == (
    dict.fromkeys(clock.seconds, 3)
  )
  clock.calls.clear()
  assert fastest(counting()) == (
    'map',
    "Runs go by 'map', as was measured before.",
  )
  assert not clock.calls
  # Another program is measured for itself.
  assert 'as was measured' not in fastest(counting(scale=2.0))[1]


def test_repeats_that_disagree_are_taken_again(clock):
  # Other work comes to an end after some trials.
  clock.seconds = {
    'vmap': lambda call: 0.3 if call > 5 else 2.0 / call,
    'map': lambda call: 0.5,
    'steps': lambda call: 0.45 if call > 3 else 2.0 - 0.4 * call,
  }
  name, words = fastest(counting())
  assert name == 'vmap' and 'busy' not in words
  assert '33.33 ms by vmap, 55.56 ms by map, 50.00 ms by steps' in words
  assert 'as was measured before' in fastest(counting())[1]


def test_what_never_agrees_is_not_remembered(clock):
  clock.seconds = {
    'vmap': lambda call: 2.0 * 0.8**call,
    'map': lambda call: 1.9 * 0.8**call,
    'steps': lambda call: 2.1 * 0.8**call,
  }
  name, words = fastest(counting())
  assert name == 'map'
  assert words.endswith('The machine is busy; the next time is measured.')
  # The first two calls, and rounds with an end.
  assert clock.calls.count('vmap') == 10
  assert 'as was measured before' not in fastest(counting())[1]


def test_a_damaged_memory_is_no_memory(clock, tmp_path):
  clock.seconds = dict.fromkeys(mappings.MAPPINGS, lambda call: 1.0)
  fastest(counting())
  [path] = (tmp_path / 'ganjax' / 'mappings').iterdir()
  for text in '{', '[]', '{"format": 2, "mapping": "pmap"}':
    path.write_text(text)
    assert 'a step and run takes' in fastest(counting())[1]


def test_whole_runs_are_not_timed(clock):
  def dense(key, numbers):
    return jax.random.normal(key, (4, 4)) @ jnp.ones((4, 4))

  def convolved(key, numbers):
    images = jax.random.normal(key, (1, 4, 4, 1))
    kernel = jnp.ones((3, 3, 1, 1))
    return jax.lax.scan(
      lambda x, _: (
        jax.lax.conv_general_dilated(
          x, kernel, (1, 1), 'SAME', dimension_numbers=('NHWC', 'HWIO', 'NHWC')
        ),
        None,
      ),
      images,
      length=2,
    )[0]

  for function, mapping in (dense, 'vmap'), (convolved, 'steps'):
    training = population.of(function)
    states = KEYS
    said = []
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
      name = calibration.fastest(
        training, [(states, ())], [()], pool, said.append
      )
    assert name == mapping
    assert said[0].startswith(f'Runs go by {mapping!r}, as a rule')
  assert not clock.calls
