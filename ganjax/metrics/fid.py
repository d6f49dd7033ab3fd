"""The Frechet distance of two sets of features (FID).

It is computed in float64 NumPy: the difference of two traces that nearly cancel
is beyond float32. A value cannot be compared with others unless the network of
the features, both sample counts and the split of the data are known.
"""

import numpy as np

from ganjax.arrays import Array


def frechet(
  mean_a: Array, covariance_a: Array, mean_b: Array, covariance_b: Array
) -> float:
  """Returns the squared Frechet distance of two Gaussians, at least 0.

  `|m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2))`: Dowson and Landau, "The
  Frechet distance between multivariate normal distributions", 1982; Heusel et
  al., "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash
  Equilibrium", 2017, arXiv:1706.08500, equation 6.

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
      f'The means and covariances have the shapes {shapes}; expected [D], '
      '[D, D], [D], [D, D]: take both from features of one network.'
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
  """Returns the Frechet distance of Gaussians fitted to two sets of features.

  Heusel et al., "GANs Trained by a Two Time-Scale Update Rule Converge to a
  Local Nash Equilibrium", 2017, arXiv:1706.08500, section 3, with unbiased
  covariances. The estimate has a positive bias of order 1/N, which grows with D
  (Binkowski et al., 2018, arXiv:1801.01401): compare only equal counts, and
  take more than D samples.

  Args:
    real: [N, D], N >= 2.
    fake: [M, D], M >= 2.

  Raises:
    ValueError: if a set is not [N, D] with N >= 2, the D differ, or a value
      is not finite.
  """
  real, fake = checked(real, fake)
  return frechet(
    real.mean(0),
    np.cov(real, rowvar=False).reshape(real.shape[1], -1),
    fake.mean(0),
    np.cov(fake, rowvar=False).reshape(fake.shape[1], -1),
  )


def checked(real: Array, fake: Array) -> tuple[np.ndarray, np.ndarray]:
  """Returns both sets of features as float64 arrays, after a check.

  Args:
    real: [N, D], N >= 2.
    fake: [M, D], M >= 2.

  Raises:
    ValueError: if a set is not [N, D] with N >= 2, the D differ, or a value
      is not finite.
  """
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
