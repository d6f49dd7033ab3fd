r"""Draws a measure against the images seen, for groups of runs.

  python -m experiments.curve --output runs/curve \
    --group 'msg=runs/msg-*' --group progressive=runs/pg-0,runs/pg-1

A group's runs differ in their seeds: the line is their mean, the band their
standard deviation. It reads what `evaluate --checkpoints all` wrote.
"""

import glob
import json
import pathlib

import numpy as np
from absl import flags
from tqdm import tqdm

from ganjax import launch
from ganjax.lookup import choose
from ganjax.reports import columns, tables
from ganjax.reports.figures import curves, drawing
from ganjax.training import provenance

_GROUP = flags.DEFINE_multi_string(
  'group', None, 'NAME=WORKDIR,WORKDIR: runs of several seeds; may be repeated.'
)
_METRIC = flags.DEFINE_string(
  'metric',
  'fid',
  'The value to draw, such as fid or precision. A value that is measured at '
  'several resolutions has a panel for each of them.',
)
_WEIGHTS = flags.DEFINE_enum(
  'weights', 'ema', ['ema', 'raw'], 'Whose samples were measured.'
)
_SCALE = flags.DEFINE_enum(
  'scale', 'linear', ['linear', 'log'], 'Of the vertical axis.'
)
_OUTPUT = flags.DEFINE_string(
  'output', None, 'Folder; what is written lies in one of the metric therein.'
)
flags.mark_flags_as_required(['group', 'output'])


def main():
  """Writes the figure and the table."""
  groups = dict(_parsed(group) for group in _GROUP.value)
  files, described = {}, {}
  for place in dict.fromkeys(sum(groups.values(), [])):
    path = place / 'evaluation.json'
    written = json.loads(path.read_text()) if path.exists() else {}
    files[place] = written.get('measures', [])
    described |= written.get('columns', {})
  if described:
    choose('measured value', described, _METRIC.value)
  own = {'measure': _METRIC.value, 'on_features': True}
  column = described.get(_METRIC.value, own)
  found = {place: _moments(rows, column) for place, rows in files.items()}
  way = _agreed(found, column)
  lines = {
    name: _together(name, [found[place] for place in places], column)
    for name, places in groups.items()
  }
  folder = pathlib.Path(_OUTPUT.value) / _METRIC.value
  folder.mkdir(parents=True, exist_ok=True)
  said = '; '.join(
    f'{name.replace("_", " ")}: {value}' for name, value in way.items()
  )
  titles = list(dict.fromkeys(t for _, own in lines.values() for t in own))
  by_title = {
    title: {
      name: (moments, values[title])
      for name, (moments, values) in lines.items()
      if title in values
    }
    for title in titles
  }
  label = columns.title(_METRIC.value, described, way.get('features'))
  _tabulate(folder, lines, label, titles, f'{said}.')
  figure = curves.against_images(
    by_title, label, _references(files, way, column), _SCALE.value, f'{said}.'
  )
  for ending in ('png', 'pdf'):
    drawing.save(figure, folder / f'curve.{ending}')
  tqdm.write(
    f'In {folder}: curve.png and .pdf; table.json, .csv, .tex and .md.'
  )
  return 0


def _parsed(group):
  """The name of a group and the workdirs of its runs."""
  name, _, listed = group.partition('=')
  places = []
  for part in filter(None, listed.split(',')):
    matches = sorted(glob.glob(part)) or [part]
    places += [pathlib.Path(match) for match in matches]
  if not name or not places:
    raise ValueError(
      f'--group is {group!r}; give a name and the workdirs of its runs, such '
      'as msg=runs/msg-0,runs/msg-1.'
    )
  return name, places


def _moments(rows, column):
  """The rows of samples that have the metric, measured as the last of them."""
  rows = [
    row
    for row in rows
    if row.get('subject') == f'samples ({_WEIGHTS.value})'
    and column['measure'] in row.get('how', ())
  ]
  return [row for row in rows if _way(row, column) == _way(rows[-1], column)]


def _way(row, column):
  """All that has to be the same for two values to be compared."""
  way = {**row['settings'], **row['how'][column['measure']]}
  if not column['on_features']:
    del way['features']
  return way


def _agreed(found, column):
  """How all runs were measured, the same for all of them."""
  if lacking := [place for place, rows in found.items() if not rows]:
    raise ValueError(
      f'{", ".join(map(str, lacking))}: no {_METRIC.value} of '
      f'{_WEIGHTS.value} samples was measured there; for each of them, run '
      f'python -m experiments.evaluate --workdir {lacking[0]} --checkpoints '
      f'all --metrics {column["measure"]} --weights {_WEIGHTS.value}'
    )
  (first, rows), *others = found.items()
  way = _way(rows[0], column)
  for place, rows in others:
    other = _way(rows[0], column)
    if differing := [name for name in way if way[name] != other[name]]:
      name = differing[0]
      raise ValueError(
        f'{first} and {place} were measured in different ways and cannot be '
        f'compared ({name}: {way[name]} there, {other[name]} here); run '
        'evaluate on both with the same flags.'
      )
  return way


def _together(name, runs, column):
  """The moments `[T]` that all runs have, and values `[S, T]` by title."""
  by_moment = [{_moment(row, column): row for row in rows} for rows in runs]
  moments = sorted(set.intersection(*map(set, by_moment)))
  if not moments:
    raise ValueError(
      f'The runs of {name!r} have no moment in common; train them with the '
      'same checkpoint.every and checkpoint.keep.'
    )
  if left_out := len(set.union(*map(set, by_moment))) - len(moments):
    tqdm.write(f'{name}: {left_out} moments that not all runs have, left out.')
  values = [[_values(run[moment]) for moment in moments] for run in by_moment]
  titles = values[0][0]
  return [shown for shown, _ in moments], {
    title: np.array([[one[title] for one in run] for run in values])
    for title in titles
  }


def _moment(row, column):
  """The images seen, and those since when a change is counted, 0 for others.

  A run that was stopped has a checkpoint more: a change since then is smaller.
  """
  return row['images_seen'], row.get(f'{column["measure"]}_since', 0)


def _values(row):
  """The metric by the title of its panel: one for each resolution it has."""
  value = row[_METRIC.value]
  if not isinstance(value, dict):
    return {'': value}
  return {f'{side} pixels': part for side, part in value.items()}


def _references(files, way, column):
  """What held-out reals have, measured as the samples; nothing where not."""
  for rows in files.values():
    for row in rows:
      if (
        row.get('subject', '').startswith('reals')
        and _METRIC.value in row
        and _way(row, column) == way
      ):
        return _values(row)
  return {}


def _tabulate(folder, lines, label, titles, note):
  shown = [
    tables.Column(title, ' '.join(filter(None, (label, title))), '.3g')
    for title in titles
  ]
  rows = [
    {
      'label': f'{name}, {moment:,} images',
      'values': {title: values[title][:, at] for title in values},
    }
    for name, (moments, values) in lines.items()
    for at, moment in enumerate(moments)
  ]
  notes = (note, provenance.in_words())
  tables.write(folder, rows, shown, notes, title='group')
  print(tables.text(rows, shown, notes, title='group'))


if __name__ == '__main__':
  launch.run(main)
