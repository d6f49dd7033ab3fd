"""Loaders from pictures to batches, all in the order of `order.indices`.

Where the data fits on the device, `images[order.indices(...)]` within the
compiled step needs nothing from here. `batches` gathers from memory or a
mapped file; `stream` decodes pictures that are too many to keep decoded. The
three yield the same pictures for the same key, from any position on.
"""

import collections
import concurrent.futures
import os
import warnings
from collections.abc import Generator, Iterator

import jax
import numpy as np

from ganjax import files, picture_files
from ganjax.arrays import Batch
from ganjax.data import decode, order, sources
from ganjax.data.images import ImageSet

_indices = jax.jit(order.indices, static_argnums=(2, 3))


def _on_host(key):
  """Returns the key where the order is computed without waiting for a step."""
  try:
    return jax.device_put(key, jax.local_devices(backend='cpu')[0])
  except RuntimeError:  # JAX_PLATFORMS leaves no CPU
    return key


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
  it, and its errors are raised here. The order is compiled for the CPU.

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
  key = _on_host(key)

  def gather(position):
    position = np.uint32(position % 2**32)
    chosen = _indices(key, position, number, len(dataset.images))
    own = np.asarray(chosen)[rows]
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
) -> Iterator[Batch]:
  """Returns an endless iterator of batches that are decoded as they come.

  The batches equal those of `batches(load(...), key, first, number, rows)` as
  long as no picture is broken; here a broken one is found only when it is
  due, and the next one in the source stands in for it, with a warning.

  Args:
    name: with directory, split, resolution, channels and crop: as in
      `images.load`.
    key: with first, number and rows: as in `batches`.
    threads: how many pictures are decoded at a time.

  Raises:
    ValueError: as `images.load`; and when no picture can be read.
  """
  import grain

  source = sources.find(name, directory, split)
  if source.notes:
    warnings.warn(f'{source.name}: {" ".join(source.notes)}', stacklevel=2)
  channels = channels or source.channels
  decode.check(resolution, channels, crop)
  key, first = _on_host(key), int(first)
  offsets, warned = np.arange(number)[rows], set()

  def picture(index):
    batch, row = divmod(index, len(offsets))
    position = np.uint32((first + batch * number + offsets[row]) % 2**32)
    chosen = int(_indices(key, position, 1, source.size)[0])
    for step in range(source.size):
      stand_in = (chosen + step) % source.size
      try:
        [(file, label)] = source.read([stand_in])
        image = decode.fit(file, resolution, channels, crop)[0]
        return (image,) if label is None else (image, np.int32(label))
      except Exception as error:
        if not files.damaged(error):
          raise
        if stand_in not in warned:
          warned.add(stand_in)
          warnings.warn(
            f'{source.title(stand_in)} of {source.name} cannot be read '
            f'({picture_files.described(error)}): the next one stands in for '
            'it.',
            stacklevel=2,
          )
    raise ValueError(f'none of the pictures of {source.name} can be read.')

  pictures = grain.MapDataset.range(2**32 * len(offsets)).map(picture)
  options = grain.ReadOptions(
    num_threads=threads, prefetch_buffer_size=2 * len(offsets)
  )
  parts = pictures.to_iter_dataset(options).batch(len(offsets))
  return iter(parts.map(lambda part: Batch(*part)))
