"""Tables of remedies: each measure over seeds, beside what was published.

A row is a plain dict. It has a `label`, the remedy's name, and `values`, from a
measure's key to a list with one value for each seed; it may have

  published: from some of the keys to a dict of `value`, `spread` (what stands
    behind its +-), `kind` ('standard error' or 'deviation') and `number` (of
    trials), in the units of the column; `value` alone where no more is known.
  words: from a title to what stands under it, after the numbers.
  source: where the published values are from.
  note: what sets the row apart, such as a run cut short.
"""

import csv
import io
import json
import math
import pathlib
from typing import NamedTuple

import numpy as np
from tabulate import tabulate

from ganjax import files

_SHORT = {'standard error': 'se', 'deviation': 'sd'}
_TOLD = ('source', 'note')


class Column(NamedTuple):
  """How a measure is shown.

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


def summary(values):
  """The mean of values `[S]`, and how far to trust it: a dict.

  Args:
    values: one for each seed. Those that are not finite (a divergence where
      nothing counts) are left out, and counted.

  Returns:
    `mean`; `std`, the standard deviation with S - 1; `error`, the standard
    error of the mean; `number`, of the values that are finite; `missing`, of
    the others. What too few values cannot tell is NaN.
  """
  values = np.asarray(values, float)
  finite = values[np.isfinite(values)]
  number = len(finite)
  std = float(finite.std(ddof=1)) if number > 1 else math.nan
  return {
    'mean': float(finite.mean()) if number else math.nan,
    'std': std,
    'error': std / math.sqrt(max(number, 1)),
    'number': number,
    'missing': len(values) - number,
  }


def agreement(ours, published):
  """Whether two means are within two standard errors of each other: a dict.

  Args:
    ours: a `summary`.
    published: a dict of `value`, `spread`, `kind` and `number`, as in a row,
      or None. A deviation is divided by the root of the number.

  Returns:
    None where nothing was published. Else `difference`, ours less theirs;
    `error`, the standard error of the difference; `ratio` of the two; `agrees`,
    True or False, or None where that cannot be judged; and `reason`, in words.

  Raises:
    ValueError: if there is a spread of another kind, or a deviation without
      its number.
  """
  if published is None:
    return None
  theirs = _published_error(published)
  error = math.hypot(ours['error'], theirs)
  difference = ours['mean'] - published['value']
  if math.isclose(ours['mean'], published['value']):
    # Where nothing spreads, rounding is no disagreement.
    difference = 0.0
  if error:
    ratio = difference / error
  else:
    ratio = math.copysign(math.inf, difference) if difference else 0.0
  agrees = None
  if ours['missing']:
    seeds = ours['number'] + ours['missing']
    reason = f'undefined for {ours["missing"]} of {seeds} seeds'
  elif ours['number'] < 2:
    reason = 'one seed only' if ours['number'] else 'not measured'
  elif math.isnan(theirs):
    reason = 'published without an error'
  else:
    agrees = abs(ratio) <= 2
    reason = f'{ratio:+.1f} standard errors'
  return {
    'difference': difference,
    'error': error,
    'ratio': ratio,
    'agrees': agrees,
    'reason': reason,
  }


def text(rows, columns, notes=(), title='remedy'):
  """The table for a terminal, and below it how it is to be read.

  Args:
    rows: dicts, as above.
    columns: `Column`s, in order; those of published values follow by
      themselves.
    notes: sentences.
    title: over the labels.

  Raises:
    ValueError: if a row has a measure that no column shows, or as `agreement`.
  """
  rows = _judged(rows, columns)
  legend = '\n'.join(_legend(rows, notes))
  return f'{_set(rows, columns, "simple", title)}\n\n{legend}\n'


def write(folder, rows, columns, notes=(), title='remedy'):
  """Writes `table.json`, `table.csv`, `table.tex` and `table.md`.

  The JSON has all: the rows as they are given and, in the units of the columns,
  `summary` and `agreement` of each measure; what is no number is null. The CSV
  has a line for each row and plain numbers. The LaTeX needs booktabs. A reader
  never meets half a file.

  Args:
    folder: an existing one.
    rows: dicts, as above.
    columns: `Column`s, in order.
    notes: sentences.
    title: over the labels.

  Raises:
    ValueError: if a row has a measure that no column shows, or as `agreement`.
  """
  rows = _judged(rows, columns)
  legend = _legend(rows, notes)
  whole = {
    'columns': [column._asdict() for column in columns],
    'rows': rows,
    'notes': legend,
  }
  latex = _set(rows, columns, 'latex_booktabs', title).replace('±', r'$\pm$')
  contents = {
    'json': json.dumps(_strict(whole), indent=2, allow_nan=False),
    'csv': _flat(rows, columns, title),
    'tex': '\n'.join([*(f'% {line}' for line in legend), latex]),
    'md': '\n'.join(
      [
        _set(rows, columns, 'github', title),
        '',
        *(f'- {line}' for line in legend),
      ]
    ),
  }
  for ending, content in contents.items():
    path = pathlib.Path(folder) / f'table.{ending}'
    files.write(path, f'{content}\n')


def _published_error(published):
  """The standard error of a published value, NaN where it has none."""
  spread, kind = published.get('spread'), published.get('kind')
  if spread is None:
    return math.nan
  if kind not in _SHORT:
    raise ValueError(
      f'a published spread is of kind {kind!r}, but must be one of '
      f'{", ".join(map(repr, _SHORT))}: look up which in its source'
    )
  if kind == 'standard error':
    return spread
  if not published.get('number'):
    raise ValueError(
      f'a published deviation of {spread} comes without the number of trials '
      'that makes it a standard error: add `number`, or leave out `spread`'
    )
  return spread / math.sqrt(published['number'])


def _judged(rows, columns):
  """The rows, each with its summaries and agreements by key."""
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
  """The columns for which some row has a published value."""
  return [c for c in columns if any(c.key in row['published'] for row in rows)]


def _titles(rows):
  """Over the words of the rows, in order."""
  return list(dict.fromkeys(title for row in rows for title in row['words']))


def _set(rows, columns, style, title):
  """The table as `tabulate` sets it in one of its styles."""
  # A terminal is narrow: there, and only there, cells may have several lines.
  gap, width = ('\n', 28) if style == 'simple' else (' ', None)
  compared, words = _compared(rows, columns), _titles(rows)
  told = [key for key in _TOLD if any(row.get(key) for row in rows)]
  lines = [
    [
      title,
      *(column.title for column in columns),
      *(f'published{gap}{column.title}' for column in compared),
      *(['agrees'] if compared else []),
      *words,
      *told,
    ]
  ]
  for row in rows:
    lines.append(
      [
        row['label'],
        *(_ours(row['summary'][c.key], c.format) for c in columns),
        *(_theirs(row['published'].get(c.key)) for c in compared),
        *([_verdict(row['agreement'], columns)] if compared else []),
        *(row['words'].get(word, '') for word in words),
        *(row.get(key) or '' for key in told),
      ]
    )
  if style == 'github':
    lines = [[cell.replace('|', r'\|') for cell in line] for line in lines]
  numbers = len(columns) + len(compared)
  rest = len(lines[0]) - numbers - 1
  return tabulate(
    lines[1:],
    lines[0],
    style,
    disable_numparse=True,
    colalign=['left', *['right'] * numbers, *['left'] * rest],
    maxcolwidths=[*[None] * (1 + numbers), *[width] * rest],
  )


def _ours(summary, form):
  if not summary['number']:
    return 'undefined' if summary['missing'] else ''
  words = format(summary['mean'], form)
  if summary['number'] > 1:
    words += f' ± {summary["std"]:{form}}'
  if summary['missing']:
    seeds = summary['number'] + summary['missing']
    words += f' ({summary["number"]} of {seeds})'
  return words


def _theirs(published):
  if published is None:
    return ''
  words = f'{published["value"]:g}'
  if published.get('spread') is not None:
    words += f' ± {published["spread"]:g} {_SHORT[published["kind"]]}'
  return words


def _verdict(agreements, columns):
  """The agreements of a row in a few words."""
  titles = {column.key: column.title for column in columns}
  apart, unknown = [], {}
  for key, found in agreements.items():
    if found['agrees'] is None:
      unknown.setdefault(found['reason'], []).append(titles[key])
    elif not found['agrees']:
      apart.append(f'{titles[key]} {found["ratio"]:+.1f} se')
  words = []
  if apart:
    words.append(f'no: {", ".join(apart)}')
  elif sum(map(len, unknown.values())) < len(agreements):
    words.append('yes')
  for reason, which in unknown.items():
    which = '' if len(which) == len(agreements) else f'{", ".join(which)}: '
    words.append(f'not judged ({which}{reason})')
  return '; '.join(words)


def _legend(rows, notes):
  """How the table is to be read, a sentence a line."""
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
    lines.append('(k of S): the measure is defined for k seeds of S.')
  if any(row['published'] for row in rows):
    lines += [
      'Published: as printed, ± standard error (se) or deviation (sd).',
      'Agrees: the means are within 2 standard errors of the difference.',
    ]
  return [*lines, *notes]


def _flat(rows, columns, title):
  """The table as CSV: a line for each row, and for each number a column."""
  compared, words = _compared(rows, columns), _titles(rows)
  lines = []
  for row in rows:
    line = {title: row['label']}
    for key, *_ in columns:
      for name, value in row['summary'][key].items():
        line[f'{key}_{name}'] = value
    for key, *_ in compared:
      published, found = row['published'].get(key), row['agreement'].get(key)
      line |= {
        f'{key}_published': published and published['value'],
        f'{key}_published_error': published and _published_error(published),
        f'{key}_ratio': found and found['ratio'],
        f'{key}_agrees': found and found['agrees'],
      }
    line |= {word: row['words'].get(word) for word in words}
    lines.append(line | {key: row.get(key) for key in _TOLD})
  file = io.StringIO()
  writer = csv.writer(file, lineterminator='\n')
  writer.writerows([line.keys() for line in lines[:1]])
  writer.writerows(_strict(list(line.values())) for line in lines)
  return file.getvalue().rstrip('\n')


def _strict(value):
  """The value in what JSON has: lists for arrays, None for NaN and infinity."""
  if isinstance(value, dict):
    return {key: _strict(item) for key, item in value.items()}
  if isinstance(value, list | tuple):
    return [_strict(item) for item in value]
  if hasattr(value, 'tolist'):
    return _strict(value.tolist())
  if isinstance(value, float) and not math.isfinite(value):
    return None
  return value
