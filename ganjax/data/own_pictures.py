"""One's own pictures: a folder, a zip file of one, or shards made of either.

Where every picture lies in one of two or more sub-folders, these are the
classes, numbered in sorted order.
"""

import hashlib
import io
import os
import pathlib
import sys
import zipfile

from ganjax import limits, picture_files
from ganjax.data import array_records, folders, parquet
from ganjax.data.source import Source
from ganjax.paths import printable


def folder(directory, split):
  """Returns the source of all pictures below a directory, sorted by name.

  They are those of `folders.pictures`, or those of `array_records.source` where
  the directory has a manifest.
  """
  if directory is None:
    raise ValueError(
      "the data set 'folder' needs the folder of your pictures: give its path "
      'by --config.data.dir to train, by --data_dir to style_network, and in '
      'Python as `directory`.'
    )
  if split not in ('train', 'all'):
    raise ValueError(
      f"a folder has no split '{split}': leave it at 'train', and let "
      'directory name the folder with the pictures of that split.'
    )
  root = pathlib.Path(directory).expanduser()
  if not root.is_dir():
    raise FileNotFoundError(
      f"there is no folder '{directory}': directory must name the folder with "
      'the pictures.'
    )
  if (root / array_records.MANIFEST).exists():
    return array_records.source(root)
  paths, notes = folders.pictures(root)
  identity = hashlib.sha256()
  for path in paths:
    about = os.stat(root / path)
    text = f'{path}\0{about.st_size}\0{about.st_mtime_ns}\0'
    identity.update(os.fsencode(text))
  name = f'folder/{printable(root.resolve().name)}'
  return _by_path(name, directory, paths, root.joinpath, identity, notes)


def zipped(path):
  """Returns the source of all pictures in a zip file, sorted by name.

  A single folder around all of them is no class.

  Args:
    path: of the file, a `pathlib.Path`.

  Raises:
    ValueError: if it is no zip file, or has no pictures.
  """
  with limits.reading(path, 'Give a zip file of pictures.'):
    archive = zipfile.ZipFile(path)
  about = {
    own.filename: own
    for own in sorted(archive.infolist(), key=lambda own: own.filename)
    if pathlib.PurePosixPath(own.filename).suffix.lower()
    in picture_files.ENDINGS
    and not any(
      part.startswith(('.', '__MACOSX')) for part in own.filename.split('/')
    )
  }
  around = os.path.commonpath(about) if about else ''
  around = f'{around}/' if around and around not in about else ''
  identity = hashlib.sha256()
  for name, own in about.items():
    identity.update(f'{name}\0{own.file_size}\0{own.CRC}\0'.encode())

  def read(inner):
    # Each picture has the limit for itself.
    return io.BytesIO(limits.member(archive, around + inner, limits.budget()))

  paths = tuple(name.removeprefix(around) for name in about)
  name = f'zip/{printable(path.stem)}'
  return _by_path(name, path, paths, read, identity, ())


def _by_path(name, place, paths, read, identity, notes):
  """Returns the source of pictures that have paths, relative to their root.

  Args:
    name: of the source.
    place: of the root, for errors.
    paths: in sorted order, with '/' between their parts.
    read: `path -> file`, as `picture_files.decode` takes it.
    identity: a hash of hashlib.
    notes: as in `Source`.
  """
  if not paths:
    raise ValueError(
      f"no pictures below '{place}': there is no file that ends in "
      f'{", ".join(picture_files.ENDINGS)}. {" ".join(notes)}'.rstrip()
    )
  # One string for each folder, and not for each of millions of paths.
  tops = [
    sys.intern(path.split('/')[0]) if '/' in path else None for path in paths
  ]
  classes = sorted({top for top in tops if top})
  labelled = None not in tops and len(classes) > 1
  numbers = {top: number for number, top in enumerate(classes)}
  return Source(
    name,
    len(paths),
    3,
    lambda indices: [
      (read(paths[i]), numbers[tops[i]] if labelled else None) for i in indices
    ],
    lambda i: printable(paths[i]),
    identity.hexdigest(),
    alike=False,
    classes=tuple(map(printable, classes)) if labelled else (),
    notes=notes,
  )


def at(path):
  """Returns the source of the pictures at a path: what `prepare` converts.

  Args:
    path: of a folder, of a zip file of one, or of a parquet file of Hugging
      Face.

  Raises:
    FileNotFoundError: if there is nothing.
    ValueError: if it is none of these, has no pictures, or is shards already.
  """
  path = pathlib.Path(path).expanduser()
  if (path / array_records.MANIFEST).exists():
    raise ValueError(f'{path} has been converted already; train on it.')
  ending = path.suffix.lower()
  if path.is_file() and ending in _FILES:
    return _FILES[ending](path)
  if path.is_file():
    raise ValueError(
      f'{path} is a file that ends in {ending or "nothing"}; give a folder of '
      f'pictures, or a file that ends in {" or ".join(_FILES)}.'
    )
  return folder(path, 'train')


_FILES = {'.zip': zipped, '.parquet': parquet.source}
