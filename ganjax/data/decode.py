"""Decoding: from a picture's file of any kind to an array of one size."""

import errno

import numpy as np
from PIL import Image, ImageOps

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
  if crop not in (*_SQUARES, 'stretch', 'pad'):
    raise ValueError(
      f"crop is '{crop}': choose 'center', 'top', 'stretch' or 'pad'."
    )


def _plain(image):
  """Returns the picture as L, RGB or RGBA, 8 bits a channel."""
  if image.mode.startswith('I'):
    # Pillow's own conversion clips 16 bits at 255 instead of scaling them.
    values = np.clip(np.asarray(image, np.float32) / 257, 0, 255)
    return Image.fromarray(np.round(values).astype(np.uint8))
  if image.has_transparency_data:
    mode = 'RGBA'
  else:
    mode = 'L' if image.mode in ('L', '1') else 'RGB'
  return image if image.mode == mode else image.convert(mode)


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


def fit(file, resolution, channels, crop):
  """Returns uint8 [resolution, resolution, channels], and the picture's side.

  The side is what became `resolution` pixels: the shorter one, or the longer
  one where the picture is padded. A JPEG of more than twice the resolution may
  have been shrunk as it was decoded, and tells a smaller side than its own.

  The picture is turned upright (EXIF), 16 bits are scaled to 8, transparency
  becomes white unless 4 channels are asked for. Pixels of a picture that has
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
  with Image.open(file) as image:
    # A JPEG can be decoded at 1/2, 1/4 or 1/8; twice the size is left for the
    # filter to work on. Other formats ignore it.
    image.draft(None, (2 * resolution, 2 * resolution))
    ImageOps.exif_transpose(image, in_place=True)
    upright = _plain(image)
    upright.load()
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
  if picture.mode == 'RGBA' and channels != 4:
    white = Image.new('RGB', size, 'white')
    white.paste(picture, mask=picture.getchannel('A'))
    picture = white
  picture = picture.convert(_MODES[channels])
  if crop == 'pad':
    canvas = Image.new(picture.mode, (resolution, resolution))
    corner = (resolution - size[0]) // 2, (resolution - size[1]) // 2
    canvas.paste(picture, corner)
    picture = canvas
  pixels = np.asarray(picture).reshape(resolution, resolution, channels)
  return pixels, side


def broken(error):
  """Returns whether an error of reading a picture lies in the picture.

  A disk that fails, or a memory that is full, would otherwise leave good
  pictures out for ever, since what was decoded is cached.
  """
  if isinstance(error, OSError):
    return error.errno in (None, errno.EINVAL)  # EINVAL: a seek led astray
  return not isinstance(error, MemoryError)
