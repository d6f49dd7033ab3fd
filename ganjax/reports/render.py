"""A table of words in every format: terminal, Markdown, LaTeX, HTML and CSV.

Whatever a name may be, it shows as it is: each format has its own characters
escaped, and what steers a terminal in all of them, for the names in a folder of
results may be a stranger's.
"""

import csv as csv_
import io
import math
import re
from typing import NamedTuple

from tabulate import tabulate

from ganjax import paths

_LATEX = {
  '±': r'$\pm$',
  '×': r'$\times$',
  '−': '$-$',
  '–': '--',
  '…': r'\dots{}',
}


class Table(NamedTuple):
  """A table.

  Attributes:
    titles: of the columns. A line break in one is one on a terminal only.
    rows: lists of words, one for each column.
    numbers: which of the columns are aligned to the right, a set of indices.
    notes: sentences that say how the table is to be read.
  """

  titles: list
  rows: list
  numbers: frozenset = frozenset()
  notes: list = []


def text(table, width=None):
  """Returns a table for a terminal, and its notes below it.

  Args:
    table: a `Table`.
    width: of columns of words other than the first, at most; None for any.
  """
  limits = [
    None if column in {0, *table.numbers} else width
    for column in range(len(table.titles))
  ]
  drawn = _tabulate(table, 'simple', _printable, maxcolwidths=limits)
  return '\n'.join([drawn, '', *map(_printable, table.notes)]) + '\n'


def markdown(table):
  """Returns a table for GitHub, and its notes as a list."""
  drawn = _tabulate(table, 'pipe', _escape_markdown)
  notes = [f'- {_escape_markdown(note)}' for note in table.notes]
  return '\n'.join([drawn, '', *notes]) + '\n'


def latex(table):
  """Returns a table for LaTeX with the package booktabs, after its notes."""
  drawn = _tabulate(table, 'latex_booktabs', _one_line)
  for character, command in _LATEX.items():
    drawn = drawn.replace(character, command)
  notes = [f'% {_one_line(note)}' for note in table.notes]
  return '\n'.join([*notes, drawn]) + '\n'


def html(table):
  """Returns a `<table>` for a page; the notes are left to the page."""
  return _tabulate(table, 'html', _one_line)


def csv(lines):
  """Returns dicts as CSV: a column for each key that any of them has.

  Args:
    lines: dicts of numbers and words. What is not finite is left empty. Words
      that a spreadsheet would compute begin with an apostrophe.
  """
  file = io.StringIO()
  names = dict.fromkeys(name for line in lines for name in line)
  writer = csv_.writer(file, lineterminator='\n')
  writer.writerow(map(_no_formula, names))
  for line in map(finite, lines):
    writer.writerow([_no_formula(line.get(name)) for name in names])
  return file.getvalue()


def finite(value):
  """Returns a value as JSON has it: lists for arrays, None for NaN and inf."""
  if isinstance(value, dict):
    return {key: finite(item) for key, item in value.items()}
  if isinstance(value, list | tuple):
    return [finite(item) for item in value]
  if hasattr(value, 'tolist'):
    return finite(value.tolist())
  if isinstance(value, float) and not math.isfinite(value):
    return None
  return value


def _no_formula(value):
  formula = isinstance(value, str) and value.startswith(('=', '+', '-', '@'))
  value = f"'{value}" if formula else value
  return _one_line(value) if isinstance(value, str) else value


def _tabulate(table, style, escape, **options):
  rows = [[escape(f'{cell}') for cell in row] for row in table.rows]
  return tabulate(
    rows,
    [escape(title) for title in table.titles],
    style,
    disable_numparse=True,
    colalign=[
      'right' if column in table.numbers else 'left'
      for column in range(len(table.titles))
    ],
    **options,
  )


def _printable(words):
  """Returns words with their lines, in which nothing steers a terminal."""
  return '\n'.join(map(paths.printable, words.splitlines()))


def _one_line(words):
  return ' '.join(_printable(words).splitlines())


def _escape_markdown(words):
  words = re.sub(r'([\\|*`<\[\]~])', r'\\\1', _one_line(words))
  # Within a word, an underscore is one.
  return re.sub(r'(?<!\w)_|_(?!\w)', r'\\_', words)
