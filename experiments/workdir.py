"""The folder of a run: its config, and the state that it has reached."""

import json
import os
import pathlib
import platform
import sys
from importlib import metadata
from typing import NamedTuple

import jax
from ml_collections import ConfigDict

from ganjax import blueprint, build, checkpoint, parallel, pictures
from ganjax.game import Game
from ganjax.steps import TrainState


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


def describe(workdir, data):
  """Writes `run.json`: the data, and what the run is computed with and on."""
  about = {
    'data': data.name,
    'shape': list(data.images.shape[1:]),
    **provenance(),
  }
  path = pathlib.Path(workdir) / 'run.json'
  path.write_text(json.dumps(about, indent=2) + '\n')


def provenance():
  """Versions and hardware, for whatever is written about a measurement."""
  return {
    'command': [pathlib.Path(sys.argv[0]).stem, *sys.argv[1:]],
    'hardware': f'{jax.device_count()} x {jax.devices()[0].device_kind}, '
    f'{os.cpu_count()} {platform.machine()} cores',
    'versions': {'python': platform.python_version()}
    | {
      name: metadata.version(name)
      for name in ('ganjax', 'jax', 'flax', 'optax')
    },
  }


def provenance_in_words():
  """The same in a sentence, for what people read."""
  about = provenance()
  program, *flags = about['command']
  versions = ', '.join(' '.join(item) for item in about['versions'].items())
  return (
    f'Made by python -m experiments.{program} {" ".join(flags)}, on '
    f'{about["hardware"]}; {versions}.'
  )


class Trained(NamedTuple):
  """A run as it stands: its config, its shapes and its newest state."""

  config: ConfigDict
  shape: tuple
  game: Game
  state: TrainState


def trained(workdir):
  """The `Trained` of the run in a folder.

  Raises:
    FileNotFoundError: if no run was started there, or none saved yet.
  """
  workdir = pathlib.Path(workdir)
  if not (workdir / 'run.json').exists():
    raise FileNotFoundError(
      f'{workdir} holds no run.json, so no run was started there; give the '
      'workdir of a training.'
    )
  config = ConfigDict(json.loads((workdir / 'config.json').read_text()))
  shape = tuple(json.loads((workdir / 'run.json').read_text())['shape'])
  manager = checkpoint.reader(workdir / 'checkpoints')
  state = restore(manager, build.start(config, shape), parallel.mesh(1))
  checkpoint.close(manager)
  if state is None:
    raise FileNotFoundError(
      f'{workdir} holds no checkpoint yet; train longer, or set '
      'checkpoint.every to fewer images.'
    )
  game = blueprint.objective(config, shape)(state.step)
  return Trained(config, shape, game, state)


def generator(run, weights):
  """The function `(latents, key) -> images [N, H, W, C]` of a `Trained`.

  Args:
    run: a `Trained`.
    weights: 'ema', the moving average, or 'raw', as they were trained.
  """
  params = {'ema': run.state.ema_params, 'raw': run.state.params.generator}
  own, buffers = params[weights], run.state.buffers
  return lambda latents, key: pictures.finest(
    run.game.sample(own, buffers, latents, key)
  )


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
