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


def test_the_interval_is_the_percentile_bootstrap():
  values = np.array([3.0, 5, 4, 8, 1, 7, np.nan])
  low, high = interval(values)
  theirs = stats.bootstrap(
    (values[:-1],),
    np.mean,
    method='percentile',
    n_resamples=50_000,
    rng=np.random.default_rng(1),
  ).confidence_interval
  # Two draws of quantiles of a mean that lies on a grid of 1/6.
  np.testing.assert_allclose((low, high), theirs, atol=0.17)
  assert interval(values) == (low, high)


def test_the_interval_of_two_values_is_between_them():
  # Of four equally likely means, the quarters at both ends are the values.
  assert interval([2.0, 6.0]) == (2, 6)
  assert all(map(math.isnan, interval([2.0, np.nan])))


def test_a_summary_counts_what_is_left_out():
  found = summary([1.0, 3.0, np.nan])
  assert (found['mean'], found['number'], found['missing']) == (2, 2, 1)
  np.testing.assert_allclose(found['std'], np.sqrt(2))
  assert (found['low'], found['high']) == (1, 3)
