"""The folder of a run: its config, and the states that it has reached."""

import contextlib
import json
import pathlib
from typing import NamedTuple

import jax
from ml_collections import ConfigDict

from ganjax import files, game, parallel
from ganjax.config import runs
from ganjax.game import Game
from ganjax.steps import TrainState
from ganjax.training import checkpoint, dispatch, provenance


def claim(workdir, config):
  """Makes the folder and writes `config.json`, or checks that it is the same.

  Returns:
    The folder, and the config as JSON values.

  Raises:
    ValueError: if a run with another config lies there; each field is named.
  """
  workdir = pathlib.Path(workdir)
  values = json.loads(config.to_json())
  main = jax.process_index() == 0
  files.claim(workdir / 'config.json', values, write=main)
  return workdir, values


def describe(workdir, data):
  """Writes `run.json`: the data, and what the run is computed with and on."""
  about = {
    'data': data.name,
    'shape': list(data.images.shape[1:]),
    **provenance.record(),
  }
  files.write_json(pathlib.Path(workdir) / 'run.json', files.versioned(about))


class Trained(NamedTuple):
  """A run at one moment: its config, its shapes, and its state there."""

  config: ConfigDict
  shape: tuple
  game: Game
  state: TrainState


def described(workdir):
  """The config of the run in a folder, and the shape of one of its examples.

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
  return config, tuple(files.read_json(workdir / 'run.json')['shape'])


def trained(workdir):
  """The newest `Trained` of the run in a folder.

  Raises:
    FileNotFoundError: if no run was started there, or none saved yet.
  """
  return next(_kept(workdir, lambda steps: [steps]))


def moments(workdir):
  """Yields the `Trained` of each checkpoint that a folder keeps, in order.

  Raises:
    FileNotFoundError: as `trained`.
  """
  return _kept(workdir, lambda steps: [[step] for step in sorted(steps)])


def _kept(workdir, chosen):
  """Yields the newest sound `Trained` among each of the steps chosen of all."""
  config, shape = described(workdir)
  manager = checkpoint.reader(pathlib.Path(workdir) / 'checkpoints')
  start, found = runs.start(config, shape), False
  with contextlib.closing(manager):
    for steps in chosen(manager.all_steps()):
      state = restore(manager, start, parallel.mesh(1), steps)
      if state is not None:
        found = True
        played = runs.game(config, shape, int(state.step))
        yield Trained(config, shape, played, state)
  if not found:
    raise FileNotFoundError(
      f'{workdir} holds no checkpoint yet; train longer, or set '
      'checkpoint.every to fewer images.'
    )


def images_seen(run):
  """Returns how many images a `Trained` has seen."""
  phases = runs.phases(run.config, run.shape)
  return dispatch.images_seen(phases, int(run.state.step))


def generator(run, weights, truncation=1.0):
  """The function `(latents, key) -> images` of a `Trained`, or a tree of them.

  Args:
    run: a `Trained`.
    weights: 'ema', the moving average, or 'raw', as they were trained.
    truncation: the psi of `game.truncated`, with the mean of 4,096 latents.
  """
  params = {'ema': run.state.ema_params, 'raw': run.state.params.generator}
  own, buffers, played = params[weights], run.state.buffers, run.game
  if truncation != 1:
    many = played.prior(jax.random.key(0), 4096)
    played = game.truncated(played, truncation, many)
  return lambda latents, key: played.sample(own, buffers, latents, key)


def restore(manager, start, mesh, steps=None):
  """The newest sound state of a run on the mesh, or None.

  Args:
    manager: of `checkpoint.manager`.
    start: `() -> TrainState`, for the shapes.
    mesh: with an axis 'data'.
    steps: among which to choose; all that are kept, if None.
  """
  abstract = jax.tree.map(
    lambda leaf: jax.ShapeDtypeStruct(
      leaf.shape, leaf.dtype, sharding=parallel.whole(mesh)
    ),
    jax.eval_shape(start),
  )
  return checkpoint.restore(manager, abstract, steps)
