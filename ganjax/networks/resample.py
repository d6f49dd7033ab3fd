"""Linear resampling of images: twice as large, half as large, or blurred.

Each function takes `[N, H, W, C]`, or more leading axes, and keeps the dtype.
"""

import jax
import jax.numpy as jnp


def nearest(images: jax.Array) -> jax.Array:
  """Returns images `[..., 2H, 2W, C]`, each pixel repeated four times."""
  *rows, height, width, channels = images.shape
  tiles = jnp.broadcast_to(
    images[..., :, None, :, None, :],
    (*rows, height, 2, width, 2, channels),
  )
  return tiles.reshape(*rows, 2 * height, 2 * width, channels)


def bilinear(images: jax.Array) -> jax.Array:
  """Returns images `[..., 2H, 2W, C]`, by bilinear interpolation.

  The centres of the new pixels lie a quarter of a pixel from the old ones.
  """
  *rows, height, width, channels = images.shape
  shape = (*rows, 2 * height, 2 * width, channels)
  return jax.image.resize(images, shape, 'bilinear')


def average(images: jax.Array) -> jax.Array:
  """Returns images `[..., H/2, W/2, C]`, the means of 2x2 pixels.

  Raises:
    ValueError: if a side is odd.
  """
  _check_even(images)
  *rows, height, width, channels = images.shape
  tiles = images.reshape(*rows, height // 2, 2, width // 2, 2, channels)
  return tiles.mean((-4, -2), dtype=jnp.float32).astype(images.dtype)


def maximum(images: jax.Array) -> jax.Array:
  """Returns images `[..., H/2, W/2, C]`, the largest of 2x2 pixels.

  The derivative is a comparison, and of equal pixels each has its share. That
  of XLA's own pooling is a scatter, which has no deterministic order on a GPU.

  Raises:
    ValueError: if a side is odd.
  """
  _check_even(images)
  *rows, height, width, channels = images.shape
  tiles = images.reshape(*rows, height // 2, 2, width // 2, 2, channels)
  return tiles.max((-4, -2))


def blur(images: jax.Array) -> jax.Array:
  """Returns images blurred by the binomial kernel 1 2 1, padded by zeros.

  Karras, Laine and Aila, "A Style-Based Generator Architecture for Generative
  Adversarial Networks", 2019, arXiv:1812.04948, section 2 (after Zhang, 2019).
  """
  for axis in (-3, -2):
    before, here, after = _neighbours(images, axis)
    images = (before + 2 * here + after) / 4
  return images


def fir(images: jax.Array, padding: int) -> jax.Array:
  """Returns images blurred by the filter 1 3 3 1 along each axis, over 8.

  They are `[..., H + 2 padding - 3, W + 2 padding - 3, C]`: the filter is of an
  even length, so that pixels of the result lie between those of the images.

  Args:
    images: `[..., H, W, C]`.
    padding: zeros that are added on each side.
  """
  for axis in (-3, -2):
    taps = _shifted(images, axis, padding, 4)
    images = (taps[0] + 3 * taps[1] + 3 * taps[2] + taps[3]) / 8
  return images


def fir_up(images: jax.Array) -> jax.Array:
  """Returns images `[..., 2H, 2W, C]`, by the filter 1 3 3 1 along each axis.

  Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", 2020,
  arXiv:1912.04958: with zeros between the pixels and around the images, and a
  gain of 2 along each axis, so that a constant stays one away from the border.
  It is 4 times the transpose of `fir_down`.
  """
  for axis in (-3, -2):
    before, here, after = _neighbours(images, axis)
    pairs = jnp.stack(
      [(before + 3 * here) / 4, (3 * here + after) / 4], axis=axis
    )
    shape = list(images.shape)
    shape[axis] *= 2
    images = pairs.reshape(shape)
  return images


def fir_down(images: jax.Array) -> jax.Array:
  """Returns images `[..., H/2, W/2, C]`, by the filter 1 3 3 1 along each axis.

  As `fir_up`, with a gain of 1.

  Raises:
    ValueError: if a side is odd.
  """
  _check_even(images)
  for axis in (-3, -2):
    number = images.ndim + axis
    shape = list(images.shape)
    shape[number : number + 1] = shape[number] // 2, 2
    even, odd = jnp.moveaxis(images.reshape(shape), number + 1, 0)
    before, _, _ = _neighbours(odd, axis)
    _, _, after = _neighbours(even, axis)
    images = (before + 3 * even + 3 * odd + after) / 8
  return images


def pyramid(images: jax.Array, smallest: int = 4) -> tuple[jax.Array, ...]:
  """Returns a tuple of the images at each resolution, the smallest first.

  Args:
    images: `[N, R, R, C]`, R being `smallest` times a power of two.
    smallest: side of the smallest images, in pixels.
  """
  levels = [images]
  while levels[0].shape[-2] > smallest:
    levels.insert(0, average(levels[0]))
  return tuple(levels)


def _neighbours(images, axis):
  """Returns the pixels before, at and after each along an axis, padded by 0."""
  return _shifted(images, axis, 1, 3)


def _shifted(images, axis, padding, number):
  """Returns as many neighbouring pixels along an axis, with zeros around it."""
  around = [(0, 0)] * images.ndim
  around[axis] = (padding, padding)
  padded = jnp.pad(images, around)
  length = padded.shape[axis] - number + 1
  return [
    jax.lax.slice_in_dim(padded, start, start + length, axis=axis)
    for start in range(number)
  ]


def _check_even(images):
  height, width = images.shape[-3:-1]
  if height % 2 or width % 2:
    raise ValueError(
      f'Images of {height}x{width} pixels cannot be halved; both sides must be '
      'even.'
    )
