"""How samples are distributed over the images of a small data set, by class."""

import jax
import jax.numpy as jnp

from ganjax.arrays import Array
from ganjax.metrics import modes

# Rows whose distances to a whole set are in memory together.
_ROWS = 128


def count_by_class(
  samples: Array,
  labels: Array,
  reals: Array,
  owners: Array,
  number: int,
  k: int = 3,
) -> modes.LabelledModes:
  """Returns the `LabelledModes` of samples, of which each real is a mode.

  A sample belongs to the nearest real of its class. It is good if it lies in
  the ball of any, which reaches to the k-th neighbour of that real in the class
  (Naeem et al., "Reliable Fidelity and Diversity Metrics for Generative
  Models", 2020, arXiv:2002.09797, section 3.2), without its edge; and a real is
  captured if a good sample belongs to it. Their coverage, for which it is
  enough that a sample lies in the ball of a real, is no measure of collapse
  here: the mean of 50 digits lies in the balls of half of them. Can be traced.

  Args:
    samples: `[N, ...]`.
    labels: of the samples, int32 `[N]`.
    reals: `[K, ...]`, more than k of each class.
    owners: of the reals, int32 `[K]`.
    number: of the classes, a Python int.
    k: the number of the neighbour that a ball reaches to; the real itself is
      not counted.
  """
  samples, reals = (
    jnp.reshape(rows, (len(rows), -1)) for rows in (samples, reals)
  )

  def squares(point, label):
    # Not from a Gram matrix, whose rounding would break ties.
    away = ((point - reals) ** 2).sum(-1)
    return jnp.where(owners == label, away, jnp.inf)

  radii = jax.lax.map(
    lambda own: jnp.sort(squares(*own))[k], (reals, owners), batch_size=_ROWS
  )

  def placed(own):
    away = squares(*own)
    place = jnp.where(jnp.isfinite(away.min()), away.argmin(), len(reals))
    return place, (away < radii).any()

  places, good = jax.lax.map(placed, (samples, labels), batch_size=_ROWS)
  return modes.by_label(
    modes.tally(places, good, len(reals)), places, good, owners, number
  )
