"""The laws of ADA's transforms of colours, and pixels through them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganjax.augment import color

NUMBER, P = 4000, 0.6
PIXEL = np.float32([0.5, -0.2, 0.9])
LUMA = PIXEL.mean()


@pytest.fixture(scope='module')
def drawn():
  """For each transform, what PIXEL becomes: float `[NUMBER, 3]`."""

  @jax.jit
  def draw(keys, p):
    image = jnp.array(PIXEL)[None, None]
    return {
      own.__name__: jax.vmap(
        lambda key, own=own: color.mapped(image, [own(key, p)])[0, 0]
      )(keys)
      for own in color.COLOR
    }

  keys = jax.random.split(jax.random.key(1), NUMBER)
  for name, pixels in draw(keys, 0.0).items():
    np.testing.assert_allclose(
      pixels, np.tile(PIXEL, (NUMBER, 1)), atol=1e-6, err_msg=name
    )
  return jax.tree.map(np.asarray, draw(keys, P))


def used(values):
  """The values that differ from 0, after a look at how many they are."""
  own = np.abs(values) > 1e-6
  assert abs(own.mean() - P) < 4 * 0.5 / np.sqrt(NUMBER)
  return values[own]


def test_brightness_adds_the_same_to_all_channels(drawn):
  added = drawn['brightness'] - PIXEL
  np.testing.assert_allclose(added, added[:, :1].repeat(3, 1), atol=1e-6)
  np.testing.assert_allclose(used(added[:, 0]).std(), 0.2, rtol=0.06)
  assert abs(added[:, 0].mean()) < 0.015


def test_contrast_multiplies_about_zero(drawn):
  factors = drawn['contrast'] / PIXEL
  np.testing.assert_allclose(factors, factors[:, :1].repeat(3, 1), rtol=1e-4)
  np.testing.assert_allclose(used(np.log2(factors[:, 0])).std(), 0.5, rtol=0.06)


def test_luma_is_negated_for_half_of_those_used(drawn):
  pixels = drawn['luma_flip']
  flipped = np.abs(pixels - PIXEL).max(1) > 1e-6
  assert abs(flipped.mean() - P / 2) < 0.03
  np.testing.assert_allclose(
    pixels[flipped],
    np.tile(PIXEL - 2 * LUMA, (flipped.sum(), 1)),
    atol=1e-6,
  )


def test_hue_turns_colours_about_the_luma_axis(drawn):
  pixels = drawn['hue']
  np.testing.assert_allclose(pixels.mean(1), LUMA, atol=1e-6)
  across, before = pixels - LUMA, PIXEL - LUMA
  np.testing.assert_allclose(
    np.linalg.norm(across, axis=1), np.linalg.norm(before), rtol=1e-5
  )
  axis = np.ones(3) / np.sqrt(3)
  angles = np.arctan2(np.cross(before, across) @ axis, across @ before)
  angles = used(np.where(np.abs(angles) < 1e-3, 0, angles))
  np.testing.assert_allclose(angles.std(), np.pi / np.sqrt(3), rtol=0.05)
  assert abs(angles.mean()) < 0.15


def test_saturation_multiplies_what_is_across_the_luma_axis(drawn):
  pixels = drawn['saturation']
  np.testing.assert_allclose(pixels.mean(1), LUMA, atol=1e-6)
  factors = (pixels - LUMA) / (PIXEL - LUMA)
  np.testing.assert_allclose(
    factors, factors[:, :1].repeat(3, 1), rtol=1e-3, atol=1e-4
  )
  np.testing.assert_allclose(
    used(np.round(np.log2(factors[:, 0]), 4)).std(), 1, rtol=0.06
  )


def test_grey_is_the_mean_of_the_colours_that_a_grey_pixel_becomes():
  grey = np.random.default_rng(0).normal(size=(4, 4, 1)).astype('f4')
  keys = jax.random.split(jax.random.key(2), len(color.COLOR))
  matrices = [own(key, 1.0) for own, key in zip(color.COLOR, keys, strict=True)]
  colored = color.mapped(grey.repeat(3, -1), matrices)
  np.testing.assert_allclose(
    color.mapped(grey, matrices)[..., 0], colored.mean(-1), atol=1e-5
  )
  # The last matrix is applied last.
  one_by_one = grey.repeat(3, -1)
  for matrix in matrices:
    one_by_one = color.mapped(one_by_one, [matrix])
  np.testing.assert_allclose(colored, one_by_one, atol=1e-5)


def test_alpha_is_left_alone():
  image = np.random.default_rng(0).normal(size=(4, 4, 4)).astype('f4')
  matrix = [color.brightness(jax.random.key(0), 1.0)]
  found = color.mapped(image, matrix)
  np.testing.assert_array_equal(found[..., 3], image[..., 3])
  np.testing.assert_array_equal(
    found[..., :3], color.mapped(image[..., :3], matrix)
  )


def test_other_channels_have_no_colours():
  with pytest.raises(ValueError, match='of 6 channels have no colours'):
    color.mapped(jnp.ones((4, 4, 6)), [jnp.eye(4)])
