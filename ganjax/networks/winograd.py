"""Convolutions of small kernels by fewer multiplications, as matrix products.

In one dimension, m features of a kernel of r pixels come from n = m + r - 1
pixels of an image. The form <convolution(x, w), y> of the three is then a sum
of n products of three numbers, in place of m r,

  sum over i of (B x)_i (G w)_i (A y)_i,

where the matrices B, G and A evaluate polynomials at n points, the last of them
infinity (Toom and Cook). In two dimensions the rows are transformed and then
the columns. The products are n^2 products of matrices, for the convolution and
for its transpose in the kernel alike; each of the two ends in the transpose of
a transform.

Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2016,
arXiv:1509.09308, section 4. The points are those that Barabasz, Anderson,
Soodhalter and Gregg found to round well, "Error Analysis and Improving the
Accuracy of Winograd Convolution for Deep Neural Networks", 2018,
arXiv:1803.10986. In float32 the relative error is about 3e-6, where that of the
definition is 1e-7.
"""

import functools
import inspect
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.experimental.xla_metadata import set_xla_metadata
from numpy.polynomial import polynomial

_POINTS = 0.0, 1.0, -1.0, 2.0, -0.5
_LARGE, _SMALL = 4, 2  # features of a tile, on each axis
_MANY = 256  # tiles; with fewer, to read the kernel's points takes most time


class Transforms(NamedTuple):
  """The matrices of n = m + r - 1 points.

  Attributes:
    images: B, n rows of n.
    kernel: G, n rows of r.
    features: A, n rows of m.
  """

  images: tuple
  kernel: tuple
  features: tuple


@functools.cache
def transforms(tile: int, size: int) -> Transforms:
  """Returns the `Transforms` of m features and a kernel of r pixels.

  Args:
    tile: m, at least 1.
    size: r, at least 1; m + r is at most 7.
  """
  finite = _POINTS[: tile + size - 2]
  others = [[q for q in finite if q != p] for p in finite]
  images = [np.append(polynomial.polyfromroots(roots), 0) for roots in others]
  images.append(polynomial.polyfromroots(finite))
  kernel, features = (
    np.vstack([polynomial.polyvander(finite, terms - 1), np.eye(terms)[-1]])
    for terms in (size, tile)
  )
  for row, p, roots in zip(kernel, finite, others, strict=False):
    row /= np.prod([p - q for q in roots])
  # Numbers of Python's, which do not widen the arrays that they multiply.
  matrices = [np.array(rows).tolist() for rows in (images, kernel, features)]
  return Transforms(*[tuple(map(tuple, matrix)) for matrix in matrices])


def convolution(images, kernel, padding):
  """Returns features [N, h, w, F], h = H + 2 padding - r + 1.

  Args:
    images: [N, H, W, C].
    kernel: [r, r, C, F], r 2 or 3.
    padding: static int, zeros added to each side.
  """
  size = len(kernel)
  height, width = (side + 2 * padding - size + 1 for side in images.shape[1:3])
  tile = _tile(len(images), height, width)
  points = jnp.einsum(
    'abnhwc,abcf->abnhwf',
    _points_of_images(images, padding, tile, size),
    _points_of_kernel(kernel, tile),
  )
  features = _pixels(points, transforms(tile, size).features, tile)
  return features[:, :height, :width]


def transposed(features, kernel, padding, size):
  """Returns images [N, H, W, C], the transpose of `convolution` in them.

  Args:
    features: [N, h, w, F].
    kernel: [r, r, C, F], r 2 or 3.
    padding: static int, zeros that `convolution` adds to each side.
    size: static (H, W).
  """
  tile = _tile(*features.shape[:3])
  points = jnp.einsum(
    'abnhwf,abfc->abnhwc',
    _points_of_features(features, tile, len(kernel)),
    _points_of_kernel(kernel.swapaxes(2, 3), tile),
  )
  images = _pixels(points, transforms(tile, len(kernel)).images, tile)
  height, width = (slice(padding, padding + side) for side in size)
  return images[:, height, width]


def correlation(images, features, padding, size, groups=1):
  """Returns the kernel [r, r, C / groups, F], the transpose of `convolution`.

  Args:
    images: [N, H, W, C].
    features: [N, h, w, F].
    padding: static int, zeros that `convolution` adds to each side.
    size: static r, 2 or 3.
    groups: static int; a feature has the channels of its group alone.
  """
  tile = _tile(*features.shape[:3])
  images = _points_of_images(images, padding, tile, size)
  features = _points_of_features(features, tile, size)
  product = _sum_of_products
  if groups > 1:  # An axis of a single group would make XLA copy.
    product = jax.vmap(product, -2, -2)
    images, features = (
      x.reshape(*x.shape[:-1], groups, -1) for x in (images, features)
    )
  points = product(images, features)
  matrix = transforms(tile, size).kernel
  points = points.reshape(*points.shape[:3], -1)
  return _product(np.kron(matrix, matrix).T, points)


def _sum_of_products(images, features):
  """Returns `[n, n, C, F]` of points `[n, n, N, tiles, tiles, C or F]`."""
  # XLA copies a result of another order, as that of einsum may be.
  at_a_point, tiles = (0, 1), (2, 3, 4)
  numbers = (tiles, tiles), (at_a_point, at_a_point)
  return lax.dot_general(images, features, numbers)


def _tile(number, height, width):
  """Returns the side of the tiles for so many features [N, h, w]."""
  tiles = number * -(-height // _LARGE) * -(-width // _LARGE)
  return _LARGE if tiles >= _MANY else _SMALL


def _points_of_images(images, padding, tile, size):
  """Returns `[n, n, N, tiles, tiles, C]`."""

  def around(side):
    tiles = -(-(side + 2 * padding - size + 1) // tile)
    return padding, tiles * tile + size - 1 - side - padding

  matrix = transforms(tile, size).images
  return _points(images, matrix, tile, map(around, images.shape[1:3]))


def _points_of_features(features, tile, size):
  """Returns `[n, n, N, tiles, tiles, F]`."""
  around = ((0, -side % tile) for side in features.shape[1:3])
  return _points(features, transforms(tile, size).features, tile, around)


def _points_of_kernel(kernel, tile):
  """Returns `[n, n, C, F]`."""
  matrix = transforms(tile, len(kernel)).kernel
  return _product(np.kron(matrix, matrix), kernel)


def _product(matrix, kernel):
  """Returns `[s, s, C, F]` of s^2 rows and a kernel [r, r, C, F]."""
  side = math.isqrt(len(matrix))
  flat = kernel.reshape(len(kernel) ** 2, -1)
  product = jnp.asarray(matrix, kernel.dtype) @ flat
  return product.reshape(side, side, *kernel.shape[2:])


def _points(x, matrix, tile, around):
  rows, columns = around
  return _along(_along(x, matrix, tile, columns), matrix, tile, rows)


def _pixels(points, matrix, tile):
  return _along_back(_along_back(points, matrix, tile), matrix, tile)


def _not_fused(transform):
  # XLA on a CPU fuses a cheap transform into each of its consumers, where it is
  # computed again and again, and drops optimization barriers before it fuses.
  # It does not fuse a call that may not be inlined; nor calls within that, so a
  # transform consists of lax operations alone: jnp.pad would be a call.
  parameters = inspect.signature(transform).parameters
  compiled = jax.jit(transform, static_argnums=range(1, len(parameters)))

  @functools.wraps(transform)
  def call(*arguments):
    with set_xla_metadata(inlineable='false'):
      return compiled(*arguments)

  return call


# Of each array here, the pixels that are transformed are axis 2: the columns of
# images [N, H, W, C], and then the rows of [n, N, H, tiles, C].
_AXIS = 2


@_not_fused
def _along(x, matrix, tile, around):
  """Returns the points of an axis before all axes, and its tiles on it.

  Args:
    x: `[..., ..., pixels, ...]`.
    matrix: of n rows, as wide as a tile with what it shares with the next.
    tile: what of it is not shared, in pixels.
    around: zeros to add before and after.

  Returns:
    `[n, ..., ..., tiles, ...]`.
  """
  x = _padded(x, around)
  width = len(matrix[0])
  last = x.shape[_AXIS] - width
  terms = [
    lax.slice_in_dim(x, first, first + last + 1, tile, _AXIS)
    for first in range(width)
  ]
  return _stacked([_combined(row, terms) for row in matrix], 0)


@_not_fused
def _along_back(points, matrix, tile):
  """Returns the transpose of `_along`, in which tiles are added."""
  terms = [lax.index_in_dim(points, i, 0, False) for i in range(len(matrix))]
  pixels = [_combined(column, terms) for column in zip(*matrix, strict=True)]
  own, later = pixels[:tile], pixels[tile:]
  length = tile * own[0].shape[_AXIS] + len(later)
  if later:
    own = [_padded(x, (0, 1)) for x in own]
    later = [_padded(x, (1, 0)) for x in later]
    own[: len(later)] = map(lax.add, own, later)
  x = lax.collapse(_stacked(own, _AXIS + 1), _AXIS, _AXIS + 2)
  return lax.slice_in_dim(x, 0, length, axis=_AXIS)


def _combined(factors, terms):
  # By lax, whose operations are traced in less time than those of jnp.
  chosen = [(a, x) for a, x in zip(factors, terms, strict=True) if a]
  return functools.reduce(
    lax.add, [lax.mul(x.dtype.type(a), x) for a, x in chosen]
  )


def _stacked(arrays, axis):
  return lax.concatenate([lax.expand_dims(x, (axis,)) for x in arrays], axis)


def _padded(x, around):
  amounts = [(*around, 0) if i == _AXIS else (0, 0, 0) for i in range(x.ndim)]
  return lax.pad(x, jnp.zeros((), x.dtype), amounts)
