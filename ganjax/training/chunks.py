"""Members of a population that train at once: spread, saved and resumed."""

import concurrent.futures
import contextlib
import pathlib
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ganjax import locks
from ganjax.training import calibration, checkpoint, mappings

_SAVE_EVERY = 60.0  # seconds


class Chunk(NamedTuple):
  """Members that have trained to their end.

  Attributes:
    states: the last ones, `[M, ...]`.
    records: of all evaluations, `[M, T, ...]`, numpy arrays.
    seconds: that all members took together.
    mapping: how they were mapped.
  """

  states: Any
  records: Any
  seconds: float
  mapping: str


class Storage(NamedTuple):
  """Where a chunk is saved between its evaluations.

  Attributes:
    save: `(evaluations, saved, about)`: how many evaluations are done, a tree
      of arrays, and JSON values.
    restore: `like -> (about, saved)` of the newest, both None if there is none;
      `like` is the tree of `jax.ShapeDtypeStruct`.
  """

  save: Callable
  restore: Callable


@contextlib.contextmanager
def storage(folder, config):
  """Yields the `Storage` of a folder; it saves nothing where that is None.

  Args:
    folder: path of the checkpoints, or None.
    config: JSON values that are saved with each of them.
  """
  if folder is None:
    yield Storage(lambda *anything: None, lambda like: (None, None))
    return
  folder = pathlib.Path(folder)
  folder.mkdir(parents=True, exist_ok=True)
  with locks.alone(folder):
    manager = checkpoint.manager(folder, keep=1)

    def save(evaluations, saved, about):
      checkpoint.save(manager, evaluations, saved, {'config': config, **about})

    def restore(like):
      saved = checkpoint.restore(manager, like)
      return checkpoint.config(manager), saved

    try:
      yield Storage(save, restore)
    finally:
      checkpoint.close(manager)


def train(
  training,
  members,
  data,
  *,
  devices,
  size,
  mapping,
  storage,
  bar,
  stop,
  announce,
):
  """Returns the `Chunk` of some members; None where a signal ended it.

  The last member stands in where there are fewer than `size`, so that each
  device has as many, and each chunk is the same program. Nothing of that is
  saved, so other devices may resume it.

  Args:
    training: a `population.Training`.
    members: `(keys, numbers, states)`, trees of `[M, ...]`; they begin with
      their inits where states are None.
    data: a tree of arrays that all members share.
    devices: a list, over which members are spread.
    size: how many members train at once, a multiple of the devices.
    mapping: a name of `mappings.MAPPINGS`, or 'auto'.
    storage: a `Storage`.
    bar: a progress bar of steps.
    stop: an event, of `signals.catch`.
    announce: is given sentences that a user should read.
  """
  keys, numbers, given = members
  evaluations = training.steps // training.every

  def begin():
    if given is None:
      return mappings.started(training)(keys, numbers, data)
    return given

  states = jax.eval_shape(begin)
  records = _blank_records(training, states, numbers, data)
  reached, seconds = 0, 0.0
  about, saved = storage.restore(
    {'states': states, 'records': records, 'evaluations': np.int32(0)}
  )
  if saved is None:
    states = begin()
  else:
    states, reached = saved['states'], int(saved['evaluations'])
    records = jax.tree.map(np.array, saved['records'])
    seconds, mapping = about['seconds'], about['mapping']
    bar.update(reached * training.every)
  share = size // len(devices)
  starts = range(0, size, share)
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
    return jax.tree.map(lambda leaf: leaf[: len(keys)], joined(own))

  last_save = time.monotonic()
  with concurrent.futures.ThreadPoolExecutor(len(devices)) as pool:
    if mapping == 'auto' and reached < evaluations:
      mapping = calibration.fastest(training, shares, shared, pool, announce)
    while reached < evaluations:
      advance = mappings.MAPPINGS[mapping](training, training.every)
      begun = time.monotonic()
      done = mappings.on_devices(advance, shares, shared, pool)
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
        or time.monotonic() - last_save > _SAVE_EVERY
      ):
        storage.save(
          reached,
          {
            'states': all_states(),
            'records': records,
            'evaluations': np.int32(reached),
          },
          {'mapping': mapping, 'seconds': seconds},
        )
        last_save = time.monotonic()
      if leave:
        return None
  return Chunk(all_states(), records, seconds, mapping)


def _blank_records(training, states, numbers, data):
  """Returns zeros in place of what all evaluations record, `[M, T, ...]`."""
  advance = mappings.vmapped(training, 1)
  record = jax.eval_shape(advance, states, numbers, data)[1]
  evaluations = training.steps // training.every
  return jax.tree.map(
    lambda leaf: np.zeros(
      (leaf.shape[0], evaluations, *leaf.shape[1:]), leaf.dtype
    ),
    record,
  )


def joined(trees):
  """Returns one tree of arrays, joined along their first axes."""
  if len(trees) == 1:
    return trees[0]
  return jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *trees)
