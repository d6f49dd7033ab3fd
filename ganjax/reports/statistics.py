"""The statistics of values over seeds: means, intervals, and agreement."""

import math

import numpy as np

SPREADS = {'standard error': 'se', 'deviation': 'sd'}
"""What the spread of a published value may be, and its abbreviation."""


def summary(values):
  """Returns the mean of values `[S]` and how certain it is, a dict.

  Args:
    values: one for each seed. Those that are not finite, such as a divergence
      that is undefined, are left out and counted.

  Returns:
    `mean`; `std`, the standard deviation with S - 1; `error`, the standard
    error of the mean; `number`, of the values that are finite; `missing`, of
    the others; `low` and `high`, of `interval`. NaN stands for what needs more
    values than there are.
  """
  values = np.asarray(values, float)
  finite = values[np.isfinite(values)]
  number = len(finite)
  std = float(finite.std(ddof=1)) if number > 1 else math.nan
  low, high = interval(finite)
  return {
    'mean': float(finite.mean()) if number else math.nan,
    'std': std,
    'error': std / math.sqrt(max(number, 1)),
    'number': number,
    'missing': len(values) - number,
    'low': low,
    'high': high,
  }


def agreement(ours, published):
  """Returns whether a mean agrees with a published one, a dict, or None.

  Two means agree if they differ by at most two standard errors of their
  difference.

  Args:
    ours: a `summary`.
    published: a dict of the published `value` and, where they are known, its
      `spread`, the `kind` of that ('standard error' or 'deviation') and the
      `number` of trials; or None.

  Returns:
    None where nothing was published. Else `difference`, ours less theirs;
    `error`, the standard error of the difference; `ratio` of the two; `agrees`,
    True or False, or None where that cannot be judged; and `reason`, in words.

  Raises:
    ValueError: if there is a spread of another kind, or a deviation without
      its number.
  """
  if published is None:
    return None
  theirs = published_error(published)
  error = math.hypot(ours['error'], theirs)
  difference = ours['mean'] - published['value']
  if math.isclose(ours['mean'], published['value']):
    # Where all values are equal, rounding is no disagreement.
    difference = 0.0
  if error:
    ratio = difference / error
  else:
    ratio = math.copysign(math.inf, difference) if difference else 0.0
  agrees = None
  if ours['missing']:
    seeds = ours['number'] + ours['missing']
    reason = f'undefined for {ours["missing"]} of {seeds} seeds'
  elif ours['number'] < 2:
    reason = 'one seed only' if ours['number'] else 'not measured'
  elif math.isnan(theirs):
    reason = 'published without an error'
  else:
    agrees = abs(ratio) <= 2
    reason = f'{ratio:+.1f} standard errors'
  return {
    'difference': difference,
    'error': error,
    'ratio': ratio,
    'agrees': agrees,
    'reason': reason,
  }


def published_error(published):
  """Returns the standard error of a published value, NaN where it has none.

  Args:
    published: a dict as in `agreement`. A deviation is divided by the root of
      the number of trials.

  Raises:
    ValueError: as `agreement`.
  """
  spread, kind = published.get('spread'), published.get('kind')
  if spread is None:
    return math.nan
  if kind not in SPREADS:
    raise ValueError(
      f'a published spread is of kind {kind!r}, but must be one of '
      f'{", ".join(map(repr, SPREADS))}: look up which in its source'
    )
  if kind == 'standard error':
    return spread
  if not published.get('number'):
    raise ValueError(
      f'a published deviation of {spread} comes without the number of trials '
      'that makes it a standard error: add `number`, or leave out `spread`'
    )
  return spread / math.sqrt(published['number'])


def interval(values, share=0.95, resamples=10_000, seed=0):
  """Returns the two ends of the bootstrap interval of the mean of values `[S]`.

  Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13:
  the percentiles of the means of as many values, drawn with replacement. With a
  small number of values the interval is too narrow: by the factor
  sqrt((S - 1) / S), and because the normal's quantiles stand for Student's.

  Args:
    values: those that are not finite are left out.
    share: of the means that lie within, in (0, 1).
    resamples: how many means are drawn.
    seed: of the draws; equal values have equal intervals.

  Returns:
    `low, high`; NaN where fewer than two values are finite.
  """
  values = np.asarray(values, float)
  values = values[np.isfinite(values)]
  if len(values) < 2:
    return math.nan, math.nan
  drawn = np.random.default_rng(seed).integers(
    len(values), size=(resamples, len(values))
  )
  tails = (1 - share) / 2, (1 + share) / 2
  low, high = np.quantile(values[drawn].mean(1), tails)
  return float(low), float(high)
