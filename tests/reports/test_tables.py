"""Tables: statistics against scipy, and files that other programs read."""

import csv
import json
import math
import pathlib
import re

import numpy as np
import pytest
from scipy import stats

from ganjax.reports import tables
from ganjax.reports.tables import Column, agreement, summary

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
      'captured': np.array([6, 5, 7]),
      'quality': [0.5, 0.25, 0.75],
      'divergence': [0.4, NAN, 0.6],
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


def published(value, spread=None, kind='standard error', number=10):
  return {'value': value, 'spread': spread, 'kind': kind, 'number': number}


def cells(line):
  """The cells of a line of GitHub's tables, whose own bars are escaped."""
  return [cell.strip() for cell in re.split(r'(?<!\\)\|', line)[1:-1]]


def test_summary_is_that_of_scipy():
  values = np.random.default_rng(0).normal(3, 2, 7)
  found = summary(values)
  assert found['mean'] == pytest.approx(values.mean())
  assert found['std'] == pytest.approx(stats.tstd(values))
  assert found['error'] == pytest.approx(stats.sem(values))
  assert (found['number'], found['missing']) == (7, 0)


@pytest.mark.parametrize(
  ('values', 'mean', 'number', 'missing'),
  [([], NAN, 0, 0), ([3], 3, 1, 0), ([NAN, 3, math.inf], 3, 1, 2)],
)
def test_too_few_values_have_no_deviation(values, mean, number, missing):
  found = summary(values)
  assert found['mean'] == pytest.approx(mean, nan_ok=True)
  assert math.isnan(found['std'])
  assert math.isnan(found['error'])
  assert (found['number'], found['missing']) == (number, missing)


@pytest.mark.parametrize('kind', ['standard error', 'deviation'])
def test_ratio_is_the_statistic_of_welch(kind):
  ours, theirs = np.random.default_rng(0).normal(0, [[1], [3]], (2, 8))
  spread = {'standard error': stats.sem, 'deviation': stats.tstd}[kind](theirs)
  found = agreement(summary(ours), published(theirs.mean(), spread, kind, 8))
  welch = stats.ttest_ind(ours, theirs, equal_var=False)
  assert found['ratio'] == pytest.approx(welch.statistic)
  assert found['difference'] == pytest.approx(ours.mean() - theirs.mean())


@pytest.mark.parametrize(('value', 'agrees'), [(7.9, True), (8.1, False)])
def test_agreement_ends_at_two_standard_errors(value, agrees):
  # Means 4 and `value`, errors 1 and sqrt(3): two of the difference are 4.
  found = agreement(summary([3, 5]), published(value, math.sqrt(3)))
  assert found['error'] == pytest.approx(2)
  assert found['agrees'] is agrees
  assert found['reason'] == f'{(4 - value) / 2:+.1f} standard errors'


def test_values_without_spread_agree_only_when_equal():
  perfect = published(1000, 0)
  found = agreement(summary([1000, 1000]), perfect)
  assert (found['ratio'], found['agrees']) == (0, True)
  found = agreement(summary([999, 999]), perfect)
  assert (found['ratio'], found['agrees']) == (-math.inf, False)
  # 0.57 * 100 is not 57, and its mean over three seeds not itself.
  assert agreement(summary([0.57 * 100] * 3), published(57, 0))['agrees']


@pytest.mark.parametrize(
  ('values', 'theirs', 'reason'),
  [
    ([1, 2], published(1), 'published without an error'),
    ([1], published(1, 0.1), 'one seed only'),
    ([], published(1, 0.1), 'not measured'),
    ([1, 2, NAN], published(1, 0.1), 'undefined for 1 of 3 seeds'),
  ],
)
def test_what_cannot_be_judged_says_why(values, theirs, reason):
  found = agreement(summary(values), theirs)
  assert found['agrees'] is None
  assert found['reason'] == reason


def test_nothing_published_is_nothing_to_agree_with():
  assert agreement(summary([1, 2]), None) is None


def test_spreads_of_unknown_kind_or_number_are_refused():
  ours = summary([1, 2])
  with pytest.raises(ValueError, match="kind 'variance', but must be one of"):
    agreement(ours, published(1, 0.1, 'variance'))
  with pytest.raises(ValueError, match='deviation of 0.1 comes without'):
    agreement(ours, published(1, 0.1, 'deviation', None))


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
    '6.0 ± 1.0',
    '50.0 ± 25.0',
    '0.50 ± 0.14 (2 of 3)',
    '6.3 ± 0.5 se',
    '98.2 ± 0.2 se',
    '0.45',
    'no: high quality % -3.3 se; '
    'not judged (reverse KL: undefined for 1 of 3 seeds)',
    'somewhere, table 1',
    'cut to 25 % of its length',
  ]
  assert cells(lines[3]) == [
    *(r'a_b \| c & d', '8.0', '', 'undefined'),
    *[''] * 6,
  ]
  assert '- Mean ± standard deviation; seeds: 1 to 3.' in lines
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
  assert r'6.0 $\pm$ 1.0' in body[1]
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
    'captured': [6, 5, 7],
    'quality': [0.5, 0.25, 0.75],
    'divergence': [0.4, None, 0.6],
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
  assert float(first['captured_error']) == pytest.approx(3**-0.5)
  assert first['captured_published'] == '6.3'
  assert first['captured_published_error'] == '0.5'
  assert (first['quality_agrees'], first['divergence_agrees']) == ('False', '')
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
