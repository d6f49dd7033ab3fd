"""Main effects of factors: means over seeds and settings, and their errors.

A setting is a value of each factor. Values are `[C, S]`, a row for each setting
and a column for each seed, NaN where a run has none. The same seed in two
settings is the same chance in both: a block, as in an experiment on fields.
"""

import math
from typing import Any, NamedTuple

import numpy as np


class Level(NamedTuple):
  """The mean of a value of a factor, and its difference from the first.

  Attributes:
    value: of the factor.
    mean: over its settings, with equal weights, whatever their numbers of
      seeds.
    error: standard error of the mean, from the seeds; a setting with one value
      adds nothing to it. The settings are all of interest, not a sample
      of others.
    settings: the number of settings with a value.
    runs: the number of runs with a value.
    difference: from the factor's first value, the mean over the pairs of
      settings that agree in all else; 0 for the first itself.
    difference_error: its standard error, from seeds and settings.
    pairs: the number of such pairs.
  """

  value: Any
  mean: float
  error: float
  settings: int
  runs: int
  difference: float
  difference_error: float
  pairs: int


def main_effect(values, levels, others):
  """Returns the `Level`s of a factor: numbers ascending, words as they come.

  The error of a mean clusters the runs by their seed, so that what a seed does
  to all settings is not averaged away: if no run is missing, it is the
  deviation over the seeds of the mean over settings, divided by the root of S.
  The error of a difference clusters by seed and by setting: Cameron, Gelbach
  and Miller, "Robust Inference With Multiway Clustering", 2011, Journal of
  Business & Economic Statistics 29(2), equation 2.8, never less than one of the
  two alone.
  It is larger where the effect of the factor depends on other factors.

  Args:
    values: `[C, S]`. Settings without a finite value are left out.
    levels: the factor's value in each setting, C of them.
    others: the values of all other factors in each setting, hashable, C of
      them: settings with the same are compared.

  Raises:
    ValueError: if there are not as many levels and others as settings.
  """
  values = np.asarray(values, float)
  if not len(values) == len(levels) == len(others):
    raise ValueError(
      f'There are values of {len(values)} settings, but {len(levels)} levels '
      f'and {len(others)} others: pass one of each for a setting.'
    )
  counted = np.isfinite(values)
  number = counted.sum(1)
  means = np.where(counted, values, 0).sum(1) / np.maximum(number, 1)
  # The contribution of each run to the error of the mean of its setting.
  shares = np.where(counted, values - means[:, None], 0)
  shares /= np.maximum(number, 1)[:, None]
  at = {
    level: [c for c in range(len(levels)) if levels[c] == level and number[c]]
    for level in ordered(levels)
  }
  first, *_ = at.values()
  base = {others[c]: c for c in first}
  found = []
  for level, rows in at.items():
    pairs = [(c, base[others[c]]) for c in rows if others[c] in base]
    difference, error = _difference(means, shares, counted, pairs)
    found.append(
      Level(
        level,
        float(means[rows].mean()) if rows else math.nan,
        _root(_by_seed(shares[rows], counted[rows])),
        len(rows),
        int(number[rows].sum()),
        0.0 if rows is first else difference,
        0.0 if rows is first else error,
        len(pairs),
      )
    )
  return found


def ordered(levels):
  """Returns each value once: numbers ascending, others as they come."""
  once = list(dict.fromkeys(levels))
  return sorted(once) if all(map(_numeric, once)) else once


def wide(values):
  """Returns whether a scale should be logarithmic: numbers 20-fold apart."""
  if not all(map(_numeric, values)):
    return False
  finite = [value for value in values if math.isfinite(value)]
  return bool(finite) and min(finite) > 0 and max(finite) >= 20 * min(finite)


def _difference(means, shares, counted, pairs):
  """Returns the mean difference of pairs of settings, and its error."""
  if not pairs:
    return math.nan, math.nan
  here, there = np.transpose(pairs)
  apart = means[here] - means[there]
  noise = shares[here] - shares[there]
  both = counted[here] | counted[there]
  by_seed = _by_seed(noise, both)
  by_setting = _corrected(np.sum((apart - apart.mean()) ** 2), len(pairs))
  by_setting /= len(pairs) ** 2
  by_run = _corrected(np.sum(noise**2), both.any(0).sum()) / len(pairs) ** 2
  known = [
    variance
    for variance in (by_seed, by_setting, by_seed + by_setting - by_run)
    if math.isfinite(variance)
  ]
  return float(apart.mean()), _root(max(known, default=math.nan))


def _by_seed(shares, counted):
  """Returns the variance of the mean over settings, clustered by seed."""
  if not len(shares):
    return math.nan
  return _corrected(np.sum(shares.mean(0) ** 2), counted.any(0).sum())


def _corrected(squares, number):
  """Returns a sum of squared deviations, corrected for the estimated mean."""
  return squares * number / (number - 1) if number > 1 else math.nan


def _root(variance):
  return math.sqrt(variance) if math.isfinite(variance) else math.nan


def _numeric(value):
  return isinstance(value, int | float) and not isinstance(value, bool)
