"""Statistics over seeds, against scipy and by hand."""

import math

import numpy as np
import pytest
from scipy import stats

from ganjax.reports.statistics import agreement, interval, summary

NAN = math.nan


def published(value, spread=None, kind='standard error', number=10):
  return {'value': value, 'spread': spread, 'kind': kind, 'number': number}


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
@pytest.mark.parametrize('number', [5, 8])
def test_a_difference_is_judged_by_welchs_t(kind, number):
  ours, theirs = np.random.default_rng(0).normal(0, [[1], [3]], (2, 8))
  ours = ours[:number]
  spread = {'standard error': stats.sem, 'deviation': stats.tstd}[kind](theirs)
  found = agreement(summary(ours), published(theirs.mean(), spread, kind, 8))
  welch = stats.ttest_ind(ours, theirs, equal_var=False)
  assert found['test'] == 'Welch'
  assert found['ratio'] == pytest.approx(welch.statistic)
  assert found['freedom'] == pytest.approx(welch.df)
  assert found['difference'] == pytest.approx(ours.mean() - theirs.mean())
  theirs_ends = welch.confidence_interval()
  assert (found['low'], found['high']) == pytest.approx(tuple(theirs_ends))
  assert found['agrees'] is bool(welch.pvalue > 0.05)


@pytest.mark.parametrize('value', [4.0, 5.0, 6.0, 7.0])
def test_a_value_without_an_error_is_judged_by_a_one_sample_t(value):
  ours = np.array([3.0, 5, 4, 8, 1])
  found = agreement(summary(ours), {'value': value})
  student = stats.ttest_1samp(ours, value)
  assert found['test'] == 'one-sample'
  assert found['ratio'] == pytest.approx(student.statistic)
  assert found['freedom'] == 4
  low, high = student.confidence_interval()
  ends = found['low'] + value, found['high'] + value
  assert ends == pytest.approx((low, high))
  assert found['agrees'] is bool(student.pvalue > 0.05)


@pytest.mark.parametrize(
  ('away', 'agrees'), [(2.0, True), (2.7, True), (2.9, False)]
)
def test_two_standard_errors_of_five_seeds_are_no_disagreement(away, agrees):
  # Student's quantile of four degrees of freedom is 2.776.
  ours = np.array([-1.0, 1, 0, 2, -2])
  found = agreement(summary(ours), {'value': -away * stats.sem(ours)})
  assert found['ratio'] == pytest.approx(away)
  assert found['agrees'] is agrees


def test_two_equal_means_are_called_different_one_time_in_twenty():
  random = np.random.default_rng(0)
  ours, theirs = random.normal(size=(2, 2000, 5))
  told = [
    agreement(
      summary(a), published(b.mean(), stats.sem(b), 'standard error', 5)
    )['agrees']
    for a, b in zip(ours, theirs, strict=True)
  ]
  assert 0.02 < 1 - np.mean(told) < 0.06


def test_values_without_spread_agree_only_when_equal():
  perfect = published(1000, 0)
  found = agreement(summary([1000] * 5), perfect)
  assert (found['ratio'], found['agrees']) == (0, True)
  found = agreement(summary([999] * 5), perfect)
  assert (found['ratio'], found['agrees']) == (-math.inf, False)
  # 0.57 * 100 is not 57, and its mean over five seeds not itself.
  assert agreement(summary([0.57 * 100] * 5), published(57, 0))['agrees']


def test_an_error_of_unknown_trials_is_taken_as_exact():
  # Without an error of ours, two standard errors are 95 %.
  for away, agrees in (1.9, True), (2.1, False):
    found = agreement(summary([1] * 5), published(1 + away, 1, number=None))
    assert found['agrees'] is agrees


@pytest.mark.parametrize(
  ('values', 'theirs', 'reason'),
  [
    ([1], published(1, 0.1), 'too few seeds to judge (1 of at least 5)'),
    ([1, 9, 2, 3], published(1), 'too few seeds to judge (4 of at least 5)'),
    (
      [1] * 5,
      published(1, 0.1, number=3),
      'too few published trials to judge (3 of 5)',
    ),
    ([], published(1, 0.1), 'not measured'),
    ([1, 2, NAN], published(1, 0.1), 'not judged, undefined for 1 of 3 seeds'),
  ],
)
def test_what_cannot_be_judged_says_why(values, theirs, reason):
  found = agreement(summary(values), theirs)
  assert found['agrees'] is None
  assert found['reason'] == reason


def test_the_interval_of_two_seeds_is_there_though_they_are_not_judged():
  found = agreement(summary([3, 5]), {'value': 4.5})
  assert found['agrees'] is None
  half = 12.706 * 1  # Student's quantile of one degree of freedom
  assert found['low'] == pytest.approx(-0.5 - half, rel=1e-4)
  assert found['high'] == pytest.approx(-0.5 + half, rel=1e-4)


def test_nothing_published_is_nothing_to_agree_with():
  assert agreement(summary([1, 2]), None) is None


def test_spreads_of_unknown_kind_or_number_are_refused():
  ours = summary([1, 2])
  with pytest.raises(ValueError, match="kind 'variance', but must be one of"):
    agreement(ours, published(1, 0.1, 'variance'))
  with pytest.raises(ValueError, match='deviation of 0.1 comes without'):
    agreement(ours, published(1, 0.1, 'deviation', None))


def test_the_interval_is_students():
  values = np.array([3.0, 5, 4, 8, 1, 7, np.nan])
  theirs = stats.ttest_1samp(values[:-1], 0).confidence_interval()
  assert interval(values) == pytest.approx(tuple(theirs))
  narrow = stats.ttest_1samp(values[:-1], 0).confidence_interval(0.5)
  assert interval(values, 0.5) == pytest.approx(tuple(narrow))
  assert all(map(math.isnan, interval([2.0, np.nan])))


@pytest.mark.parametrize('number', [2, 5])
def test_the_interval_holds_the_mean_19_times_of_20(number):
  drawn = np.random.default_rng(0).normal(3, 2, (2000, number))
  ends = np.array([interval(own) for own in drawn])
  assert 0.93 < np.mean((ends[:, 0] < 3) & (ends[:, 1] > 3)) < 0.97


def test_a_summary_counts_what_is_left_out():
  found = summary([1.0, 3.0, np.nan])
  assert (found['mean'], found['number'], found['missing']) == (2, 2, 1)
  np.testing.assert_allclose(found['std'], np.sqrt(2))
  assert (found['low'], found['high']) == interval([1.0, 3.0])
