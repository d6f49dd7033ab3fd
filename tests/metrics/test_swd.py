"""The sliced Wasserstein distance against scipy and closed forms."""

import numpy as np
import pytest
import scipy.ndimage
import scipy.stats

from ganjax.metrics import swd
from ganjax.metrics.swd import sliced_wasserstein

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.uniform(-1, 1, (6, 64, 64, 3)).astype(np.float32)
TAPS = np.array([1, 4, 6, 4, 1]) / 16


def filtered(images, gain=1):
  """The binomial filter as one convolution in two dimensions."""
  kernel = gain * np.outer(TAPS, TAPS)[None, :, :, None]
  return scipy.ndimage.convolve(images.astype(float), kernel, mode='mirror')


def halved(images):
  return filtered(images)[:, ::2, ::2]


def enlarged(images):
  n, height, width, channels = images.shape
  spaced = np.zeros((n, 2 * height, 2 * width, channels))
  spaced[:, ::2, ::2] = images
  return filtered(spaced, 4)


def test_the_pyramid_agrees_with_scipys_convolutions():
  half, quarter = halved(IMAGES), halved(halved(IMAGES))
  expected = [IMAGES - enlarged(half), half - enlarged(quarter), quarter]
  levels = swd.laplacian(IMAGES)
  for level, other in zip(levels, expected, strict=True):
    np.testing.assert_allclose(level, other, atol=1e-6)


def test_the_levels_add_up_to_the_images():
  *fine, images = swd.laplacian(IMAGES, smallest=4)
  assert images.shape[1] == 4
  for level in reversed(fine):
    images = enlarged(images) + level
  np.testing.assert_allclose(images, IMAGES, atol=1e-6)


def test_of_a_constant_image_only_the_last_level_is_left():
  *fine, last = swd.laplacian(np.full((1, 64, 64, 1), 0.7))
  for level in fine:
    np.testing.assert_allclose(level, 0, atol=1e-6)
  np.testing.assert_allclose(last, 0.7, atol=1e-6)


@pytest.mark.parametrize(
  ('sides', 'levels'),
  [
    ((16, 16), [16]),
    ((32, 32), [32, 16]),
    ((128, 128), [128, 64, 32, 16]),
    ((28, 28), [28]),
    ((36, 72), [36, 18]),
    ((66, 66), [66, 33]),
    ((8, 8), [8]),
  ],
)
def test_levels_go_down_to_sixteen_pixels(sides, levels):
  images = RANDOM.integers(0, 256, (2, *sides, 1), np.uint8)
  found = sliced_wasserstein(images, images, seed=0, patches=2, directions=4)
  assert list(found.levels) == levels


def test_on_a_line_the_distance_is_scipys():
  a, b = RANDOM.normal(size=(50, 1)), RANDOM.gamma(2, size=(50, 1))
  expected = scipy.stats.wasserstein_distance(a[:, 0], b[:, 0])
  for direction in ([[1.0]], [[-1.0]]):
    found = swd.sliced(a, b, np.array(direction))
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_the_distance_is_the_mean_over_directions():
  a, b = RANDOM.normal(size=(40, 3)), 2 * RANDOM.normal(size=(40, 3))
  directions = RANDOM.normal(size=(11, 3))
  directions /= np.linalg.norm(directions, axis=1, keepdims=True)
  expected = np.mean(
    [scipy.stats.wasserstein_distance(a @ d, b @ d) for d in directions]
  )
  found = swd.sliced(a, b, directions)
  np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_a_shift_is_seen_by_its_length_along_each_direction():
  points, shift = RANDOM.normal(size=(30, 5)), RANDOM.normal(size=5)
  directions = np.eye(5)
  np.testing.assert_allclose(
    swd.sliced(points, points[::-1] + shift, directions),
    np.abs(shift).mean(),
    rtol=1e-9,
  )


def test_a_set_has_the_distance_zero_from_itself():
  found = sliced_wasserstein(IMAGES, IMAGES, seed=3, patches=4, directions=16)
  assert found.levels == {64: 0, 32: 0, 16: 0}
  assert found.mean == 0


def test_the_distance_knows_neither_units_nor_the_colour_of_a_level():
  other = RANDOM.uniform(-1, 1, IMAGES.shape) ** 3
  how = {'seed': 1, 'patches': 4, 'directions': 16}
  plain = sliced_wasserstein(IMAGES, other, **how)
  tinted = sliced_wasserstein(
    127.5 * (IMAGES + 1), np.array([1, 2, 3]) * other + [0, 1, -1], **how
  )
  assert plain.mean > 1
  np.testing.assert_allclose(
    list(tinted.levels.values()), list(plain.levels.values()), rtol=1e-3
  )


def test_the_distance_agrees_with_patches_cut_one_by_one():
  fake = RANDOM.normal(size=(3, 16, 16, 2))
  real = RANDOM.uniform(size=(3, 16, 16, 2))
  found = sliced_wasserstein(real, fake, seed=5, patches=4, directions=6)
  drawn = np.random.default_rng((5, 0))
  directions = drawn.standard_normal((6, 7 * 7 * 2), np.float32)
  places = (10 * drawn.random((2, 3, 4), np.float32)).astype(int)
  rows = []
  for images in (real, fake):
    patches = np.array(
      [
        images[n, y : y + 7, x : x + 7].transpose(2, 0, 1)
        for n in range(3)
        for y, x in zip(*places[:, n], strict=True)
      ]
    )
    flat = scipy.stats.zscore(patches.swapaxes(0, 1).reshape(2, -1), axis=1)
    rows.append(flat.reshape(2, 12, 49).swapaxes(0, 1).reshape(12, -1))
  expected = [
    scipy.stats.wasserstein_distance(*(r @ d / np.linalg.norm(d) for r in rows))
    for d in directions
  ]
  np.testing.assert_allclose(found.mean, 1000 * np.mean(expected), rtol=1e-5)


def test_many_images_are_measured_as_few_are(monkeypatch):
  fake = RANDOM.uniform(-1, 1, IMAGES.shape) ** 3
  how = {'seed': 2, 'patches': 3, 'directions': 5}
  whole = sliced_wasserstein(IMAGES, fake, **how)
  monkeypatch.setattr(swd, '_IMAGES', 4)
  monkeypatch.setattr(swd, '_DIRECTIONS', 2)
  parts = sliced_wasserstein(IMAGES, fake, **how)
  np.testing.assert_allclose(parts.mean, whole.mean, rtol=1e-5)


def test_patches_reach_every_pixel():
  images = np.arange(81.0).reshape(1, 9, 9, 1).repeat(500, 0)
  places = RANDOM.random((2, 500, 1))
  found = swd._descriptors(images, 0, places, 7, 16)
  # From the darkest patch in one corner to the brightest in the other.
  corners = found[:, 0].min(), found[:, -1].max()
  assert corners == (found.min(), found.max())
  assert len(np.unique(found[:, 0])) == 9


def test_a_generator_of_one_grey_has_a_distance():
  found = sliced_wasserstein(
    IMAGES, np.zeros_like(IMAGES), seed=0, patches=4, directions=8
  )
  assert all(np.isfinite(value) for value in found.levels.values())


def test_unlike_sets_and_small_images_are_refused():
  with pytest.raises(ValueError, match=r'\(6, 64, 64, 3\).*as many of each'):
    sliced_wasserstein(IMAGES, IMAGES[:5], seed=0)
  with pytest.raises(ValueError, match='Patches of 7 .* 4x4'):
    sliced_wasserstein(IMAGES[:, :4, :4], IMAGES[:, :4, :4], seed=0)
  with pytest.raises(ValueError, match='30 points and 29'):
    swd.sliced(np.ones((30, 2)), np.ones((29, 2)), np.eye(2))
