"""Mappings of a training over several members of a population on one device.

Each is a function of a `population.Training` and a number of steps, and returns
`(states, numbers, data) -> (states, records)` of all members `[M, ...]`, which
donates the states. Which one is fastest depends on the device and the network:
see `calibration`.
"""

import functools

import jax
import jax.numpy as jnp


def stretch(training, number):
  """Returns `(state, numbers, data) -> (state, record)` of several steps.

  The record is that of an evaluation after the last step, and the means of the
  metrics of all of them.

  Args:
    training: a `population.Training`.
    number: of steps.
  """

  def advance(state, numbers, data):
    state, metrics = jax.lax.scan(
      lambda state, _: training.step(state, numbers, data),
      state,
      length=number,
    )
    return state, (training.evaluate(state, numbers, data), _means(metrics))

  return advance


def _means(metrics):
  return jax.tree.map(lambda values: values.mean(axis=0), metrics)


# The next chunk is the same program, and shall not be compiled again.
_cached = functools.lru_cache(maxsize=8)


@_cached
def started(training):
  """Returns `(keys, numbers, data) -> states` of all members."""
  return jax.jit(jax.vmap(training.init, (0, 0, None)))


@_cached
def vmapped(training, number):
  """Returns the mapping that takes each step of all members at once."""
  advance = jax.vmap(stretch(training, number), (0, 0, None))
  return jax.jit(advance, donate_argnums=0)


@_cached
def mapped(training, number):
  """Returns the mapping of one member after another, in one program."""
  advance = stretch(training, number)

  def members(states, numbers, data):
    return jax.lax.map(lambda own: advance(*own, data), (states, numbers))

  return jax.jit(members, donate_argnums=0)


@_cached
def _compiled_step(step):
  # One for any number of steps, so that what was tried is not compiled again.
  return jax.jit(step, donate_argnums=0)


@_cached
def stepwise(training, number):
  """Returns the mapping of one member after another, a step a dispatch."""
  step = training.host_step or _compiled_step(training.step)
  evaluate = training.host_evaluate or jax.jit(training.evaluate)

  def advance(state, numbers, data):
    found = []
    for _ in range(number):
      state, metrics = step(state, numbers, data)
      found.append(metrics)
    metrics = jax.tree.map(lambda *rows: jnp.stack(rows), *found)
    return state, (evaluate(state, numbers, data), _means(metrics))

  def members(states, numbers, data):
    done = [
      advance(
        *jax.tree.map(lambda leaf, row=row: leaf[row], (states, numbers)), data
      )
      for row in range(len(jax.tree.leaves(states)[0]))
    ]
    return jax.tree.map(lambda *rows: jnp.stack(rows), *done)

  return members


MAPPINGS = {'vmap': vmapped, 'map': mapped, 'steps': stepwise}


def on_devices(advance, shares, shared, pool):
  """Returns each device's `(states, records)`, computed at the same time.

  Args:
    advance: of one of the `MAPPINGS`.
    shares: for each device its members, `(states, numbers)`.
    shared: for each device its data.
    pool: of as many threads: devices need nothing of one another.
  """
  done = pool.map(lambda own, data: advance(*own, data), shares, shared)
  return list(done)


def without_evaluations(training):
  """Returns the `Training` whose evaluations record nothing."""
  return training._replace(evaluate=_nothing, host_evaluate=None)


def _nothing(state, numbers, data):
  return ()
