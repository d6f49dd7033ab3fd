"""Where what is made or fetched once is kept, and how files become whole."""

import contextlib
import json
import os
import pathlib


def folder():
  """The path `$XDG_CACHE_HOME/ganjax`, else `~/.cache/ganjax`."""
  home = os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache')
  return pathlib.Path(home) / 'ganjax'


@contextlib.contextmanager
def whole(path):
  """Yields a path beside `path`, which takes its place after the block.

  So no reader ever meets half a file, and what was there stays if the block
  raises or the process is killed.

  Args:
    path: of the file; its folder must exist.
  """
  path = pathlib.Path(path)
  unfinished = path.with_name(f'{path.name}.{os.getpid()}.tmp')
  try:
    yield unfinished
    os.replace(unfinished, path)
  finally:
    unfinished.unlink(missing_ok=True)


def write(path, text):
  """Writes a file of text, in UTF-8, as `whole`."""
  with whole(path) as unfinished:
    unfinished.write_text(text, encoding='utf-8')


def write_json(path, values):
  """Writes JSON values, indented, as `whole`."""
  write(path, json.dumps(values, indent=2) + '\n')
