"""The distance from a style against closed forms and scipy's assignments."""

import numpy as np
import pytest
import scipy.optimize

from ganjax.style import sliced_wasserstein

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
def test_in_one_dimension_it_is_the_best_matching(sizes):
  own, other = (RANDOM.standard_normal((3, size)) for size in sizes)
  expected = [by_assignment(*rows) for rows in zip(own, other, strict=True)]
  np.testing.assert_allclose(
    sliced_wasserstein.one_dimensional(own, other), expected
  )


def test_many_numbers_of_unlike_counts_are_told_apart_exactly():
  # A half are 1, and two thirds: a sixth of the mass moves by 1.
  own = np.repeat([0.0, 1.0], [3000, 3000])[None]
  other = np.repeat([0.0, 1.0], [1000, 2000])[None]
  np.testing.assert_allclose(
    sliced_wasserstein.one_dimensional(own, other), [1 / 6]
  )


def test_places_and_repetition_do_not_matter():
  def shuffled(features):
    rows = RANDOM.permutation(features.reshape(-1, features.shape[-1]))
    return np.concatenate([rows, rows])[None]

  found = sliced_wasserstein.distance(changed(shuffled), STYLE)
  assert list(found.layers) == ['fine', 'coarse']
  assert found.mean < 1e-12


@pytest.mark.parametrize('factor', [0.0, 0.5, 1.0, 3.0])
def test_features_of_another_length_are_its_square_away(factor):
  found = sliced_wasserstein.distance(changed(lambda x: factor * x), STYLE)
  expected = dict.fromkeys(STYLE, (factor - 1) ** 2)
  assert found.layers == pytest.approx(expected)
  assert found.mean == pytest.approx((factor - 1) ** 2)


def test_a_shift_is_its_square_by_the_styles_mean_square():
  shift = {
    layer: RANDOM.standard_normal(x.shape[-1]) for layer, x in STYLE.items()
  }
  own = {layer: x + shift[layer] for layer, x in STYLE.items()}
  found = sliced_wasserstein.distance(own, STYLE, directions=20_000)
  for layer, x in STYLE.items():
    expected = (shift[layer] ** 2).sum() / (x**2).sum(-1).mean()
    # Both squares are a C-th of theirs on the mean over directions.
    assert found.layers[layer] == pytest.approx(expected, rel=0.1)


def test_it_knows_no_scale_of_features():
  own = changed(lambda x: x[::2] ** 2)
  before = sliced_wasserstein.distance(own, STYLE)
  scaled = ({n: 50 * x for n, x in each.items()} for each in (own, STYLE))
  assert sliced_wasserstein.distance(*scaled).layers == pytest.approx(
    before.layers
  )


def test_it_sees_what_means_and_covariances_do_not():
  # Two values or three, of mean 0 and variance 1 alike.
  two = np.array([-1, 1, -1, 1, -1, 1, -1, 1.0]).reshape(2, 4, 1)
  three = np.array([-2, 0, 0, 0, 0, 0, 0, 2.0]).reshape(2, 4, 1)
  assert two.mean() == three.mean() and two.var() == three.var()
  found = sliced_wasserstein.distance({'layer': two}, {'layer': three})
  # Each of the eight moves by 1.
  assert found.mean == pytest.approx(1)


def test_black_is_no_division_by_zero():
  black = changed(np.zeros_like)
  assert sliced_wasserstein.distance(black, black).mean == 0


def test_features_of_another_network_are_refused():
  fewer = changed(lambda x: x[..., 1:])
  with pytest.raises(ValueError, match=r"'fine': 4.*'fine': 5.*one network"):
    sliced_wasserstein.distance(fewer, STYLE)
  with pytest.raises(ValueError, match='at least one'):
    sliced_wasserstein.distance({}, {})
