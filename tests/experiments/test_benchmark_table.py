"""The table of the benchmark, of a row that is made by hand."""

import numpy as np

from experiments.benchmark import table
from ganjax.reports.figures import bars


def test_the_table_has_spreads_the_strongest_peer_and_the_limit():
  row = {
    'case': 'DCGAN',
    'seconds': {'ganjax': [0.1, 0.3, 0.2], 'torch': [0.5], 'tuned': [0.25]},
    'times_the_speed_of': {'torch': 2.5, 'tuned': 1.25},
    'flops': 4e9,
    'failed': {'compiled': 'RuntimeError: no compiler'},
  }
  text = table.markdown([row, {'case': 'style, descent'}], 100e9)
  own, *others = (line for line in text.splitlines() if 'DCGAN' in line)
  # 4 GFLOP in .2 s are a fifth of 100 GFLOP/s.
  words = [word.strip() for word in own.strip('|').split('|')]
  assert words == ['DCGAN', 'ganjax', '200', '100', '300', '', '20', '20%']
  assert '1.25' in others[1]
  assert '1.25 times as fast as the strongest peer, tuned' in text
  assert 'compiled: it failed: RuntimeError: no compiler' in text
  assert 'descent' not in text


def test_the_table_lies_beside_the_file_of_the_rows(tmp_path):
  for name, beside in (
    ('a.json', 'a.md'),
    ('b.md', 'b.table.md'),
    ('c.png', 'c.table.md'),
  ):
    assert table.write(tmp_path / name, [], 1e9) == tmp_path / beside
    assert 'a step' in (tmp_path / beside).read_text()


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
