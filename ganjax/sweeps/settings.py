"""The settings of a sweep: which there are, and the task of each."""

import json

from ganjax import files
from ganjax.config import datasets, runs
from ganjax.evaluation import extractors, measures
from ganjax.sweeps import (
  axes,
  fields,
  image_task,
  mode_problems,
  mode_task,
  plan,
)


def listed(config, grid, ranges, name):
  """Returns the settings that there are before anything is trained, dicts.

  Args:
    config: whose fields they change.
    grid: of `--grid`, a list of texts.
    ranges: of `axes.search`. A search has no settings yet: the one returned is
      an example, with each range at its upper end.
    name: of the config file, and after a colon what its `get_config` is given.
      Where there are neither factors nor ranges, its function `sweep(add)`
      proposes the settings; without one, the only setting is the config as it
      is.

  Raises:
    ValueError: if a factor or a setting makes no sense.
  """
  factors = axes.grid(config, grid)
  axes.check_apart(factors, ranges)
  if factors:
    return plan.cross(factors)
  if ranges:
    return [fields.example(ranges)]
  added = []
  fields.proposed(name)(added.append)
  return fields.checked(config, added) or [{}]


def tasks(
  config,
  evaluations=None,
  metrics=(),
  number=1000,
  which='auto',
  reals='',
):
  """Returns the function `changes -> Task` of the settings of a config.

  What settings have in common is made once: the data of equal sections, and the
  whole task of equal configs, so that what it compiles is compiled once.

  Args:
    config: of a training on images or of a protocol of mode collapse.
    evaluations: of each run; for a protocol None leaves it to the config.
    metrics: names of `measures.MEASURES`; for images only.
    number: of the samples that are measured; for images only.
    which: as in `extractors.extractor`; for images only.
    reals: the split that samples are compared with; '' for that of the
      training. For images only.

  Raises:
    ValueError: if there is no such metric, or nothing to sweep.
  """
  if 'protocol' in config:
    make = _of_protocol(config, evaluations)
  else:
    make = _of_images(evaluations, metrics, number, which, reals)
  return lambda changes: make(fields.changed(config, changes))


def _of_protocol(config, evaluations):
  if config.protocol == 'dirac':
    raise ValueError(
      'The protocol dirac is a proof on a line, with nothing to sweep; run '
      'experiments.mode_collapse.'
    )
  problems = once(problem, 'data', 'measure')
  return once(lambda own: mode_task.of(own, problems(own), evaluations))


def _of_images(evaluations, metrics, number, which, split):
  chosen = measures.chosen(metrics)
  for measure in chosen:
    if measure.needs == 'tracked':
      raise ValueError(
        f'The metric {measure.name} compares the checkpoints of a run, which a '
        'sweep does not save; run evaluate --checkpoint=all on a training.'
      )

  @lambda load: once(load, 'data', 'labels')
  def data(config):
    found = datasets.dataset(config)
    extractors.check(chosen, found, which, config.labels)
    return found

  @lambda load: once(load, 'data')
  def reals(config):
    own = config.copy_and_resolve_references()
    own.data.split = split or own.data.split
    compared = data(own)
    return compared, *extractors.reals(compared, chosen, which)

  return once(
    lambda own: image_task.of(
      _checked(own), data(own), evaluations, chosen, number, lambda: reals(own)
    )
  )


def _checked(config):
  """Returns a config of a training on images, which is checked before."""
  runs.check(config)
  return config


def problem(config):
  """Returns the `Problem` of a protocol; shows a bar while it trains for it."""
  title = 'Training the classifier that tells the modes'
  with extractors.progress(title, 'step') as report:
    return mode_problems.problem(config, files.folder(), report)


def once(function, *sections):
  """Returns the function of a config, called once for configs that are equal.

  Args:
    function: of a config.
    *sections: of the config that it depends on; all of them if none are given.
  """
  made = {}

  def call(config):
    values = json.loads(config.to_json())
    key = json.dumps(
      {name: values[name] for name in sections or values}, sort_keys=True
    )
    if key not in made:
      made[key] = function(config)
    return made[key]

  return call
