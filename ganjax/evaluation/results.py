"""What was measured of a run: the rows of `evaluation.json` in its folder.

A row says what it is about (the subject, the step, how many), how everything
was measured (`settings`, and `how` by measure), and the values.
"""

import json
import pathlib

from ganjax import files
from ganjax.evaluation import measures
from ganjax.evaluation.titles import title
from ganjax.training import provenance


def read(path):
  """The rows of a file, dicts; none where there is no file."""
  path = pathlib.Path(path)
  return json.loads(path.read_text())['measures'] if path.exists() else []


def row(rows, about):
  """The row that is about just that; a new one, if there is none.

  Args:
    rows: dicts; a new one is added to them.
    about: a dict of JSON values.
  """
  for one in rows:
    # What has no `how` was written before rows said how they were measured.
    if 'how' in one and about == {name: one.get(name) for name in about}:
      return one
  rows.append({**about, 'how': {}})
  return rows[-1]


def write(path, rows):
  """Writes the rows, and what they were computed with and on."""
  files.write_json(path, {'measures': rows, **provenance.record()})


def text(rows, names):
  """The rows as a table, and below it how they were measured.

  Args:
    rows: dicts of the same `settings`, at least one.
    names: of measures.
  """
  columns = [column for name in names for column in measures.COLUMNS[name]]
  shown = ['subject', 'images_seen', 'number', *columns]
  seen = rows[0]['settings'].get('features')
  table = [
    _flat((title(name, seen), one.get(name)) for name in shown) for one in rows
  ]
  titles = list(dict.fromkeys(own for line in table for own in line))
  lines = [
    titles,
    *([_cell(line.get(own)) for own in titles] for line in table),
  ]
  widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
  drawn = [' | '.join(map(str.ljust, line, widths)).rstrip() for line in lines]
  said = [f'{name}: {value}.' for name, value in rows[0]['settings'].items()]
  return '\n'.join([*drawn, *said, *_how(rows, names)])


def _flat(values):
  """Values by title, of pairs: one of its own for each resolution."""
  flat = {}
  for name, value in values:
    if isinstance(value, dict):
      flat |= {f'{name} {side}': part for side, part in value.items()}
    elif value is not None:
      flat[name] = value
  return flat


def _cell(value):
  if value is None:
    return ''
  return f'{value:.4f}' if isinstance(value, float) else str(value)


def _how(rows, names):
  """What each measure was taken of, a sentence for each."""
  for name in names:
    said = [
      ', '.join(f'{what.replace("_", " ")} {n}' for what, n in how.items())
      for how in (one['how'].get(name) for one in rows)
      if how
    ]
    if said:
      yield f'{name}: {"; or ".join(dict.fromkeys(said))}.'
