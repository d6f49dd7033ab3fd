"""How far two sets of features lie within each other: balls around neighbours.

Each point's ball reaches to its k-th nearest neighbour in its own set. Values
depend on both counts, on k and on the features, and those of a perfect sampler
are not all 1: measure as many held-out reals beside the fakes. Traceable; the
distances are never held all at once.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from ganjax.arrays import Array

# Rows whose distances to a whole set are held together.
_ROWS = 128


class PrecisionRecall(NamedTuple):
  """Share of the fakes among the reals and of the reals among the fakes."""

  precision: jax.Array
  recall: jax.Array


class DensityCoverage(NamedTuple):
  """How thickly the fakes lie among the reals, and how many reals they meet."""

  density: jax.Array
  coverage: jax.Array


def precision_recall(real: Array, fake: Array, k: int = 3) -> PrecisionRecall:
  """The `PrecisionRecall` of two sets of features, two scalars in [0, 1].

  Kynkaanniemi et al., "Improved Precision and Recall Metric for Assessing
  Generative Models", 2019, arXiv:1904.06991, equations 1 and 2: the share of
  the fakes that lie in the ball of a real, its edge included, and the reverse.
  The paper takes k = 3, 50,000 of each and 4096 features of VGG-16. Of two sets
  of one distribution neither is 1.

  Args:
    real: [N, D], N > k.
    fake: [M, D], M > k.
    k: which neighbour a ball reaches to; the point itself is none.

  Raises:
    ValueError: if the sets are not [N, D] and [M, D], or have k rows or fewer.
  """
  real, fake = _features(real, fake, k, k)
  return PrecisionRecall(
    precision=jnp.mean(_balls(fake, real, _radii(real, k), jnp.less_equal) > 0),
    recall=jnp.mean(_balls(real, fake, _radii(fake, k), jnp.less_equal) > 0),
  )


def density_coverage(real: Array, fake: Array, k: int = 5) -> DensityCoverage:
  """The `DensityCoverage` of two sets of features, scalars: >= 0, in [0, 1].

  Naeem et al., "Reliable Fidelity and Diversity Metrics for Generative Models",
  2020, arXiv:2002.09797, section 3.2: in how many balls of reals a fake lies,
  on average over the fakes and divided by k; and the share of the reals whose
  ball holds a fake. As in the authors' code, the edge of a ball is outside.

  Of two sets of one continuous distribution the expected density is 1, and the
  expected coverage 1 - (N-1) ... (N-k) / ((N+M-1) ... (N+M-k)): 0.969 for
  k = 5 and many of each.

  Args:
    real: [N, D], N > k; a row that occurs more than k times has an empty ball.
    fake: [M, D].
    k: which neighbour a ball reaches to; the point itself is none.

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
  """Squared distances [N]: no Gram matrix, whose rounding would break ties."""
  return jnp.sum((point - others) ** 2, axis=-1)


def _radii(points, k):
  """Squared distance of each point to its k-th neighbour, [N]."""

  def radius(point):
    # The first of the k + 1 is the point itself. Their maximum, not the last:
    # on a CPU, XLA would sort whole rows to give that one alone.
    return jnp.max(-jax.lax.top_k(-_squares(point, points), k + 1)[0])

  return jax.lax.map(radius, points, batch_size=_ROWS)


def _balls(points, centres, radii, closer):
  """In how many of the balls each point lies, [N]."""

  def holding(point):
    return jnp.sum(closer(_squares(point, centres), radii))

  return jax.lax.map(holding, points, batch_size=_ROWS)


def _features(real, fake, least_real, least_fake):
  """Both sets as arrays, checked to have more rows than the least."""
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
