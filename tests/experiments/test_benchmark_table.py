"""The tables of the benchmark, of rows that are made by hand."""

import numpy as np

from experiments.benchmark import comparison, readme, rounds, table
from ganjax.reports.figures import bars

SETTINGS = {'tiny': False, 'commit': 'abc', 'versions': {'jax': '1'}}
RATES = {'float32': 100e9, 'copy': 10e9}


def side(seconds, **about):
  about = {'examples': 64, 'flops': None} | about
  return about | rounds.summary(seconds, about)


FOUND = {
  'limits': {'sentence': 'Limits.', 'rates': RATES},
  'DCGAN': {
    'unit': 'images',
    'each': 'step',
    'sentence': 'Done.',
    'about': {'hardware': '1 x cpu'},
    'sides': {
      'ganjax': side(
        [0.1, 0.3, 0.2],
        flops=4e9,
        precision='float32',
        before={'compiled': 2.5},
        bytes={'before': 2**20, 'peak': 5 * 2**20},
      ),
      'torch': side([0.5]),
      'torch, tuned': side([0.25]),
      'torch, compiled': {'failed': 'RuntimeError: no compiler'},
    },
  },
  'input': {
    'unit': 'images',
    'each': 'batch',
    'sentence': 'Done.',
    'sides': {'ganjax, host': side([0.5], moved=1e9)},
  },
  'style': {'state': 'failed', 'sentence': 'It failed.'},
}


def words(text, beginning):
  """The cells of the lines of a table whose first ones are these."""
  lines = [
    [cell.strip() for cell in line.strip('|').split('|')]
    for line in text.splitlines()
  ]
  return [own for own in lines if own[: len(beginning)] == beginning]


def test_the_table_of_sides_has_spreads_rates_and_memory():
  text = table.markdown(FOUND, SETTINGS)
  # 4 GFLOP in .2 s are a fifth of 100 GFLOP/s.
  assert words(text, ['DCGAN', 'ganjax']) == [
    [
      *('DCGAN', 'ganjax', '200', 'step', '100', '300', '3', '320', 'images'),
      *('1', '20', '20.0%', '5', '4', '2.5'),
    ]
  ]
  # 1 GB in .5 s is a fifth of 10 GB/s.
  assert '20.0%' in words(text, ['input'])[0]
  assert words(text, ['DCGAN', 'torch, tuned'])[0][9] == '0.8'
  assert 'compiled: it failed: RuntimeError: no compiler' in text
  assert 'style: It failed.' in text
  assert '1 x cpu; jax 1; commit abc.' in text


def test_the_table_of_rows_has_the_best_of_ours_and_the_strongest_peer():
  text = readme.markdown(FOUND, SETTINGS)
  assert words(text, ['DCGAN']) == [
    [
      *('DCGAN', 'step', 'ganjax', '200', 'torch, tuned', '250', '1.25'),
      *('3', '20%'),
    ]
  ]
  assert words(text, ['input'])[0][4:] == ['', '', '', '1', '20%']
  assert words(text, ['style'])[0][2] == 'failed'
  assert 'limits' not in text
  assert comparison.sentence(FOUND['DCGAN']) == (
    'ganjax takes 200 ms a step, and the strongest peer, torch, tuned, 1.25 '
    'times as long (rounds: 3).'
  )


def test_bars_end_at_medians_and_lines_go_to_both_ends():
  cases = {
    'DCGAN': {'ganjax': [1, 2, 6], 'torch': [3]},
    'ring': {'ganjax': [5]},
  }
  figure = bars.spreads(cases, 'ms')
  first, second = figure.axes
  assert [bar.get_width() for bar in first.patches] == [2, 3]
  assert first.get_title(loc='left') == 'DCGAN'
  (lines,) = first.containers[0].lines[2]
  np.testing.assert_allclose(lines.get_segments()[0][:, 0], [1, 6])
  assert [bar.get_width() for bar in second.patches] == [5]
