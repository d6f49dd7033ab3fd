"""Files of pictures: the one reader of all programs, and what it can read.

Pillow chooses its decoder by what a file begins with, and has decoders for
which it starts other programs (Ghostscript for an EPS that is called x.png). So
every file is opened with the list of formats that are meant to be read.
"""

import functools
import io
import pathlib

import numpy as np
from PIL import Image, ImageOps, features

from ganjax import files, paths

_FORMATS = {
  'PNG': ('.png',),
  'JPEG': ('.jpg', '.jpeg', '.jpe', '.jfif'),
  'WEBP': ('.webp',),
  'BMP': ('.bmp',),
  'GIF': ('.gif',),
  'TIFF': ('.tif', '.tiff'),
  'AVIF': ('.avif',),
  'PPM': ('.ppm', '.pgm', '.pbm', '.pnm'),
}
# A Pillow may lack their libraries, and an old one has not heard of them.
_OPTIONAL = {'AVIF', 'WEBP'}

FORMATS = tuple(
  name
  for name in _FORMATS
  if name not in _OPTIONAL
  or (name.lower() in features.modules and features.check(name.lower()))
)
"""What Pillow calls the formats that are read, and no others."""

ENDINGS = tuple(ending for name in FORMATS for ending in _FORMATS[name])
"""What the names of pictures that are read, and written, end in."""

FORMAT_OF = {e: name for name in FORMATS for e in _FORMATS[name]}
"""The format that is written to a file whose name has that ending."""

_OTHERS = """
  heic heif jxl jp2 j2k jpx psd tga ico exr hdr dds pcx svg eps pdf raw dng cr2
  cr3 nef arw orf raf rw2 npy dcm nii
"""
UNREAD_ENDINGS = (
  frozenset(f'.{name}' for name in _OTHERS.split())
  .union(*_FORMATS.values())
  .difference(ENDINGS)
)
"""What the names of pictures end in that are not read here."""


def read(path, take=None):
  """Returns the picture of a file, as `decode`.

  Args:
    path: of the file.
    take: `path -> what is returned`, which calls `decode`; None returns what
      that does.

  Raises:
    FileNotFoundError: if there is no such file.
    OSError: if the disk cannot read it.
    ValueError: if it is no picture that can be read; the file is named.
  """
  path = paths.check_file(path)
  try:
    return (take or decode)(path)
  except MemoryError as error:
    raise ValueError(
      f'{path} is a picture that needs more memory than there is; make it '
      'smaller.'
    ) from error
  except Exception as error:
    if not files.damaged(error):
      raise
    raise ValueError(
      f'{path} is no picture that can be read ({described(error)}); give a '
      'PNG, a JPEG or another common format.'
    ) from error


def decode(file, enough: int | None = None) -> Image.Image:
  """Returns a picture upright, of mode L, RGB or RGBA: 8 bits a channel.

  Orientation is that of EXIF, 16 bits are scaled to 8, and of several pictures
  in a file the first is taken. Grey values that are floats or whole numbers of
  32 bits lie in [0, 1] (floats only), [0, 255] or [0, 65535], whichever is the
  first that holds them all.

  Args:
    file: a path, or an open binary file.
    enough: the side, in pixels, of which the picture may be decoded smaller
      where that saves time: a JPEG at 1/2, 1/4 or 1/8. None decodes it whole.

  Raises:
    Exception: of many kinds; `files.damaged` tells whether it lies in the
      picture.
  """
  try:
    with Image.open(file, formats=FORMATS) as image:
      if enough:
        image.draft(None, (enough, enough))
      ImageOps.exif_transpose(image, in_place=True)
      plain = _plain(image)
      plain.load()
      return plain
  except Image.DecompressionBombError as error:
    most = 2 * (Image.MAX_IMAGE_PIXELS or 0) // 10**6
    raise ValueError(
      f'it has more than {most} million pixels; make it smaller'
    ) from error
  except Image.UnidentifiedImageError as error:
    raise ValueError(
      f'it is damaged, or in none of the formats {", ".join(FORMATS)}'
    ) from error


def check_destination(
  path, inputs=(), beside=(), channels: int = 3
) -> pathlib.Path:
  """Returns the path of a picture that can be written; nothing is made yet.

  Args:
    path: of the file, as `--output` gave it.
    inputs: paths of files that the program reads, none of which it may replace.
    beside: the endings of other files that get the same name: '.gif'.
    channels: of the picture: 1 (grey), 2 (grey and opacity), 3 (RGB), 4 (RGBA).

  Raises:
    ValueError: if the name has an ending without a format that can hold the
      picture, or one of the files cannot be written there.
  """
  mode = ('L', 'LA', 'RGB', 'RGBA')[channels - 1]
  endings = tuple(e for e, name in FORMAT_OF.items() if _holds(name, mode))
  path = paths.check_destination(path, '--output', inputs, endings)
  for ending in beside:
    other = path.with_suffix(ending)
    if other == path:
      raise ValueError(
        f'--output is {path}, where the {ending} beside it would be written; '
        'give it another ending, such as .png.'
      )
    paths.check_destination(other, f'The {ending} beside --output', inputs)
  return path


@functools.cache
def _holds(name, mode):
  """Returns whether a format can hold a picture of that mode."""
  try:
    Image.new(mode, (1, 1)).save(io.BytesIO(), name)
  except OSError:
    return False
  return True


def described(error) -> str:
  """Returns what an error of `decode` says, in one line."""
  return paths.printable(f'{error}' or type(error).__name__)


def opaque(image: Image.Image) -> Image.Image:
  """Returns a picture of `decode` laid on white where it is transparent."""
  if image.mode != 'RGBA':
    return image
  white = Image.new('RGB', image.size, 'white')
  white.paste(image, mask=image.getchannel('A'))
  return white


def _plain(image):
  """Returns the picture as L, RGB or RGBA, 8 bits a channel."""
  if image.mode[0] in 'IF':
    return _of_large_numbers(image)
  if image.has_transparency_data:
    mode = 'RGBA'
  else:
    mode = 'L' if image.mode in ('L', '1') else 'RGB'
  return image if image.mode == mode else image.convert(mode)


def _of_large_numbers(image):
  """Returns a grey picture as L, or as RGBA if one of its values is clear.

  Pillow's own conversion clips at 255 instead of scaling.
  """
  values = np.asarray(image, np.float64)
  grey = np.round(values * (255 / _white(image, values))).astype(np.uint8)
  clear = image.info.get('transparency')
  if not isinstance(clear, int):
    return Image.fromarray(grey)
  alpha = np.where(values == clear, 0, 255).astype(np.uint8)
  return Image.fromarray(np.stack([grey, grey, grey, alpha], -1))


def _white(image, values):
  """Returns which value of a grey picture is white."""
  # Older Pillows read the 16 bits of these into a mode of 32.
  if image.mode.startswith('I;16') or image.format in ('PNG', 'PPM'):
    return 65535
  low, high = values.min(), values.max()
  whites = (1, 255, 65535) if image.mode == 'F' else (255, 65535)
  for white in whites:
    if low >= 0 and high <= white:
      return white
  raise ValueError(
    f'its values go from {low:g} to {high:g}; scale them to [0, 255]'
  )
