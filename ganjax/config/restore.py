"""Trained runs, read back from their folders."""

import contextlib
import pathlib
from typing import NamedTuple

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from ganjax import parallel, steps
from ganjax.config import runs, workdir
from ganjax.game import Game
from ganjax.lookup import choose
from ganjax.training import checkpoint, dispatch
from ganjax.truncation import truncated


class TrainedRun(NamedTuple):
  """A run as one of its checkpoints has it.

  Attributes:
    config: of the run.
    shape: of one of its examples, such as (32, 32, 3).
    classes: the names of the classes of its data, a tuple.
    game: the `Game` at the checkpoint's step.
    state: the checkpoint, a `TrainState`.
  """

  config: ConfigDict
  shape: tuple
  classes: tuple
  game: Game
  state: steps.TrainState


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
  config, about = workdir.read(folder)
  shape, classes = about.shape, about.classes
  manager = checkpoint.reader(pathlib.Path(folder) / 'checkpoints')
  like = checkpoint.abstract(runs.start(config, shape), parallel.mesh(1))
  found = False
  with contextlib.closing(manager):
    for numbers in choose(manager.all_steps()):
      state = checkpoint.restore(manager, like, numbers)
      if state is not None:
        found = True
        game = runs.game(config, shape, int(state.step))
        yield TrainedRun(config, shape, classes, game, state)
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
  """Returns `(latents, key, labels=None) -> images`, or a tree of them.

  Args:
    run: a `TrainedRun`.
    weights: which, as in `steps.weights`.
    truncation: the psi of `truncated`, with the mean of 4,096 latents, and of
      all classes.
  """
  (own, buffers), game = steps.weights(run.state, weights), run.game
  if truncation != 1:
    many = game.prior(jax.random.key(0), 4096)
    labels = None
    if run.config.labels:
      labels = jnp.arange(len(many)) % run.config.classes
    game = truncated(game, truncation, many, labels)
  return lambda latents, key, labels=None: game.sample(
    own, buffers, latents, key, labels=labels
  )


def labels(run, words):
  """Returns the labels of a `TrainedRun` that words ask for, a list.

  Args:
    run: a `TrainedRun`.
    words: a list of names or numbers of classes; `['all']` stands for all, and
      an empty list for none.

  Raises:
    ValueError: if the run is unconditional, or has no such class.
  """
  if not words:
    return []
  if not run.config.labels:
    raise ValueError(
      f'The labels {",".join(words)} were asked for, but this run is '
      'unconditional; leave them out, or train with --config.labels=true.'
    )
  numbers = {str(label): label for label in range(run.config.classes)}
  named = {name: label for label, name in enumerate(run.classes)}
  if words == ['all']:
    return list(numbers.values())
  return [choose('class', numbers | named, word) for word in words]
