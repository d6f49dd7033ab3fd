"""The results of a sweep, finished or not: its settings and their runs."""

import math
import pathlib
from typing import NamedTuple

import numpy as np

from ganjax import files
from ganjax.reports.columns import direction, title

STATES = ('done', 'diverged', 'unfinished', 'cut short', 'not begun')
"""The state of a run. A search cuts runs short; a sweep may go on with them."""


class Run(NamedTuple):
  """The run of a setting with one seed.

  Attributes:
    setting: the number of the setting.
    seed: of the run.
    rows: what was measured, a dict for each evaluation, in their order.
    state: one of `STATES`.
  """

  setting: int
  seed: int
  rows: list
  state: str


class Setting(NamedTuple):
  """A setting: a value of each factor.

  Attributes:
    number: of the setting, from 0; of the trial, in a search.
    changes: to the config, by field.
    values: of all factors, those of the config where the setting
      does not change them; hashable.
    runs: one for each seed.
  """

  number: int
  changes: dict
  values: dict
  runs: list


class SweepResults(NamedTuple):
  """The results of a sweep.

  Attributes:
    about: the values of `sweep.json`.
    names: from the fields that settings change to short names.
    settings: a list of `Setting`.
    titles: from the values that were measured to their titles, the objective
      first.
    objective: the value that settings are compared by.
    direction: of the objective, 'minimize' or 'maximize'; None where nothing
      says which, so that settings are not ranked.
    compared: the values that are compared in main effects: the objective and
      those with a direction.
    provenance: of each program, its hardware and versions.
    columns: of the values that were measured, as `reports.columns` has them.
  """

  about: dict
  names: dict
  settings: list
  titles: dict
  objective: str
  direction: str | None
  compared: list
  provenance: list
  columns: dict

  @property
  def runs(self):
    """All runs, a list."""
    return [run for setting in self.settings for run in setting.runs]

  @property
  def searched(self):
    """Whether a search chose the settings, one after another."""
    return not self.about.get('settings')


def read(folder):
  """Returns the `SweepResults` of a folder.

  Args:
    folder: the workdir of a sweep.

  Raises:
    FileNotFoundError: if there is no sweep, or nothing was measured yet.
    FormatError: if another ganjax wrote it.
    ValueError: if a file of it is damaged, or leads out of the folder.
  """
  folder = pathlib.Path(folder)
  if not (folder / 'sweep.json').exists():
    raise FileNotFoundError(
      f'{folder} holds no sweep.json, so no sweep was started there; give the '
      'workdir of a sweep.'
    )
  about = files.read_inside(folder, 'sweep.json')
  made = [
    files.read_inside(folder, path.relative_to(folder))
    for path in sorted(folder.glob('programs/*/evaluation.json'))
  ]
  rows = [row for own in made for row in own['measures']]
  if not rows:
    raise FileNotFoundError(
      f'{folder} holds nothing measured yet; run the sweep until its first '
      'evaluation, without --report.'
    )
  columns = about.get('columns', {})
  for own in made:
    columns = columns | own.get('columns', {})
  titles, objective = _titles(about, rows, columns)
  settings = _settings(about, rows)
  return SweepResults(
    about,
    _short({field: None for setting in settings for field in setting.values}),
    settings,
    titles,
    objective,
    about.get('direction') or direction(objective, columns),
    [
      name
      for name in titles
      if name == objective or direction(name, columns) is not None
    ],
    made,
    columns,
  )


def reached(setting):
  """Returns the newest evaluation of the runs of a setting, 0 without any."""
  return max(
    (run.rows[-1]['evaluation'] for run in setting.runs if run.rows), default=0
  )


def values(setting, measure, evaluation):
  """Returns a measure of the runs of a setting at an evaluation, `[S]`.

  NaN stands for runs without a value.
  """
  return np.array(
    [
      next(
        (
          _number(row.get(measure))
          for row in run.rows
          if row['evaluation'] == evaluation
        ),
        math.nan,
      )
      for run in setting.runs
    ]
  )


def final(setting, measure):
  """Returns a measure of a setting's runs at its newest evaluation, `[S]`."""
  return values(setting, measure, reached(setting))


def diverged_after(run):
  """Returns the step after which a run diverged, or None."""
  steps = (row.get('diverged') for row in run.rows)
  return next((step for step in steps if step is not None), None)


def ranked(sweep):
  """Returns the settings that can be compared, the best first.

  Those are the settings of which all runs are done and have the objective;
  where there is no such setting, those with at least one such run. The list is
  empty where the objective has no direction.
  """
  if sweep.direction is None:
    return []
  sign = 1 if sweep.direction == 'minimize' else -1
  # A setting without a run that ended was measured earlier in its training.
  measured = [
    (setting, final(setting, sweep.objective))
    for setting in sweep.settings
    if any(run.state == 'done' for run in setting.runs)
  ]
  partly = [pair for pair in measured if np.isfinite(pair[1]).any()]
  fully = [pair for pair in partly if np.isfinite(pair[1]).all()]
  pairs = sorted(fully or partly, key=lambda pair: sign * np.nanmean(pair[1]))
  return [setting for setting, _ in pairs]


def words(value):
  """Returns the value of a factor in words."""
  if isinstance(value, float):
    return f'{value:.4g}'
  return 'none' if value is None else f'{value}'


def factors(sweep):
  """Returns the factors: tuples of the fields that change together."""
  columns = {}
  for field in sweep.names:
    column = [setting.values[field] for setting in sweep.settings]
    places = list(dict.fromkeys(column))
    if len(places) > 1:
      pattern = tuple(places.index(value) for value in column)
      columns.setdefault(pattern, []).append(field)
  return list(map(tuple, columns.values()))


def factor_name(sweep, fields):
  """Returns the name of a factor: of its fields, joined by plus signs."""
  return ' + '.join(sweep.names[field] for field in fields)


def label(sweep, setting):
  """Returns the label of a setting: its number, and the factors' values."""
  varied = [fields[0] for fields in factors(sweep)]
  chosen = [words(setting.values[field]) for field in varied]
  return ': '.join([f'{setting.number}', *[', '.join(chosen)] * bool(chosen)])


def _titles(about, rows, columns):
  """Returns the titles of the values that were measured, and the objective."""
  measured = [
    name
    for name in columns
    if any(isinstance(row.get(name), int | float) for row in rows)
  ]
  objective = about.get('objective') or next(iter(measured), 'fid')
  features = {row.get('settings', {}).get('features') for row in rows}
  names = dict.fromkeys([objective, *measured])
  return {name: title(name, columns, *features) for name in names}, objective


def _settings(about, rows):
  listed = about.get('settings')
  changes = dict(enumerate(listed)) if listed else {}
  if not listed:
    changes = {row['setting']: row['changes'] for row in rows}
  fields = dict.fromkeys(field for own in changes.values() for field in own)
  config, by_run = files.flat(about.get('config', {})), {}
  for row in rows:
    # A row that comes later was measured later.
    own = by_run.setdefault((row['setting'], row['seed']), {})
    own[row['evaluation']] = row
  settings = []
  for number, own in sorted(changes.items()):
    values = {
      field: _hashable(own.get(field, config.get(field))) for field in fields
    }
    runs = []
    for seed in about['seeds']:
      evaluations = by_run.get((number, seed), {})
      ordered = [evaluations[evaluation] for evaluation in sorted(evaluations)]
      state = _state(ordered, 'unfinished' if listed else 'cut short')
      runs.append(Run(number, seed, ordered, state))
    settings.append(Setting(number, own, values, runs))
  return settings


def _state(rows, begun):
  if not rows:
    return 'not begun'
  if any(row.get('diverged') is not None for row in rows):
    return 'diverged'
  return 'done' if rows[-1]['evaluation'] == rows[-1]['of'] else begun


def _short(fields):
  """Returns a short name of each field: at least its last two parts."""
  names = {}
  for field in fields:
    parts = field.split('.')
    for first in range(len(parts) - 1, -1, -1):
      name = '.'.join(parts[first:])
      alone = sum(f'.{other}'.endswith(f'.{name}') for other in fields) == 1
      if alone and len(parts) - first >= min(2, len(parts)):
        break
    names[field] = name
  return names


def _number(value):
  return math.nan if value is None else float(value)


def _hashable(value):
  return tuple(map(_hashable, value)) if isinstance(value, list) else value
