"""Where a result comes from: the command, the hardware and the versions."""

import contextlib
import os
import pathlib
import platform
import sys
from importlib import metadata


def program():
  """Returns the name of the running program: `train` of `experiments.train`.

  A package runs as its file `__main__.py`, whose folder has the name; another
  program of a package has both names, as `benchmark.ring_worker`.
  """
  # An interactive Python has no file.
  path = pathlib.Path(sys.argv[0] or 'python').with_suffix('')
  parts = path.parent.parts if path.name == '__main__' else path.parts
  inner = parts
  while 'experiments' in inner:
    inner = inner[inner.index('experiments') + 1 :]
  return parts[-1] if inner == parts else '.'.join(inner)


def record():
  """Returns the command, the hardware and the versions, as JSON values."""
  import jax  # Here, for a program's name alone is needed without jax.

  return {
    'command': [program(), *sys.argv[1:]],
    'hardware': f'{jax.device_count()} x {jax.devices()[0].device_kind}, '
    f'{os.cpu_count()} {platform.machine()} cores',
    'versions': versions(),
  }


def versions():
  """Returns the versions of Python and of the libraries, by their names."""
  found = {'python': platform.python_version()}
  for name in 'ganjax', 'jax', 'flax', 'optax', 'orbax-checkpoint':
    with contextlib.suppress(metadata.PackageNotFoundError):
      found[name] = metadata.version(name)
  return found


def in_words():
  """Returns what `record` does as a sentence, for reports and figures."""
  about = record()
  name, *flags = about['command']
  versions = ', '.join(' '.join(item) for item in about['versions'].items())
  return (
    f'Made by python -m experiments.{name} {" ".join(flags)}, on '
    f'{about["hardware"]}; {versions}.'
  )
