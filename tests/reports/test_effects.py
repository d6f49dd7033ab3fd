"""Means over seeds and settings, their errors and intervals."""

import math

import numpy as np
import pytest
import scipy.stats

from ganjax.reports import effects


def _crossed(rng, losses, rates, seeds, noise=1.0):
  levels = np.repeat(losses, len(rates))
  others = np.tile(rates, len(losses))
  values = 3.0 * levels[:, None] + 10 * others[:, None]
  values = values + noise * rng.standard_normal((len(levels), seeds))
  return values, levels.tolist(), others.tolist()


def test_the_error_of_a_level_is_that_of_the_means_of_its_seeds():
  values, levels, others = _crossed(
    np.random.default_rng(0), [0, 1], [0, 1, 2], 5
  )
  found = effects.main_effect(values, levels, others)
  for level, own in zip(found, (values[:3], values[3:]), strict=True):
    blocks = own.mean(0)
    np.testing.assert_allclose(level.mean, blocks.mean())
    np.testing.assert_allclose(level.error, blocks.std(ddof=1) / np.sqrt(5))
    assert (level.settings, level.runs) == (3, 15)


def test_what_a_seed_does_to_all_settings_is_in_the_mean_not_the_difference():
  luck = np.array([-1.0, 0, 1])
  levels, others = ['a', 'a', 'b', 'b'], [0, 1, 0, 1]
  effect = np.array([0.0, 10, 4, 14])
  first, second = effects.main_effect(effect[:, None] + luck, levels, others)
  # More settings make the mean no surer than its three seeds are.
  np.testing.assert_allclose(first.error, 1 / np.sqrt(3))
  assert (first.difference, first.difference_error) == (0, 0)
  np.testing.assert_allclose(second.difference, 4)
  np.testing.assert_allclose(second.difference_error, 0, atol=1e-7)
  assert second.pairs == 2


def test_the_error_of_a_difference_has_what_is_otherwise_in_other_settings():
  levels, others = ['a', 'a', 'a', 'b', 'b', 'b'], [0, 1, 2] * 2
  values = np.array([0.0, 0, 0, 1, 2, 6])[:, None] + np.zeros(4)
  _, second = effects.main_effect(values, levels, others)
  np.testing.assert_allclose(second.difference, 3)
  # The standard error of 1, 2 and 6, though no seed tells them apart.
  expected = scipy.stats.sem([1.0, 2, 6])
  np.testing.assert_allclose(second.difference_error, expected)
  np.testing.assert_allclose(second.error, 0, atol=1e-12)


def test_one_pair_of_settings_has_the_error_of_paired_seeds():
  values = np.random.default_rng(0).standard_normal((2, 6))
  _, second = effects.main_effect(values, [1, 2], ['', ''])
  paired = values[1] - values[0]
  np.testing.assert_allclose(second.difference, paired.mean())
  np.testing.assert_allclose(second.difference_error, scipy.stats.sem(paired))


def test_the_error_of_a_difference_is_right_where_all_is_noise():
  rng = np.random.default_rng(0)
  found, errors = [], []
  for _ in range(300):
    values, levels, others = _crossed(rng, [0, 1], [0, 1, 2, 3], 5)
    _, second = effects.main_effect(values, levels, others)
    found.append(second.difference)
    errors.append(second.difference_error)
  # The truth, sqrt(2 / 20), and how often two errors reach to it.
  np.testing.assert_allclose(np.std(found), np.sqrt(0.1), rtol=0.15)
  reached = np.abs(np.subtract(found, 3)) < 2 * np.array(errors)
  assert 0.9 < reached.mean() <= 1


def test_a_setting_counts_once_whatever_its_seeds():
  nan = np.nan
  values = [[1.0, 1, 1, 1], [5, nan, nan, nan], [nan] * 4, [2, 4, nan, nan]]
  first, second = effects.main_effect(values, [0, 0, 1, 1], [0, 1, 0, 1])
  assert (first.mean, first.settings, first.runs) == (3, 2, 5)
  # A setting without a value is in no mean and in no pair.
  assert (second.mean, second.settings, second.pairs) == (3, 1, 1)
  assert second.difference == -2


def test_what_cannot_be_known_is_nan():
  [one] = effects.main_effect([[2.0]], ['hinge'], [()])
  assert (one.mean, one.difference) == (2, 0)
  assert math.isnan(one.error)
  nothing = [[np.nan], [np.nan]]
  first, second = effects.main_effect(nothing, ['a', 'b'], [0, 0])
  assert math.isnan(first.mean) and math.isnan(second.difference)


def test_numbers_are_in_order_and_words_as_they_come():
  assert effects.ordered([3, 1e-3, 3, 0.5]) == [1e-3, 0.5, 3]
  assert effects.ordered(['non', 'hinge', 'non']) == ['non', 'hinge']
  assert effects.ordered([True, False]) == [True, False]


def test_what_spans_powers_of_ten_is_wide():
  assert effects.wide([1e-4, 1e-3, 1e-2])
  assert not effects.wide([0.0, 1e-4, 1e-2])
  assert not effects.wide([1.0, 2.0, math.nan])
  assert not effects.wide(['a', 'b'])


def test_levels_that_are_not_one_a_setting_are_refused():
  with pytest.raises(ValueError, match='2 settings, but 1 levels and 2 others'):
    effects.main_effect([[1.0], [2.0]], ['a'], [0, 0])
