"""The distance from a style against closed forms and scipy's assignments."""

import itertools
import json
import re

import numpy as np
import pytest
import scipy.optimize
from PIL import Image

from ganjax.reports import style_pairs
from ganjax.style import distribution

RANDOM = np.random.default_rng(0)
STYLE = {
  'fine': RANDOM.uniform(0, 1, (8, 6, 5)),
  'coarse': RANDOM.uniform(0, 3, (4, 3, 7)),
}


def changed(change):
  return {layer: change(features) for layer, features in STYLE.items()}


def by_assignment(own, other):
  """The squared distance by the best of all matchings, points repeated."""
  number = np.lcm(len(own), len(other))
  own, other = (np.repeat(x, number // len(x)) for x in (own, other))
  costs = (own[:, None] - other) ** 2
  return costs[scipy.optimize.linear_sum_assignment(costs)].mean()


@pytest.mark.parametrize('sizes', [(6, 6), (4, 6), (7, 5), (1, 9)])
def test_on_a_line_it_is_the_best_matching(sizes):
  own, other = (RANDOM.standard_normal((3, size)) for size in sizes)
  expected = [by_assignment(*rows) for rows in zip(own, other, strict=True)]
  np.testing.assert_allclose(distribution.on_a_line(own, other), expected)


def test_many_numbers_of_unlike_counts_are_told_apart_exactly():
  # A half are 1, and two thirds: a sixth of the mass moves by 1.
  own = np.repeat([0.0, 1.0], [3000, 3000])[None]
  other = np.repeat([0.0, 1.0], [1000, 2000])[None]
  np.testing.assert_allclose(distribution.on_a_line(own, other), [1 / 6])


def test_places_and_repetition_do_not_matter():
  def shuffled(features):
    rows = RANDOM.permutation(features.reshape(-1, features.shape[-1]))
    return np.concatenate([rows, rows])[None]

  found = distribution.distance(changed(shuffled), STYLE)
  assert list(found.layers) == ['fine', 'coarse']
  assert found.mean < 1e-12


@pytest.mark.parametrize('factor', [0.0, 0.5, 1.0, 3.0])
def test_features_of_another_length_are_its_square_away(factor):
  found = distribution.distance(changed(lambda x: factor * x), STYLE)
  expected = dict.fromkeys(STYLE, (factor - 1) ** 2)
  assert found.layers == pytest.approx(expected)
  assert found.mean == pytest.approx((factor - 1) ** 2)


def test_a_shift_is_its_square_by_the_styles_mean_square():
  shift = {
    layer: RANDOM.standard_normal(x.shape[-1]) for layer, x in STYLE.items()
  }
  own = {layer: x + shift[layer] for layer, x in STYLE.items()}
  found = distribution.distance(own, STYLE, directions=20_000)
  for layer, x in STYLE.items():
    expected = (shift[layer] ** 2).sum() / (x**2).sum(-1).mean()
    # Both squares are a C-th of theirs on the mean over directions.
    assert found.layers[layer] == pytest.approx(expected, rel=0.1)


def test_it_knows_no_scale_of_features():
  own = changed(lambda x: x[::2] ** 2)
  before = distribution.distance(own, STYLE)
  scaled = ({n: 50 * x for n, x in each.items()} for each in (own, STYLE))
  assert distribution.distance(*scaled).layers == pytest.approx(before.layers)


def test_it_sees_what_means_and_covariances_do_not():
  # Two values or three, of mean 0 and variance 1 alike.
  two = np.array([-1, 1, -1, 1, -1, 1, -1, 1.0]).reshape(2, 4, 1)
  three = np.array([-2, 0, 0, 0, 0, 0, 0, 2.0]).reshape(2, 4, 1)
  assert two.mean() == three.mean() and two.var() == three.var()
  found = distribution.distance({'layer': two}, {'layer': three})
  # Each of the eight moves by 1.
  assert found.mean == pytest.approx(1)


def test_black_is_no_division_by_zero():
  black = changed(np.zeros_like)
  assert distribution.distance(black, black).mean == 0


def test_features_of_another_network_are_refused():
  fewer = changed(lambda x: x[..., 1:])
  with pytest.raises(ValueError, match=r"'fine': 4.*'fine': 5.*one network"):
    distribution.distance(fewer, STYLE)
  with pytest.raises(ValueError, match='at least one'):
    distribution.distance({}, {})


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


def test_pairs_are_painted_once_and_stand_beside_both_floors(compare, tmp_path):
  code, out, err = compare()
  assert code == 0, err
  made = sorted((tmp_path / 'pairs').glob('*/*.png'))
  rows = 'colours', 'content', 'default', 'default+content.weight=0.5'
  assert [(path.parent.name, path.stem) for path in made] == [
    (row, pair) for row in rows for pair in ('a--c', 'b--c')
  ]
  table = (tmp_path / 'pairs' / 'table.md').read_text()
  assert table in out
  assert "2 contents, 1 styles, 48 pixels, 1% of the recipes' steps." in table
  # Neither the layers of content and style, nor the seed that is optimised.
  assert 'relu1_2, relu2_2, relu3_2, relu4_2.' in table
  assert 'untrained (seed 1)' in table
  values = json.loads((tmp_path / 'pairs' / 'table.json').read_text())['values']
  assert tuple(sorted(values)) == rows
  # But for the bytes of the file.
  assert values['content']['ms_ssim'] == pytest.approx([1, 1], abs=1e-3)
  assert values['content']['held_out_closed'] == [0, 0]
  with Image.open(tmp_path / 'pairs' / 'sheet.png') as sheet:
    assert sheet.size[1] == 5 * 160

  times = [path.stat().st_mtime_ns for path in made]
  code, again, err = compare()
  assert code == 0, err
  assert [path.stat().st_mtime_ns for path in made] == times
  assert again.split('\n- ')[0].endswith(table.split('\n- ')[0])

  code, _, err = compare('--length=.02')
  assert code == 1
  assert 'was made otherwise' in err


@pytest.mark.parametrize(
  ('flag', 'words'),
  [
    ('--presets=default+content.wight=1', 'no preset .*wight'),
    ('--presets=slow', "'slow'"),
    ('--style=nowhere.png', 'no file nowhere.png'),
  ],
)
def test_what_cannot_be_compared_is_said(compare, flag, words):
  code, _, err = compare(flag)
  assert code == 1
  assert re.search(words, err), err


def test_neighbours_on_the_sheet_share_neither_content_nor_style():
  pairs = style_pairs.varied('abc', 'vwxyz')
  assert len(set(pairs)) == len(pairs) == 15
  for first, second in itertools.pairwise(pairs[:3]):
    assert first[0] != second[0] and first[1] != second[1]


def test_nothing_is_closed_by_the_content_and_all_by_the_style():
  assert style_pairs.closed([3, 0, 1], [3, 2, 4]) == [0, 100, 75]


def test_the_table_has_means_and_standard_errors():
  names = 'held_out', 'other', 'held_out_closed', 'other_closed', 'ms_ssim'
  found = dict.fromkeys((*names, 'seconds'), [1.0, 3.0])
  words = style_pairs.table({'fast': found}, ['So it was.'])
  # The deviation of 1 and 3 is the root of 2, and of their mean 1.
  assert '| fast | 2.0000 ± 1.0000 | 2.0 ± 1.0 |' in words
  assert words.endswith('\n- So it was.\n')
