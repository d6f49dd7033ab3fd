"""Trained runs, read back from their folders."""

import contextlib
import pathlib
from typing import NamedTuple

import jax
from ml_collections import ConfigDict

from ganjax import game, parallel
from ganjax.config import runs, workdir
from ganjax.game import Game
from ganjax.steps import TrainState
from ganjax.training import checkpoint, dispatch


class TrainedRun(NamedTuple):
  """A run as one of its checkpoints has it.

  Attributes:
    config: of the run.
    shape: of one of its examples, such as (32, 32, 3).
    game: the `Game` at the checkpoint's step.
    state: the checkpoint, a `TrainState`.
  """

  config: ConfigDict
  shape: tuple
  game: Game
  state: TrainState


def newest(folder):
  """Returns the `TrainedRun` of the newest sound checkpoint of a folder.

  Raises:
    FileNotFoundError: if no run was started there, or it has no checkpoint yet.
  """
  return next(_restored(folder, lambda steps: [steps]))


def checkpoints(folder):
  """Yields the `TrainedRun` of each checkpoint in a folder, the oldest first.

  Raises:
    FileNotFoundError: as `newest`.
  """
  return _restored(folder, lambda steps: [[step] for step in sorted(steps)])


def _restored(folder, choose):
  """Yields the newest sound `TrainedRun` of each list of steps.

  Args:
    folder: of the run.
    choose: from all steps with a checkpoint to the lists.
  """
  config, shape = workdir.read(folder)
  manager = checkpoint.reader(pathlib.Path(folder) / 'checkpoints')
  like = checkpoint.abstract(runs.start(config, shape), parallel.mesh(1))
  found = False
  with contextlib.closing(manager):
    for steps in choose(manager.all_steps()):
      state = checkpoint.restore(manager, like, steps)
      if state is not None:
        found = True
        played = runs.game(config, shape, int(state.step))
        yield TrainedRun(config, shape, played, state)
  if not found:
    raise FileNotFoundError(
      f'{folder} holds no checkpoint yet; train longer, or set '
      'checkpoint.every to fewer images.'
    )


def images_seen(run):
  """Returns how many images a `TrainedRun` has seen."""
  phases = runs.phases(run.config, run.shape)
  return dispatch.images_seen(phases, int(run.state.step))


def generator(run, weights, truncation=1.0):
  """Returns `(latents, key) -> images`, or a tree of them, of a `TrainedRun`.

  Args:
    run: a `TrainedRun`.
    weights: 'ema', the moving average, or 'raw', as they were trained.
    truncation: the psi of `game.truncated`, with the mean of 4,096 latents.
  """
  params = {'ema': run.state.ema_params, 'raw': run.state.params.generator}
  own, buffers, played = params[weights], run.state.buffers, run.game
  if truncation != 1:
    many = played.prior(jax.random.key(0), 4096)
    played = game.truncated(played, truncation, many)
  return lambda latents, key: played.sample(own, buffers, latents, key)
