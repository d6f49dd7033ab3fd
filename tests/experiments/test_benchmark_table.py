"""The table of the benchmark, of a row that is made by hand."""

import numpy as np

from experiments.benchmark import table
from ganjax.reports.figures import bars

LIMIT = {'product': 100e9, 'copy': 10e9}


def test_the_table_has_spreads_the_strongest_peer_and_the_limit():
  row = {
    'case': 'DCGAN',
    'seconds': {'ganjax': [0.1, 0.3, 0.2], 'torch': [0.5], 'tuned': [0.25]},
    'times_the_speed_of': {'torch': 2.5, 'tuned': 1.25},
    'flops': 4e9,
    'failed': {'compiled': 'RuntimeError: no compiler'},
    'bytes': {'ganjax': {'before': 2**20, 'peak': 5 * 2**20}},
    'batch': 64,
    'unit': 'images',
  }
  moved = {
    'case': 'input',
    'seconds': {'ganjax': [0.5]},
    'times_the_speed_of': {},
    'moved': 1e9,
  }
  text = table.markdown([row, moved, {'case': 'style, descent'}], LIMIT)
  own, *others = (line for line in text.splitlines() if 'DCGAN' in line)
  # 4 GFLOP in .2 s are a fifth of 100 GFLOP/s.
  words = [word.strip() for word in own.strip('|').split('|')]
  assert words == [
    *('DCGAN', 'ganjax', '200', 'step', '100', '300', '320 images', ''),
    *('20', '20.0%', '5', '4'),
  ]
  # 1 GB in .5 s is a fifth of 10 GB/s.
  assert '20.0%' in next(own for own in text.splitlines() if 'input' in own)
  assert '1.25' in others[1]
  assert (
    'DCGAN: ganjax is 1.25 times as fast as the strongest peer, tuned' in text
  )
  assert 'compiled: it failed: RuntimeError: no compiler' in text
  assert 'descent' not in text


def test_the_table_lies_beside_the_file_of_the_rows(tmp_path):
  for name, beside in (
    ('a.json', 'a.md'),
    ('b.md', 'b.table.md'),
    ('c.png', 'c.table.md'),
  ):
    assert table.write(tmp_path / name, [], LIMIT) == tmp_path / beside
    assert 'times the first' in (tmp_path / beside).read_text()


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
