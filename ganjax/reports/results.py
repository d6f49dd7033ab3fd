"""What a sweep found: the cells and runs of its folder, finished or not."""

import json
import math
import pathlib
from typing import NamedTuple

import numpy as np

from ganjax import files
from ganjax.reports.columns import direction, title

STATES = ('done', 'diverged', 'unfinished', 'cut short', 'not begun')
"""What became of a run; a search cuts short, and a sweep may go on."""


class Run(NamedTuple):
  """A cell trained with one seed.

  Attributes:
    cell: its number.
    seed: of the run.
    rows: what was measured, a dict an evaluation, in their order.
    state: one of `STATES`.
  """

  cell: int
  seed: int
  rows: list
  state: str


class Cell(NamedTuple):
  """A setting of all factors.

  Attributes:
    number: of the cell, from 0; of the trial, in a search.
    changes: to the config, by field.
    settings: the values of all factors, those of the config where the cell
      does not change them; hashable.
    runs: one for each seed.
  """

  number: int
  changes: dict
  settings: dict
  runs: list


class Outcome(NamedTuple):
  """What a sweep's folder holds.

  Attributes:
    about: `sweep.json`.
    names: from the fields that cells change to short names.
    cells: a list of `Cell`.
    titles: from the values that were measured to their titles, the objective
      first.
    objective: the value that cells are compared by.
    direction: of the objective, 'minimize' or 'maximize'; None where nothing
      says which, so that cells are not ranked.
    made: of each program, what it was computed with and on.
  """

  about: dict
  names: dict
  cells: list
  titles: dict
  objective: str
  direction: str
  made: list

  @property
  def runs(self):
    """All runs, a list."""
    return [run for cell in self.cells for run in cell.runs]

  @property
  def searched(self):
    """Whether a search chose the cells, one after another."""
    return not self.about.get('cells')


def read(folder):
  """The `Outcome` of a sweep's folder.

  Raises:
    FileNotFoundError: if there is no sweep, or nothing measured yet.
  """
  folder = pathlib.Path(folder)
  if not (folder / 'sweep.json').exists():
    raise FileNotFoundError(
      f'{folder} holds no sweep.json, so no sweep was started there; give the '
      'workdir of a sweep.'
    )
  about = files.read_json(folder / 'sweep.json')
  paths = sorted(folder.glob('programs/*/evaluation.json'))
  made = [json.loads(path.read_text()) for path in paths]
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
  cells = _cells(about, rows)
  return Outcome(
    about,
    _short({field: None for cell in cells for field in cell.settings}),
    cells,
    titles,
    objective,
    about.get('direction') or direction(objective, columns),
    made,
  )


def reached(cell):
  """The look at which a cell's runs are compared, 0 if there is none.

  It is the last where a run came to it, the newest there is where none did.
  """
  return max(
    (run.rows[-1]['evaluation'] for run in cell.runs if run.rows), default=0
  )


def values(cell, measure, evaluation):
  """Returns a measure of each run of a cell at an evaluation, `[S]`, or NaN."""
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
      for run in cell.runs
    ]
  )


def final(cell, measure):
  """A measure of each run of a cell at its `reached`, `[S]`."""
  return values(cell, measure, reached(cell))


def broken(run):
  """The step after which a run diverged, or None."""
  steps = (row.get('diverged') for row in run.rows)
  return next((step for step in steps if step is not None), None)


def ranked(found):
  """Cells that can be compared, the best first.

  Those of which all runs are done and have the objective; where there is none,
  those with at least one such run. None where the objective has no direction.
  """
  if found.direction is None:
    return []
  sign = 1 if found.direction == 'minimize' else -1
  # Those of cells without a run that ended are of another moment.
  measured = [
    (cell, final(cell, found.objective))
    for cell in found.cells
    if any(run.state == 'done' for run in cell.runs)
  ]
  some = [pair for pair in measured if np.isfinite(pair[1]).any()]
  whole = [pair for pair in some if np.isfinite(pair[1]).all()]
  some = sorted(whole or some, key=lambda pair: sign * np.nanmean(pair[1]))
  return [cell for cell, _ in some]


def words(value):
  """A factor's value, as one reads it."""
  if isinstance(value, float):
    return f'{value:.4g}'
  return 'none' if value is None else f'{value}'


def factors(found):
  """The fields that vary, a list of tuples of those that move together."""
  columns = {}
  for field in found.names:
    column = [cell.settings[field] for cell in found.cells]
    places = list(dict.fromkeys(column))
    if len(places) > 1:
      pattern = tuple(places.index(value) for value in column)
      columns.setdefault(pattern, []).append(field)
  return list(map(tuple, columns.values()))


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


def _cells(about, rows):
  listed = about.get('cells')
  changes = dict(enumerate(listed)) if listed else {}
  if not listed:
    changes = {row['cell']: row['changes'] for row in rows}
  fields = dict.fromkeys(field for own in changes.values() for field in own)
  config, by_run = files.flat(about.get('config', {})), {}
  for row in rows:
    # What was measured again is newer.
    by_run.setdefault((row['cell'], row['seed']), {})[row['evaluation']] = row
  cells = []
  for number, own in sorted(changes.items()):
    settings = {
      field: _hashable(own.get(field, config.get(field))) for field in fields
    }
    runs = []
    for seed in about['seeds']:
      evaluations = by_run.get((number, seed), {})
      ordered = [evaluations[evaluation] for evaluation in sorted(evaluations)]
      state = _state(ordered, 'unfinished' if listed else 'cut short')
      runs.append(Run(number, seed, ordered, state))
    cells.append(Cell(number, own, settings, runs))
  return cells


def _state(rows, begun):
  if not rows:
    return 'not begun'
  if any(row.get('diverged') is not None for row in rows):
    return 'diverged'
  return 'done' if rows[-1]['evaluation'] == rows[-1]['of'] else begun


def _short(fields):
  """From each field to its shortest ending of two parts that no other has."""
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
