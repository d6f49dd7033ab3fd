"""The folder of a run: `config.json`, and `run.json` on its data.

The two say what the run is: the same command goes on with it, and its readers
build its networks again.
"""

import json
import pathlib
from typing import NamedTuple

import jax
from ml_collections import ConfigDict

from ganjax import files
from ganjax.training import provenance


def claim(workdir, config):
  """Writes `config.json`, or checks that the one there says the same.

  Args:
    workdir: the path of the folder, which is made if need be.
    config: a `ConfigDict`.

  Returns:
    The folder, a `pathlib.Path`, and the config as JSON values.

  Raises:
    ValueError: if a run with another config lies there; each field is named.
  """
  workdir = pathlib.Path(workdir)
  values = json.loads(config.to_json())
  main = jax.process_index() == 0
  files.claim(workdir / 'config.json', values, write=main)
  return workdir, values


def describe(workdir, data):
  """Writes `run.json`: the data, and what the run is computed with and on.

  Args:
    workdir: the path of an existing folder.
    data: an `ImageSet`.
  """
  about = {
    'data': data.name,
    'shape': list(data.images.shape[1:]),
    'classes': list(data.classes),
    **provenance.record(),
  }
  files.write_json(pathlib.Path(workdir) / 'run.json', files.versioned(about))


class Examples(NamedTuple):
  """What the examples of a run are.

  Attributes:
    shape: of one of them, such as (32, 32, 3).
    classes: the names of their classes; empty where they have none.
  """

  shape: tuple[int, ...]
  classes: tuple[str, ...]


def read(workdir):
  """Returns the `ConfigDict` of a run, and the `Examples` of its data.

  Args:
    workdir: the path of the folder.

  Raises:
    FileNotFoundError: if no run was started there.
  """
  workdir = pathlib.Path(workdir)
  if not (workdir / 'run.json').exists():
    raise FileNotFoundError(
      f'{workdir} holds no run.json, so no run was started there; give the '
      'workdir of a training.'
    )
  config = ConfigDict(files.read_json(workdir / 'config.json'))
  about = files.read_json(workdir / 'run.json')
  return config, Examples(tuple(about['shape']), tuple(about['classes']))
