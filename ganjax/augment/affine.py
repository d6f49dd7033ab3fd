"""Affine maps of images: matrices, and images seen through them.

A matrix `[3, 3]` maps the coordinates (x, y, 1) of a pixel of the result to
where it is taken from: in pixels from the centre of the image, x to the right
and y downwards. Beyond its border an image goes on as its reflection, without
repeating the pixels at the border, as often as need be: the shapes are static,
and nothing is padded.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from ganjax.arrays import Scalar

# The low-pass filter of Daubechies' symlet of order 6, whose sum is sqrt(2)
# (Daubechies, "Ten Lectures on Wavelets", 1992, section 8.1). It is only nearly
# symmetric: its centre is tap 5 of 0, ..., 11, and not 5.5.
_SYM6 = (
  0.015404109327027373,
  0.0034907120842174702,
  -0.11799011114819057,
  -0.048311742585633,
  0.4910559419267466,
  0.787641141030194,
  0.3379294217276218,
  -0.07263752278646252,
  -0.021060292512300564,
  0.04472490177066578,
  0.0017677118642428036,
  -0.007800708325034148,
)
_CENTRE = 5

# Products of images with constant matrices, which GPUs and TPUs would round to
# fewer bits.
_einsum = functools.partial(jnp.einsum, precision='highest')


def scaling(x: Scalar, y: Scalar) -> jax.Array:
  """Returns the matrix that multiplies coordinates by x and by y."""
  return _matrix(((x, 0, 0), (0, y, 0)))


def rotation(angle: Scalar) -> jax.Array:
  """Returns the matrix that turns x towards y by an angle in radians."""
  cos, sin = jnp.cos(angle), jnp.sin(angle)
  return _matrix(((cos, -sin, 0), (sin, cos, 0)))


def translation(x: Scalar, y: Scalar) -> jax.Array:
  """Returns the matrix that adds x and y, in pixels."""
  return _matrix(((1, 0, x), (0, 1, y)))


def _matrix(rows):
  rows = (*rows, (0, 0, 1))
  return jnp.stack([jnp.stack([jnp.float32(e) for e in row]) for row in rows])


def product(matrices) -> jax.Array:
  """Returns the product `[3, 3]` of a sequence of matrices, at least one."""
  return functools.reduce(
    functools.partial(jnp.matmul, precision='highest'), matrices
  )


def gathered(image: jax.Array, matrix: jax.Array) -> jax.Array:
  """Returns the image `[H, W, C]` through a matrix, at the nearest pixels.

  For maps of pixels to pixels, such as flips, turns by 90 degrees of squares,
  and shifts by whole pixels, of which it is exact.
  """
  height, width, _ = image.shape
  rows, columns = _sources(matrix, np.arange, height, width)
  return image[
    reflected(jnp.round(rows).astype(int), height),
    reflected(jnp.round(columns).astype(int), width),
  ]


def resampled(image: jax.Array, matrix: jax.Array) -> jax.Array:
  """Returns the image `[H, W, C]` through a matrix, with little aliasing.

  Karras et al., "Training Generative Adversarial Networks with Limited Data",
  2020, arXiv:2006.06676, appendix B: the image is made twice as large by an
  orthogonal low-pass filter (sym6), sampled bilinearly at a grid twice as fine,
  and made half as large by the same filter, flipped. The identity is kept to
  rounding. Their code pads as far as the batch needs, at most W - 1 pixels, and
  is zero beyond; here reflection goes on.

  The derivative of sampling is a scatter of sums, whose order on a GPU is that
  of chance, unless XLA is told to be deterministic.

  Args:
    image: at least 2 pixels high and wide.
    matrix: from the result's coordinates to the image's.
  """
  height, width, _ = image.shape
  large = _einsum(
    'ah,bw,hwc->cab', _enlarging(height), _enlarging(width), image
  )
  rows, columns = _sources(matrix, _fine, height, width)
  fine = _bilinear(large, 2 * rows, 2 * columns)
  return _einsum('ia,jb,cab->ijc', _halving(height), _halving(width), fine)


def _fine(length):
  """Returns where the filter that halves has its taps, in pixels."""
  return (np.arange(2 * length + len(_SYM6) - 2) - _CENTRE) / 2


def _sources(matrix, places, height, width):
  """Returns the rows and the columns `[R, S]` that a grid comes from.

  Args:
    matrix: from the grid's coordinates to the image's.
    places: from a length to where the grid is along it, in pixels.
    height: of the image, in pixels.
    width: likewise.
  """
  down, right = (height - 1) / 2, (width - 1) / 2
  x, y = places(width)[None, :] - right, places(height)[:, None] - down
  from_x, from_y = (row[0] * x + row[1] * y + row[2] for row in matrix[:2])
  return from_y + down, from_x + right


def _bilinear(images, rows, columns):
  """Returns periodic images `[C, H, W]` at rows and columns, each `[R, S]`."""
  height, width = images.shape[1:]
  top, left = jnp.floor(rows), jnp.floor(columns)
  down, right = rows - top, columns - left
  # Of numbers, and by one index: XLA on a CPU adds up the gradients of slices,
  # or of several indices, several times slower.
  flat = images.reshape(len(images), -1)

  def at(row, column):
    place = row.astype(int) % height * width + column.astype(int) % width
    return jax.vmap(
      lambda image: image.at[place].get(mode='promise_in_bounds')
    )(flat)

  upper = (1 - right) * at(top, left) + right * at(top, left + 1)
  lower = (1 - right) * at(top + 1, left) + right * at(top + 1, left + 1)
  return (1 - down) * upper + down * lower


def reflected(index, length):
  """Returns the pixel that a number beyond the border is a reflection of."""
  period = max(2 * (length - 1), 1)
  return (length - 1) - abs((length - 1) - index % period)


def _enlarging(length):
  """Returns the matrix `[4 (L - 1), L]` to a period of twice as many pixels.

  Pixel i of the image becomes the pixel 2i; the image and its reflection are
  one period.
  """
  period = 4 * (length - 1)
  matrix = np.zeros((period, length), np.float32)
  for tap, value in enumerate(_SYM6):
    fine = np.arange(-_CENTRE + tap, period - _CENTRE + tap, 2)
    coarse = reflected(np.arange(2 * (length - 1)), length)
    np.add.at(matrix, (fine % period, coarse), np.sqrt(2) * value)
  return matrix


def _halving(length):
  """Returns the matrix `[L, 2L + 10]` from a grid twice as fine to pixels."""
  matrix = np.zeros((length, 2 * length + len(_SYM6) - 2), np.float32)
  for tap, value in enumerate(_SYM6):
    pixels = np.arange(length)
    matrix[pixels, 2 * pixels + tap] = value / np.sqrt(2)
  return matrix
