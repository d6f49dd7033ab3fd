"""Decoding: from a picture's file of any kind to an array of one size."""

import numpy as np
from PIL import Image

from ganjax import picture_files
from ganjax.lookup import choose

_MODES = {1: 'L', 3: 'RGB', 4: 'RGBA'}
# Where the largest square lies: what is left over to its left and above it.
_SQUARES = {'center': (0.5, 0.5), 'top': (0.5, 0)}


def check(resolution, channels, crop):
  """Raises ValueError if `fit` cannot make what is asked."""
  if resolution < 1:
    raise ValueError(f'resolution is {resolution}: it must be at least 1.')
  if channels not in _MODES:
    raise ValueError(
      f'channels is {channels}: choose 1 (grey), 3 (RGB), 4 (RGBA), or 0 for '
      'what is stored.'
    )
  choose('crop', dict.fromkeys((*_SQUARES, 'stretch', 'pad')), crop)


def _resize(image, size, box):
  """Returns the box resized; untouched pixels where it has that size."""
  left, top, right, bottom = box
  if size == (right - left, bottom - top):
    return image.crop(box)
  # Both filter over the whole area of a new pixel. Lanczos is the sharper, but
  # rings around what is enlarged. The gap shrinks huge pictures in two steps.
  grows = size[0] * size[1] > (right - left) * (bottom - top)
  filters = Image.Resampling
  method = filters.BICUBIC if grows else filters.LANCZOS
  return image.resize(size, method, box, reducing_gap=3.0)


def read(path, resolution, channels, crop):
  """Returns uint8 [resolution, resolution, channels] of a file, as `fit` does.

  Args:
    path: of the file.
    resolution: as in `fit`.
    channels: as in `fit`.
    crop: as in `fit`.

  Raises:
    FileNotFoundError: as `picture_files.read`, and its other errors.
  """
  return picture_files.read(
    path, lambda file: fit(file, resolution, channels, crop)[0]
  )


def fit(file, resolution, channels, crop):
  """Returns uint8 [resolution, resolution, channels], and the picture's side.

  The side is what became `resolution` pixels: the shorter one, or the longer
  one where the picture is padded. A JPEG of more than twice the resolution may
  have been shrunk as it was decoded, and tells a smaller side than its own.

  The picture is read by `picture_files.decode`; what is transparent becomes
  white unless 4 channels are asked for. Pixels of a picture that has
  the size already are not touched; others are resized, larger by the bicubic
  filter, smaller by Lanczos'.

  Args:
    file: a path, or an open binary file.
    resolution: side in pixels.
    channels: 1, 3 or 4.
    crop: 'center' takes the largest centred square, 'top' the uppermost of a
      tall picture (with the head of a portrait) and the centred one of a wide,
      'stretch' the whole picture without its proportions, 'pad' the whole
      picture centred on black (fully transparent where there are 4 channels).
  """
  # Twice the size is left for the filter to work on.
  upright = picture_files.decode(file, enough=2 * resolution)
  width, height = upright.size
  size, box = (resolution, resolution), (0, 0, width, height)
  side = min(width, height)
  if crop in _SQUARES:
    across, down = _SQUARES[crop]
    left, top = int((width - side) * across), int((height - side) * down)
    box = (left, top, left + side, top + side)
  elif crop == 'pad':
    side = max(width, height)
    ratio = resolution / side
    size = max(1, round(width * ratio)), max(1, round(height * ratio))
  picture = _resize(upright, size, box)
  if channels != 4:
    picture = picture_files.opaque(picture)
  picture = picture.convert(_MODES[channels])
  if crop == 'pad':
    canvas = Image.new(picture.mode, (resolution, resolution))
    corner = (resolution - size[0]) // 2, (resolution - size[1]) // 2
    canvas.paste(picture, corner)
    picture = canvas
  pixels = np.asarray(picture).reshape(resolution, resolution, channels)
  return pixels, side
