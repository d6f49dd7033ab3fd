"""The comparison of methods on pairs of pictures, and its table."""

import itertools
import json
import re

import numpy as np
import pytest
from PIL import Image

from ganjax.reports import style_pairs
from ganjax.style import comparison


@pytest.fixture
def compare(program, tmp_path):
  """`(*flags) -> code, out, err` of a comparison on 2 x 1 small pictures."""
  drawn = np.random.default_rng(0)
  folders = {}
  for kind, names in {'content': 'ab', 'style': 'c'}.items():
    folders[kind] = tmp_path / kind
    folders[kind].mkdir()
    for name in names:
      pixels = drawn.integers(0, 256, (40, 50, 3), np.uint8)
      Image.fromarray(pixels).save(folders[kind] / f'{name}.png')

  def run(*arguments):
    return program(
      'style_pairs',
      *(f'--{kind}={folder}' for kind, folder in folders.items()),
      f'--output={tmp_path / "pairs"}',
      '--presets=default,default+content.weight=0.5',
      '--features=random',
      '--size=48',
      '--length=.01',
      *arguments,
    )

  return run


def test_pairs_are_painted_once_and_stand_beside_both_baselines(
  compare, tmp_path
):
  code, out, err = compare()
  assert code == 0, err
  made = sorted((tmp_path / 'pairs').glob('*/*.png'))
  rows = 'colors', 'content', 'default', 'default+content.weight=0.5'
  assert [(path.parent.name, path.stem) for path in made] == [
    (row, pair) for row in rows for pair in ('a--c', 'b--c')
  ]
  table = (tmp_path / 'pairs' / 'table.md').read_text()
  assert table in out
  assert "2 contents, 1 styles, 48 pixels, 1% of the presets' steps." in table
  # Neither the layers of content and style, nor the seed that is optimised.
  assert 'relu1_2, relu2_2, relu3_2, relu4_2.' in table
  assert 'random filters (seed 1)' in table
  values = json.loads((tmp_path / 'pairs' / 'table.json').read_text())['values']
  assert tuple(sorted(values)) == rows
  # But for the bytes of the file.
  assert values['content']['ms_ssim'] == pytest.approx([1, 1], abs=1e-3)
  assert values['content']['held_out_layers_closed'] == [0, 0]
  with Image.open(tmp_path / 'pairs' / 'sheet.png') as sheet:
    assert sheet.size[1] == 5 * 160

  times = [path.stat().st_mtime_ns for path in made]
  code, again, err = compare()
  assert code == 0, err
  assert [path.stat().st_mtime_ns for path in made] == times
  assert again.split('\n- ')[0].endswith(table.split('\n- ')[0])

  code, _, err = compare('--length=.02')
  assert code == 1
  assert 'holds another comparison' in err
  assert 'config.steps.first: 2 there, 4 now' in err


@pytest.mark.parametrize(
  ('flag', 'words'),
  [
    (
      '--presets=default+content.wight=1',
      'cannot be changed by content.wight=1',
    ),
    ('--presets=slow', "'slow'"),
    ('--style=nowhere.png', 'no file nowhere.png'),
  ],
)
def test_what_cannot_be_compared_is_one_sentence(compare, flag, words):
  code, _, err = compare(flag)
  assert code == 1
  assert re.search(words, err), err


def test_neighbours_on_the_sheet_have_neither_content_nor_style_in_common():
  pairs = comparison.varied('abc', 'vwxyz')
  assert len(set(pairs)) == len(pairs) == 15
  for first, second in itertools.pairwise(pairs[:3]):
    assert first[0] != second[0] and first[1] != second[1]


def test_nothing_is_closed_by_the_content_and_all_by_the_style():
  assert style_pairs.closed([3, 0, 1], [3, 2, 4]) == [0, 100, 75]


def test_the_table_has_means_and_standard_errors():
  names = 'held_out_layers', 'held_out_network', 'ms_ssim'
  names += 'held_out_layers_closed', 'held_out_network_closed'
  found = dict.fromkeys((*names, 'seconds'), [1.0, 3.0])
  words = style_pairs.table({'fast': found}, ['So it was.'])
  # The deviation of 1 and 3 is the root of 2, and of their mean 1.
  row = re.search(r'\| fast +\| +(.*?) \| +(.*?) \|', words)
  assert row.groups() == ('2.0000 ± 1.0000', '2.0 ± 1.0')
  assert words.endswith('\n- So it was.\n')
  assert 'as if they were independent' in words


def test_a_pair_that_is_undefined_is_not_left_out_in_silence():
  names = 'held_out_layers', 'held_out_network', 'ms_ssim'
  names += 'held_out_layers_closed', 'held_out_network_closed'
  found = dict.fromkeys((*names, 'seconds'), [1.0, np.nan, 3.0])
  assert '2.0000 ± 1.0000 (2 of 3)' in style_pairs.table({'fast': found}, [])
