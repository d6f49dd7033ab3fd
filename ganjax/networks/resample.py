"""Images made twice as large, half as large, or smooth: all of them linear.

Each takes `[N, H, W, C]`, or more axes in front, and keeps the dtype.
"""

import jax
import jax.numpy as jnp


def nearest(images):
  """Images `[..., 2H, 2W, C]`: each pixel four times."""
  *rows, height, width, channels = images.shape
  tiles = jnp.broadcast_to(
    images[..., :, None, :, None, :],
    (*rows, height, 2, width, 2, channels),
  )
  return tiles.reshape(*rows, 2 * height, 2 * width, channels)


def bilinear(images):
  """Images `[..., 2H, 2W, C]`: new pixels lie a quarter from the old ones."""
  *rows, height, width, channels = images.shape
  shape = (*rows, 2 * height, 2 * width, channels)
  return jax.image.resize(images, shape, 'bilinear')


def average(images):
  """Images `[..., H/2, W/2, C]`: means of 2x2 pixels.

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


def blur(images):
  """Images under the binomial kernel 1 2 1, black beyond the border.

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


def pyramid(images, smallest=4):
  """A tuple of the images at each resolution, from `smallest` up to their own.

  Args:
    images: `[N, R, R, C]`, R being `smallest` times a power of two.
    smallest: side of the first of the tuple, in pixels.
  """
  levels = [images]
  while levels[0].shape[-2] > smallest:
    levels.insert(0, average(levels[0]))
  return tuple(levels)
