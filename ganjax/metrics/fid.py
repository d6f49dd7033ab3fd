"""Distances between two sets of features: Frechet (FID) and kernel (KID).

Both are computed in float64 NumPy: the difference of two traces that nearly
cancel has no business in float32. Neither says which features it was given,
and a value without the features' name, both sample counts and the split
cannot be compared with anything.
"""

import numpy as np

from ganjax.arrays import Array


def frechet(
  mean_a: Array, covariance_a: Array, mean_b: Array, covariance_b: Array
) -> float:
  """Squared Frechet distance of two Gaussians, a float >= 0.

  `|m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2))`: Dowson and Landau, The
  Frechet distance between multivariate normal distributions, 1982; Heusel et
  al., GANs trained by a two time-scale update rule converge to a local Nash
  equilibrium, 2017, arXiv:1706.08500, eq. 6.

  Args:
    mean_a: [D].
    covariance_a: [D, D], symmetric, positive semi-definite; may be singular.
    mean_b: [D].
    covariance_b: [D, D], as `covariance_a`.

  Raises:
    ValueError: if the shapes do not fit one another.
  """
  mean_a, covariance_a, mean_b, covariance_b = (
    np.asarray(array, np.float64)
    for array in (mean_a, covariance_a, mean_b, covariance_b)
  )
  d = mean_a.size
  shapes = tuple(
    array.shape for array in (mean_a, covariance_a, mean_b, covariance_b)
  )
  if shapes != ((d,), (d, d), (d,), (d, d)):
    raise ValueError(
      f'The means and covariances have the shapes {shapes}, where [D], [D, D], '
      '[D], [D, D] were expected; take both from features of one network.'
    )
  # C_a C_b is not symmetric, yet it has the eigenvalues of
  # C_a^1/2 C_b C_a^1/2, which is; rounding alone makes them negative.
  values, vectors = np.linalg.eigh(covariance_a)
  root = vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T
  product = root @ covariance_b @ root
  values = np.linalg.eigvalsh((product + product.T) / 2)
  overlap = np.sqrt(np.maximum(values, 0)).sum()
  distance = np.sum((mean_a - mean_b) ** 2) + (
    np.trace(covariance_a) + np.trace(covariance_b) - 2 * overlap
  )
  return float(max(distance, 0.0))


def fid(real: Array, fake: Array) -> float:
  """Frechet distance of the Gaussians fitted to two sets of features.

  Heusel et al., 2017, arXiv:1706.08500, sec. 3, with unbiased covariances.
  The estimate is biased upwards by about 1/N, the more so the larger D is
  (Binkowski et al., 2018, arXiv:1801.01401): compare only equal counts, and
  take more than D samples.

  Args:
    real: [N, D], N >= 2.
    fake: [M, D], M >= 2.

  Raises:
    ValueError: if a set is not [N, D] with N >= 2, the D differ, or a value
      is not finite.
  """
  real, fake = _features(real, fake)
  return frechet(
    real.mean(0),
    np.cov(real, rowvar=False).reshape(real.shape[1], -1),
    fake.mean(0),
    np.cov(fake, rowvar=False).reshape(fake.shape[1], -1),
  )


def kid(
  real: Array, fake: Array, subsets: int = 100, size: int = 1000, *, seed: int
) -> tuple[float, float]:
  """Mean and standard deviation over subsets of the squared kernel distance.

  The unbiased MMD^2 with the kernel `(x . y / D + 1)^3`: Binkowski et al.,
  Demystifying MMD GANs, 2018, arXiv:1801.01401, sec. 4. It is unbiased, so it
  may be negative, and it can be compared across sample counts. The deviation
  is that of one subset, not the standard error of the mean.

  Args:
    real: [N, D], N >= 2.
    fake: [M, D], M >= 2.
    subsets: how many pairs of subsets are drawn.
    size: samples in a subset, drawn without replacement; min(size, N, M) are
      taken. With all of both sets, every subset is the same.
    seed: of NumPy's generator, which draws the subsets.

  Raises:
    ValueError: as `fid`, and if `size` < 2 or `subsets` < 1.
  """
  real, fake = _features(real, fake)
  if size < 2 or subsets < 1:
    raise ValueError(
      f'KID got subsets={subsets} and size={size}; it needs at least one '
      'subset of at least two samples.'
    )
  size = min(size, len(real), len(fake))
  generator = np.random.default_rng(seed)

  def draw(features):
    return features[generator.choice(len(features), size, replace=False)]

  values = [_mmd(draw(real), draw(fake)) for _ in range(subsets)]
  return float(np.mean(values)), float(np.std(values))


def _mmd(x, y):
  """Unbiased squared MMD of two sets of one size: no sample meets itself."""
  n, d = x.shape
  kernel_xx, kernel_yy, kernel_xy = (
    (a @ b.T / d + 1) ** 3 for a, b in ((x, x), (y, y), (x, y))
  )
  within = sum(k.sum() - np.trace(k) for k in (kernel_xx, kernel_yy))
  return within / (n * (n - 1)) - 2 * kernel_xy.mean()


def _features(real, fake):
  """Both sets in float64, checked."""
  real, fake = np.asarray(real, np.float64), np.asarray(fake, np.float64)
  for name, features in (('real', real), ('fake', fake)):
    if features.ndim != 2 or len(features) < 2:
      raise ValueError(
        f'The {name} features have the shape {features.shape}; expected '
        '[N, D] with N of at least 2: pass one row per image.'
      )
    if not np.isfinite(features).all():
      raise ValueError(
        f'The {name} features hold values that are not finite; look for a '
        'generator that has diverged.'
      )
  if real.shape[1] != fake.shape[1]:
    raise ValueError(
      f'The real features have {real.shape[1]} columns and the fake ones '
      f'{fake.shape[1]}; take both from one network.'
    )
  return real, fake
