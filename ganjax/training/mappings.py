"""Mappings of a training over several members of a population on one device.

Each is a function of a `population.Training` and a number of steps, and returns
`(states, numbers, data) -> (states, records)` of all members `[M, ...]`, which
donates the states. Which one is fastest depends on the device and the network:
`fastest` measures.
"""

import functools
import time

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
def stepwise(training, number):
  """Returns the mapping of one member after another, a step a dispatch."""
  step = training.host_step or jax.jit(training.step, donate_argnums=0)
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


def fastest(training, shares, shared, pool, announce):
  """Returns the name of the mapping by which these runs take least time.

  Each mapping takes a few steps of copies of the runs, some times over.

  Args:
    training: a `population.Training`.
    shares: as in `on_devices`.
    shared: as in `on_devices`.
    pool: as in `on_devices`.
    announce: is given a sentence on what was measured.
  """
  if training.steps > 1:  # Else the evaluation may be the work.
    training = without_evaluations(training)
  number, times = min(4, training.every), {}

  def once(advance):
    """Returns the seconds that all devices take together."""
    trial = jax.block_until_ready(jax.tree.map(jnp.copy, shares))
    begun = time.monotonic()
    jax.block_until_ready(on_devices(advance, trial, shared, pool))
    return time.monotonic() - begun

  for mapping, make in MAPPINGS.items():
    if mapping == 'steps' and jax.default_backend() != 'cpu':
      continue
    advance = make(training, number)
    once(advance)  # It compiles.
    tries = [once(advance)]
    while sum(tries) < 0.3 and len(tries) < 30:
      tries.append(once(advance))
    times[mapping] = sorted(tries)[len(tries) // 2]
  best = min(times, key=times.get)
  steps = number * sum(len(jax.tree.leaves(states)[0]) for states, _ in shares)
  announce(
    f'Runs go by {best!r}; a step and run takes '
    + ', '.join(
      f'{1000 * seconds / steps:.2f} ms by {mapping}'
      for mapping, seconds in times.items()
    )
    + '.'
  )
  return best


def without_evaluations(training):
  """Returns the `Training` whose evaluations record nothing."""
  return training._replace(evaluate=_nothing, host_evaluate=None)


def _nothing(state, numbers, data):
  return ()
