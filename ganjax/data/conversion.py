"""Converts pictures to the shards of `array_records`, once for all runs."""

import collections
import concurrent.futures
import io
import os
import pathlib
import warnings
from collections.abc import Callable

import PIL
from PIL import Image

from ganjax import files, locks, picture_files
from ganjax.data import array_records
from ganjax.data.source import Source

_QUALITY = 95  # of JPEG, with colours at full resolution: it looks the same
_CHUNK = 16  # pictures that a thread converts before they are written


def convert(
  source: Source,
  folder: str | os.PathLike,
  resolution: int = 0,
  shard: int = 16_384,
  done: Callable = lambda number, kept: None,
) -> array_records.Manifest:
  """Writes pictures into shards, with a manifest; returns the manifest.

  Each picture is decoded, so that those which cannot be read are left out, and
  stored as its file is, or resized. Whole shards that lie there from a
  conversion that was stopped are kept, and what is missing is written: the
  folder is then the same, to the byte, as of a conversion that was not stopped.

  Args:
    source: the pictures.
    folder: to write into; it is made if need be.
    resolution: the shorter side that larger pictures get, in pixels, with their
      proportions. JPEGs are stored as JPEGs of quality 95, others as PNGs. 0
      stores all files as they are.
    shard: how many pictures go into a shard.
    done: is called again and again with how many pictures of the source are
      converted, and how many of these were so before.

  Raises:
    OSError: if the disk is full.
    ValueError: if the folder holds another conversion, another process writes
      into it, or no picture can be read.
  """
  folder = pathlib.Path(folder)
  made = {
    'source': source.name,
    'identity': source.identity,
    'resolution': resolution,
    'shard': shard,
    # Another Pillow may encode the same pixels to other bytes.
    'pillow': PIL.__version__ if resolution else '',
  }
  if (folder / array_records.MANIFEST).exists():
    there = array_records.read_manifest(folder)
    files.check_same(folder, there.made, made, 'conversion')
    before = {own.file: own for own in there.shards}
  else:
    before = {}
  kept = 0
  manifest = array_records.Manifest(
    source.name, source.channels, source.classes, made, source.size, False, ()
  )
  folder.mkdir(parents=True, exist_ok=True)
  with (
    locks.alone(folder),
    warnings.catch_warnings(),
    concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool,
  ):
    # Pillow's own, of crooked EXIF and of many pixels.
    warnings.filterwarnings('ignore', module='PIL')
    for unfinished in folder.glob('*.tmp'):  # of a process that was killed
      unfinished.unlink()
    for first in range(0, source.size, shard):
      rows = range(first, min(first + shard, source.size))
      path = folder / f'pictures-{first // shard:05}.array_record'
      own = before.get(path.name)
      if own is None or not array_records.sound(folder, own):
        own = _write(
          path, source, rows, resolution, pool, lambda n, k=kept: done(n, k)
        )
      else:
        kept += len(rows)
      manifest = manifest._replace(shards=(*manifest.shards, own))
      # Those that come later and lie there already stay in it.
      later = (o for name, o in before.items() if name > path.name)
      array_records.write_manifest(
        folder, manifest._replace(shards=(*manifest.shards, *later))
      )
      done(rows.stop, kept)
  manifest = manifest._replace(complete=True)
  if not manifest.examples:
    broken = [words for own in manifest.shards for words in own.broken]
    raise ValueError(
      f'none of the {source.size} pictures of {source.name} can be read: '
      f'{"; ".join(broken[:5])}.'
    )
  array_records.write_manifest(folder, manifest)
  return manifest


def _write(path, source, rows, resolution, pool, done):
  """Writes the shard of some rows of a source; returns its `Shard`."""
  broken = []

  def convert(part):
    return [_convert(source, index, resolution) for index in part]

  def records():
    parts = [rows[at : at + _CHUNK] for at in range(0, len(rows), _CHUNK)]
    for part, converted in zip(
      parts, _in_order(pool, convert, parts), strict=True
    ):
      for file, label, fault in converted:
        if fault:
          broken.append(fault)
        else:
          yield file, label
      done(part.stop)

  return array_records.write(path, records())._replace(broken=tuple(broken))


def _in_order(pool, function, parts):
  """Yields the results for parts in order, a few of which are made ahead."""
  pending = collections.deque()
  for part in parts:
    pending.append(pool.submit(function, part))
    if len(pending) > 2 * (os.cpu_count() or 1):
      yield pending.popleft().result()
  while pending:
    yield pending.popleft().result()


def _convert(source, index, resolution):
  """Returns the bytes of a picture's file, its label, and what is wrong."""
  try:
    [(file, label)] = source.read([index])
    is_path = isinstance(file, os.PathLike)
    stored = pathlib.Path(file).read_bytes() if is_path else file.getvalue()
    return _resized(stored, resolution), label, ''
  except Exception as error:
    if not files.damaged(error):
      raise
    words = picture_files.described(error)
    return b'', None, f'{source.title(index)} ({words})'


def _resized(stored, resolution):
  """Returns the file of a picture that has been decoded, smaller if asked."""
  # What is not needed is decoded at an eighth of its size, if it is a JPEG.
  picture = picture_files.decode(io.BytesIO(stored), enough=2 * resolution or 1)
  side = min(picture.size)
  if not resolution or side <= resolution:
    return stored
  size = tuple(
    max(resolution, round(length * resolution / side))
    for length in picture.size
  )
  smaller = picture.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
  file = io.BytesIO()
  if stored[:2] == b'\xff\xd8':  # as each JPEG begins
    smaller.save(file, 'jpeg', quality=_QUALITY, subsampling=0)
  else:
    smaller.save(file, 'png')
  return file.getvalue()
