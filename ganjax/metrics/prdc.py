"""Precision and recall, density and coverage (PRDC) of two sets of features.

All of them count which points lie in balls around others: the ball of a point
reaches to its k-th nearest neighbour in its own set. Values depend on both
counts, on k and on the features, and those of a perfect sampler are not all 1:
compare them with those of as many held-out reals. All functions can be traced,
and never hold all distances at once.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from ganjax.arrays import Array

# Rows whose distances to a whole set are in memory together.
_ROWS = 128


class PrecisionRecall(NamedTuple):
  """The shares of fakes in balls of reals, and of reals in balls of fakes."""

  precision: jax.Array
  recall: jax.Array


class DensityCoverage(NamedTuple):
  """How many balls of reals a fake lies in, and how many of them hold one."""

  density: jax.Array
  coverage: jax.Array


def precision_recall(real: Array, fake: Array, k: int = 3) -> PrecisionRecall:
  """Returns the `PrecisionRecall` of two sets, two scalars in [0, 1].

  Kynkaanniemi et al., "Improved Precision and Recall Metric for Assessing
  Generative Models", 2019, arXiv:1904.06991, equations 1 and 2: the share of
  the fakes that lie in the ball of a real, its edge included, and the reverse.
  The paper has k = 3, 50,000 images in each set and 4096 features of VGG-16.
  For two sets of one distribution neither is 1.

  Args:
    real: [N, D], N > k.
    fake: [M, D], M > k.
    k: the number of the neighbour that a ball reaches to; the point itself is
      not counted.

  Raises:
    ValueError: if the sets are not [N, D] and [M, D], or have k rows or fewer.
  """
  real, fake = _features(real, fake, k, k)
  return PrecisionRecall(
    precision=jnp.mean(_balls(fake, real, _radii(real, k), jnp.less_equal) > 0),
    recall=jnp.mean(_balls(real, fake, _radii(fake, k), jnp.less_equal) > 0),
  )


def density_coverage(real: Array, fake: Array, k: int = 5) -> DensityCoverage:
  """Returns the `DensityCoverage` of two sets, scalars >= 0 and in [0, 1].

  Naeem et al., "Reliable Fidelity and Diversity Metrics for Generative Models",
  2020, arXiv:2002.09797, section 3.2: the number of balls of reals that a fake
  lies in, divided by k and averaged over the fakes; and the share of the reals
  whose ball holds a fake. As in the authors' code, a ball does not have its
  edge.

  For two sets of one continuous distribution the expected density is 1, and the
  expected coverage 1 - (N-1) ... (N-k) / ((N+M-1) ... (N+M-k)): 0.969 for
  k = 5 and many of each.

  Args:
    real: [N, D], N > k; a row that occurs more than k times has an empty ball.
    fake: [M, D].
    k: the number of the neighbour that a ball reaches to; the point itself is
      not counted.

  Raises:
    ValueError: if the sets are not [N, D] and [M, D], there are k reals or
      fewer, or no fake.
  """
  real, fake = _features(real, fake, k, 0)
  radii = _radii(real, k)

  def meets_a_fake(ball):
    centre, radius = ball
    return jnp.any(_squares(centre, fake) < radius)

  met = jax.lax.map(meets_a_fake, (real, radii), batch_size=_ROWS)
  return DensityCoverage(
    density=jnp.mean(_balls(fake, real, radii, jnp.less)) / k,
    coverage=jnp.mean(met),
  )


def _squares(point, others):
  """Returns the squared distances [N] of a point from others."""
  # Not from a Gram matrix, whose rounding would break ties.
  return jnp.sum((point - others) ** 2, axis=-1)


def _radii(points, k):
  """Returns the squared distance of each point to its k-th neighbour, [N]."""

  def radius(point):
    # The first of the k + 1 is the point itself. Their maximum, not the last:
    # on a CPU, XLA would sort whole rows to give that one alone.
    return jnp.max(-jax.lax.top_k(-_squares(point, points), k + 1)[0])

  return jax.lax.map(radius, points, batch_size=_ROWS)


def _balls(points, centres, radii, closer):
  """Returns the number of balls that each point lies in, [N]."""

  def holding(point):
    return jnp.sum(closer(_squares(point, centres), radii))

  return jax.lax.map(holding, points, batch_size=_ROWS)


def _features(real, fake, least_real, least_fake):
  """Returns both sets as arrays, after a check of their shapes."""
  real, fake = jnp.asarray(real), jnp.asarray(fake)
  if real.ndim != 2 or real.shape[1:] != fake.shape[1:]:
    raise ValueError(
      f'The real features have the shape {real.shape} and the fake ones '
      f'{fake.shape}; expected [N, D] and [M, D]: take both from one network, '
      'one row per image.'
    )
  for name, features, least in (
    ('real', real, least_real),
    ('fake', fake, least_fake),
  ):
    if len(features) <= least:
      raise ValueError(
        f'There are {len(features)} {name} features; expected more than '
        f'{least}, so that each has that many neighbours: pass more rows or '
        'a smaller k.'
      )
  return real, fake
