"""The kernel distance of two sets of features (KID).

It is computed in float64 NumPy. A value cannot be compared with others unless
the network of the features and the split of the data are known.
"""

import numpy as np

from ganjax.arrays import Array
from ganjax.metrics import fid


def kid(
  real: Array, fake: Array, subsets: int = 100, size: int = 1000, *, seed: int
) -> tuple[float, float]:
  """Returns mean and standard deviation over subsets of the kernel distance.

  The unbiased MMD^2 with the kernel `(x . y / D + 1)^3`: Binkowski et al.,
  "Demystifying MMD GANs", 2018, arXiv:1801.01401, section 4. It is unbiased, so
  it may be negative, and values of different sample counts can be compared. The
  deviation is that of one subset, not the standard error of the mean.

  Args:
    real: [N, D], N >= 2.
    fake: [M, D], M >= 2.
    subsets: how many pairs of subsets are drawn.
    size: samples in a subset, drawn without replacement; at most min(N, M) are
      taken. With all of both sets, every subset is the same.
    seed: of NumPy's generator, which draws the subsets.

  Raises:
    ValueError: if `size` < 2 or `subsets` < 1, a set is not [N, D] with N >= 2,
      the D differ, or a value is not finite.
  """
  real, fake = fid.checked(real, fake)
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
  """Returns the unbiased squared MMD of two sets of equal size."""
  n, d = x.shape
  kernel_xx, kernel_yy, kernel_xy = (
    (a @ b.T / d + 1) ** 3 for a, b in ((x, x), (y, y), (x, y))
  )
  within = sum(k.sum() - np.trace(k) for k in (kernel_xx, kernel_yy))
  return within / (n * (n - 1)) - 2 * kernel_xy.mean()
