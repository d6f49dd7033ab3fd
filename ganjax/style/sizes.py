"""Sizes of pictures: the scales of a transfer, and resizing between them."""

import math

import jax
import jax.numpy as jnp


def sides(last, first=128, ratio=2**0.5):
  """Returns the longer sides of the scales, from the smallest to `last`.

  Each side is the next one divided by `ratio`: 512 and 128 give 128, 181, 256,
  362 and 512, as in K. Crowson's style-transfer-pytorch (2021).

  Args:
    last: the longer side of the result, in pixels.
    first: no side is smaller, except `last` itself.
    ratio: between neighbouring sides, above 1.

  Raises:
    ValueError: if a side is below 1 or the ratio is not above 1.
  """
  if not (last >= 1 and first >= 1 and ratio > 1):
    raise ValueError(
      f'The scales go from {first} to {last} pixels by a ratio of {ratio}, but '
      'sides must be at least 1 and the ratio must be above 1.'
    )
  found, power = [last], 1
  while round(last / ratio**power) >= first:
    found.insert(0, round(last / ratio**power))
    power += 1
  return tuple(found)


def shape(height, width, side):
  """Returns the (height, width) of a picture whose longer side becomes `side`.

  Args:
    height: in pixels.
    width: in pixels.
    side: in pixels.
  """
  longer = max(height, width)
  return tuple(max(1, round(old * side / longer)) for old in (height, width))


def resized(pictures, size):
  """Returns the pictures at another size, by the bicubic filter, in [0, 1].

  Args:
    pictures: `[N, H, W, 3]` in [0, 1].
    size: (height, width), in pixels.
  """
  if pictures.shape[1:3] == tuple(size):
    return pictures
  # Smaller pictures are filtered over the whole area of a new pixel.
  new = (len(pictures), *size, pictures.shape[-1])
  return jnp.clip(jax.image.resize(pictures, new, 'bicubic'), 0, 1)


def limited(pictures, side, smallest=1):
  """Returns the pictures with a longer side of at most `side` pixels.

  Args:
    pictures: `[N, H, W, 3]` in [0, 1].
    side: in pixels.
    smallest: the least side that the result has, in pixels; only for it are
      pictures enlarged, or their longer side left above `side`.

  Raises:
    ValueError: if a picture is too narrow to be enlarged to that.
  """
  height, width = pictures.shape[1:3]
  size = shape(height, width, min(side, max(height, width)))
  if min(size) < smallest:
    longer = math.ceil(smallest * max(height, width) / min(height, width))
    if longer > max(side, 64 * smallest):
      raise ValueError(
        f'A picture has {width}x{height} pixels, which is too narrow: the '
        f'encoder needs {smallest} pixels on its shorter side, and it would '
        f'have {longer} on the longer one. Give a part of it.'
      )
    size = tuple(max(smallest, own) for own in shape(height, width, longer))
  return resized(pictures, size)
