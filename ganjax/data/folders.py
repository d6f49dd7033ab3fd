"""The pictures of a folder: each real folder below it is visited once."""

import collections
import errno
import heapq
import os
import pathlib
from typing import NamedTuple

from ganjax import picture_files
from ganjax.paths import printable


class Listing(NamedTuple):
  """What is below a folder.

  Attributes:
    paths: of the pictures that can be read, relative to the folder, in sorted
      order, with '/' between their parts.
    notes: whole sentences on what was passed over.
  """

  paths: tuple[str, ...]
  notes: tuple[str, ...]


def pictures(root) -> Listing:
  """Returns the `Listing` of the pictures below a folder.

  Hidden files and folders are skipped. Links to folders are followed, but not
  where they lead to a folder that is visited anyway, or to one that the folder
  itself lies in. Only files are listed: no pipes, no devices.

  Args:
    root: the path of the folder.

  Raises:
    OSError: if a folder cannot be read.
  """
  root = pathlib.Path(root)
  real = root.resolve()
  visited = {_identity(own): '' for own in real.parents}
  found, repeated = [], []
  passed_over: collections.Counter[str] = collections.Counter()
  # Links come after all real folders, so that none of these is only visited
  # under the name of a link; the sorted order makes the names that are found
  # those of every later run.
  folders: list[str] = ['']
  links: list[str] = []
  while folders or links:
    inside = folders.pop() if folders else heapq.heappop(links)
    identity = _identity(root / inside)
    if identity in visited:
      repeated.append((inside, visited[identity]))
      continue
    visited[identity] = inside
    with os.scandir(root / inside) as entries:
      for entry in entries:
        path = f'{inside}/{entry.name}' if inside else entry.name
        kind = None if entry.name.startswith('.') else _kind(entry)
        if kind == 'link':
          heapq.heappush(links, path)
        elif kind == 'folder':
          folders.append(path)
        elif kind in picture_files.ENDINGS:
          found.append(path)
        elif kind in picture_files.UNREAD_ENDINGS:
          passed_over[kind] += 1
  found.sort()
  return Listing(tuple(found), _notes(len(found), passed_over, repeated))


def _kind(entry):
  """Returns 'folder', 'link' (to one), or the ending of a file; or None."""
  try:
    if entry.is_dir():
      return 'link' if entry.is_symlink() else 'folder'
    if entry.is_file():
      return os.path.splitext(entry.name)[1].lower()
  except OSError as error:
    if error.errno != errno.ELOOP:  # a link to itself
      raise
  return None


def _identity(path):
  about = os.stat(path)
  return about.st_dev, about.st_ino


def _notes(number, passed_over, repeated):
  notes = []
  if passed_over:
    most_first = sorted(passed_over.items(), key=lambda own: (-own[1], own[0]))
    words = ', '.join(f'{many} {ending}' for ending, many in most_first)
    total = number + passed_over.total()
    notes.append(f'{number} of {total} used; {words} passed over.')
  if repeated:
    words = [
      f'{printable(path)} is the same folder as '
      f'{printable(first) or "the whole, or one around it"}'
      for path, first in sorted(repeated)
    ]
    more = f'; and {len(words) - 5} more' if len(words) > 5 else ''
    notes.append(
      f'Each folder is read once, and what leads back is passed over: '
      f'{"; ".join(words[:5])}{more}.'
    )
  return tuple(notes)
