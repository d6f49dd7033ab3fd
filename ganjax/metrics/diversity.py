"""How alike the images of one set are, which shows a collapsed generator.

The value of a set means little alone: compare it with as many real images.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.spatial import distance

from ganjax.arrays import Array

_WINDOW = 11  # pixels across; standard deviation 1.5
_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # fine to coarse


def pairwise_distance(images: Array) -> float:
  """Returns the mean root-mean-square difference of all pairs.

  The mean over i != j of `|x_i - x_j|_2 / sqrt(d)`: for images in [-1, 1] it
  lies in [0, 2] at any resolution, and is 0 if all images are the same. It can
  also be taken of features or points. It is computed on the host, where sets
  of any number of images need no program of their own.

  Args:
    images: [N, ...], N >= 2, with d values each; not traced.

  Raises:
    ValueError: if there are fewer than two images.
  """
  _several(images)
  rows = np.asarray(images).reshape(len(images), -1)
  # Differences, not the Gram matrix: its rounding would hide the small
  # distances of a set that has nearly collapsed.
  return float(distance.pdist(rows).mean() / np.sqrt(rows.shape[1]))


def ms_ssim(images_a: Array, images_b: Array) -> jax.Array:
  """Returns the MS-SSIM of each pair of images, [N] in [0, 1].

  Wang, Simoncelli and Bovik, "Multi-scale structural similarity for image
  quality assessment", 2003, equation 7: an 11x11 Gaussian window of deviation
  1.5 without padding, K = (.01, .03), 2x2 means between scales. It is computed
  for each channel and averaged; a negative mean of a scale counts as 0.

  The paper's five scales need 176 pixels. A smaller image has as many scales as
  leave its shorter side 11 pixels or more at the coarsest (11 pixels: 1, 22: 2,
  44: 3, 88: 4), and their weights are divided by their sum. So compare values
  of one resolution only.

  Args:
    images_a: [N, H, W, C] in [-1, 1], H and W of at least 11.
    images_b: as `images_a`.

  Raises:
    ValueError: if the shapes differ, are not [N, H, W, C], or have a side
      under 11.
  """
  if images_a.shape != images_b.shape or images_a.ndim != 4:
    raise ValueError(
      f'MS-SSIM got images of the shapes {images_a.shape} and '
      f'{images_b.shape}; expected the same [N, H, W, C] twice.'
    )
  side = min(images_a.shape[1:3])
  if side < _WINDOW:
    raise ValueError(
      f'MS-SSIM got images of {side} pixels; its window needs {_WINDOW}: '
      'enlarge the images first, or use pairwise_distance.'
    )
  scales = min(len(_WEIGHTS), (side // _WINDOW).bit_length())
  weights = np.asarray(_WEIGHTS[:scales]) / sum(_WEIGHTS[:scales])

  product: Any = 1.0
  for scale, weight in enumerate(weights):
    if scale:
      images_a, images_b = _halve(images_a), _halve(images_b)
    luminance, contrast = _similarity(images_a, images_b)
    if scale == scales - 1:
      contrast = luminance * contrast
    product *= jnp.maximum(contrast.mean(axis=(1, 2)), 0) ** weight
  return product.mean(axis=-1)


def diversity(images: Array, pairs: int, key: jax.Array) -> jax.Array:
  """Returns the mean MS-SSIM of random pairs, a scalar; high means collapse.

  Odena, Olah and Shlens, "Conditional Image Synthesis with Auxiliary Classifier
  GANs", 2017, arXiv:1610.09585, section 4.2, with 100 pairs within a class. An
  image is never paired with itself.

  Args:
    images: [N, H, W, C] in [-1, 1], N >= 2.
    pairs: how many pairs are drawn, with replacement.
    key: draws the pairs.

  Raises:
    ValueError: as `ms_ssim`, and if there are fewer than two images.
  """
  _several(images)
  key_first, key_offset = jax.random.split(key)
  n = len(images)
  first = jax.random.randint(key_first, (pairs,), 0, n)
  second = (first + jax.random.randint(key_offset, (pairs,), 1, n)) % n

  def similarity(pair):
    return ms_ssim(*(images[index][None] for index in pair))[0]

  # In batches, so that the memory does not grow with the number of pairs.
  return jax.lax.map(similarity, (first, second), batch_size=64).mean()


def _similarity(a, b):
  """Returns SSIM's luminance and contrast-structure terms, [N, H', W', C]."""
  # (K L)^2 with the range L = 2 of values in [-1, 1].
  c1, c2 = (0.01 * 2) ** 2, (0.03 * 2) ** 2
  moments = _blur(jnp.stack([a, b, a * a + b * b, a * b]))
  mean_a, mean_b, squares, product = moments
  both = mean_a**2 + mean_b**2
  luminance = (2 * mean_a * mean_b + c1) / (both + c1)
  covariance = product - mean_a * mean_b
  return luminance, (2 * covariance + c2) / (squares - both + c2)


def _blur(images):
  """Returns [..., H, W, C] blurred by the Gaussian window, without padding."""
  x = np.arange(_WINDOW) - _WINDOW // 2
  taps = np.exp(-(x**2) / (2 * 1.5**2))
  taps /= taps.sum()

  # Two products with banded matrices: XLA is slow at a convolution for each
  # channel. TF32 or bfloat16 would drown the variances, hence the precision.
  def band(size):
    rows = np.arange(size - _WINDOW + 1)[:, None]
    matrix = np.zeros((len(rows), size), np.float32)
    matrix[rows, rows + np.arange(_WINDOW)] = taps
    return matrix

  height, width = images.shape[-3:-1]
  return jnp.einsum(
    'ph,...hwc,qw->...pqc',
    band(height),
    images,
    band(width),
    precision='highest',
  )


def _halve(images):
  """Returns the means of 2x2 pixels, without an odd last row or column."""
  n, height, width, channels = images.shape
  images = images[:, : height // 2 * 2, : width // 2 * 2]
  blocks = images.reshape(n, height // 2, 2, width // 2, 2, channels)
  return blocks.mean(axis=(2, 4))


def _several(images):
  if len(images) < 2:
    raise ValueError(
      f'A set of {len(images)} images has no pairs; pass at least two.'
    )
