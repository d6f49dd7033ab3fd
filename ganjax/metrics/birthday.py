"""The birthday paradox test: how large the support of a distribution is.

Arora and Zhang, "Do GANs actually learn the distribution? An empirical study",
2017, arXiv:1706.08224, section 2: if a batch of s samples holds a duplicate
with probability one half, the support has about s^2 elements. All functions can
be traced.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

from ganjax.arrays import Array, Scalar

# Rows whose distances to all others are in memory together.
_ROWS = 128


class Support(NamedTuple):
  """The size of a support, estimated from duplicates.

  Attributes:
    batch: the smallest number of samples, s, that holds a duplicate with
      probability 1/2 or more; infinite if the samples are too few or too
      different to tell.
    size: the paper's estimate of the support, s^2.
    uniform: s^2 / (2 ln 2), the estimate if all of it is equally likely.
  """

  batch: jax.Array
  size: jax.Array
  uniform: jax.Array


def birthday(occupancy: Array) -> Support:
  """Returns the `Support` of labelled samples, of scalars, in closed form.

  A batch of s of the N samples, drawn without replacement, holds no duplicate
  with the probability e_s(n_1 ... n_K) / (N choose s), with e_s the elementary
  symmetric polynomial. For every s, that is an unbiased estimate for the
  distribution that the samples come from.

  Args:
    occupancy: the number of samples with each of K labels, [K], as in `Modes`.
  """
  occupancy = jnp.asarray(occupancy)
  total = occupancy.sum()
  # K + 1 samples with K labels hold a duplicate.
  sizes = jnp.arange(1, len(occupancy) + 2)
  # From (N choose s - 1) to (N choose s), so that each step is a probability.
  ratio = jnp.where(
    sizes <= total, sizes / jnp.maximum(total - sizes + 1, 1), 0
  )

  def with_one_more_label(different, number):
    return different.at[1:].add(number * ratio * different[:-1]), None

  different, _ = jax.lax.scan(
    with_one_more_label, jnp.zeros(len(sizes) + 1).at[0].set(1), occupancy
  )
  repeats = (different[1:] <= 0.5) & (sizes <= total)
  return _support(jnp.where(repeats, sizes, jnp.inf).min())


def birthday_of_points(
  points: Array,
  threshold: Scalar,
  key: jax.Array,
  trials: int = 200,
  largest: int = 256,
) -> Support:
  """Returns the `Support` of points, of scalars; near points are duplicates.

  In each trial points are drawn one by one, without replacement, until one is
  near another; `batch` is the median of the numbers drawn. Look at the
  `closest` pairs to choose the threshold.

  Args:
    points: [N, ...]: samples, images or their features.
    threshold: distance below which two points are duplicates; may be traced.
    key: draws the trials.
    trials: the number of trials; the median has a relative error of about
      0.7 / sqrt(trials).
    largest: the largest number of samples in a trial, or N if that is less.
  """
  points = _flat(points)
  largest = min(largest, len(points))
  order = jnp.arange(largest)

  def first_repetition(key):
    rows = jax.random.choice(key, len(points), (largest,), replace=False)
    drawn = points[rows]

    def repeats_one_before(at):
      near = jnp.linalg.norm(drawn - drawn[at], axis=-1) < threshold
      return jnp.any(near & (order < at))

    repeats = jax.lax.map(repeats_one_before, order, batch_size=_ROWS)
    return jnp.where(repeats, order + 1, jnp.inf).min()

  took = jax.lax.map(first_repetition, jax.random.split(key, trials))
  return _support(jnp.sort(took)[(trials - 1) // 2])


def closest(points: Array, number: int = 20) -> tuple[jax.Array, jax.Array]:
  """Returns indices [number, 2] and distances [number] of the nearest pairs.

  They are in order of distance. In the paper, a person decides by looking at
  them whether they are duplicates.

  Args:
    points: [N, ...], of one batch: samples, images or their features.
    number: of pairs, at most N (N - 1) / 2.

  Raises:
    ValueError: if there are fewer pairs than that.
  """
  points = _flat(points)
  if number > math.comb(len(points), 2):
    raise ValueError(
      f'{len(points)} points have {math.comb(len(points), 2)} pairs, and '
      f'{number} were asked for; lower the number or pass more points.'
    )
  order = jnp.arange(len(points))

  def after(at):
    away = jnp.linalg.norm(points - points[at], axis=-1)
    nearest, others = jax.lax.top_k(
      -jnp.where(order > at, away, jnp.inf), min(number, len(points))
    )
    return nearest, others

  nearest, others = jax.lax.map(after, order, batch_size=_ROWS)
  nearest, places = jax.lax.top_k(nearest.ravel(), number)
  firsts = places // others.shape[1]
  return jnp.stack([firsts, others.ravel()[places]], axis=-1), -nearest


def _flat(points):
  return jnp.reshape(points, (len(points), -1))


def _support(batch):
  return Support(batch, batch**2, batch**2 / (2 * math.log(2)))
