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
  *rows, height, width, channels = images.shape
  if height % 2 or width % 2:
    raise ValueError(
      f'Images of {height}x{width} pixels cannot be halved; both sides must be '
      'even.'
    )
  tiles = images.reshape(*rows, height // 2, 2, width // 2, 2, channels)
  return tiles.mean((-4, -2), dtype=jnp.float32).astype(images.dtype)


def blur(images: jax.Array) -> jax.Array:
  """Returns images blurred by the binomial kernel 1 2 1, padded by zeros.

  Karras, Laine and Aila, "A Style-Based Generator Architecture for Generative
  Adversarial Networks", 2019, arXiv:1812.04948, section 2 (after Zhang, 2019).
  """
  for axis in (-3, -2):
    length = images.shape[axis]
    around = [(0, 0)] * images.ndim
    around[axis] = (1, 1)
    padded = jnp.pad(images, around)
    before, here, after = (
      jax.lax.slice_in_dim(padded, start, start + length, axis=axis)
      for start in range(3)
    )
    images = (before + 2 * here + after) / 4
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
