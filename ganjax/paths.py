"""Paths that a program is given: checked before any work, and safe to print."""

import os
import pathlib
import stat
import tempfile


def printable(text) -> str:
  """Returns a text that a terminal shows as it is, in one line.

  What steers a terminal, hides, turns the direction of writing, or is no UTF-8
  in the name of a file is replaced by its Python escape, such as `\\x1b`.

  Args:
    text: the text, or a path.
  """
  return ''.join(
    own if own.isprintable() else own.encode('unicode_escape').decode('ascii')
    for own in str(text)
  )


def check_file(path) -> pathlib.Path:
  """Returns the path of a file that is to be read, which is not opened.

  To open a pipe waits for its other end, and a device may have no end.

  Args:
    path: of the file; a leading `~` is the home folder.

  Raises:
    FileNotFoundError: if there is none.
    ValueError: if it is a folder, a pipe or a device.
  """
  path = pathlib.Path(path).expanduser()
  try:
    mode = path.stat().st_mode
  except (FileNotFoundError, NotADirectoryError):
    raise FileNotFoundError(f'There is no file {path}.') from None
  if not stat.S_ISREG(mode):
    kind = 'a folder' if stat.S_ISDIR(mode) else 'a pipe or a device'
    raise ValueError(f'{path} is {kind}; give the path of a file.')
  return path


def inside(folder, path) -> pathlib.Path:
  """Returns the real path of a file that belongs to a folder of results.

  The folder may be a stranger's, and a link in it, or a name such as `../x`
  that a file of it has, may lead to what only its reader may see.

  Args:
    folder: a `pathlib.Path`.
    path: of the file, relative to the folder or below it.

  Raises:
    ValueError: if it lies elsewhere, or is no file.
  """
  real = (folder / path).resolve()
  if not real.is_relative_to(folder.resolve()):
    raise ValueError(
      f'{folder} names {path}, which leads to {real}, out of that folder: '
      'nothing else is read. Copy the file there, if it belongs to it.'
    )
  return check_file(real)


def check_destination(path, flag, inputs=(), endings=()) -> pathlib.Path:
  """Returns the path of a file that can be written; nothing is made yet.

  Args:
    path: of the file, which may be there already; a leading `~` is the home
      folder. Its folder may be missing.
    flag: what the path was given by, for errors: '--output'.
    inputs: paths of files that the program reads, none of which it may replace.
    endings: the names of files that can be written end in one of them; empty
      where all do.

  Raises:
    ValueError: if the name has another ending, or the file cannot be written
      there.
  """
  path = pathlib.Path(path).expanduser()
  if endings and path.suffix.lower() not in endings:
    found = f'ends in {path.suffix}' if path.suffix else 'has no ending'
    raise ValueError(
      f'{flag} is {path}, which {found}; the name has to end in '
      f'{", ".join(endings)}.'
    )
  if path.is_dir():
    raise ValueError(f'{flag} is {path}, which is a folder; name a file in it.')
  if path.exists() and not path.is_file():
    raise ValueError(f'{flag} is {path}, which is a pipe or a device.')
  for own in inputs:
    if path.exists() and os.path.exists(own) and os.path.samefile(path, own):
      raise ValueError(
        f'{flag} would replace {own}, which is read; give another name.'
      )
  check_folder(path.parent, flag)
  if path.exists() and not os.access(path, os.W_OK):
    raise ValueError(f'{flag} is {path}, which may not be written.')
  return path


def check_folder(path, flag) -> pathlib.Path:
  """Returns the path of a folder that is there, or can be made; it is not yet.

  Args:
    path: of the folder; a leading `~` is the home folder.
    flag: what the path was given by, for errors.

  Raises:
    ValueError: if a part of the path is a file, or may not be written.
  """
  path = pathlib.Path(path).expanduser()
  nearest = next(p for p in (path, *path.absolute().parents) if p.exists())
  if not nearest.is_dir():
    raise ValueError(f'{flag} needs a folder {path}, but {nearest} is a file.')
  try:
    # Asked of the system: it grants root what a file system then refuses.
    with tempfile.TemporaryFile(dir=nearest):
      pass
  except OSError as error:
    raise ValueError(
      f'{flag} needs the folder {path}, but nothing may be written into '
      f'{nearest}.'
    ) from error
  return path
