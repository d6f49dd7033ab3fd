"""Groups of runs of several seeds: a value over training, from their folders.

It reads what `evaluate --checkpoint=all` has written into each folder.
"""

import pathlib
from typing import NamedTuple

import numpy as np

from ganjax import files
from ganjax.lookup import choose
from ganjax.reports import columns, run_results


class Group(NamedTuple):
  """A value of S runs over training.

  Attributes:
    images: seen at T evaluations that all the runs have.
    values: `[S, T]`, by the title of a panel: '' for a number, '16 pixels' for
      each of several resolutions.
    left_out: how many evaluations not all the runs have.
  """

  images: list
  values: dict
  left_out: int


class Comparison(NamedTuple):
  """A value of groups of runs.

  Attributes:
    title: of the value.
    settings: how it was measured, the same for all runs: a dict of words.
    groups: from a name to a `Group`.
    references: the value of held-out reals, measured in the same way, by the
      title of a panel; empty where they were not measured.
    unlike: why there are none, though held-out reals were measured, a sentence;
      '' else.
  """

  title: str
  settings: dict
  groups: dict
  references: dict
  unlike: str

  @property
  def note(self):
    """How the value was measured, as a sentence."""
    words = (
      f'{name.replace("_", " ")}: {value}'
      for name, value in self.settings.items()
    )
    return ' '.join(filter(None, ['; '.join(words) + '.', self.unlike]))


def read(groups, metric, weights):
  """Returns the `Comparison` of groups of runs.

  Args:
    groups: from a name to a list of the folders of its runs.
    metric: the name of the value.
    weights: whose samples were measured, such as 'ema' or 'raw'.

  Raises:
    ValueError: if there is no such value, if it was not measured in a folder or
      not in the same way everywhere, or if the runs of a group have no
      evaluation in common.
  """
  rows_of, described = {}, {}
  for folder in dict.fromkeys(sum(groups.values(), [])):
    path = pathlib.Path(folder)
    written = {}
    if (path / 'evaluation.json').exists():
      written = files.read_inside(path, 'evaluation.json')
    rows_of[folder] = written.get('measures', [])
    described |= written.get('columns', {})
  if described:
    choose('measured value', described, metric)
  column = {'measure': metric, 'on_features': True} | described.get(metric, {})
  runs = {
    folder: _evaluations(rows, metric, weights, column)
    for folder, rows in rows_of.items()
  }
  settings = _agreed(runs, metric, weights, column)
  return Comparison(
    columns.title(metric, described, settings.get('features')),
    settings,
    {
      name: _group(name, [runs[folder] for folder in folders], metric, column)
      for name, folders in groups.items()
    },
    *_references(rows_of, settings, metric, column),
  )


def seconds(folders, images):
  """Returns the seconds that runs trained until they had seen images, `[T]`.

  They are what the runs logged, compiling included and evaluations not, and the
  mean over the runs.

  Args:
    folders: of the runs of a group.
    images: seen, `[T]`.
  """
  runs = [run_results.read(folder) for folder in folders]
  return np.mean([run.trained(np.asarray(images)) for run in runs], axis=0)


def _evaluations(rows, metric, weights, column):
  """Returns the rows of samples with the metric, measured as the last one."""
  rows = [
    row
    for row in rows
    if row.get('subject') == f'samples ({weights})'
    and not row.get('class')
    and column['measure'] in row.get('how', ())
    and metric in row
  ]
  return [
    row for row in rows if _settings(row, column) == _settings(rows[-1], column)
  ]


def _settings(row, column):
  """Returns all that has to be the same for two values to be compared."""
  settings = {**row['settings'], **row['how'][column['measure']]}
  if not column['on_features']:
    del settings['features']
  return settings


def _agreed(runs, metric, weights, column):
  """Returns how all runs were measured, the same for all of them."""
  if lacking := [folder for folder, rows in runs.items() if not rows]:
    raise ValueError(
      f'{", ".join(map(str, lacking))}: no {metric} of {weights} samples was '
      'measured there; for each of them, run python -m experiments.evaluate '
      f'--workdir {lacking[0]} --checkpoint all --metrics '
      f'{column["measure"]} --weights {weights}'
    )
  (first, rows), *others = runs.items()
  settings = _settings(rows[0], column)
  for folder, rows in others:
    other = _settings(rows[0], column)
    for name in settings:
      if settings[name] != other[name]:
        raise ValueError(
          f'{first} and {folder} were measured in different ways and cannot be '
          f'compared ({name}: {settings[name]} there, {other[name]} here); run '
          'evaluate on both with the same flags.'
        )
  return settings


def _group(name, runs, metric, column):
  """Returns the `Group` of the rows of its runs."""
  since = f'{column["measure"]}_since'
  # A run that was stopped has a checkpoint more, and a change since then is
  # smaller: what is compared with an earlier checkpoint has to say with which.
  by_moment = [
    {(row['images_seen'], row.get(since, 0)): row for row in rows}
    for rows in runs
  ]
  moments = sorted(set.intersection(*map(set, by_moment)))
  if not moments:
    raise ValueError(
      f'The runs of {name!r} have no evaluation in common; train them with the '
      'same checkpoint.every and checkpoint.keep.'
    )
  values = [
    [_by_panel(run[moment][metric]) for moment in moments] for run in by_moment
  ]
  return Group(
    [images for images, _ in moments],
    {
      title: np.array([[one[title] for one in run] for run in values])
      for title in values[0][0]
    },
    len(set.union(*map(set, by_moment))) - len(moments),
  )


def _by_panel(value):
  """Returns values by the titles of panels: one for each resolution."""
  if not isinstance(value, dict):
    return {'': value}
  return {f'{side} pixels': part for side, part in value.items()}


def _references(files, settings, metric, column):
  """Returns the values of held-out reals that were measured as the samples.

  Beside them it returns why there are none, a sentence, where such reals were
  measured in other ways, such as at another number of images.
  """
  unlike = ''
  for row in (row for rows in files.values() for row in rows):
    if (
      row.get('subject', '').startswith('reals')
      and not row.get('class')
      and metric in row
    ):
      own = _settings(row, column)
      if own == settings:
        return _by_panel(row[metric]), ''
      differing = ', '.join(
        f'{name} {own.get(name)}, not {settings.get(name)}'
        for name in {**own, **settings}
        if own.get(name) != settings.get(name)
      )
      unlike = (
        'The held-out reals have no line, for they were measured in another '
        f'way ({differing}).'
      )
  return {}, unlike
