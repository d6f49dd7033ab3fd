"""Many whole runs as one program: a population over seeds and numbers.

A run is a pure function of a key and of numbers that may be traced. Here it is
given in parts (`Training`), so that a population of runs can be evaluated as it
goes on, saved, and resumed to the bit. `whole` is the same run in one piece,
for `jit`, `vmap` and notebooks.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

from ganjax.training import chunks, mappings, signals


class Training(NamedTuple):
  """A whole run in parts, each a pure function of one member.

  Attributes:
    init: `(key, numbers, data) -> state`, any tree of arrays.
    step: `(state, numbers, data) -> (state, metrics)`.
    evaluate: `(state, numbers, data) -> record`, what is measured in between.
    steps: how many steps a run has.
    every: how many steps lie between two evaluations; it divides `steps`.
    host_evaluate: an `evaluate` that dispatches several programs, so that it
      need not be traceable, for the mapping 'steps'; None where one will do.
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
  """The results of M runs with T evaluations.

  Attributes:
    states: the last ones, `[M, ...]`.
    records: `(what the evaluations recorded, means of the metrics before
      each)`, trees of numpy arrays `[M, T, ...]`.
    seconds: of the clock, for each run: those of all, divided by M.
    mapping: how the runs were mapped, of `mappings.MAPPINGS`.
  """

  states: Any
  records: Any
  seconds: float
  mapping: str


def whole(training):
  """Returns `(key, numbers, data) -> (state, records)`, a whole run."""
  advance = mappings.stretch(training, training.every)

  def run(key, numbers=(), data=()):
    return jax.lax.scan(
      lambda state, _: advance(state, numbers, data),
      training.init(key, numbers, data),
      length=training.steps // training.every,
    )

  return run


def of(function):
  """Returns the `Training` of a function `(key, numbers) -> result`.

  Its one evaluation records the result. So any function, such as a run of one's
  own, can be a population.
  """
  return Training(
    init=lambda key, numbers, data: key,
    step=lambda key, numbers, data: (key, {}),
    evaluate=lambda key, numbers, data: function(key, numbers),
    steps=1,
    every=1,
  )


def cross(keys, numbers):
  """Returns keys and numbers of all pairs, `[H * S]`, the keys innermost.

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
  """Returns the `Population` of a run for each key; None if a signal ended it.

  A member's run equals the same run by itself: how runs are mapped changes at
  most the rounding.

  Args:
    training: a `Training`.
    keys: `[M]`, one for each run.
    numbers: a tree of `[M, ...]`, the hyperparameters of each run.
    data: a tree of arrays that all runs share.
    states: `[M, ...]`, as a `Population` has them, for runs to go on from; they
      begin with their inits where None.
    mapping: 'vmap', the members of a device in step; 'map', one after another
      in one program; 'steps', one after another, a step a dispatch, for XLA on
      a CPU is slow at convolutions within loops; 'auto' takes the fastest, as
      `calibration` says: by a few steps, or for `of` by a rule.
    devices: over which members are spread; all of them where None.
    chunk: how many members train at once; as many as fit the memory where None.
    folder: where runs are saved, so that the same call resumes them, to the
      bit, after a signal or a crash; or None.
    config: JSON values, saved with them.
    name: of the progress bar.
    announce: is given sentences that a user should read.

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
  if bar.disable:
    announce(f'{name}: {len(keys)} runs of {training.steps} steps ...')
  with bar, signals.catch() as stop:
    for first in range(0, len(keys), chunk):
      members = jax.tree.map(
        lambda leaf, first=first: leaf[first : first + chunk],
        (keys, numbers, states),
      )
      own_folder = f'{folder}/{first:06d}' if folder else None
      with chunks.storage(own_folder, config) as storage:
        part = chunks.train(
          training,
          members,
          data,
          devices=devices,
          size=chunk,
          mapping=mapping,
          storage=storage,
          bar=bar,
          stop=stop,
          announce=announce,
        )
      if part is None:
        return None
      parts.append(part)
      mapping = part.mapping
  return Population(
    states=chunks.joined([part.states for part in parts]),
    records=jax.tree.map(
      lambda *leaves: np.concatenate(leaves), *[part.records for part in parts]
    ),
    seconds=sum(part.seconds for part in parts) / len(keys),
    mapping=mapping,
  )


def _fitting(training, keys, numbers, data):
  """Returns how many members fit the memory of a device."""
  stats = jax.local_devices()[0].memory_stats()
  if stats is None:  # A CPU, which maps members that are large one by one.
    return len(keys)
  one = jax.tree.map(lambda leaf: leaf[0], (keys, numbers))
  run = jax.jit(whole(training._replace(steps=1, every=1)))
  needed = run.lower(*one, data).compile().memory_analysis()
  own = needed.temp_size_in_bytes + 2 * needed.output_size_in_bytes
  shared = sum(leaf.nbytes for leaf in jax.tree.leaves(data))
  return max(1, int((0.75 * stats['bytes_limit'] - shared) / own))
