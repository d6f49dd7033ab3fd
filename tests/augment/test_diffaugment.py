"""DiffAugment's transforms against their closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganjax.augment import diffaugment

KEYS = jax.random.split(jax.random.key(0), 2000)
IMAGE = np.random.default_rng(0).normal(size=(16, 12, 3)).astype('f4')


def many(transform, image=IMAGE):
  return np.asarray(
    jax.jit(jax.vmap(transform, (None, 0)))(jnp.array(image), KEYS)
  )


def uniform(values, low, high):
  """Whether the values have the mean and the ends of a uniform law."""
  width = high - low
  assert low <= values.min() < low + 0.01 * width
  assert high - 0.01 * width < values.max() <= high + 1e-5
  error = width / np.sqrt(12 * len(values))
  assert abs(values.mean() - (low + high) / 2) < 4 * error


def test_brightness_adds_a_number():
  added = many(diffaugment.brightness) - IMAGE
  np.testing.assert_allclose(added.std((1, 2, 3)), 0, atol=1e-6)
  uniform(added.mean((1, 2, 3)), -0.5, 0.5)


def test_saturation_keeps_the_mean_of_each_pixel_s_channels():
  found, mean = many(diffaugment.saturation), IMAGE.mean(-1, keepdims=True)
  np.testing.assert_allclose(
    found.mean(-1), np.broadcast_to(mean[..., 0], found.shape[:-1]), atol=1e-5
  )
  away = IMAGE - mean
  factors = ((found - mean) * away).sum((1, 2, 3)) / (away**2).sum()
  np.testing.assert_allclose(
    found - mean, factors[:, None, None, None] * away, atol=1e-4
  )
  uniform(factors, 0, 2)
  grey = many(diffaugment.saturation, IMAGE[..., :1])
  np.testing.assert_allclose(
    grey, np.broadcast_to(IMAGE[..., :1], grey.shape), atol=1e-6
  )


def test_contrast_keeps_the_mean_of_the_image():
  found, away = many(diffaugment.contrast), IMAGE - IMAGE.mean()
  np.testing.assert_allclose(found.mean((1, 2, 3)), IMAGE.mean(), atol=1e-5)
  factors = (found * away).sum((1, 2, 3)) / (away**2).sum()
  uniform(factors, 0.5, 1.5)


def test_translation_moves_by_whole_pixels_into_zeros():
  # An eighth of 16 is 2, and of 12 it is 1.5, which rounds to 2.
  around = np.pad(IMAGE, ((2, 2), (2, 2), (0, 0)))
  candidates = {
    (down, right): around[2 + down : 18 + down, 2 + right : 14 + right]
    for down in range(-2, 3)
    for right in range(-2, 3)
  }
  found = many(diffaugment.translation)
  counts = [
    (found == candidate).all((1, 2, 3)).sum()
    for candidate in candidates.values()
  ]
  assert sum(counts) == len(found)
  assert 40 < min(counts) < max(counts) < 125  # 80 each, on average


def test_cutout_removes_its_area_on_average():
  cut = many(diffaugment.cutout, np.ones((32, 32, 1), 'f4')) == 0
  expected = (456 / (33 * 32)) ** 2
  np.testing.assert_allclose(expected, 0.186467, atol=1e-6)
  assert abs(cut.mean() - expected) < 0.006
  rows = cut.any((2, 3)).sum(1)
  # From half a box at a border to all of it: 8 rows at 2 of 33 centres.
  assert (rows.min(), rows.max()) == (8, 16)
  assert abs((rows == 8).mean() - 2 / 33) < 0.02
  # A box of 5 of 9 pixels has its centre in 0, ..., 8.
  odd = many(diffaugment.cutout, np.ones((9, 9, 1), 'f4')) == 0
  assert (odd.any((2, 3)).sum(1).min(), odd.any((2, 3)).sum(1).max()) == (3, 5)


def test_a_policy_is_a_list_by_name():
  images = jnp.array(IMAGE[None])
  whole = diffaugment.diffaugment()(images, KEYS[0], 1.0)
  spaced = diffaugment.diffaugment('color, translation, cutout')
  np.testing.assert_array_equal(spaced(images, KEYS[0], 1.0), whole)
  only = diffaugment.diffaugment('cutout')(images, KEYS[0], 1.0)
  assert set(np.unique(only != images)) == {False, True}
  np.testing.assert_array_equal(only[only != 0], images[only != 0])
  with pytest.raises(ValueError, match="policy 'colour'; did you mean 'color'"):
    diffaugment.diffaugment('cutout,colour')
