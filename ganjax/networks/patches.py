"""Convolutions as one product of matrices, of what a kernel sees at a time.

A patch is a row of the k k C numbers that a kernel of k x k pixels sees of
images with C channels. Patches are linear in the images, and so is their
transpose, which adds each number to the pixel that it came from. The three maps
of `ganjax.networks.convolution` are products with one or the other. They read
each pixel up to k k times, so that they suit few channels, as images have, and
kernels of one pixel.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax


def convolution(images, kernel, stride, padding):
  """Returns features [N, h, w, F]; see `ganjax.networks.convolution`."""
  return product(
    _of(images, kernel.shape[:2], stride, padding), _matrix(kernel)
  )


def transposed(features, kernel, stride, padding, size):
  """Returns images [N, H, W, C], the transpose of `convolution` in them."""
  shape = (len(features), *size, kernel.shape[2])
  images = jax.ShapeDtypeStruct(shape, features.dtype)
  back = jax.linear_transpose(
    lambda images: _of(images, kernel.shape[:2], stride, padding), images
  )
  return back(product(features, _matrix(kernel).T))[0]


def correlation(images, features, stride, padding, size):
  """Returns the kernel [k, k, C, F], the transpose of `convolution` in it."""
  rows = _flat(_of(images, size, stride, padding))
  matrix = rows.T @ _flat(features)
  return matrix.reshape(*size, images.shape[-1], features.shape[-1])


def product(images, matrix, **options):
  """Returns the products of pixels [..., C] and a matrix [C, F], [..., F].

  The gradient of `lax.dot_general` in the matrix takes twice as long on a CPU
  for images of four axes, of which XLA transposes copies.

  Args:
    images: of any number of axes.
    matrix: of the same type.
    **options: of `lax.dot`.
  """
  products = lax.dot(_flat(images), matrix, **options)
  return products.reshape(*images.shape[:-1], -1)


def _of(images, size, stride, padding):
  """Returns the patches of images [N, H, W, C], [N, h, w, k k C]."""
  around = padding, padding, 0
  zero = jnp.zeros((), images.dtype)
  padded = lax.pad(images, zero, [(0, 0, 0), around, around, (0, 0, 0)])
  ends = [
    (side - k) // stride * stride + 1
    for side, k in zip(padded.shape[1:3], size, strict=True)
  ]
  return jnp.concatenate(
    [
      padded[:, y : y + ends[0] : stride, x : x + ends[1] : stride]
      for y, x in np.ndindex(*size)
    ],
    -1,
  )


def _matrix(kernel):
  return kernel.reshape(-1, kernel.shape[-1])


def _flat(images):
  return images.reshape(-1, images.shape[-1])
