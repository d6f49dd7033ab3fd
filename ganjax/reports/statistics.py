"""The statistics of values over seeds: means, intervals, and agreement."""

import math

import numpy as np
from scipy.special import stdtrit

SPREADS = {'standard error': 'se', 'deviation': 'sd'}
"""What the spread of a published value may be, and its abbreviation."""

FEWEST = 5
"""The number of seeds below which no difference is judged."""


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

  Two means agree if 0 lies in the 95 % interval of their difference, by
  Student's law and not by the normal one, of which two standard errors hold
  95 %: with two seeds they hold 70 %. Welch, "The Generalization of 'Student's'
  Problem when Several Different Population Variances are Involved", 1947,
  Biometrika 34: the degrees of freedom are those of both errors. A value that
  was published without an error is taken as exact, a one-sample t-test.

  Agreement is not equality: the interval says how large a difference is that
  the seeds would not have shown.

  Args:
    ours: a `summary`.
    published: a dict of the published `value` and, where they are known, its
      `spread`, the `kind` of that ('standard error' or 'deviation') and the
      `number` of trials; or None. A standard error whose number of trials is
      unknown is taken as exact.

  Returns:
    None where nothing was published. Else `difference`, ours less theirs;
    `error`, the standard error of the difference; `ratio` of the two, which is
    the statistic t; `freedom`, its degrees of freedom; `low` and `high`, the
    95 % interval of the difference; `test`, 'Welch' or 'one-sample'; `agrees`,
    True or False, or None where that cannot be judged; and `reason`, in words.
    NaN stands for what needs more seeds.

  Raises:
    ValueError: if there is a spread of another kind, or a deviation without
      its number.
  """
  if published is None:
    return None
  theirs, trials = published_error(published), published.get('number')
  alone = math.isnan(theirs)
  errors = [(ours['error'], ours['number'])]
  if not alone:
    errors.append((theirs, trials or math.inf))
  error = math.hypot(*(own for own, _ in errors))
  freedom = _freedom(errors, error)
  difference = ours['mean'] - published['value']
  if math.isclose(ours['mean'], published['value']):
    # Where all values are equal, rounding is no disagreement.
    difference = 0.0
  if error:
    ratio = difference / error
    half = float(stdtrit(freedom, 0.975)) * error
  else:
    ratio = math.copysign(math.inf, difference) if difference else 0.0
    half = 0.0
  agrees = None
  if ours['missing']:
    seeds = ours['number'] + ours['missing']
    reason = f'not judged, undefined for {ours["missing"]} of {seeds} seeds'
  elif not ours['number']:
    reason = 'not measured'
  elif ours['number'] < FEWEST:
    reason = f'too few seeds to judge ({ours["number"]} of at least {FEWEST})'
  elif not alone and trials and trials < FEWEST:
    reason = f'too few published trials to judge ({trials} of {FEWEST})'
  else:
    agrees = bool(abs(difference) <= half)
    reason = f't {ratio:+.1f}, {freedom:.1f} degrees of freedom'
  return {
    'difference': difference,
    'error': error,
    'ratio': ratio,
    'freedom': freedom,
    'low': difference - half,
    'high': difference + half,
    'test': 'one-sample' if alone else 'Welch',
    'agrees': agrees,
    'reason': reason,
  }


def _freedom(errors, error):
  """Returns the degrees of freedom of a difference (Welch and Satterthwaite).

  Args:
    errors: pairs of a standard error and the number of its values.
    error: that of the difference.
  """
  if not error or any(number < 2 for _, number in errors):
    return math.nan
  total = sum((own / error) ** 4 / (number - 1) for own, number in errors)
  # Without an error of our own and trials of theirs it is the normal law.
  return 1 / max(total, 1e-12)


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


def interval(values, share=0.95):
  """Returns the two ends of Student's interval of the mean of values `[S]`.

  "Student" (W. S. Gosset), "The Probable Error of a Mean", 1908, Biometrika 6.
  It holds its share for values of a normal law, also where there are few: of
  two values it is wide, 12.7 standard errors on both sides, where percentiles
  of the bootstrap would be the values themselves and hold a half.

  Args:
    values: those that are not finite are left out.
    share: of the intervals that hold the true mean, in (0, 1).

  Returns:
    `low, high`; NaN where fewer than two values are finite.
  """
  values = np.asarray(values, float)
  values = values[np.isfinite(values)]
  number = len(values)
  if number < 2:
    return math.nan, math.nan
  error = values.std(ddof=1) / math.sqrt(number)
  half = float(stdtrit(number - 1, (1 + share) / 2) * error)
  return float(values.mean()) - half, float(values.mean()) + half
