"""Many whole runs as one program: a population over seeds and numbers.

A run is a pure function of a key and of numbers that may be traced. Here it is
given in parts (`Training`), so that a population of runs can be watched while
it goes on, kept, and taken up again to the bit. `whole` is the same run in one
piece, for `jit`, `vmap` and notebooks.
"""

import concurrent.futures
import contextlib
import math
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

from ganjax.training import checkpoint, mappings, signals

_SAVE_EVERY = 60.0  # seconds


class Training(NamedTuple):
  """A whole run in parts, each a pure function.

  Attributes:
    init: `(key, numbers, data) -> state`, any tree of arrays.
    step: `(state, numbers, data) -> (state, metrics)`.
    evaluate: `(state, numbers, data) -> record`: what is measured in between.
    steps: how many steps a run has.
    every: how many steps lie between two evaluations; it divides `steps`.
    host_evaluate: an `evaluate` in several dispatches, which need not be
      traceable, for the mapping of a step a dispatch; None where one will do.
    host_step: a `step` likewise, which may donate its state.
  """

  init: Callable
  step: Callable
  evaluate: Callable
  steps: int
  every: int
  host_evaluate: Callable | None = None
  host_step: Callable | None = None


class Population(NamedTuple):
  """What became of M runs with T evaluations.

  Attributes:
    states: the last ones, `[M, ...]`.
    records: `(what the evaluations recorded, means of the metrics before
      each)`, trees of numpy arrays `[M, T, ...]`.
    seconds: of the clock, for each run: those of all, divided by M.
    mapping: how the runs were mapped.
  """

  states: Any
  records: Any
  seconds: float
  mapping: str


def whole(training):
  """The function `(key, numbers, data) -> (state, records)` of a whole run."""
  advance = mappings.stretch(training, training.every)

  def run(key, numbers=(), data=()):
    return jax.lax.scan(
      lambda state, _: advance(state, numbers, data),
      training.init(key, numbers, data),
      length=training.steps // training.every,
    )

  return run


def of(function):
  """The `Training` of `(key, numbers) -> result`, whose one evaluation is the
  result.

  It makes a population of any function, such as a run of one's own.
  """
  return Training(
    init=lambda key, numbers, data: key,
    step=lambda key, numbers, data: (key, {}),
    evaluate=lambda key, numbers, data: function(key, numbers),
    steps=1,
    every=1,
  )


def cross(keys, numbers):
  """Keys and numbers of all combinations, `[H * S]`, the seeds innermost.

  Args:
    keys: `[S]`.
    numbers: a tree of `[H, ...]`.
  """
  count = len(jax.tree.leaves(numbers)[0])
  return jnp.tile(keys, count), jax.tree.map(
    lambda leaf: jnp.repeat(leaf, len(keys), axis=0), numbers
  )


def train(
  training,
  keys,
  numbers=(),
  data=(),
  *,
  states=None,
  mapping='auto',
  devices=None,
  chunk=None,
  folder=None,
  config=None,
  name='runs',
  announce=tqdm.write,
):
  """The `Population` of a run for each key; None where a signal ended it.

  A member's run equals the same run alone: how runs are mapped changes at most
  the rounding.

  Args:
    training: a `Training`.
    keys: `[M]`, one for each run.
    numbers: a tree of `[M, ...]`, the hyperparameters of each run.
    data: a tree of arrays that all runs share.
    states: `[M, ...]`, as a `Population` has them, for runs to go on from; they
      begin with their inits where None.
    mapping: 'vmap', the members of a device in step; 'map', one after another
      in
      one program; 'steps', one after another, a step a dispatch, for XLA on a
      CPU is slow at convolutions within loops; 'auto' times them on the runs at
      hand and takes the fastest.
    devices: over which members are spread; all of them where None.
    chunk: members at once; as many as fit the memory where None.
    folder: where runs are kept, so that the same call goes on, to the bit, from
      where a signal or a crash ended it; or None.
    config: JSON values, kept beside them.
    name: of the progress bar.
    announce: is told in words what a user should know.

  Raises:
    ValueError: if `every` does not divide `steps`, there is no such mapping, or
      states are not one for each key.
  """
  if training.steps % training.every:
    raise ValueError(
      f'Evaluations every {training.every} steps do not divide a run of '
      f'{training.steps} steps; choose a divisor.'
    )
  if mapping not in ('auto', *mappings.MAPPINGS):
    raise ValueError(
      f'There is no mapping {mapping!r} to map runs; choose from auto, '
      f'{", ".join(mappings.MAPPINGS)}.'
    )
  given = {len(leaf) for leaf in jax.tree.leaves(states)}
  if given - {len(keys)}:
    raise ValueError(
      f'There are states of {max(given)} runs to go on from, for {len(keys)} '
      'keys; give one state for each key.'
    )
  devices = (devices or jax.local_devices())[: len(keys)]
  if chunk is None:
    chunk = _fitting(training, keys, numbers, data) * len(devices)
  chunk = math.ceil(min(chunk, len(keys)) / len(devices)) * len(devices)
  parts = []
  bar = tqdm(
    total=math.ceil(len(keys) / chunk) * training.steps,
    desc=name,
    unit=' steps',
    dynamic_ncols=True,
    disable=None,
  )
  with bar, signals.catch() as stop:
    for first in range(0, len(keys), chunk):
      members = jax.tree.map(
        lambda leaf, first=first: leaf[first : first + chunk],
        (keys, numbers, states),
      )
      kept = f'{folder}/{first:06d}' if folder else None
      with _keeping(kept, config) as keeper:
        part = _chunk(
          training,
          *members,
          data,
          devices,
          chunk,
          mapping,
          keeper,
          bar,
          stop,
          announce,
        )
      if part is None:
        return None
      parts.append(part)
      mapping = part.mapping
  return Population(
    states=_joined([part.states for part in parts]),
    records=jax.tree.map(
      lambda *leaves: np.concatenate(leaves), *[part.records for part in parts]
    ),
    seconds=sum(part.seconds for part in parts) / len(keys),
    mapping=mapping,
  )


def _joined(trees):
  if len(trees) == 1:
    return trees[0]
  return jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *trees)


def _chunk(
  training,
  keys,
  numbers,
  given,
  data,
  devices,
  filled,
  mapping,
  keeper,
  bar,
  stop,
  announce,
):
  """The `Population` of members that fit the devices at once, or None.

  Its last member stands in where there are fewer than `filled`, so that each
  device has as many, and each chunk is the same program. What is kept knows
  nothing of that: other devices may go on with it.
  """
  evaluations = training.steps // training.every

  def begin():
    if given is None:
      return mappings.started(training)(keys, numbers, data)
    return given

  states = jax.eval_shape(begin)
  looked = jax.eval_shape(mappings.vmapped(training, 1), states, numbers, data)[
    1
  ]
  records = jax.tree.map(
    lambda leaf: np.zeros(
      (leaf.shape[0], evaluations, *leaf.shape[1:]), leaf.dtype
    ),
    looked,
  )
  reached, seconds = 0, 0.0
  about, kept = keeper.restore(
    {'states': states, 'records': records, 'evaluations': np.int32(0)}
  )
  if kept is None:
    states = begin()
  else:
    states, reached = kept['states'], int(kept['evaluations'])
    records = jax.tree.map(np.array, kept['records'])
    seconds, mapping = about['seconds'], about['mapping']
    bar.update(reached * training.every)
  share = filled // len(devices)
  starts = range(0, filled, share)
  shares = [
    jax.device_put(
      jax.tree.map(
        lambda leaf, start=start: leaf[
          np.minimum(np.arange(start, start + share), len(keys) - 1)
        ],
        (states, numbers),
      ),
      device,
    )
    for start, device in zip(starts, devices, strict=True)
  ]
  shared = [jax.device_put(data, device) for device in devices]

  def all_states():
    own = [jax.device_put(states, devices[0]) for states, _ in shares]
    return jax.tree.map(lambda leaf: leaf[: len(keys)], _joined(own))

  saved = time.monotonic()
  with concurrent.futures.ThreadPoolExecutor(len(devices)) as pool:
    if mapping == 'auto' and reached < evaluations:
      mapping = mappings.fastest(training, shares, shared, pool, announce)
    while reached < evaluations:
      advance = mappings.MAPPINGS[mapping](training, training.every)
      begun = time.monotonic()
      done = mappings.together(advance, shares, shared, pool)
      shares = [
        (states, numbers)
        for (states, _), (_, numbers) in zip(done, shares, strict=True)
      ]
      for start, (_, record) in zip(starts, done, strict=True):
        rows = range(start, min(start + share, len(keys)))
        for all_, own in zip(
          jax.tree.leaves(records), jax.tree.leaves(record), strict=True
        ):
          all_[rows, reached] = own[: len(rows)]
      reached += 1
      seconds += time.monotonic() - begun
      bar.update(training.every)
      leave = stop.is_set()
      if (
        reached == evaluations
        or leave
        or time.monotonic() - saved > _SAVE_EVERY
      ):
        keeper.save(
          reached,
          {
            'states': all_states(),
            'records': records,
            'evaluations': np.int32(reached),
          },
          {'mapping': mapping, 'seconds': seconds},
        )
        saved = time.monotonic()
      if leave:
        return None
  return Population(all_states(), records, seconds, mapping)


class _Keeper(NamedTuple):
  """Where a chunk is kept: `save(step, state, about)`, `restore(abstract)`."""

  save: Callable
  restore: Callable


@contextlib.contextmanager
def _keeping(folder, config):
  if folder is None:
    yield _Keeper(lambda *anything: None, lambda abstract: (None, None))
    return
  manager = checkpoint.manager(folder, keep=1)

  def save(step, state, about):
    checkpoint.save(manager, step, state, {'config': config, **about})

  def restore(abstract):
    state = checkpoint.restore(manager, abstract)
    return checkpoint.config(manager), state

  try:
    yield _Keeper(save, restore)
  finally:
    checkpoint.close(manager)


def _fitting(training, keys, numbers, data):
  """How many members fit the memory of a device, by what one of them needs."""
  stats = jax.local_devices()[0].memory_stats()
  if stats is None:  # A CPU, which maps members that are large one by one.
    return len(keys)
  one = jax.tree.map(lambda leaf: leaf[0], (keys, numbers))
  run = jax.jit(whole(training._replace(steps=1, every=1)))
  needed = run.lower(*one, data).compile().memory_analysis()
  own = needed.temp_size_in_bytes + 2 * needed.output_size_in_bytes
  shared = sum(leaf.nbytes for leaf in jax.tree.leaves(data))
  return max(1, int((0.75 * stats['bytes_limit'] - shared) / own))
