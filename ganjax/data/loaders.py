"""Loaders from pictures to batches, all in the order of `order.indices`.

Where the data fits on the device, `images[order.indices(...)]` within the
compiled step needs nothing from here. `batches` gathers from memory or a
mapped file; `stream` decodes pictures that are too many to keep decoded. The
three yield the same pictures for the same key, from any position on.
"""

import collections
import concurrent.futures
import contextlib
import functools
import os
import warnings
from collections.abc import Generator

import jax
import numpy as np

from ganjax.arrays import Batch
from ganjax.data import decode, order, sources, workers
from ganjax.data.images import ImageSet


def batches(
  dataset: ImageSet,
  key: jax.Array,
  first: int | jax.Array,
  number: int,
  rows: slice = slice(None),
  prefetch: int = 2,
) -> Generator[Batch, None, None]:
  """Returns an endless generator of `Batch`es, uint8 [len(rows), H, W, C].

  They have labels where the data set has them. Batch k shows positions first +
  k * number and following. A thread gathers ahead; closing the generator ends
  it, and its errors are raised here.

  Args:
    dataset: an `ImageSet`.
    key: a typed key, the same in every process and after every resume.
    first: position of the first picture in the run.
    number: pictures in a batch, over all processes.
    rows: slice of each batch that this process needs.
    prefetch: how many batches are gathered ahead, at least 1.

  Raises:
    ValueError: `prefetch` or `number` is below 1.
  """
  if number < 1 or prefetch < 1:
    raise ValueError(
      f'number is {number} and prefetch {prefetch}: both must be at least 1.'
    )
  words = np.asarray(jax.random.key_data(key))

  def gather(position):
    size = len(dataset.images)
    own = order.indices_on_host(words, position, number, size)[rows]
    images, labels = dataset.images, dataset.labels
    return Batch(images[own], None if labels is None else labels[own])

  def produce(position):
    pending = collections.deque()
    pool = concurrent.futures.ThreadPoolExecutor(1, 'ganjax-batches')
    try:
      while True:
        while len(pending) < prefetch:
          pending.append(pool.submit(gather, position))
          position += number
        yield pending.popleft().result()
    finally:
      pool.shutdown()

  return produce(int(first))


def stream(
  name: str,
  key: jax.Array,
  first: int | jax.Array,
  number: int,
  directory: str | os.PathLike | None = None,
  split: str = 'train',
  resolution: int = 32,
  channels: int = 0,
  crop: str = 'center',
  rows: slice = slice(None),
  threads: int = 8,
  processes: int = 0,
) -> Generator[Batch, None, None]:
  """Returns an endless generator of batches that are decoded as they come.

  The batches equal those of `batches(load(...), key, first, number, rows)` as
  long as no picture is broken; here a broken one is found only when it is
  due, and the next one in the source stands in for it, with a warning. They are
  the same for any number of threads and processes. No more than two batches
  are decoded ahead, and two more in each of the processes; closing the
  generator ends these.

  Threads share the decoding of one batch. Pillow lets them go side by side
  while it decodes and resizes, so that large pictures need nothing else. What
  is done in Python for each picture, about a tenth of a millisecond, is done by
  one thread at a time: where small pictures wait for that, processes help, each
  of which decodes every n-th batch, and takes seconds to start and some
  hundred megabytes of memory.

  Args:
    name: with directory, split, resolution, channels and crop: as in
      `images.load`.
    key: with first, number and rows: as in `batches`.
    threads: how many pictures this process decodes at a time.
    processes: how many processes decode in its place, one picture at a time
      each. absl's flags have to be parsed then, as in programs.

  Raises:
    ValueError: as `images.load`; when no picture can be read; and when a part
      of the data that pictures lie in is damaged.
  """
  import grain

  source = sources.find(name, directory, split)
  if source.notes:
    warnings.warn(f'{source.name}: {" ".join(source.notes)}', stacklevel=2)
  channels = channels or source.channels
  decode.check(resolution, channels, crop)
  place = None if directory is None else os.fspath(directory)
  pool = concurrent.futures.ThreadPoolExecutor(threads, 'ganjax-stream')
  find, own_pool = (lambda: source), (lambda: pool)
  if processes:  # Neither can be sent to another process.
    find = functools.partial(workers.found, name, place, split)
    own_pool = functools.partial(workers.pool, 1)
  asked = workers.Stream(
    find,
    np.asarray(jax.random.key_data(key)),
    int(first),
    number,
    rows,
    resolution,
    channels,
    crop,
    own_pool,
  )
  # A batch is an element, so that processes can take turns.
  numbers = grain.MapDataset.range(2**32)
  parts = numbers.map(functools.partial(workers.batch, asked)).to_iter_dataset(
    grain.ReadOptions(num_threads=2, prefetch_buffer_size=2)
  )
  if processes:
    options = grain.MultiprocessingOptions(processes)
    parts = parts.mp_prefetch(options, workers.begin)
  return _warned(iter(parts), pool)


def _warned(parts, pool):
  """Yields the batches of pairs with sentences, each of which is said once."""
  said = set()
  with pool, contextlib.closing(parts):
    for batch, faults in parts:
      for fault in faults:
        if fault not in said:
          said.add(fault)
          warnings.warn(fault, stacklevel=2)
      yield batch
