"""Tables of measures over seeds: files that other programs read."""

import csv
import json
import math
import pathlib
import re

import numpy as np
import pytest

from ganjax.reports import tables
from ganjax.reports.tables import Column

NAN = math.nan
COLUMNS = (
  Column('captured', 'modes', '.1f'),
  Column('quality', 'high quality %', '.1f', 100),
  Column('divergence', 'reverse KL'),
)
ROWS = [
  {
    'label': 'GAN',
    'values': {
      'captured': np.array([6, 5, 7, 6, 6]),
      'quality': [0.5, 0.25, 0.75, 0.5, 0.5],
      'divergence': [0.4, NAN, 0.6, 0.5, 0.5],
    },
    'published': {
      'captured': {
        'value': 6.3,
        'spread': 0.5,
        'kind': 'standard error',
        'number': 10,
      },
      'quality': {
        'value': 98.2,
        'spread': 0.2,
        'kind': 'standard error',
        'number': 10,
      },
      'divergence': {'value': 0.45},
    },
    'source': 'somewhere, table 1',
    'note': 'cut to 25 % of its length',
  },
  {'label': 'a_b | c & d', 'values': {'captured': [8], 'divergence': [NAN]}},
]


def cells(line):
  """The cells of a line of GitHub's tables, whose own bars are escaped."""
  return [cell.strip() for cell in re.split(r'(?<!\\)\|', line)[1:-1]]


@pytest.mark.parametrize('part', ['values', 'published'])
def test_measures_that_no_column_shows_are_refused(part):
  row = {'label': 'GAN', 'values': {}, part: {'mode': []}}
  with pytest.raises(ValueError, match="'GAN' has 'mode', but the columns are"):
    tables.text([row], COLUMNS)


def test_markdown_has_a_cell_for_each_value(tmp_path):
  tables.write(tmp_path, ROWS, COLUMNS, ['A perfect sampler has 0.0014.'])
  lines = (tmp_path / 'table.md').read_text().splitlines()
  assert cells(lines[0]) == [
    'remedy',
    'modes',
    'high quality %',
    'reverse KL',
    'published modes',
    'published high quality %',
    'published reverse KL',
    'agrees',
    'source',
    'note',
  ]
  assert cells(lines[2]) == [
    'GAN',
    '6.0 ± 0.7',
    '50.0 ± 17.7',
    '0.50 ± 0.08 (4 of 5)',
    '6.3 ± 0.5 se',
    '98.2 ± 0.2 se',
    '0.45',
    'no: high quality % -70.1 to -26.3; yes: modes -1.6 to +1.0; '
    'not judged, undefined for 1 of 5 seeds: reverse KL -0.08 to +0.18 '
    '(one-sample)',
    'somewhere, table 1',
    'cut to 25 % of its length',
  ]
  assert cells(lines[3]) == [
    *(r'a_b \| c & d', '8.0', '', 'undefined'),
    *[''] * 6,
  ]
  assert '- Mean ± standard deviation; seeds: 1 to 5.' in lines
  assert lines[-1] == '- A perfect sampler has 0.0014.'


def test_latex_is_escaped_and_rectangular(tmp_path):
  tables.write(tmp_path, ROWS, COLUMNS)
  latex = (tmp_path / 'table.tex').read_text()
  lines = [line for line in latex.splitlines() if not line.startswith('%')]
  assert [line for line in lines if line.startswith('\\')] == [
    r'\begin{tabular}{lrrrrrrlll}',
    *(r'\toprule', r'\midrule', r'\bottomrule', r'\end{tabular}'),
  ]
  body = [line for line in lines if line.endswith(r'\\')]
  assert [len(re.findall(r'(?<!\\)&', line)) for line in body] == [9, 9, 9]
  assert r'a\_b | c \& d' in body[2]
  assert r'6.0 $\pm$ 0.7' in body[1]
  assert all(line.isascii() for line in lines)
  # An unescaped per cent sign would hide the rest of its line.
  assert not any(re.search(r'(?<!\\)%', line) for line in lines)


def test_json_is_strict_and_whole(tmp_path):
  def refuse(constant):
    raise AssertionError(f'{constant} is no JSON')

  tables.write(tmp_path, ROWS, COLUMNS, ['A note.'])
  whole = json.loads(
    (tmp_path / 'table.json').read_text(), parse_constant=refuse
  )
  assert [Column(**column) for column in whole['columns']] == list(COLUMNS)
  first, second = whole['rows']
  assert first['values'] == {
    'captured': [6, 5, 7, 6, 6],
    'quality': [0.5, 0.25, 0.75, 0.5, 0.5],
    'divergence': [0.4, None, 0.6, 0.5, 0.5],
  }
  assert first['published']['captured'] == ROWS[0]['published']['captured']
  assert first['summary']['quality']['mean'] == pytest.approx(50)
  assert first['agreement']['quality']['agrees'] is False
  assert second['summary']['captured']['std'] is None
  assert whole['notes'][-1] == 'A note.'


def test_csv_has_numbers_only(tmp_path):
  tables.write(tmp_path, ROWS, COLUMNS)
  with (tmp_path / 'table.csv').open(newline='') as file:
    first, second = csv.DictReader(file)
  assert float(first['quality_mean']) == pytest.approx(50)
  assert float(first['captured_error']) == pytest.approx(10**-0.5)
  assert first['captured_published'] == '6.3'
  assert first['captured_published_error'] == '0.5'
  assert (first['quality_agrees'], first['divergence_agrees']) == ('False', '')
  assert (first['quality_test'], first['divergence_test']) == (
    'Welch',
    'one-sample',
  )
  assert float(first['quality_difference_high']) == pytest.approx(
    -26.3, abs=0.1
  )
  assert (second['remedy'], second['captured_std']) == ('a_b | c & d', '')


def test_words_stand_after_the_numbers(tmp_path):
  told, silent = {'verdict': 'cycles', 'agrees': 'yes'}, {'verdict': 'rests'}
  rows = [
    {'label': 'a', 'values': {'captured': [1]}, 'words': told, 'note': 'short'},
    {'label': 'b', 'values': {'captured': [2]}, 'words': silent},
  ]
  tables.write(tmp_path, rows, COLUMNS[:1])
  lines = (tmp_path / 'table.md').read_text().splitlines()
  assert [cells(line) for line in (lines[0], *lines[2:4])] == [
    ['remedy', 'modes', 'verdict', 'agrees', 'note'],
    ['a', '1.0', 'cycles', 'yes', 'short'],
    ['b', '2.0', 'rests', '', ''],
  ]
  assert lines[-1] == '- One seed each.'
  with (tmp_path / 'table.csv').open(newline='') as file:
    found = [(line['verdict'], line['agrees']) for line in csv.DictReader(file)]
  assert found == [('cycles', 'yes'), ('rests', '')]


def test_the_terminal_shows_published_values_only_where_there_are_some():
  assert 'published' in tables.text(ROWS, COLUMNS)
  alone = tables.text(ROWS[1:], COLUMNS)
  assert alone.splitlines()[0].split() == [
    *('remedy', 'modes', 'high', 'quality', '%', 'reverse', 'KL')
  ]
  assert 'greement' not in alone


def test_a_table_without_rows_is_only_its_head(tmp_path):
  tables.write(tmp_path, [], COLUMNS)
  assert json.loads((tmp_path / 'table.json').read_text())['rows'] == []
  assert 'modes' in tables.text([], COLUMNS)


def test_a_write_that_fails_leaves_the_old_table(tmp_path, monkeypatch):
  tables.write(tmp_path, ROWS, COLUMNS)
  before = (tmp_path / 'table.json').read_text()

  def fill_the_disk(path, content, **anything):
    path.write_bytes(content[:5].encode())
    raise OSError('no space left')

  monkeypatch.setattr(pathlib.Path, 'write_text', fill_the_disk)
  with pytest.raises(OSError, match='no space'):
    tables.write(tmp_path, ROWS[:1], COLUMNS)
  assert (tmp_path / 'table.json').read_text() == before
