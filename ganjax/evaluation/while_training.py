"""The evaluation of a run while it is trained, as its config asks for it.

The values are those that `experiments.evaluate` measures of the checkpoint at
the same step, with as many samples, the same weights and its default seed.
"""

import jax
import numpy as np

from ganjax import files
from ganjax.config import datasets, restore, runs
from ganjax.evaluation import extractors, measures, results, samples, trained
from ganjax.lookup import choose
from ganjax.training import evaluations

_SEED = 0  # of the latents, pairs and patches of the measures
_FEW = 16  # reals that measures are tried on


def evaluation(config, data):
  """Returns the `evaluations.Evaluation` of a config, None without measures.

  The features of the reals are computed at the first evaluation; a classifier
  that they are taken on is trained here.

  Args:
    config: of a training on images.
    data: the `images.ImageSet` that it is trained on. Where images are
      streamed, those of `datasets.reals` are loaded beside it.

  Raises:
    OSError: if the weights of features cannot be read or downloaded.
    ValueError: if there is no such measure, value, feature or choice of
      weights, or if the measures cannot be taken of this run.
  """
  asked = config.evaluate
  if not asked.measures:
    return None
  chosen = measures.chosen(asked.measures.split(','))
  best, direction = _criterion(chosen, asked.best)
  _check(chosen, asked)
  if config.data.loader == 'stream':
    data = datasets.reals(config)
  extractors.check(chosen, data, asked.features, config.labels)
  extractor, reals = extractors.reals(data, chosen, asked.features)
  labels = trained.labels(config, data, asked.samples, _SEED)
  shape = data.images.shape[1:]
  sample = trained.sampler(
    config, data, asked.weights, _SEED, labels, asked.samples
  )

  def values(reals, fakes):
    found = {}
    for measure in chosen:
      # Reals, on which measures are tried, were drawn by no generator.
      if measure.of_runs and fakes.judge is None:
        continue
      found |= measure.take(reals, fakes, _SEED)[0]
    return {name: float(value) for name, value in files.flat(found).items()}

  def take(state):
    # On one device, as programs that read checkpoints do.
    state = jax.tree.map(lambda leaf: leaf.addressable_data(0), state)
    game = runs.game(config, shape, int(state.step))
    run = restore.TrainedRun(config, shape, data.classes, game, state)
    return values(reals, sample(run, extractor))

  # What cannot be measured raises now, and not after hours of training.
  number = min(_FEW, asked.samples)
  # There may be fewer reals than samples: a run may overfit a single one.
  rows = np.arange(number) % len(data.images)
  few = None if data.labels is None else data.labels[rows]
  values(
    samples.of(data.images[:number], extractor),
    samples.of(data.images[rows], extractor, few),
  )
  settings = results.settings(config, data, extractor, _SEED)
  return evaluations.Evaluation(take, best, direction, settings)


def _check(chosen, asked):
  """Raises ValueError where a config asks for what cannot be measured."""
  for measure in chosen:
    if measure.needs == 'tracked':
      raise ValueError(
        f'The metric {measure.name} compares the checkpoints of a run, so it '
        'cannot be one of evaluate.measures; train first, then run evaluate '
        '--checkpoint=all.'
      )
  if asked.samples < 2:
    raise ValueError(
      f'evaluate.samples is {asked.samples}; it must be at least 2.'
    )
  choose('choice of weights', restore.WEIGHTS, asked.weights)


def _criterion(chosen, best):
  """Returns the value that says which checkpoint is best, and its direction.

  Args:
    chosen: a list of `measures.Measure`.
    best: the name of the value; '' for the first that has a direction.
  """
  columns = measures.columns(chosen)
  directed = {
    name: column['direction']
    for name, column in columns.items()
    if column['direction']
  }
  if not directed:
    raise ValueError(
      f'None of evaluate.measures ({", ".join(own.name for own in chosen)}) '
      'says whether more or less of it is better, so no checkpoint is the '
      'best; add one that does, such as fid.'
    )
  best = best or next(iter(directed))
  choose('value of evaluate.measures for evaluate.best,', columns, best)
  if best not in directed:
    raise ValueError(
      f'evaluate.best is {best}, of which neither more nor less is better; '
      f'choose from {", ".join(directed)}.'
    )
  return best, directed[best]
