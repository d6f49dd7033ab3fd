"""Files that are whole, carry their format, and say what a folder holds."""

import contextlib
import errno
import json
import os
import pathlib

from ganjax import paths


def folder():
  """Returns the path of the cache: `$XDG_CACHE_HOME`, or `~/.cache`, ganjax."""
  home = os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache')
  return pathlib.Path(home) / 'ganjax'


@contextlib.contextmanager
def whole(path):
  """Yields a path beside `path`, which takes its place after the block.

  So no reader ever meets half a file, and what was there stays if the block
  raises or the process is killed.

  Args:
    path: of the file; its folder must exist.

  Raises:
    OSError: names the file, if the disk is full.
  """
  path = pathlib.Path(path)
  unfinished = path.with_name(f'{path.name}.{os.getpid()}.tmp')
  try:
    yield unfinished
    os.replace(unfinished, path)
  except OSError as error:
    # The system does not say which file it was.
    if error.errno in _FULL:
      raise OSError(
        f'{path} could not be written ({error}): {remedy(error)}.'
      ) from error
    raise
  finally:
    unfinished.unlink(missing_ok=True)


def write(path, text):
  """Writes a file of text in UTF-8, whole or not at all."""
  with whole(path) as unfinished:
    unfinished.write_text(text, encoding='utf-8')


def write_json(path, values):
  """Writes JSON values, indented, whole or not at all."""
  write(path, json.dumps(values, indent=2) + '\n')


def damaged(error):
  """Returns whether an error of reading a file lies in what it holds.

  Otherwise a disk fails, or the memory is full, and the file may be in order.

  Args:
    error: an exception.
  """
  if isinstance(error, OSError):
    # Libraries raise it without a number, and where a seek was led astray.
    return error.errno in (None, errno.EINVAL)
  return not isinstance(error, MemoryError)


def out_of_threads(error):
  """Returns whether an error says that no thread could be started."""
  return isinstance(error, RuntimeError) and "can't start new" in f'{error}'


def out_of_memory(error):
  """Returns whether an error says that the memory is full, also a device's."""
  exhausted = f'{error}'.startswith('RESOURCE_EXHAUSTED')
  return isinstance(error, MemoryError) or (
    isinstance(error, RuntimeError) and exhausted
  )


def remedy(error):
  """Returns what mends an error of writing, in words: 'free space there'.

  Args:
    error: an exception; of libraries that do not say what failed, too.
  """
  if out_of_threads(error):
    return 'let other programs end, or allow more threads (ulimit -u)'
  if out_of_memory(error):
    return 'let other programs end, or use a machine with more memory'
  number = getattr(error, 'errno', None)
  if number in _FULL:
    return 'free space there (df -h), or remove files (df -i)'
  if number in (errno.EACCES, errno.EPERM, errno.EROFS):
    return 'make it writable'
  return 'free space there, or make it writable'


_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


FORMAT = 2
"""The version of what is written into the folders of runs and sweeps.

Raise it with every change after which this ganjax would misread a checkpoint, a
config or the record of a sweep from before, or a ganjax of before those of now:
a new field of a config is such a change.
"""


class FormatError(ValueError):
  """What lies there was written by another ganjax, and is in order."""


# Of files that changed alone. Above these the next `FORMAT` of all has to be.
_FORMATS = {'sweep.json': 3}


def version(path):
  """Returns the version of a file of that path, by its name."""
  return _FORMATS.get(pathlib.Path(path).name, FORMAT)


def versioned(values, path=''):
  """Returns a dict of JSON values with `format`, the version they are in.

  Args:
    values: the dict.
    path: of the file that it is written to.
  """
  return {'format': version(path)} | values


def unversioned(values, place):
  """Returns the dict that `versioned` was given.

  Args:
    values: what was read: a dict, from before there were versions if it has no
      `format`.
    place: what to call it in an error: the path of a file, for example.

  Raises:
    FormatError: if its version is not the one that is written now.
  """
  values, now = dict(values), version(place)
  there = values.pop('format', now)
  if there > now:
    raise FormatError(
      f'{place} was written by a newer ganjax (format {there}; this one '
      f'reads {now}): update ganjax, or give another folder.'
    )
  if there < now:
    raise FormatError(
      f'{place} was written by an older ganjax (format {there}; this one '
      f'reads {now}): give another folder to begin anew, or use the ganjax '
      'that made this one.'
    )
  return values


def read_json(path):
  """Returns the JSON values of a versioned file, without their version.

  Raises:
    FileNotFoundError: if there is no such file.
    FormatError: as `unversioned`.
    ValueError: if it is damaged.
  """
  try:
    values = dict(json.loads(pathlib.Path(path).read_text(encoding='utf-8')))
  except (TypeError, ValueError) as error:
    raise ValueError(
      f'{path} is damaged ({error}); give back a copy of it, or remove it to '
      'have it made again.'
    ) from error
  return unversioned(values, path)


def read_inside(folder, path):
  """Returns the JSON values of a file in a folder of results.

  Args:
    folder: a `pathlib.Path`.
    path: as in `paths.inside`.

  Raises:
    ValueError: as `read_json` and `paths.inside`.
  """
  return read_json(paths.inside(folder, path))


def flat(values, prefix=''):
  """Returns the values of nested dicts in one dict, by their dotted names.

  Args:
    values: a dict or a `ConfigDict`. What is nested and empty leaves no name.
    prefix: what all names begin with.
  """
  found = {}
  for name, value in values.items():
    if hasattr(value, 'items'):
      found |= flat(value, f'{prefix}{name}.')
    else:
      found[prefix + name] = value
  return found


def check_same(place, there, now, kind='run', ignore=()):
  """Raises an error unless what lies somewhere is what is asked for now.

  Args:
    place: what to call it in an error: a folder or a URL.
    there: the dict of JSON values that was found there.
    now: the dict of JSON values of now.
    kind: what lies there, in the singular: 'run', 'sweep'.
    ignore: dotted names of fields that may differ.

  Raises:
    ValueError: if they differ; each field is named, with both values.
  """
  if differing := differences(there, now, ignore):
    raise ValueError(
      f'{place} holds another {kind}. Give the same settings to go on with it, '
      f'or another place to start anew. What differs: {"; ".join(differing)}.'
    )


def differences(there, now, ignore=()):
  """Returns in words which fields of two dicts differ, a list.

  Args:
    there: as in `check_same`.
    now: as in `check_same`.
    ignore: as in `check_same`.
  """
  there, now = flat(there), flat(json.loads(json.dumps(now)))
  return [
    f'{name}: {_quoted(there, name)} there, {_quoted(now, name)} now'
    for name in sorted({*there, *now} - {*ignore})
    if _quoted(there, name) != _quoted(now, name)
  ]


def _quoted(values, name):
  return json.dumps(values[name]) if name in values else 'nothing'


# What says of a folder that a run, or a sweep, lies there.
_CLAIMED = {'run': 'config.json', 'sweep': 'sweep.json'}


def check_free(folder, kind):
  """Raises ValueError if a folder cannot be made, or holds something else.

  Args:
    folder: its path.
    kind: what is to lie there: 'run' or 'sweep'.
  """
  paths.check_folder(folder, f'The {kind}')
  for other, name in _CLAIMED.items():
    if other != kind and (pathlib.Path(folder) / name).exists():
      raise ValueError(
        f'{folder} holds a {other} ({name}); give the {kind} another folder.'
      )


def claim(path, values, kind='run', ignore=(), write=True):
  """Writes what all results in a folder depend on, or checks that it is there.

  So the same command resumes in that folder, and another one is refused.

  Args:
    path: of the JSON file; the folder that holds it is made, if need be.
    values: a dict of JSON values.
    kind: as in `check_same`.
    ignore: as in `check_same`.
    write: False only checks, as all processes but the first have to.

  Raises:
    ValueError: as `check_same`, `check_free` and `read_json`.
  """
  path = pathlib.Path(path)
  check_free(path.parent, kind)
  if path.exists():
    check_same(path.parent, read_json(path), values, kind, ignore)
  elif write:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, versioned(values, path))
