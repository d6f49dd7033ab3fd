"""The sliced Wasserstein distance of patches, at each scale of the images.

Karras, Aila, Laine and Lehtinen, "Progressive Growing of GANs for Improved
Quality, Stability, and Variation", 2018, arXiv:1710.10196, section 5: near
where two sets of images agree in what patches they have, coarse scales telling
of their composition and fine ones of edges and noise. On the host, in NumPy,
which sorts faster than XLA does on a CPU.
"""

from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike

_TAPS = np.array([1, 4, 6, 4, 1], np.float32) / 16
_ROWS = 256  # images whose pyramids are held together
_AT_ONCE = 8  # directions whose projections are held together


class Distances(NamedTuple):
  """Times 1000, as the paper has them.

  Attributes:
    levels: from the resolution of a level, in pixels, to its distance.
    mean: of the levels.
  """

  levels: dict
  mean: float


def sliced_wasserstein(
  real: ArrayLike,
  fake: ArrayLike,
  *,
  seed: int,
  patches: int = 128,
  size: int = 7,
  directions: int = 512,
  smallest: int = 16,
) -> Distances:
  """The `Distances` of two sets of images, floats >= 0, times 1000.

  Karras et al., 2018, arXiv:1710.10196, section 5, with 16,384 images of each.
  Patches are taken from each level of Laplacian pyramids, at the same random
  places for both sets, and each channel of a set's patches is brought to mean 0
  and deviation 1: of a level's mean colour and contrast the distance says
  nothing. A set has the distance 0 from itself; another of the same
  distribution has not, so compare only equal counts, and measure held-out reals
  beside the fakes.

  The patches of a set at one level take 4 * N * patches * size^2 * C bytes, 1.2
  GB for 16,384 images in colour; both sets are held, one level after another.

  Args:
    real: [N, H, W, C], of any dtype; uint8 and [-1, 1] give the same.
    fake: as `real`.
    seed: of NumPy's generator, which draws places and directions.
    patches: of each image, at each level.
    size: side of a patch, in pixels.
    directions: that patches are projected on.
    smallest: side in pixels that no level goes below, except the images' own.
      A level whose height or width is odd is the last too.

  Raises:
    ValueError: if the shapes differ or are not [N, H, W, C], or the images are
      smaller than a patch.
  """
  real, fake = np.asarray(real), np.asarray(fake)
  if real.ndim != 4 or real.shape != fake.shape:
    raise ValueError(
      f'The real images have the shape {real.shape} and the fake ones '
      f'{fake.shape}; expected the same [N, H, W, C] twice: take as many of '
      'each, at one resolution.'
    )
  sides = _sides(real.shape[1:3], smallest)
  if min(sides[-1]) < size:
    raise ValueError(
      f'Patches of {size} pixels do not fit into the smallest level, of '
      f'{sides[-1][0]}x{sides[-1][1]}: enlarge the images first, or take '
      'smaller patches.'
    )
  levels = {}
  for level, (height, _) in enumerate(sides):
    drawn = np.random.default_rng((seed, level))
    shape = directions, size * size * real.shape[-1]
    unit = drawn.standard_normal(shape, np.float32)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    places = drawn.random((2, len(real), patches), np.float32)
    real_patches, fake_patches = (
      _descriptors(images, level, places, size, smallest)
      for images in (real, fake)
    )
    levels[height] = 1000 * sliced(real_patches, fake_patches, unit)
  return Distances(levels, float(np.mean(list(levels.values()))))


def sliced(a: np.ndarray, b: np.ndarray, directions: np.ndarray) -> float:
  """The mean Wasserstein distance of two sets of points, seen from directions.

  Rabin, Peyre, Delon and Bernot, "Wasserstein Barycenter and its Application to
  Texture Mixing", 2011. On a line the distance of two sets of N is the mean
  difference of what is sorted.

  Args:
    a: [N, D].
    b: [N, D].
    directions: [K, D], of length 1.

  Raises:
    ValueError: if there are not as many of both.
  """
  if len(a) != len(b):
    raise ValueError(
      f'There are {len(a)} points and {len(b)}; expected as many of both, for '
      'they are compared in pairs: leave some out.'
    )
  total = 0.0
  for first in range(0, len(directions), _AT_ONCE):
    some = directions[first : first + _AT_ONCE]
    seen = [np.sort(some @ points.T, axis=1) for points in (a, b)]
    total += np.abs(seen[0] - seen[1]).mean(axis=1, dtype=np.float64).sum()
  return float(total / len(directions))


def laplacian(images: ArrayLike, smallest: int = 16) -> list[np.ndarray]:
  """A list of the levels of the images' Laplacian pyramids, the finest first.

  Burt and Adelson, "The Laplacian Pyramid as a Compact Image Code", 1983, with
  the binomial taps 1 4 6 4 1 and borders mirrored about their last pixel. The
  last level is what is left of the images; adding each level to the next one
  enlarged gives them back.

  Args:
    images: [N, H, W, C].
    smallest: as in `sliced_wasserstein`.
  """
  levels, images = [], np.asarray(images, np.float32)
  for _ in _sides(images.shape[1:3], smallest)[1:]:
    halved = _blurred(images)[:, ::2, ::2]
    spaced = np.zeros_like(images)
    spaced[:, ::2, ::2] = halved
    # Three of four pixels were 0, hence the factor.
    levels.append(images - 4 * _blurred(spaced))
    images = halved
  return [*levels, images]


def _sides(sides, smallest):
  """Height and width of each level, the finest first."""
  found = [tuple(sides)]
  while not any(side % 2 or side < 2 * smallest for side in found[-1]):
    found.append(tuple(side // 2 for side in found[-1]))
  return found


def _blurred(images):
  """Images [N, H, W, C] under the binomial filter, of the same shape."""
  for axis in (1, 2):
    around = [(0, 0)] * 4
    around[axis] = (2, 2)
    padded = np.pad(images, around, mode='reflect')
    images = sliding_window_view(padded, 5, axis) @ _TAPS
  return images


def _descriptors(images, level, places, size, smallest):
  """Patches of one level, each channel brought to mean 0 and deviation 1.

  Args:
    images: [N, H, W, C].
    level: number of it, 0 for the finest.
    places: [2, N, P] in [0, 1), where in each image the patches are.
    size: side of a patch.
    smallest: as in `sliced_wasserstein`.

  Returns:
    [N * P, C * size * size].
  """
  number, channels = places[0].size, images.shape[-1]
  found = np.empty((number, channels, size, size), np.float32)
  by_image = found.reshape(*places.shape[1:], *found.shape[1:])
  for first in range(0, len(images), _ROWS):
    some = slice(first, first + _ROWS)
    pixels = laplacian(images[some], smallest)[level]
    windows = sliding_window_view(pixels, (size, size), (1, 2))
    sides = np.reshape(windows.shape[1:3], (2, 1, 1))
    rows, columns = (places[:, some] * sides).astype(int)
    which = np.arange(len(pixels))[:, None]
    by_image[some] = windows[which, rows, columns]
  for channel in found.swapaxes(0, 1):
    channel -= channel.mean(dtype=np.float64).astype(np.float32)
    std = np.sqrt(np.mean(np.square(channel), dtype=np.float64))
    # What does not vary is 0 already.
    channel /= np.float32(std if std > 0 else 1)
  return found.reshape(number, -1)
