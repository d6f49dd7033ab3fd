"""Pictures: read from files and written to them, grids, and interpolations."""

import math
import os
import pathlib
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image

from ganjax import files, picture_files
from ganjax.arrays import Array, Tree


def finest(images: Tree) -> Array:
  """Returns the images `[N, H, W, C]` of the highest resolution in a tree."""
  return max(jax.tree.leaves(images), key=lambda leaf: leaf.shape[1])


def finite(images: Tree) -> jax.Array:
  """Returns which images of a tree have no pixel that is not finite, `[N]`."""
  return jnp.all(
    jnp.stack(
      [
        jnp.isfinite(leaf).all(range(1, leaf.ndim))
        for leaf in map(jnp.asarray, jax.tree.leaves(images))
      ]
    ),
    0,
  )


def check_finite(finite: Array, source: str) -> None:
  """Raises FloatingPointError unless all images are finite.

  Bytes have no NaN: a picture file or a measure would take a generator that has
  diverged for one of plain grey or black images.

  Args:
    finite: which images are, bool `[N]`, as `finite` returns it.
    source: what they are samples of, such as 'the checkpoint at step 200'.
  """
  if broken := int(np.sum(~np.asarray(finite))):
    raise FloatingPointError(
      f'{broken:,} of {len(finite):,} samples of {source} have pixels that are '
      'infinite or undefined, for its training has diverged. Take an earlier '
      'checkpoint, by moving the later ones out of the folder checkpoints of '
      'the workdir, or other weights; or lower a learning rate or the weight '
      'of a penalty and train in a new workdir.'
    )


def enlarged(images: Array, side: int) -> Array:
  """Returns images `[N, side, side, C]`, enlarged by repeating pixels.

  Args:
    images: `[N, R, R, C]`, where R divides `side`.
    side: of the result, in pixels.
  """
  for axis in (1, 2):
    images = images.repeat(side // images.shape[axis], axis)
  return images


def pyramid(samples: Tree, number: int) -> np.ndarray:
  """Returns the first samples at each resolution, all as large as the finest.

  Args:
    samples: a tree of images `[N, R, R, C]`, one for each resolution R.
    number: how many are taken at each.

  Returns:
    The images `[L * number, R, R, C]` of L resolutions, the coarsest first.

  Raises:
    ValueError: if there is only one resolution.
  """
  levels = sorted(jax.tree.leaves(samples), key=lambda leaf: leaf.shape[1])
  if len(levels) == 1:
    raise ValueError(
      '--pyramid draws all resolutions of a sample, but this generator makes '
      'one; leave it out, or train configs/msg.py.'
    )
  side = levels[-1].shape[1]
  return np.concatenate([enlarged(level[:number], side) for level in levels])


def grid(images: Array, columns: int | None = None, gap: int = 2) -> np.ndarray:
  """Returns a picture `[height, width, C]`, uint8, of images in a grid.

  Args:
    images: `[N, H, W, C]` in [-1, 1], which are clipped, and laid row by row.
    columns: of the grid; None makes it about as high as wide.
    gap: pixels of black around each image; places without an image are black.
  """
  images = np.asarray(images)
  number, height, width, channels = images.shape
  columns = columns or math.ceil(math.sqrt(number))
  rows = math.ceil(number / columns)
  tiles = np.zeros(
    (rows * columns, height + gap, width + gap, channels), np.uint8
  )
  tiles[:number, gap:, gap:] = np.round((np.clip(images, -1, 1) + 1) * 127.5)
  tiles = tiles.reshape(rows, columns, *tiles.shape[1:]).swapaxes(1, 2)
  picture = tiles.reshape(rows * (height + gap), columns * (width + gap), -1)
  return np.pad(picture, ((0, gap), (0, gap), (0, 0)))


def save(path: str | os.PathLike, picture: np.ndarray, zoom: int = 1) -> None:
  """Writes a picture `[H, W, C]`, uint8, to a file.

  Args:
    path: of the file, whose ending chooses the format; it is written whole or
      not at all.
    picture: of 1 (grey), 2 (grey and opacity), 3 (RGB) or 4 (RGBA) channels.
    zoom: side of each pixel in the file, in pixels, a whole number.

  Raises:
    ValueError: if the format cannot hold such a picture.
  """
  picture = np.kron(picture, np.ones((zoom, zoom, 1), np.uint8))
  grey = picture.shape[-1] == 1
  image = Image.fromarray(picture[..., 0] if grey else picture)
  _write(path, image)


def load(path: str | os.PathLike) -> np.ndarray:
  """Returns the picture of a file, upright, `[H, W, 3]` float32 in [0, 1].

  Grey pictures get three equal channels; transparent ones are laid on white.

  Args:
    path: of a file in one of `picture_files.FORMATS`.

  Raises:
    FileNotFoundError: if there is no such file.
    ValueError: if the file cannot be read as a picture.
  """
  image = picture_files.opaque(picture_files.read(path))
  values = np.array(image.convert('RGB'), np.float32)
  values /= 255  # in place: a large picture has gigabytes of them
  return values


def load_mask(path: str | os.PathLike) -> np.ndarray:
  """Returns the mask of a file, upright, `[H, W]` float32 in [0, 1].

  It is the mean of the channels, times the opacity: what is black or
  transparent is 0.

  Args:
    path: as in `load`.

  Raises:
    FileNotFoundError: as `load`, and `ValueError` as well.
  """
  image = picture_files.read(path).convert('RGBA')
  channels = np.asarray(image, np.float32) / 255
  return channels[..., :3].mean(-1) * channels[..., 3]


def pixels(picture: Array) -> np.ndarray:
  """Returns the uint8 pixels `[H, W, 3]` of a picture; it is clipped to [0, 1].

  Args:
    picture: `[H, W, 3]`, as `load` returns it.
  """
  return np.asarray(np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8)


def animate(
  path: str | os.PathLike, frames: Sequence[np.ndarray], seconds: float = 4.0
) -> None:
  """Writes an animated GIF, all frames resized to the size of the last.

  Args:
    path: of the file.
    frames: a list of pictures `[h, w, 3]`, uint8.
    seconds: that the frames take together; the last one stays for 2 more.
  """
  height, width, _ = frames[-1].shape
  images = [Image.fromarray(frame).resize((width, height)) for frame in frames]
  duration = [int(1000 * seconds / len(images))] * len(images)
  duration[-1] += 2000
  _write(
    path,
    images[0],
    save_all=True,
    append_images=images[1:],
    duration=duration,
    loop=0,
  )


def _write(path, image, **options):
  path = pathlib.Path(path)
  try:
    with files.whole(path) as unfinished:
      chosen = picture_files.FORMAT_OF[path.suffix.lower()]
      image.save(unfinished, chosen, **options)
  except Exception as error:
    # Disks fail with a number; Pillow has no such.
    if isinstance(error, OSError) and error.errno is not None:
      raise
    raise ValueError(
      f'A picture of {image.width}x{image.height} pixels ({image.mode}) cannot '
      f'be written to {path} ({type(error).__name__}: {error}); give it a name '
      'that ends in .png.'
    ) from error


def interpolate(start: jax.Array, end: jax.Array, steps: int) -> jax.Array:
  """Returns latents `[steps, N, Z]` from `start` to `end`, on great circles.

  White, "Sampling Generative Networks", 2016, arXiv:1609.04468: a straight line
  between two Gaussian vectors passes through norms that the prior almost never
  draws. Both ends are included.

  Args:
    start: latents `[N, Z]`.
    end: latents `[N, Z]`.
    steps: how many latents there are on each path, at least 2.
  """
  cosine = jnp.sum(start * end, -1) / (
    jnp.linalg.norm(start, axis=-1) * jnp.linalg.norm(end, axis=-1)
  )
  angle = jnp.arccos(jnp.clip(cosine, -1 + 1e-6, 1 - 1e-6))[:, None]
  share = jnp.linspace(0, 1, steps)[:, None, None]
  weights = jnp.sin((1 - share) * angle), jnp.sin(share * angle)
  return (weights[0] * start + weights[1] * end) / jnp.sin(angle)
