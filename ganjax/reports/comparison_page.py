"""A page on several training runs: what differs, and what came of it."""

import json
import pathlib
from typing import NamedTuple

import numpy as np

from ganjax import files
from ganjax.reports import columns, pages, run_page, run_results, statistics
from ganjax.reports.figures import curves

# Fields that say where a run is and what it writes, and not what it is.
_BESIDE = ('seed', 'log.', 'samples.', 'checkpoint.', 'mesh.', 'steps_together')


class Group(NamedTuple):
  """Runs that differ in their seeds.

  Attributes:
    name: of the folder, or of the first and how many there are.
    runs: a list of `run_results.RunResults`.
  """

  name: str
  runs: list


def write(path, workdirs):
  """Writes the page of several runs, which needs no other file.

  Runs whose configs differ in the seed, and in intervals of logs and files, are
  a group: its curves have a band, and its measures an interval.

  Args:
    path: of the page.
    workdirs: the folders of the runs, at least two.

  Raises:
    FileNotFoundError: if no run was started in one of them.
    ValueError: if there are fewer than two, or a file cannot be read.
  """
  if len(workdirs) < 2:
    raise ValueError(
      f'There are {len(workdirs)} runs to compare; give at least two.'
    )
  runs = [run_results.read(workdir) for workdir in workdirs]
  groups = _groups(runs)
  files.write(pathlib.Path(path), pages.render('comparison', _context(groups)))


def _context(groups):
  """Returns the values of the page, by the names that its template has."""
  figure = _figure(groups)
  return {
    'groups': groups,
    'number': sum(len(group.runs) for group in groups),
    'differences': _differences(groups),
    'figures': {'metrics': run_page.drawn(figure)} if figure else {},
    'samples': [(group, *_last_grid(group.runs[0])) for group in groups],
    **_measures(groups),
  }


def _groups(runs):
  """Returns the `Group`s of runs, in their order."""
  found = {}
  for run in runs:
    own = {
      name: value
      for name, value in files.flat(run.config).items()
      if not name.startswith(_BESIDE)
    }
    key = json.dumps([own, run.about.get('identity')], sort_keys=True)
    found.setdefault(key, []).append(run)
  names = [_name(own) for own in found.values()]
  if len(set(names)) < len(names):
    names = [f'{own[0].folder}' for own in found.values()]
  return [
    Group(name, own) for name, own in zip(names, found.values(), strict=True)
  ]


def _name(runs):
  first = runs[0].folder.resolve().name
  return first if len(runs) == 1 else f'{first} and {len(runs) - 1} more'


def _differences(groups):
  """Returns the fields that differ between groups, with a value of each."""
  flat = [files.flat(group.runs[0].config) for group in groups]
  for own, group in zip(flat, groups, strict=True):
    about = group.runs[0].about
    own['the data'] = f'{about.get("name")} ({about.get("identity")})'
  return {
    name: [json.dumps(own.get(name)) for own in flat]
    for name in dict.fromkeys(name for own in flat for name in own)
    if not name.startswith(_BESIDE)
    and len({json.dumps(own.get(name)) for own in flat}) > 1
  }


def _figure(groups):
  """Returns the figure of the metrics of groups; None if none were logged."""
  panels = {}
  for group in groups:
    for name in run_results.names(group.runs[0]):
      curve = run_results.curve(group.runs, name)
      if curve and np.isfinite(curve.mean).any():
        title = name.removeprefix('evaluation/').replace('_', ' ')
        panels.setdefault(title, {})[group.name] = curve
  return panels and curves.curves(panels, '', alike=False)


def _last_grid(run):
  """Returns the images seen and the picture of the last grid of samples."""
  for images, path in reversed(run.grids.items()):
    if source := pages.picture(run.folder, path, large=False):
      return images, source
  return 0, None


def _measures(groups):
  """Returns the table of what `evaluate` measured of the last samples.

  Only values with the same settings stand in one table, those of most runs; the
  others are counted.
  """
  rows = {
    run.folder: row
    for group in groups
    for run in group.runs
    if (row := _last_row(run))
  }
  settings = [
    json.dumps(row['settings'], sort_keys=True) for row in rows.values()
  ]
  common = max(settings, key=settings.count, default=None)
  alike = {
    folder: row
    for (folder, row), own in zip(rows.items(), settings, strict=True)
    if own == common
  }
  described = {}
  for group in groups:
    for run in group.runs:
      described |= run.measured[1]
  taken = [
    name
    for name in described
    if any(isinstance(row.get(name), float) for row in alike.values())
  ]
  features = json.loads(common)['features'] if common else ''
  return {
    'titles': [columns.title(name, described, features) for name in taken],
    'measured': [
      (
        group,
        [
          _in_words([alike.get(run.folder, {}).get(name) for run in group.runs])
          for name in taken
        ],
      )
      for group in groups
    ],
    'settings': json.loads(common) if common else {},
    'left_out': len(rows) - len(alike),
    'unmeasured': sum(len(group.runs) for group in groups) - len(rows),
  }


def _last_row(run):
  """Returns the row of the samples of the last step that was measured."""
  rows = [
    row
    for row in run.measured[0]
    if row.get('subject', '').startswith('samples')
    and 'first' not in row['subject']
    and not row.get('class')
  ]
  return max(rows, key=lambda row: row.get('step', 0), default=None)


def _in_words(values):
  """Returns a mean and its interval, in words; '' if there are no values.

  Args:
    values: numbers, and None for runs without one.
  """
  found = [value for value in values if value is not None]
  if not found:
    return ''
  own = statistics.summary(found)
  if len(found) == 1:
    return f'{own["mean"]:.4g}'
  return (
    f'{own["mean"]:.4g} ({own["low"]:.3g} to {own["high"]:.3g}, '
    f'{len(found)} seeds)'
  )
