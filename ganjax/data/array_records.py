"""Pictures in shards: the files that `conversion` writes, with their manifest.

A shard is a file of ArrayRecord, which is read at any place, and refuses what
was damaged by the hashes of its chunks. Each record is a label, int32 in little
endian (-1: none), and the file of a picture. The manifest names the shards in
order, with their hashes.
"""

import bisect
import hashlib
import io
import itertools
import os
import pathlib
import struct
from typing import NamedTuple

from ganjax import files
from ganjax.data.source import Source

MANIFEST = 'manifest.json'
"""The file that says of a folder that pictures lie there in shards."""

_LABEL = struct.Struct('<i')


class Shard(NamedTuple):
  """A shard, as the manifest describes it.

  Attributes:
    file: its name.
    examples: how many records it has.
    size: in bytes.
    sha256: of all of its bytes.
    broken: titles of pictures that were left out, for they cannot be read.
  """

  file: str
  examples: int
  size: int
  sha256: str
  broken: tuple[str, ...] = ()


class Manifest(NamedTuple):
  """What `manifest.json` says.

  Attributes:
    name: of the source: 'folder/photos'.
    channels: of the pictures: 1, 3 or 4.
    classes: the names of the classes, in the order of their labels; empty where
      the pictures have none.
    made: a dict of JSON values on how they were converted, which another
      conversion into the same folder must share.
    pictures: how many the source has, those that cannot be read among them.
    complete: whether all of them are in shards.
    shards: a tuple of `Shard`.
  """

  name: str
  channels: int
  classes: tuple[str, ...]
  made: dict
  pictures: int
  complete: bool
  shards: tuple[Shard, ...]

  @property
  def examples(self) -> int:
    """How many pictures there are in all shards."""
    return sum(shard.examples for shard in self.shards)


def read_manifest(folder) -> Manifest:
  """Returns the manifest of a folder.

  Raises:
    FileNotFoundError: if there is none.
    ValueError: as `files.read_json`, and if it is no manifest.
  """
  path = pathlib.Path(folder) / MANIFEST
  if not path.exists():
    raise FileNotFoundError(
      f'{folder} holds no {MANIFEST}: no pictures were converted there.'
    )
  values = files.read_json(path)
  try:
    shards = tuple(
      Shard(**own)._replace(broken=tuple(own['broken']))
      for own in values.pop('shards')
    )
    classes = tuple(values.pop('classes'))
    return Manifest(classes=classes, shards=shards, **values)
  except (KeyError, TypeError) as error:
    raise ValueError(
      f'{path} is no manifest of pictures in shards ({error}); convert the '
      'pictures into another folder.'
    ) from error


def write_manifest(folder, manifest: Manifest):
  """Writes the manifest of a folder, whole or not at all."""
  values = manifest._asdict()
  values['shards'] = [shard._asdict() for shard in manifest.shards]
  files.write_json(pathlib.Path(folder) / MANIFEST, files.versioned(values))


def write(path, records):
  """Writes a shard, whole or not at all.

  Args:
    path: of the file, a `pathlib.Path`.
    records: an iterable of pairs of the bytes of a picture's file and its
      label, an integer or None.

  Returns:
    Its `Shard`.
  """
  from array_record.python import array_record_module

  number = 0
  with files.whole(path) as unfinished:
    # Groups of one record are read one by one; pictures are compressed already.
    options = 'group_size:1,uncompressed'
    writer = array_record_module.ArrayRecordWriter(f'{unfinished}', options)
    try:
      for file, label in records:
        writer.write(_LABEL.pack(-1 if label is None else label) + file)
        number += 1
      writer.close()
    except RuntimeError as error:
      raise OSError(
        f'{path} could not be written ({error}): {files.remedy(error)}.'
      ) from error
    size, sha256 = unfinished.stat().st_size, digest(unfinished)
  return Shard(path.name, number, size, sha256)


def digest(path) -> str:
  """Returns the SHA-256 of a file."""
  with open(path, 'rb') as file:
    return hashlib.file_digest(file, 'sha256').hexdigest()


def check(folder, shard: Shard, whole: bool = False):
  """Raises ValueError unless a shard lies in a folder as the manifest says.

  Args:
    folder: a `pathlib.Path`.
    shard: its `Shard`.
    whole: also compare its hash, for which all of it is read.
  """
  if fault := _fault(folder / shard.file, shard, whole):
    raise ValueError(_refused(folder, shard, fault))


def sound(folder, shard: Shard) -> bool:
  """Returns whether a shard lies in a folder with the size that it had."""
  return not _fault(folder / shard.file, shard, whole=False)


def _fault(path, shard, whole):
  """Returns what is wrong with the file of a shard; '' if nothing is."""
  if not path.is_file():
    return 'is missing'
  size = path.stat().st_size
  if size != shard.size:
    return f'has {size:,} bytes, and {shard.size:,} in the manifest'
  if whole and digest(path) != shard.sha256:
    return 'has another SHA-256 than in the manifest, so it is damaged'
  return ''


def _refused(folder, shard, fault):
  return (
    f'{folder / shard.file} {fault}. Give back a copy of it; or remove it and '
    'run the command of prepare again, which makes this shard anew.'
  )


class _Part(NamedTuple):
  """A shard, as `ArrayRecordDataSource` takes it without opening the file."""

  filename: str
  skip: int
  take: int
  examples_in_shard: int


def source(folder) -> Source:
  """Returns the source of the pictures of a folder with a manifest.

  All shards must be there with their sizes. That one is damaged is found when
  it is read, by the hashes of its chunks.

  Args:
    folder: a `pathlib.Path`.

  Raises:
    ValueError: if the conversion is not complete, or a shard is missing or has
      another size; and `read` raises it of a shard that is damaged.
  """
  from array_record.python import array_record_data_source

  manifest = read_manifest(folder)
  if not manifest.complete:
    raise ValueError(
      f'{folder} has {manifest.examples:,} pictures so far, of '
      f'{manifest.pictures:,}: their conversion was stopped. Run the same '
      'command of prepare again, which goes on.'
    )
  for shard in manifest.shards:
    check(folder, shard)
  shards = [shard for shard in manifest.shards if shard.examples]
  records = array_record_data_source.ArrayRecordDataSource(
    [
      _Part(os.fspath(folder / own.file), 0, own.examples, own.examples)
      for own in shards
    ]
  )
  ends = [*itertools.accumulate(own.examples for own in shards)]

  def place(index):
    shard = bisect.bisect_right(ends, index)
    return shards[shard], index - (ends[shard] - shards[shard].examples)

  def read(indices):
    return [_unpacked(record(index)) for index in indices]

  def record(index):
    try:
      return records[index]
    except RuntimeError as error:
      # Its words go on with offsets of bytes.
      fault = f'is damaged ({f"{error}".split(";")[0]})'
      raise ValueError(_refused(folder, place(index)[0], fault)) from error

  def title(index):
    shard, number = place(index)
    return f'picture {number} of {shard.file}'

  identity = hashlib.sha256(
    '\n'.join(shard.sha256 for shard in shards).encode()
  ).hexdigest()
  return Source(
    manifest.name,
    manifest.examples,
    manifest.channels,
    read,
    title,
    identity,
    alike=False,
    classes=manifest.classes,
    content=identity,
  )


def _unpacked(record):
  """Returns the file and the label of a record."""
  [label] = _LABEL.unpack_from(record)
  return io.BytesIO(record[_LABEL.size :]), None if label < 0 else label
