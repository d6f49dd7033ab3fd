"""The 4x4, stride 2, padding 1 convolution as nine matrix products.

Space to depth turns it into a 2x2, stride 1 convolution of 4 C channels, and
for that F(2x2, 2x2) needs nine multiplications where the definition has
sixteen. In one dimension, with points 0, -1 and infinity,

  y0 = x0 w0 + x1 w1 = (x0 - x1) w0 + x1 (w0 + w1)
  y1 = x1 w0 + x2 w1 =                x1 (w0 + w1) + (x2 - x1) w1

so that the form <y, x * w> is the sum over three points of
(x0 - x1, x1, x2 - x1) (w0, w0 + w1, w1) (y0, y0 + y1, y1). The convolution and
its two transposes share these three transforms; each ends in the transpose of
one of them.

Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2016,
arXiv:1509.09308, section 4. In float32 the relative error is about 1e-6, where
that of the definition is 1e-7.
"""

import functools

import jax
import jax.numpy as jnp
from jax import lax
from jax.experimental.xla_metadata import set_xla_metadata


def convolution(images, kernel):
  """Returns features [N, H/2, W/2, F].

  Args:
    images: [N, H, W, C], H and W multiples of 4.
    kernel: [4, 4, C, F].
  """
  return _features_from(
    _multiply(
      'nhwc,ijcf->nhwf', _points_of_images(images), _points_of_kernel(kernel)
    )
  )


def transposed(features, kernel):
  """Returns images [N, H, W, C].

  Args:
    features: [N, H/2, W/2, F], H and W multiples of 4.
    kernel: [4, 4, C, F].
  """
  return _images_from(
    _multiply(
      'nhwf,ijcf->nhwc',
      _points_of_features(features),
      _points_of_kernel(kernel),
    )
  )


def correlation(images, features):
  """Returns the kernel [4, 4, C, F].

  Args:
    images: [N, H, W, C], H and W multiples of 4.
    features: [N, H/2, W/2, F].
  """
  return _kernel_from(
    _multiply(
      'nhwc,nhwf->cf', _points_of_images(images), _points_of_features(features)
    )
  )


def _multiply(equation, left, right):
  return [jnp.einsum(equation, a, b) for a, b in zip(left, right, strict=True)]


def _not_fused(transform):
  # XLA on a CPU fuses a cheap transform into each of its consumers, where it is
  # computed again and again, and drops optimization barriers before it fuses.
  # It does not fuse a call that may not be inlined; nor calls within that, so a
  # transform consists of lax operations alone: jnp.pad would be a call.
  compiled = jax.jit(transform)

  @functools.wraps(transform)
  def call(argument):
    with set_xla_metadata(inlineable='false'):
      return compiled(argument)

  return call


@_not_fused
def _points_of_images(images):
  n, h, w, c = images.shape
  x = _pad(_pad(images, 1, (1, 1)), 2, (1, 1))
  x = x.reshape(n, h // 2 + 1, 2, w // 2 + 1, 2, c)
  x = x.transpose(0, 1, 3, 2, 4, 5).reshape(n, h // 2 + 1, w // 2 + 1, 4 * c)
  return _both(_differences, x, 1)


@_not_fused
def _images_from(points):
  x = _both_back(_differences_back, points, 1)
  n, h, w, c = x.shape
  x = x.reshape(n, h, w, 2, 2, c // 4).transpose(0, 1, 3, 2, 4, 5)
  return x.reshape(n, 2 * h, 2 * w, c // 4)[:, 1:-1, 1:-1]


@_not_fused
def _points_of_features(features):
  return _both(_sums, features, 1)


@_not_fused
def _features_from(points):
  return _both_back(_sums_back, points, 1)


@_not_fused
def _points_of_kernel(kernel):
  c, f = kernel.shape[2:]
  x = kernel.reshape(2, 2, 2, 2, c, f).transpose(0, 2, 1, 3, 4, 5)
  return _both(_sums, x.reshape(2, 2, 4 * c, f), 0)


@_not_fused
def _kernel_from(points):
  x = _both_back(_sums_back, [x[None, None] for x in points], 0)
  c, f = x.shape[2] // 4, x.shape[3]
  x = x.reshape(2, 2, 2, 2, c, f).transpose(0, 2, 1, 3, 4, 5)
  return x.reshape(4, 4, c, f)


def _both(transform, x, axis):
  return [z for y in transform(x, axis) for z in transform(y, axis + 1)]


def _both_back(transform, points, axis):
  rows = [transform(points[i : i + 3], axis + 1) for i in (0, 3, 6)]
  return transform(rows, axis)


def _sums(x, axis):
  a = lax.slice_in_dim(x, 0, None, 2, axis)
  b = lax.slice_in_dim(x, 1, None, 2, axis)
  return a, a + b, b


def _sums_back(points, axis):
  a, m, b = points
  return _interleave(a + m, m + b, axis)


def _differences(x, axis):
  a = lax.slice_in_dim(x, 0, x.shape[axis] - 1, 2, axis)
  m = lax.slice_in_dim(x, 1, None, 2, axis)
  b = lax.slice_in_dim(x, 2, None, 2, axis)
  return a - m, m, b - m


def _differences_back(points, axis):
  a, m, b = points
  even = _pad(a, axis, (0, 1)) + _pad(b, axis, (1, 0))
  x = _interleave(even, _pad(m - a - b, axis, (0, 1)), axis)
  return lax.slice_in_dim(x, 0, x.shape[axis] - 1, axis=axis)


def _interleave(even, odd, axis):
  pair = [lax.expand_dims(x, (axis + 1,)) for x in (even, odd)]
  return lax.collapse(lax.concatenate(pair, axis + 1), axis, axis + 2)


def _pad(x, axis, widths):
  config = [(0, 0, 0)] * x.ndim
  config[axis] = (*widths, 0)
  return lax.pad(x, jnp.zeros((), x.dtype), config)
