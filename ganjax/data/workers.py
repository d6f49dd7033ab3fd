"""What decodes the batches of a stream: threads of this process, or others.

A batch is a pure function of its number, so that whoever decodes it, the
batches are the same.
"""

import concurrent.futures
import functools
import itertools
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ganjax import exits, files, picture_files
from ganjax.arrays import Batch
from ganjax.data import decode, order, sources

_CHUNK = 16  # pictures that are read together, by one thread


class Stream(NamedTuple):
  """Which pictures a stream shows, and how.

  Attributes:
    find: `() -> source.Source`; that of `found` where it is called in another
      process.
    words: those of the key of the order, uint32 [W].
    first: position of the first picture in the run.
    number: pictures in a batch, over all processes of the training.
    rows: slice of each batch that is needed here.
    resolution: as in `decode.fit`.
    channels: as in `decode.fit`.
    crop: as in `decode.fit`.
    pool: `() -> Executor` whose threads decode; that of `pool` where it is
      called in another process.
  """

  find: Callable
  words: np.ndarray
  first: int
  number: int
  rows: slice
  resolution: int
  channels: int
  crop: str
  pool: Callable


@functools.cache
def found(name, directory, split):
  """Returns `sources.find`, once in a process: a source cannot be sent."""
  return sources.find(name, directory, split)


def batch(stream, index):
  """Returns a batch of a stream, and what is wrong with its pictures.

  Args:
    stream: a `Stream`.
    index: the number of the batch, from 0 on.

  Returns:
    A `Batch`, uint8 [len(rows), H, W, C], and a list of sentences on pictures
    that cannot be read, for each of which the next one stands in.

  Raises:
    ValueError: if no picture can be read, or a file that many lie in is
      damaged.
  """
  source = stream.find()
  position = stream.first + int(index) * stream.number
  chosen = order.indices_on_host(
    stream.words, position, stream.number, source.size
  )[stream.rows]
  shape = len(chosen), stream.resolution, stream.resolution, stream.channels
  images = np.empty(shape, np.uint8)
  labels = np.zeros(len(chosen), np.int32)
  chunks = [slice(at, at + _CHUNK) for at in range(0, len(chosen), _CHUNK)]

  def place(rows):
    faults: list[str] = []
    read = source.read(chosen[rows].tolist())
    for row, own in zip(range(len(images))[rows], read, strict=True):
      index = int(chosen[row])
      images[row], label = _fitted(stream, source, index, own, faults)
      if label is not None:
        labels[row] = label
    return faults

  placed = stream.pool().map(place, chunks)
  faults = [*itertools.chain.from_iterable(placed)]
  return Batch(images, labels if source.classes else None), faults


def _fitted(stream, source, index, own, faults):
  """Returns the pixels and the label of a picture, or of what stands in."""
  for _ in range(source.size):
    file, label = own
    try:
      fit = decode.fit(file, stream.resolution, stream.channels, stream.crop)
      return fit[0], label
    except Exception as error:
      if not files.damaged(error):
        raise
      faults.append(
        f'{source.title(index)} of {source.name} cannot be read '
        f'({picture_files.described(error)}): the next one stands in for it.'
      )
    index = (index + 1) % source.size
    [own] = source.read([index])
  raise ValueError(f'none of the pictures of {source.name} can be read.')


@functools.cache
def pool(threads):
  """Returns the threads that decode, one pool for a process."""
  return concurrent.futures.ThreadPoolExecutor(threads, 'ganjax-decoding')


def begin(worker: int, workers: int):
  """Prepares a process that decodes: it ends as its parent does, or is told to.

  A signal to the whole group, such as Ctrl-C, is the parent's to answer: it may
  need batches until it has saved.

  Args:
    worker: the number of the process.
    workers: how many there are.
  """
  for number in exits.SIGNALS:
    signal.signal(number, signal.SIG_IGN)
  threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent():
  multiprocessing.parent_process().join()
  os._exit(0)
