"""The cache of decoded pictures: a folder for each data set, with checksums.

A flipped bit would train another run without a word, and a file that is too
short ends a process that maps it. So every part is verified before it is used,
and what is damaged counts as missing.
"""

import concurrent.futures
import contextlib
import fcntl
import json
import os
import pathlib
import shutil
import uuid
import warnings
import zlib
from typing import NamedTuple

import numpy as np

_CHUNK = 2**24  # bytes under one checksum: threads take them in turns
_SPARE = 2**26  # bytes that are left free on the disk


class Stored(NamedTuple):
  """Decoded pictures.

  Attributes:
    images: uint8 [M, H, W, C], mapped from a file or in memory.
    labels: int32 [M], or None.
    about: a dict of JSON values.
    identity: of `identity`.
  """

  images: np.ndarray
  labels: np.ndarray | None
  about: dict
  identity: str


def identity(images, labels) -> str:
  """Returns a short text that changes when a pixel or a label does.

  Args:
    images: uint8 [M, H, W, C].
    labels: int32 [M], or None.
  """
  parts = {'images.bin': images}
  if labels is not None:
    parts['labels.bin'] = np.asarray(labels, np.int32)
  found = {name: _checksums(array) for name, array in parts.items()}
  return _identity(images.shape, found)


def _identity(shape, checksums):
  return f'{_of_json([list(shape), checksums]):08x}'


def load(folder: pathlib.Path) -> Stored | None:
  """Returns what `publish` stored in a folder, or None if there is nothing.

  What is damaged is removed, with a warning. On two cores, 1 GB takes about
  0.6 seconds to verify once the disk has read it.

  Args:
    folder: of the data set.
  """
  if not folder.exists():
    return None
  try:
    return _verified(folder)
  except (OSError, ValueError, KeyError, TypeError) as error:
    warnings.warn(
      f'the decoded pictures in {folder} are damaged ({error}); they are '
      'removed, and the pictures are decoded anew.',
      stacklevel=3,
    )
    shutil.rmtree(folder, ignore_errors=True)
    if folder.is_file():
      folder.unlink()
    return None


def _verified(folder):
  record = json.loads((folder / 'about.json').read_text())
  content = record['content']
  if record['checksum'] != _of_json(content):
    raise ValueError('about.json has another checksum')
  shape = content['shape']
  images = _mapped(folder / 'images.bin', np.uint8, shape)
  parts = {'images.bin': images}
  labels = None
  if 'labels.bin' in content['checksums']:
    labels = _mapped(folder / 'labels.bin', np.int32, shape[:1])
    parts['labels.bin'] = labels
  for name, array in parts.items():
    if _checksums(array) != content['checksums'][name]:
      raise ValueError(f'{name} has another checksum')
  labels = None if labels is None else np.array(labels)
  own = _identity(shape, content['checksums'])
  return Stored(images, labels, content['about'], own)


def _mapped(path, dtype, shape):
  size, there = np.dtype(dtype).itemsize * np.prod(shape), path.stat().st_size
  if there != size:
    raise ValueError(f'{path.name} has {there} bytes, not {size}')
  return np.memmap(path, dtype, 'r', shape=tuple(shape))


def _checksums(array):
  """Returns the CRC-32 of each chunk of an array, a list of integers."""
  flat = array.reshape(-1).view(np.uint8)
  chunks = [flat[at : at + _CHUNK] for at in range(0, flat.size, _CHUNK)]
  with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    return list(pool.map(zlib.crc32, chunks))


def _of_json(values):
  return zlib.crc32(json.dumps(values, sort_keys=True).encode())


@contextlib.contextmanager
def draft(folder: pathlib.Path, shape):
  """Yields an array to fill, uint8, which is gone afterwards if not published.

  It lies in a new file beside the folder, or in memory where no such file can
  be made; a warning says so. What killed processes left of the same data set is
  removed.

  Args:
    folder: of the data set, which does not exist.
    shape: (M, H, W, C).

  Raises:
    ValueError: if neither the disk nor the memory has room for it.
  """
  _remove_abandoned(folder)
  place = folder.with_name(f'.{folder.name}-{uuid.uuid4().hex}')
  with contextlib.ExitStack() as stack:
    stack.callback(shutil.rmtree, place, ignore_errors=True)
    yield _allocated(place, shape, stack)


def _remove_abandoned(folder):
  """Removes drafts whose locks nobody holds: their processes were killed."""
  for place in folder.parent.glob(f'.{folder.name}-*'):
    with contextlib.suppress(OSError), open(place / 'lock') as lock:
      fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
      shutil.rmtree(place)


def _allocated(place, shape, stack):
  size = int(np.prod(shape, dtype=object))
  try:
    place.mkdir(parents=True)
    lock = os.open(place / 'lock', os.O_CREAT | os.O_RDWR)
    stack.callback(os.close, lock)
    with contextlib.suppress(OSError):  # of a disk without locks
      fcntl.flock(lock, fcntl.LOCK_EX)
    # Asked first: to allocate would take all that is free before it fails.
    free = shutil.disk_usage(place).free
    if size + _SPARE > free:
      raise OSError(f'{_gigabytes(size)} are needed, {_gigabytes(free)} free')
    path = place / 'images.bin'
    images = np.memmap(path, np.uint8, 'w+', shape=shape)
    # A full disk must be an error here: later it would be a bus error.
    if hasattr(os, 'posix_fallocate'):
      with open(path, 'r+b') as file:
        os.posix_fallocate(file.fileno(), 0, size)
    return images
  except OSError as error:
    shutil.rmtree(place, ignore_errors=True)
    memory = _free_memory()
    if size > memory:
      raise ValueError(
        f'{shape[0]} decoded pictures take {_gigabytes(size)}: the cache '
        f"'{place.parent}' cannot have them ({error}), and of memory "
        f'{_gigabytes(memory)} are free. Choose a smaller resolution, another '
        "folder for the cache (XDG_CACHE_HOME), or the loader 'stream', which "
        'decodes pictures as they come.'
      ) from error
    warnings.warn(
      f"cannot write the cache '{place.parent}' ({error}): decoding to memory "
      'instead; give another folder as cache to decode only once.',
      stacklevel=6,
    )
    return np.empty(shape, np.uint8)


def publish(folder: pathlib.Path, images, labels, about) -> Stored:
  """Returns what is stored in the folder from now on, whole or not at all.

  Of two processes the first one wins. An array in memory stays there.

  Args:
    folder: of the data set.
    images: the first pictures of the array of `draft`, uint8 [M, H, W, C].
    labels: int32 [M], or None.
    about: a dict of JSON values.
  """
  if not isinstance(images, np.memmap):
    return Stored(images, labels, about, identity(images, labels))
  place = pathlib.Path(f'{images.filename}').parent
  images.flush()
  os.truncate(place / 'images.bin', images.nbytes)
  checksums = {'images.bin': _checksums(images)}
  if labels is not None:
    labels.tofile(place / 'labels.bin')
    checksums['labels.bin'] = _checksums(labels)
  # As it will be read: tuples become lists.
  content = json.loads(
    json.dumps({'shape': images.shape, 'checksums': checksums, 'about': about})
  )
  record = {'content': content, 'checksum': _of_json(content)}
  (place / 'about.json').write_text(json.dumps(record, indent=2))
  images = _mapped(place / 'images.bin', np.uint8, images.shape)
  (place / 'lock').unlink()
  try:
    os.rename(place, folder)
  except OSError:
    stored = load(folder)
    if stored is None:
      raise
    return stored
  own = _identity(images.shape, checksums)
  return Stored(images, labels, content['about'], own)


def _free_memory():
  """Returns the bytes of memory that can be had; infinity where unknown."""
  with contextlib.suppress(OSError, StopIteration, ValueError):
    lines = pathlib.Path('/proc/meminfo').read_text().splitlines()
    line = next(line for line in lines if line.startswith('MemAvailable:'))
    return 1024 * int(line.split()[1])
  return float('inf')


def _gigabytes(size):
  return f'{size / 2**30:,.1f} GiB'
