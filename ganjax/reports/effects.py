"""What factors do: means over seeds and cells, and how far to trust them.

A cell is a setting of all factors. Values are `[C, S]`, a row for each cell and
a column for each seed, NaN where a run has none. The same seed in two cells is
the same chance in both: a block, as in an experiment on fields.
"""

import math
from typing import Any, NamedTuple

import numpy as np


class Level(NamedTuple):
  """What a value of a factor comes to.

  Attributes:
    value: of the factor.
    mean: over its cells, each counting the same, whatever its seeds.
    error: standard error of the mean, from the seeds; a cell with one value
      adds nothing to it. The cells are those that were asked about, no sample
      of others.
    cells: how many have a value.
    runs: how many have a value.
    difference: from the factor's first value, the mean over the pairs of cells
      that agree in all else; 0 for the first itself.
    difference_error: its standard error, from seeds and cells.
    pairs: how many such cells there are.
  """

  value: Any
  mean: float
  error: float
  cells: int
  runs: int
  difference: float
  difference_error: float
  pairs: int


def main_effect(values, levels, others):
  """The `Level`s of a factor, a list: numbers in their order, words as met.

  The error of a mean clusters the runs by their seed, so that what a seed does
  to all cells alike is not averaged away: with all runs there, it is the
  deviation over the seeds of the mean over cells, over the root of S. The error
  of a difference clusters by seed and by cell: Cameron, Gelbach and Miller,
  "Robust Inference With Multiway Clustering", 2011, Journal of Business &
  Economic Statistics 29(2), equation 2.8, never less than one of the two alone.
  It grows with what the factor does otherwise in other cells.

  Args:
    values: `[C, S]`. Cells without a finite value are left out.
    levels: the factor's value in each cell, C of them.
    others: what else each cell has, hashable, C of them: cells with the same
      are compared.

  Raises:
    ValueError: if there are not as many levels and others as cells.
  """
  values = np.asarray(values, float)
  if not len(values) == len(levels) == len(others):
    raise ValueError(
      f'There are values of {len(values)} cells, but {len(levels)} levels and '
      f'{len(others)} others: pass one of each for a cell.'
    )
  counted = np.isfinite(values)
  number = counted.sum(1)
  means = np.where(counted, values, 0).sum(1) / np.maximum(number, 1)
  # What each run adds to the error of its cell's mean.
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
  """Each value once: numbers from small to large, others as first met."""
  once = list(dict.fromkeys(levels))
  return sorted(once) if all(map(_numeric, once)) else once


def wide(values):
  """Whether numbers want a logarithmic scale: positive, and 30-fold apart."""
  if not all(map(_numeric, values)):
    return False
  finite = [value for value in values if math.isfinite(value)]
  return bool(finite) and min(finite) > 0 and max(finite) >= 30 * min(finite)


def _difference(means, shares, counted, pairs):
  """The mean over pairs of cells, and its standard error."""
  if not pairs:
    return math.nan, math.nan
  here, there = np.transpose(pairs)
  apart = means[here] - means[there]
  noise = shares[here] - shares[there]
  both = counted[here] | counted[there]
  by_seed = _by_seed(noise, both)
  by_cell = _corrected(np.sum((apart - apart.mean()) ** 2), len(pairs))
  by_cell /= len(pairs) ** 2
  by_run = _corrected(np.sum(noise**2), both.any(0).sum()) / len(pairs) ** 2
  known = [
    variance
    for variance in (by_seed, by_cell, by_seed + by_cell - by_run)
    if math.isfinite(variance)
  ]
  return float(apart.mean()), _root(max(known, default=math.nan))


def _by_seed(shares, counted):
  """The variance of the mean over cells, from its seeds."""
  if not len(shares):
    return math.nan
  return _corrected(np.sum(shares.mean(0) ** 2), counted.any(0).sum())


def _corrected(squares, number):
  """A sum of squared deviations as of `number` draws whose mean is known."""
  return squares * number / (number - 1) if number > 1 else math.nan


def _root(variance):
  return math.sqrt(variance) if math.isfinite(variance) else math.nan


def _numeric(value):
  return isinstance(value, int | float) and not isinstance(value, bool)
