"""Consistency: what is invariant pays nothing, and linear critics by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganjax.regularizers import bcr, cr, zcr, zcr_diversity

KEY = jax.random.key(0)
REAL, FAKE = jax.random.uniform(jax.random.key(1), (2, 6, 16, 16, 2))
LATENTS = jax.random.normal(jax.random.key(2), (6, 5))
MAP = np.random.default_rng(0).normal(size=(5, 3)).astype('f4')


def test_an_invariant_critic_pays_nothing():
  # The largest value lies within, so that no shift by 2 pixels loses it.
  spiked = REAL.at[:, 5, 9].add(5.0)

  def largest(images):
    return images.max((1, 2)).sum(-1)

  np.testing.assert_array_equal(cr(largest, spiked, KEY), 0)
  values = bcr(largest, spiked, largest, spiked, KEY)
  np.testing.assert_array_equal(values, np.zeros(6))
  constant = jnp.ones_like(REAL)
  values = cr(lambda images: images[:, 3].sum((1, 2)), constant, KEY)
  np.testing.assert_array_equal(values, 0)


@pytest.mark.parametrize(
  ('weights', 'changes'),
  [
    # A row moves by -2, ..., 2; a column, 7 of 0, ..., 15, is also mirrored to
    # 8, of half the images.
    (jnp.arange(16.0)[:, None], {0: 0.2, 1: 0.4, 4: 0.4}),
    (jnp.arange(16.0), {0: 0.2, 1: 0.4, 4: 0.3, 9: 0.1}),
  ],
  ids=['rows', 'columns'],
)
def test_images_are_mirrored_and_shifted_by_an_eighth(weights, changes):
  # A single pixel, of which a linear critic tells the place.
  image = jnp.zeros((16, 16, 1)).at[7, 7].set(1.0)
  number = 20_000
  many = jnp.broadcast_to(image, (number, 16, 16, 1))
  weights = jnp.broadcast_to(weights, (16, 16))

  @jax.jit
  def values(key):
    return cr(lambda own: jnp.einsum('nhwc,hw->n', own, weights), many, key)

  found, counts = np.unique(np.round(values(KEY)), return_counts=True)
  assert list(found) == list(changes)
  # Five standard errors of a share.
  np.testing.assert_allclose(
    counts / number, list(changes.values()), atol=5 * 0.5 / number**0.5
  )


def test_what_lies_beyond_the_border_is_reflected():
  # A ramp of the columns, whose pixels moved in are those of the reflection.
  ramp = jnp.broadcast_to(jnp.arange(16.0)[:, None], (500, 16, 16, 1))
  values = cr(lambda images: images.sum((1, 2, 3)) / 16, ramp, KEY)
  # Shifted right by 1: 1, 0, 1, ..., 14, which loses 15 and gains 1; by 2 it
  # loses 15 + 14 and gains 1 + 2. The same in the mirror.
  assert set(np.unique(np.round(values))) == {0, 14**2, 26**2}


def test_it_is_a_square_of_the_critics_slope():
  weights = jax.random.normal(KEY, (16, 16, 2))

  def value(scale):
    return cr(
      lambda images: scale * jnp.tensordot(images, weights, 3), REAL, KEY
    ).mean()

  one = value(1.0)
  assert one > 1
  np.testing.assert_allclose(value(3.0), 9 * one, rtol=1e-4)
  np.testing.assert_allclose(jax.grad(value)(3.0), 6 * one, rtol=1e-4)


def test_balanced_consistency_is_that_of_both_with_draws_of_their_own():
  def columns(images):
    return jnp.einsum('nhwc,w->n', images, jnp.arange(16.0))

  def none(images):
    return jnp.zeros(len(images))

  keys = jax.random.split(KEY)
  of_real = bcr(columns, REAL, none, FAKE, KEY)
  of_fake = bcr(none, REAL, columns, FAKE, KEY)
  np.testing.assert_allclose(of_real, cr(columns, REAL, keys[0]), rtol=1e-5)
  np.testing.assert_allclose(of_fake, cr(columns, FAKE, keys[1]), rtol=1e-5)
  np.testing.assert_allclose(
    bcr(columns, REAL, columns, FAKE, KEY), of_real + of_fake, rtol=1e-5
  )
  slopes = jax.grad(lambda fake: bcr(columns, REAL, columns, fake, KEY).sum())
  np.testing.assert_array_equal(slopes(FAKE), 0)


def test_what_is_no_image_is_told_so():
  for images, words in (
    ((REAL, REAL), 'not a tree of 2'),
    (LATENTS, r'not an array of shape \[6, 5\]'),
  ):
    with pytest.raises(ValueError, match=words):
      cr(lambda own: jnp.zeros(6), images, KEY)


def linear(images):
  """A critic whose slope is (1, -2, .5)."""
  return images @ jnp.array([1.0, -2.0, 0.5])


@pytest.mark.parametrize('spread', [0.05, 2.0])
def test_latent_consistency_of_linear_players(spread):
  step = np.asarray(jax.random.normal(KEY, LATENTS.shape)) @ MAP
  fake = LATENTS @ MAP
  of_critic = zcr(linear, fake, lambda own: own @ MAP, LATENTS, KEY, spread)
  np.testing.assert_allclose(
    of_critic, (spread * step @ [1, -2, 0.5]) ** 2, rtol=1e-3
  )
  diversity = zcr_diversity(fake, lambda own: own @ MAP, LATENTS, KEY, spread)
  np.testing.assert_allclose(
    diversity, -np.mean((spread * step) ** 2, -1), rtol=1e-3
  )


def test_the_critic_moves_no_generator_and_the_generator_spreads():
  def of_critic(weights):
    def generate(latents):
      return latents @ weights

    fake = generate(LATENTS)
    return zcr(linear, fake, generate, LATENTS, KEY).mean()

  assert of_critic(MAP) > 0
  np.testing.assert_array_equal(jax.grad(of_critic)(MAP), 0)

  def of_generator(scale):
    def generate(latents):
      return scale * latents @ MAP

    return zcr_diversity(generate(LATENTS), generate, LATENTS, KEY).mean()

  # A square of the scale, which the generator is paid for.
  assert of_generator(2.0) < 0
  np.testing.assert_allclose(
    jax.grad(of_generator)(2.0), 2 * of_generator(2.0) / 2, rtol=1e-3
  )


def test_a_pyramid_is_judged_whole_and_its_scales_are_averaged():
  def generate(latents):
    return {'small': latents[:, :1], 'large': latents}

  def critic(images):
    return images['small'][:, 0] + images['large'].sum(-1)

  fake = generate(LATENTS)
  step = 0.05 * np.asarray(jax.random.normal(KEY, LATENTS.shape))
  np.testing.assert_allclose(
    zcr(critic, fake, generate, LATENTS, KEY),
    (step[:, 0] + step.sum(-1)) ** 2,
    rtol=1e-3,
    atol=1e-7,
  )
  np.testing.assert_allclose(
    zcr_diversity(fake, generate, LATENTS, KEY),
    -((step[:, 0] ** 2) + (step**2).mean(-1)) / 2,
    rtol=1e-3,
  )
