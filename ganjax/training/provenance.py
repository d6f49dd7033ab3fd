"""Where a result comes from: the command, the hardware and the versions."""

import os
import pathlib
import platform
import sys
from importlib import metadata

import jax


def program():
  """Returns the name of the running program: `train` of `experiments.train`.

  A package runs as its file `__main__.py`, whose folder has the name.
  """
  path = pathlib.Path(sys.argv[0])
  return path.parent.name if path.stem == '__main__' else path.stem


def record():
  """Returns the command, the hardware and the versions, as JSON values."""
  return {
    'command': [program(), *sys.argv[1:]],
    'hardware': f'{jax.device_count()} x {jax.devices()[0].device_kind}, '
    f'{os.cpu_count()} {platform.machine()} cores',
    'versions': {'python': platform.python_version()}
    | {
      name: metadata.version(name)
      for name in ('ganjax', 'jax', 'flax', 'optax')
    },
  }


def in_words():
  """Returns what `record` does as a sentence, for reports and figures."""
  about = record()
  name, *flags = about['command']
  versions = ', '.join(' '.join(item) for item in about['versions'].items())
  return (
    f'Made by python -m experiments.{name} {" ".join(flags)}, on '
    f'{about["hardware"]}; {versions}.'
  )
