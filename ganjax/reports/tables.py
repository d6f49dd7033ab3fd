"""Tables of measures over seeds, with published values beside them.

A row is a dict. It has a `label`, such as the name of a remedy, and `values`,
from the key of a measure to a list with one value for each seed; it may have

  published: from keys to what was published: a dict as in
    `statistics.agreement`, in the units of the column.
  words: from a title to words in a column of that title, after the numbers.
  source: of the published values.
  note: what distinguishes the row, such as a shortened run.
"""

import json
import math
import pathlib
from typing import NamedTuple

import numpy as np

from ganjax import files
from ganjax.reports import render
from ganjax.reports.statistics import (
  FEWEST,
  SPREADS,
  agreement,
  published_error,
  summary,
)

_WORDS = ('source', 'note')
_TERMINAL = 28  # characters across, of a column of words on a terminal


class Column(NamedTuple):
  """How a measure is written.

  Attributes:
    key: of the measure, in the rows.
    title: over the column.
    format: of its numbers, such as '.1f'.
    factor: from the measure to the column's units, such as 100 for percent.
  """

  key: str
  title: str
  format: str = '.2f'
  factor: float = 1.0


def text(rows, columns, notes=(), title='remedy'):
  """Returns the table for a terminal, and below it how it is to be read.

  Args:
    rows: dicts, as above.
    columns: `Column`s, in order; those of published values follow by
      themselves.
    notes: sentences.
    title: over the labels.

  Raises:
    ValueError: if a row has a measure without a column, or as
      `statistics.agreement`.
  """
  table = _table(_with_statistics(rows, columns), columns, notes, title)
  return render.text(table, _TERMINAL)


def write(folder, rows, columns, notes=(), title='remedy'):
  """Writes `table.json`, `table.csv`, `table.tex` and `table.md`.

  The JSON file has everything: the rows as they are given and, in the units of
  the columns, `summary` and `agreement` of each measure; null stands for what
  is not finite. The CSV file has a line for each row and plain numbers. The
  LaTeX file needs booktabs.

  Args:
    folder: an existing one.
    rows: dicts, as above.
    columns: `Column`s, in order.
    notes: sentences.
    title: over the labels.

  Raises:
    ValueError: as `text`.
  """
  rows = _with_statistics(rows, columns)
  table = _table(rows, columns, notes, title)
  whole = {
    'columns': [column._asdict() for column in columns],
    'rows': rows,
    'notes': table.notes,
  }
  contents = {
    'json': json.dumps(render.finite(whole), indent=2, allow_nan=False) + '\n',
    'csv': render.csv([_flat(row, rows, columns, title) for row in rows]),
    'tex': render.latex(table),
    'md': render.markdown(table),
  }
  for ending, content in contents.items():
    files.write(pathlib.Path(folder) / f'table.{ending}', content)


def mean_and_deviation(summary, write, of=None):
  """Returns a `statistics.summary` in words: `mean ± deviation (k of n)`.

  Args:
    summary: which.
    write: `number -> words`.
    of: the number of seeds, n, which is written where the measure is defined
      for k of them only; that of the summary, if None.
  """
  of = summary['number'] + summary['missing'] if of is None else of
  if not summary['number']:
    return 'undefined' if of else ''
  words = write(summary['mean'])
  if summary['number'] > 1:
    words += f' ± {write(summary["std"])}'
  if summary['number'] < of:
    words += f' ({summary["number"]} of {of})'
  return words


def _with_statistics(rows, columns):
  """Returns the rows, each with its summaries and agreements by key."""
  keys = [column.key for column in columns]
  judged = []
  for row in rows:
    published = row.get('published') or {}
    for key in (*row['values'], *published):
      if key not in keys:
        raise ValueError(
          f'the row {row["label"]!r} has {key!r}, but the columns are '
          f'{", ".join(keys)}: add a column for it'
        )
    summaries = {
      key: summary(factor * np.asarray(row['values'].get(key, ()), float))
      for key, _, _, factor in columns
    }
    agreements = {
      key: agreement(summaries[key], value) for key, value in published.items()
    }
    judged.append(
      {
        **row,
        'published': published,
        'words': row.get('words') or {},
        'summary': summaries,
        'agreement': agreements,
      }
    )
  return judged


def _compared(rows, columns):
  """Returns the columns for which a row has a published value."""
  return [c for c in columns if any(c.key in row['published'] for row in rows)]


def _titles(rows):
  """Returns the titles of the rows' words, in order."""
  return list(dict.fromkeys(title for row in rows for title in row['words']))


def _table(rows, columns, notes, title):
  """Returns the `render.Table` of rows with their statistics."""
  compared, words = _compared(rows, columns), _titles(rows)
  others = [key for key in _WORDS if any(row.get(key) for row in rows)]
  titles = [
    title,
    *(column.title for column in columns),
    *(f'published\n{column.title}' for column in compared),
    *(['agrees'] if compared else []),
    *words,
    *others,
  ]
  lines = [
    [
      row['label'],
      *(_ours(row['summary'][c.key], c.format) for c in columns),
      *(_theirs(row['published'].get(c.key)) for c in compared),
      *([_verdict(row['agreement'], columns)] if compared else []),
      *(row['words'].get(word, '') for word in words),
      *(row.get(key) or '' for key in others),
    ]
    for row in rows
  ]
  numbers = frozenset(range(1, 1 + len(columns) + len(compared)))
  return render.Table(titles, lines, numbers, _legend(rows, notes))


def _ours(summary, form):
  return mean_and_deviation(summary, lambda value: format(value, form))


def _theirs(published):
  if published is None:
    return ''
  words = f'{published["value"]:g}'
  if published.get('spread') is not None:
    words += f' ± {published["spread"]:g} {SPREADS[published["kind"]]}'
  return words


def _verdict(agreements, columns):
  """Returns the agreements of a row in words, with the differences."""
  told = {}
  for key, title, form, _ in columns:
    if not (found := agreements.get(key)):
      continue
    if math.isfinite(found['low']):
      title += f' {found["low"]:+{form}} to {found["high"]:+{form}}'
    if found['test'] == 'one-sample':
      title += ' (one-sample)'
    verdict = {True: 'yes', False: 'no', None: found['reason']}
    told.setdefault(verdict[found['agrees']], []).append(title)
  # What disagrees comes first.
  order = sorted(told, key=lambda verdict: (verdict != 'no', verdict != 'yes'))
  return '; '.join(
    f'{verdict}: {", ".join(told[verdict])}' for verdict in order
  )


def _legend(rows, notes):
  """Returns how the table is to be read, sentences."""
  summaries = [found for row in rows for found in row['summary'].values()]
  # Of a row, what most of its measures have: a time may be one for all seeds.
  seeds = {
    max(
      (f['number'] + f['missing'] for f in row['summary'].values()), default=0
    )
    for row in rows
  } - {0}
  lines = []
  if seeds == {1}:
    lines.append('One seed each.')
  elif seeds:
    span = ' to '.join(map(str, sorted({min(seeds), max(seeds)})))
    lines.append(f'Mean ± standard deviation; seeds: {span}.')
  if any(found['missing'] for found in summaries):
    lines.append(
      '(k of S): the mean is over the k seeds of S for which the measure is '
      'defined, and leaves out the others.'
    )
  if any(row['published'] for row in rows):
    lines += [
      'Published: as printed, ± standard error (se) or deviation (sd).',
      'Agrees: ours less theirs, its 95 % interval by the t-test of Welch, or '
      'by that of one sample where the published value has no error. The '
      f'means agree if 0 is in it; below {FEWEST} seeds that is not judged.',
    ]
  return [*lines, *notes]


def _flat(row, rows, columns, title):
  """Returns a row as a dict of plain numbers and words."""
  line = {title: row['label']}
  for column in columns:
    for name, value in row['summary'][column.key].items():
      line[f'{column.key}_{name}'] = value
  for key in (column.key for column in _compared(rows, columns)):
    published, found = row['published'].get(key), row['agreement'].get(key)
    line |= {
      f'{key}_published': published and published['value'],
      f'{key}_published_error': published and published_error(published),
      **{
        f'{key}_{name}': found and found[own]
        for name, own in (
          ('ratio', 'ratio'),
          ('freedom', 'freedom'),
          ('difference_low', 'low'),
          ('difference_high', 'high'),
          ('test', 'test'),
        )
      },
      f'{key}_agrees': found and found['agrees'],
    }
  line |= {word: row['words'].get(word) for word in _titles(rows)}
  return line | {key: row.get(key) for key in _WORDS}
