"""Which modes of a known mixture samples are in, and how evenly.

Published counts differ in their definitions (how near a good sample is, how
many make a captured mode, what the histogram counts), so all of these are
arguments here. Compare a divergence with `floor` and a share with `ceiling`: a
perfect sampler does not reach 0 and 1. All functions can be traced.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import gammainc, xlogy

from ganjax.arrays import Array, Scalar


class Modes(NamedTuple):
  """How N samples are distributed over K modes.

  Attributes:
    captured: how many modes have enough good samples, an int32 in [0, K].
    quality: share of the samples that are good, in [0, 1].
    divergence: reverse KL, KL(histogram || target), in nats; NaN if the
      histogram is empty. From a uniform target it is at most ln K, that of a
      single mode, at which tables count it where it is NaN.
    occupancy: int32 [K], the number of samples of each mode, good or not: over
      the course of training it reveals a generator that rotates among modes.
  """

  captured: jax.Array
  quality: jax.Array
  divergence: jax.Array
  occupancy: jax.Array


class LabelledModes(NamedTuple):
  """How N samples with labels are distributed over K modes with labels.

  Attributes:
    captured: as in `Modes`, and so are the next three.
    quality: share of the samples that are good, in [0, 1].
    divergence: reverse KL, KL(histogram || target), in nats.
    occupancy: int32 [K].
    captured_by_label: how many of its own modes each label captures, int32 [L].
      A generator that has collapsed conditionally obeys its labels, but has one
      mode for each.
  """

  captured: jax.Array
  quality: jax.Array
  divergence: jax.Array
  occupancy: jax.Array
  captured_by_label: jax.Array


def nearest(
  samples: Array,
  centres: Array,
  std: Scalar,
  candidates: Array | None = None,
) -> tuple[jax.Array, jax.Array]:
  """Returns the mode of each sample and its distance in deviations, [N] each.

  The mode is the one with the smallest distance in standard deviations: with a
  common `std`, the nearest; a tie goes to the first. A sample that is not
  finite has the label K, which is no mode, and no finite distance.

  Args:
    samples: [N, D].
    centres: the modes' means, [K, D].
    std: of every mode along each axis, a scalar, or [K]; may be traced.
    candidates: the modes that each sample may be assigned to, [N, K] bool; by
      default all.

  Raises:
    ValueError: if samples and centres are not rows of one length.
  """
  samples, centres = jnp.asarray(samples), jnp.asarray(centres)
  if samples.ndim != 2 or samples.shape[1:] != centres.shape[1:]:
    raise ValueError(
      f'Samples of the shape {samples.shape} cannot be assigned to centres of '
      f'the shape {centres.shape}; expected [N, D] and [K, D]: flatten both '
      'into rows of one length.'
    )
  # Differences, not the Gram matrix: a mode's deviation is a hundredth of its
  # coordinates, so that the rounding of squares would matter.
  away = jnp.linalg.norm(samples[:, None] - centres, axis=-1) / std
  if candidates is not None:
    away = jnp.where(candidates, away, jnp.inf)
  distances = away.min(axis=1)
  labels = jnp.where(jnp.isfinite(distances), away.argmin(axis=1), len(centres))
  return labels, distances


def tally(
  labels: Array,
  good: Array,
  number: int,
  minimum: Scalar = 1,
  counted: Array | None = None,
  smoothing: Scalar = 0.0,
  target: Array | None = None,
) -> Modes:
  """Returns the `Modes` of samples with given modes and quality.

  Args:
    labels: the mode of each sample, [N] integers; K stands for no mode, and
      counts nowhere.
    good: which samples are good, [N] bool.
    number: of modes, K, a Python int.
    minimum: how many good samples capture a mode; may be traced.
    counted: which samples enter the divergence's histogram, [N] bool; by
      default the good ones.
    smoothing: a number added to every mode's count in that histogram, at least
      0 (Laplace: 1); may be traced.
    target: what the histogram is compared with, [K], in any unit; by default
      uniform.
  """

  def histogram(chosen):
    return _histogram(labels, chosen, number)

  good = jnp.asarray(good)
  counted = good if counted is None else jnp.asarray(counted)
  target = jnp.ones(number) if target is None else jnp.asarray(target)
  counts = histogram(counted) + smoothing
  # An empty histogram is 0 / 0, and the sum stays NaN; an empty mode adds 0,
  # even if its target is 0.
  share, target = counts / counts.sum(), target / target.sum()
  return Modes(
    captured=jnp.sum(histogram(good) >= minimum, dtype=jnp.int32),
    quality=good.mean(),
    divergence=jnp.sum(xlogy(share, share) - xlogy(share, target)),
    occupancy=histogram(jnp.ones_like(good)),
  )


def _histogram(labels, chosen, number):
  """Returns how many of the chosen samples are in each mode, int32 [K]."""
  return jax.ops.segment_sum(chosen.astype(jnp.int32), labels, number)


def count(
  samples: Array,
  centres: Array,
  std: Scalar,
  within: Scalar = 3.0,
  closer: Callable = jnp.less,
  reach: Scalar | None = None,
  **rules: Any,
) -> Modes:
  """Returns the `Modes` of samples from a mixture of Gaussians.

  Lin et al., "PacGAN: The power of two samples in generative adversarial
  networks", 2018, arXiv:1712.04086, section 4.1, as in its authors' code: a
  sample is good strictly within 3 deviations of the nearest mode, one good
  sample captures a mode, and the divergence counts the good ones. Others use
  `closer=jnp.less_equal`, or a divergence of all samples, `reach=jnp.inf`, with
  `smoothing=1`.

  Args:
    samples: [N, D].
    centres: the modes' means, [K, D].
    std: of every mode along each axis, a scalar, or [K]; may be traced.
    within: radius of the good samples, in deviations; may be traced.
    closer: `(distances, radius) -> bool`, which decides whether the edge itself
      is good.
    reach: radius of the samples that the divergence counts, in deviations; by
      default `within`; may be traced.
    **rules: `minimum`, `smoothing` and `target` of `tally`.

  Raises:
    ValueError: as `nearest`.
  """
  labels, distances = nearest(samples, centres, std)
  return tally(
    labels,
    closer(distances, within),
    len(centres),
    counted=closer(distances, within if reach is None else reach),
    **rules,
  )


def count_by_label(
  samples: Array,
  labels: Array,
  centres: Array,
  std: Scalar,
  owners: Array,
  number: int,
  within: Scalar = 3.0,
  closer: Callable = jnp.less,
  reach: Scalar | None = None,
  minimum: Scalar = 1,
  **rules: Any,
) -> LabelledModes:
  """Returns the `LabelledModes` of samples from a mixture with labels.

  It is `count`, where a sample belongs to the nearest mode of its own label: on
  a mode of another label it is not good, and captures nothing.

  Args:
    samples: [N, D].
    labels: of the samples, int32 [N].
    centres: the modes' means, [K, D].
    std: of every mode along each axis, a scalar, or [K]; may be traced.
    owners: the labels of the modes, int32 [K].
    number: of the labels, L, a Python int.
    within: as in `count`, and so are the next two.
    closer: `(distances, radius) -> bool`.
    reach: radius of the samples that the divergence counts.
    minimum: how many good samples capture a mode; may be traced.
    **rules: `smoothing` and `target` of `tally`.

  Raises:
    ValueError: as `nearest`.
  """
  labels, owners = jnp.asarray(labels), jnp.asarray(owners)
  places, distances = nearest(samples, centres, std, labels[:, None] == owners)
  good = closer(distances, within)
  counted = closer(distances, within if reach is None else reach)
  found = tally(
    places, good, len(centres), minimum=minimum, counted=counted, **rules
  )
  return by_label(found, places, good, owners, number, minimum)


def by_label(
  found: Modes,
  places: Array,
  good: Array,
  owners: Array,
  number: int,
  minimum: Scalar = 1,
) -> LabelledModes:
  """Returns the `LabelledModes` of what `tally` found.

  Args:
    found: of all samples.
    places: the mode of each sample, `[N]`, as `tally` takes them.
    good: which samples are good, `[N]` bool.
    owners: the labels of the modes, int32 `[K]`.
    number: of the labels, L, a Python int.
    minimum: how many good samples capture a mode; may be traced.
  """
  captured = _histogram(places, good, len(owners)) >= minimum
  return LabelledModes(*found, _histogram(owners, captured, number))


def stacked(logits: Array, confidence: Scalar = 0.0, **rules: Any) -> Modes:
  """Returns the `Modes` of images with a class in each channel, L^C modes.

  Stacked MNIST (Metz et al., "Unrolled Generative Adversarial Networks", 2017,
  arXiv:1611.02163, section 3.3.1) has three channels of ten digits: a, b, c
  make the mode 100 a + 10 b + c. With the defaults every image is good, and one
  captures a mode; published counts need up to 20, or a confidence of 99 %.

  Args:
    logits: of a classifier of single channels, [N, C, L]; or the logarithms of
      its probabilities.
    confidence: the smallest probability of the class in every channel of a good
      image, in [0, 1]; may be traced.
    **rules: `minimum`, `counted`, `smoothing` and `target` of `tally`.

  Raises:
    ValueError: if the logits are not [N, C, L].
  """
  logits = jnp.asarray(logits)
  if logits.ndim != 3:
    raise ValueError(
      f'The logits have the shape {logits.shape}; expected [N, C, L], a row of '
      'L classes for each of C channels: classify every channel alone, and '
      'reshape.'
    )
  _, channels, classes = logits.shape
  number = classes**channels
  weights = classes ** jnp.arange(channels)[::-1]
  sure = jax.nn.softmax(logits).max(axis=-1).min(axis=-1)
  labels = jnp.where(jnp.isnan(sure), number, logits.argmax(axis=-1) @ weights)
  return tally(labels, sure >= confidence, number, **rules)


def floor(number: int, samples: Scalar, divergence: float = 0.0) -> Scalar:
  """Returns the expected reverse KL of a perfect sampler, a scalar in nats.

  The histogram of N draws has a divergence of (K - 1) / 2N from the
  distribution of the draws (half a chi-squared variable of K - 1 degrees of
  freedom, over N), which itself has `divergence` from the target: the two add
  up exactly. The first needs several draws in each mode, and has a standard
  deviation of sqrt((K - 1) / 2) / N.

  Args:
    number: of modes, K.
    samples: the number of draws that the histogram counts, N; may be traced.
    divergence: of the data from the target, in nats. That of Stacked MNIST from
      the uniform distribution is three times that of its digits.
  """
  return divergence + (number - 1) / (2 * samples)


def ceiling(within: Scalar = 3.0, dimensions: int = 2) -> jax.Array:
  """Returns the share of Gaussian draws within a radius, in [0, 1].

  In two dimensions it is 1 - exp(-within^2 / 2). A larger share of good samples
  means that a generator's modes are too narrow.

  Args:
    within: radius, in deviations; may be traced.
    dimensions: of the samples, D, at least 1.
  """
  return gammainc(dimensions / 2, jnp.square(within) / 2)
