"""The folder of a run: its config, and the state that it has reached."""

import json
import os
import pathlib

import jax
from ml_collections import ConfigDict

from ganjax import checkpoint, parallel


def claim(workdir, config):
  """Makes the folder and writes `config.json`, or checks that it is the same.

  Returns:
    The folder, and the config as JSON values.

  Raises:
    ValueError: if a run with another config lies there; each field is named.
  """
  workdir = pathlib.Path(workdir)
  values = json.loads(config.to_json())
  path = workdir / 'config.json'
  if path.exists():
    there, here = _flat(json.loads(path.read_text())), _flat(values)
    changed = [
      f'{name}: {json.dumps(there.get(name))} there, '
      f'{json.dumps(here.get(name))} now'
      for name in sorted({*there, *here})
      if there.get(name) != here.get(name)
    ]
    if changed:
      raise ValueError(
        f'{workdir} holds a run with another config. Give the same one to go '
        'on with it, or another workdir to start anew. What differs: '
        + '; '.join(changed)
      )
  elif jax.process_index() == 0:
    workdir.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix('.tmp')
    unfinished.write_text(json.dumps(values, indent=2) + '\n')
    os.replace(unfinished, path)
  return workdir, values


def config(workdir):
  """The config of the run in a folder.

  Raises:
    FileNotFoundError: if there is none.
  """
  path = pathlib.Path(workdir) / 'config.json'
  if not path.exists():
    raise FileNotFoundError(
      f'{workdir} holds no config.json, so no run was started there; give the '
      'workdir of a training.'
    )
  return ConfigDict(json.loads(path.read_text()))


def restore(manager, start, mesh):
  """The newest sound state of a run on the mesh, or None.

  Args:
    manager: of `checkpoint.manager`.
    start: `() -> TrainState`, for the shapes.
    mesh: with an axis 'data'.
  """
  abstract = jax.tree.map(
    lambda leaf: jax.ShapeDtypeStruct(
      leaf.shape, leaf.dtype, sharding=parallel.whole(mesh)
    ),
    jax.eval_shape(start),
  )
  return checkpoint.restore(manager, abstract)


def _flat(values, prefix=''):
  flat = {}
  for name, value in values.items():
    if isinstance(value, dict):
      flat |= _flat(value, f'{prefix}{name}.')
    else:
      flat[prefix + name] = value
  return flat
