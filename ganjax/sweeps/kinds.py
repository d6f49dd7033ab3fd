"""The two kinds of trainings that a sweep knows, and what it measures of each.

A training on images is measured by its samples beside the reals, a protocol of
mode collapse by the modes that it has captured.
"""

import functools
import json
from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np

from ganjax import files, pictures
from ganjax.config import games, runs
from ganjax.data import images
from ganjax.evaluation import (
  extractors,
  features,
  measures,
  results,
  samples,
)
from ganjax.evaluation.measures import Column
from ganjax.sweeps import fields, mode_task, task

_SEED = 0  # of the latents, pairs and patches of the measures


def _take_modes(modes, settings, seed):
  values = {
    'captured': int(modes.captured),
    'quality': float(modes.quality),
    'reverse_kl': float(modes.divergence),
  }
  return values, settings


_MODES = measures.Measure(
  'modes',
  (
    Column('captured', 'modes captured', 'maximize'),
    Column('quality', 'high quality', 'maximize'),
    Column('reverse_kl', 'reverse KL', 'minimize'),
  ),
  'modes',
  _take_modes,
)


class Kind(NamedTuple):
  """What a sweep needs to know of the configs of a kind.

  Attributes:
    name: 'images' or 'modes'.
    config: `changes -> config` of a cell.
    subject: `config -> trial.Subject`.
    training: `(config, evaluations) -> population.Training`, watched; the same
      one for equal configs, so that what is compiled serves again.
    settings: `config -> dict`, how everything is measured.
    evaluate: `(config, step) -> measure`, of all runs of a config that are at a
      step: `(state, numbers, record) -> Found`.
    columns: of the values, as `measures.columns` returns them.
    number: `config -> int`, of the samples that are measured.
  """

  name: str
  config: Callable
  subject: Callable
  training: Callable
  settings: Callable
  evaluate: Callable
  columns: dict
  number: Callable


class Found(NamedTuple):
  """What was measured of a run at an evaluation: values, how, and a picture."""

  values: dict
  how: dict
  picture: np.ndarray


def of(config, metrics, number, which='auto'):
  """The `Kind` of a config.

  Args:
    config: of a training on images or of a protocol.
    metrics: names of `measures.MEASURES`, for images.
    number: of the samples that are drawn to be measured, of images.
    which: of `extractors.extractor`, for images.

  Raises:
    ValueError: if there is no such metric, or nothing to sweep.
  """
  if 'protocol' in config:
    return _of_modes(config)
  chosen = measures.chosen(metrics)
  for measure in chosen:
    if measure.needs == 'tracked':
      raise ValueError(
        f'The metric {measure.name} compares the checkpoints of a run, which a '
        'sweep does not save; run evaluate --checkpoints=all on a training.'
      )
  return _of_images(config, chosen, number, which)


def _of_images(config, chosen, number, which):
  dataset = _once(runs.dataset)

  def of_data(config):
    return dataset(config, 'data')

  def beside(config):
    data = of_data(config)
    if {measure.needs for measure in chosen} & {'features', 'logits'}:
      extractor = extractors.extractor(data, which)
    else:
      extractor = features.Features('none taken', None)
    return extractor, samples.of(data.images, extractor)

  beside = _once(beside)

  def settings(config):
    extractor, _ = beside(config, 'data')
    about = results.settings(config, of_data(config), extractor, _SEED)
    return about | {'weights': 'ema, last'}

  def painters(config):
    shape = of_data(config).images.shape[1:]

    def at(step):
      def draw(given, latents, key):
        state, numbers = given
        played = runs.game(games.with_values(config, numbers), shape, step)
        return played.sample(state.ema_params, state.buffers, latents, key)

      return samples.sampler(draw), runs.game(config, shape, step).prior

    return functools.cache(at)

  painters = _once(painters)

  def evaluate(config, step):
    extractor, reals = beside(config, 'data')
    side = reals.images.shape[1]
    paint, prior = painters(config)(step if 'growth' in config else 0)

    def evaluated(state, numbers, record):
      drawn = paint((state, numbers), prior, number, _SEED, side)
      fakes = samples.of(drawn, extractor)
      values, how = {}, {}
      for measure in chosen:
        own, how[measure.name] = measure.take(reals, fakes, _SEED)
        values |= own
      return Found(values, how, pictures.grid(images.scale(record['samples'])))

    return evaluated

  def subject(config):
    data = of_data(config)
    extractors.check(chosen, data, which)
    return task.of_images(config, data)

  return Kind(
    name='images',
    config=functools.partial(fields.changed, config),
    subject=subject,
    training=_trainings(subject),
    settings=settings,
    evaluate=evaluate,
    columns=measures.columns(chosen),
    number=lambda config: number,
  )


def _of_modes(config):
  if config.protocol == 'dirac':
    raise ValueError(
      'The protocol dirac is a proof on a line, with nothing to sweep; run '
      'experiments.mode_collapse.'
    )
  problem_of = _once(problem)

  def of_data(config):
    return problem_of(config, 'data', 'measure')

  def settings(config):
    return {
      'features': 'none; modes are known',
      'data': of_data(config).name,
      'split': config.data.get('split', 'none; drawn anew'),
      'resizing': 'none',
      'seed': config.measure.seed,
      'weights': f'{config.measure.weights}, last',
    }

  def evaluate(config, step):
    reals = _reals(of_data(config), config.measure.pictures)

    def measured(state, numbers, record):
      drawn = record['samples']
      if reals.ndim == 2:
        picture = _scatter(drawn, reals)
      else:
        picture = pictures.grid(images.scale(drawn[:36]))
      values, how = _MODES.take(
        record['modes'],
        {'samples': config.measure.samples, 'within': config.measure.within},
        config.measure.seed,
      )
      return Found(values, {'modes': how}, picture)

    return measured

  def subject(config):
    return task.of_problem(config, of_data(config))

  return Kind(
    name='modes',
    config=functools.partial(fields.changed, config),
    subject=subject,
    training=_trainings(subject),
    settings=settings,
    evaluate=evaluate,
    columns=measures.columns([_MODES]),
    number=lambda config: config.measure.samples,
  )


def problem(config):
  """The `mode_task.Problem` of a protocol, with a bar while it is prepared."""
  with extractors.progress('classifier of the modes', 'step') as report:
    return mode_task.problem(config, files.folder(), report)


def _reals(problem, number):
  key = jax.random.key(0)
  tables = problem.tables(key, problem.data)
  return np.asarray(problem.batch(tables, key, 0, number, problem.data))


def _trainings(subject):
  watched = _once(
    lambda config: functools.cache(
      lambda evaluations: task.watched(
        subject(config).training(config, evaluations)
      )
    )
  )
  return lambda config, evaluations: watched(config)(evaluations)


def _once(function):
  """The function of a config, called once for what is equal in sections."""
  made = {}

  def once(config, *sections):
    values = json.loads(config.to_json())
    key = json.dumps(
      [values[section] for section in sections or values], sort_keys=True
    )
    if key not in made:
      made[key] = function(config)
    return made[key]

  return once


def _scatter(samples, reals, side=200):
  """A picture `[side, side, 3]` of points in the plane, over paler reals."""
  picture = np.full((side, side, 3), 255, np.uint8)
  middle = (reals.min(0) + reals.max(0)) / 2
  reach = 0.65 * (reals.max(0) - reals.min(0)).max()
  for points, colour in ((reals, (205, 205, 205)), (samples, (31, 90, 160))):
    places = np.floor((np.asarray(points) - middle) / reach * side / 2)
    places = places[np.isfinite(places).all(1)].astype(int) + side // 2
    places = places[((places >= 1) & (places < side - 1)).all(1)]
    for column, row in ((0, 0), (1, 0), (0, 1), (1, 1)):
      picture[side - 1 - places[:, 1] + row, places[:, 0] + column] = colour
  return picture
