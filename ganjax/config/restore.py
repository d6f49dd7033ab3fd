"""Trained runs, read back from their folders."""

import contextlib
import functools
import itertools
import pathlib
from typing import NamedTuple

import jax
from ml_collections import ConfigDict

from ganjax import averages, parallel, steps
from ganjax.config import purpose, runs, workdir
from ganjax.game import Game
from ganjax.labels import in_turn
from ganjax.lookup import choose
from ganjax.training import checkpoint, dispatch
from ganjax.truncation import truncated

# What `generator` samples with, and what that is, for programs to say.
WEIGHTS = {
  'ema': 'averages of parameters and of statistics of batches',
  'ema_live': 'averaged parameters with the statistics of training',
  'ema_standing': 'averaged parameters with statistics recomputed for them',
  'raw': 'parameters and statistics as they were trained',
}


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


def described(folder):
  """Returns the config of a run, and the `workdir.Examples` of its data.

  Args:
    folder: of the run.

  Raises:
    FileNotFoundError: if no run was started there.
    ValueError: if it is no training on images.
  """
  config, examples = workdir.read(folder)
  purpose.check(config, folder, purpose.TRAINING)
  return config, examples


def last(folder):
  """Returns the `TrainedRun` of the last sound checkpoint of a folder.

  Raises:
    FileNotFoundError: if no run was started there, or it has no checkpoint yet.
  """
  return next(_restored(folder, lambda steps: [steps], 'last'))


def best(folder):
  """Returns the `TrainedRun` of the best checkpoint of a folder.

  Raises:
    FileNotFoundError: if no run was started there, or it keeps no best
      checkpoint, or has none yet.
  """
  workdir.read(folder)  # A folder without a run is another mistake.
  if not _directory(folder, 'best').exists():
    raise FileNotFoundError(
      f'{folder} holds no best checkpoint, for its training evaluated nothing; '
      'take the last one, or train with --config.evaluate.measures=fid.'
    )
  return next(_restored(folder, lambda steps: [steps], 'best'))


CHECKPOINTS = {'last': last, 'best': best}
"""The functions that read a single checkpoint, by its name."""


def checkpoints(folder):
  """Returns an iterator of a `TrainedRun` for each checkpoint in a folder.

  The oldest comes first, and is read at once. They are the last ones, as many
  as were kept; the best is not among them if it is older.

  Raises:
    FileNotFoundError: as `last`.
  """
  found = _restored(
    folder, lambda steps: [[step] for step in sorted(steps)], 'last'
  )
  return itertools.chain([next(found)], found)


def names(folder):
  """Returns which steps of a run are its last and its best checkpoint.

  Args:
    folder: of the run.

  Returns:
    A dict from steps to 'last', 'best' or 'last, best'.
  """
  found = {}
  for name in CHECKPOINTS:
    directory = _directory(folder, name)
    if directory.exists():
      with contextlib.closing(checkpoint.reader(directory)) as manager:
        if steps := manager.all_steps():
          found.setdefault(max(steps), []).append(name)
  return {step: ', '.join(own) for step, own in found.items()}


def _directory(folder, name):
  """Returns where `loop.fit` writes the last checkpoints, or the best."""
  directory = pathlib.Path(folder) / 'checkpoints'
  return directory / 'best' if name == 'best' else directory


def _restored(folder, choose, name):
  """Yields the newest sound `TrainedRun` of each list of steps.

  Args:
    folder: of the run.
    choose: from all steps with a checkpoint to the lists.
    name: of the checkpoints, one of `CHECKPOINTS`.
  """
  config, about = described(folder)
  shape, classes = about.shape, about.classes
  manager = checkpoint.reader(_directory(folder, name))
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
      f'{folder} holds no {name} checkpoint yet; train longer, or set '
      f'{"evaluate" if name == "best" else "checkpoint"}.every to fewer images.'
    )


def images_seen(run):
  """Returns how many images a `TrainedRun` has seen."""
  phases = runs.phases(run.config, run.shape)
  return dispatch.images_seen(phases, int(run.state.step))


def title(run, weights, name=''):
  """Returns what is sampled, in words: 'the best checkpoint at step 200 (...)'.

  Args:
    run: a `TrainedRun`.
    weights: one of `WEIGHTS`.
    name: of the checkpoint, one of `CHECKPOINTS`, or none.
  """
  kind = f'{name} checkpoint'.lstrip()
  return f'the {kind} at step {int(run.state.step):,} ({weights} weights)'


def generator(run, weights, truncation=1.0):
  """Returns `(latents, key, labels=None) -> images`, or a tree of them.

  Args:
    run: a `TrainedRun`.
    weights: one of `WEIGHTS`.
    truncation: the psi of `truncated`, with the mean of 4,096 latents, and of
      all classes.
  """
  (own, buffers), game = generator_weights(run, weights), run.game
  if truncation != 1:
    many = game.prior(jax.random.key(0), 4096)
    many_labels = in_turn(len(many), _classes(run))
    game = truncated(game, truncation, many, many_labels)
  return lambda latents, key, labels=None: game.sample(
    own, buffers, latents, key, labels=labels
  )


def generator_weights(run, which):
  """Returns `(params, buffers)` of a run's generator, by one of `WEIGHTS`."""
  if which != 'ema_standing':
    return steps.weights(run.state, which)
  params, buffers = steps.weights(run.state, 'ema')
  recompute = functools.partial(
    averages.standing, run.game, classes=_classes(run)
  )
  return params, jax.jit(recompute)(params, buffers, jax.random.key(0))


def _classes(run):
  """Returns how many classes a run's game has; 0 if it is unconditional."""
  return run.config.classes if run.config.labels else 0


def labels(config, classes, words):
  """Returns the labels of a run that words ask for, a list.

  Args:
    config: of the run.
    classes: the names of the classes of its data.
    words: a list of names or numbers of classes; `['all']` stands for all, and
      an empty list for none.

  Raises:
    ValueError: if the run is unconditional, or has no such class.
  """
  if not words:
    return []
  if not config.labels:
    raise ValueError(
      f'The labels {",".join(words)} were asked for, but this run is '
      'unconditional; leave them out, or train with --config.labels=true.'
    )
  numbers = {str(label): label for label in range(config.classes)}
  named = {name: label for label, name in enumerate(classes)}
  if words == ['all']:
    return list(numbers.values())
  return [choose('class', numbers | named, word) for word in words]
