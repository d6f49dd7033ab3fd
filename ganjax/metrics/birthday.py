"""How many different things a generator makes: the birthday-paradox test.

Arora and Zhang, "Do GANs actually learn the distribution? An empirical study",
2017, arXiv:1706.08224, section 2: if a batch of s samples repeats itself with
probability one half, the distribution's support is about s^2. Traceable.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

from ganjax.arrays import Array, Scalar

# Rows whose distances to all others are held together.
_ROWS = 128


class Support(NamedTuple):
  """What the first repetition says of a distribution.

  Attributes:
    batch: the fewest samples, s, that hold a duplicate with probability 1/2 or
      more; infinite where the samples at hand are too few or too different.
    size: the paper's estimate of the support, s^2.
    uniform: s^2 / (2 ln 2), about the support if all of it is equally likely.
  """

  batch: jax.Array
  size: jax.Array
  uniform: jax.Array


def birthday(occupancy: Array) -> Support:
  """The `Support` of samples with labels, three scalars, without drawing any.

  A batch of s of the N samples, drawn without replacement, holds no duplicate
  with the probability e_s(n_1 ... n_K) / (N choose s), with e_s the elementary
  symmetric polynomial. That is unbiased, for every s, for the distribution that
  the samples come from.

  Args:
    occupancy: how many samples have each of K labels, [K], as `Modes` hold it.
  """
  occupancy = jnp.asarray(occupancy)
  total = occupancy.sum()
  # K + 1 samples with K labels repeat one.
  sizes = jnp.arange(1, len(occupancy) + 2)
  # From (N choose s - 1) to (N choose s): each step stays a probability.
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
  """The `Support` of points, three scalars: near ones count as duplicates.

  In each trial points are drawn one by one, without replacement, until one
  lies near another; `batch` is the median of how many that took. Look at
  `closest` pairs to choose the threshold.

  Args:
    points: [N, ...]: samples, images or their features.
    threshold: distance below which two points are duplicates; may be traced.
    key: draws the trials.
    trials: how many there are; the median's relative error is about
      0.7 / sqrt(trials).
    largest: samples that a trial draws at most, N if that is less.
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
  """Indices [number, 2] and distances [number] of the nearest pairs, in order.

  What the paper shows to a person, who judges whether they are duplicates.

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
