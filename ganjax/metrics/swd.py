"""The sliced Wasserstein distance of patches, at each scale of the images.

Karras, Aila, Laine and Lehtinen, "Progressive Growing of GANs for Improved
Quality, Stability, and Variation", 2018, arXiv:1710.10196, section 5: small
where two sets of images have similar patches. Coarse scales compare their
composition, and fine ones edges and noise. It is computed on the host by NumPy,
which sorts faster than XLA does on a CPU.
"""

from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike

_TAPS = np.array([1, 4, 6, 4, 1], np.float32) / 16
_IMAGES = 256  # images whose pyramids are in memory together
_DIRECTIONS = 8  # directions whose projections are in memory together


class Distances(NamedTuple):
  """Sliced Wasserstein distances times 1000, as in the paper.

  Attributes:
    levels: a dict from the resolution of a level, in pixels, to its distance.
    mean: the mean over the levels.
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
  """Returns the `Distances` of two sets of images, floats >= 0, times 1000.

  Karras et al., 2018, arXiv:1710.10196, section 5, with 16,384 images in each
  set. Patches are taken from each level of Laplacian pyramids, at the same
  random positions for both sets, and each channel of a set's patches is
  normalised to mean 0 and deviation 1: the distance does not depend on a
  level's mean colour and contrast. The distance of a set from itself is 0, and
  that of two sets of one distribution is not: compare only equal counts, with
  those of held-out reals.

  The patches of a set at one level take 4 * N * patches * size^2 * C bytes, 1.2
  GB for 16,384 images in colour; those of both sets are in memory, one level
  after another.

  Args:
    real: [N, H, W, C], of any dtype; uint8 and [-1, 1] give the same.
    fake: as `real`.
    seed: of NumPy's generator, which draws positions and directions.
    patches: number of patches of each image, at each level.
    size: side of a patch, in pixels.
    directions: number of directions that patches are projected on.
    smallest: the smallest side of a level in pixels, except where the images
      themselves are smaller. A level with an odd height or width is the last.

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
  """Returns the mean Wasserstein distance of projections of two sets of points.

  Rabin, Peyre, Delon and Bernot, "Wasserstein Barycenter and its Application to
  Texture Mixing", 2011. In one dimension the distance of two sets of N numbers
  is the mean absolute difference of the sorted numbers.

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
  for first in range(0, len(directions), _DIRECTIONS):
    some = directions[first : first + _DIRECTIONS]
    first_set, second_set = (
      np.sort(some @ points.T, axis=1) for points in (a, b)
    )
    distances = np.abs(first_set - second_set).mean(axis=1, dtype=np.float64)
    total += distances.sum()
  return float(total / len(directions))


def laplacian(images: ArrayLike, smallest: int = 16) -> list[np.ndarray]:
  """Returns the levels of Laplacian pyramids, a list, the finest first.

  Burt and Adelson, "The Laplacian Pyramid as a Compact Image Code", 1983, with
  the binomial taps 1 4 6 4 1 and borders mirrored about their last pixel. The
  last level is the reduced images; adding each level to the enlarged next one
  restores the images.

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
  """Returns height and width of each level, the finest first."""
  found = [tuple(sides)]
  while not any(side % 2 or side < 2 * smallest for side in found[-1]):
    found.append(tuple(side // 2 for side in found[-1]))
  return found


def _blurred(images):
  """Returns images [N, H, W, C] filtered by the binomial taps."""
  for axis in (1, 2):
    around = [(0, 0)] * 4
    around[axis] = (2, 2)
    padded = np.pad(images, around, mode='reflect')
    images = sliding_window_view(padded, 5, axis) @ _TAPS
  return images


def _descriptors(images, level, places, size, smallest):
  """Returns patches of one level, each channel with mean 0 and deviation 1.

  Args:
    images: [N, H, W, C].
    level: the number of the level, 0 for the finest.
    places: [2, N, P] in [0, 1), the relative positions of the patches.
    size: side of a patch, in pixels.
    smallest: as in `sliced_wasserstein`.

  Returns:
    [N * P, C * size * size].
  """
  number, channels = places[0].size, images.shape[-1]
  found = np.empty((number, channels, size, size), np.float32)
  by_image = found.reshape(*places.shape[1:], *found.shape[1:])
  for first in range(0, len(images), _IMAGES):
    some = slice(first, first + _IMAGES)
    pixels = laplacian(images[some], smallest)[level]
    windows = sliding_window_view(pixels, (size, size), (1, 2))
    sides = np.reshape(windows.shape[1:3], (2, 1, 1))
    rows, columns = (places[:, some] * sides).astype(int)
    which = np.arange(len(pixels))[:, None]
    by_image[some] = windows[which, rows, columns]
  for channel in found.swapaxes(0, 1):
    channel -= channel.mean(dtype=np.float64).astype(np.float32)
    std = np.sqrt(np.mean(np.square(channel), dtype=np.float64))
    # A constant channel is 0 already.
    channel /= np.float32(std if std > 0 else 1)
  return found.reshape(number, -1)
