"""Where what is made or fetched once is kept between runs."""

import os
import pathlib


def folder():
  """The path `$XDG_CACHE_HOME/ganjax`, else `~/.cache/ganjax`."""
  home = os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache')
  return pathlib.Path(home) / 'ganjax'
