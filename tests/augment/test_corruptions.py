"""Noise and cutout against their moments."""

import jax
import jax.numpy as jnp
import numpy as np

from ganjax.augment import corruptions

KEYS = jax.random.split(jax.random.key(0), 3000)


def many(transform, image, p):
  return jax.jit(
    lambda p: jax.vmap(lambda key: transform(image, key, p))(KEYS)
  )(p)


def test_noise_has_one_deviation_an_image():
  image = jnp.full((8, 8, 3), 0.5)
  noise = many(corruptions.noise, image, 1.0) - image
  deviations = np.sqrt(np.mean(noise**2, (1, 2, 3)))
  np.testing.assert_allclose(deviations.mean(), 0.0797885, rtol=0.05)
  np.testing.assert_allclose(np.mean(deviations**2), 0.01, rtol=0.1)
  used = np.any(many(corruptions.noise, image, 0.3) != image, (1, 2, 3))
  assert abs(used.mean() - 0.3) < 0.04


def test_a_box_of_half_the_sides_is_cut_out():
  image = jnp.full((8, 12, 2), 2.0)
  cut = many(corruptions.cutout, image, 1.0) == 0
  np.testing.assert_array_equal(cut[..., 0], cut[..., 1])
  assert abs(cut.mean() - 0.19140625) < 0.005
  rows, columns = cut.any((2, 3)).sum(1), cut.any((1, 3)).sum(1)
  assert (rows.max(), columns.max()) == (4, 6)
  # It is a box.
  np.testing.assert_array_equal(cut[..., 0].sum((1, 2)), rows * columns)
  used = np.any(many(corruptions.cutout, image, 0.3) == 0, (1, 2, 3))
  assert abs(used.mean() - 0.3) < 0.04
