"""Samples that are drawn in parts."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganjax import pictures
from ganjax.evaluation import samples
from ganjax.networks import dcgan, stylegan


def prior(key, number):
  return jax.random.normal(key, (number, 2))


def noise(given, latents, key, labels):
  """A generator of noise, which knows neither its latents nor its batch."""
  return jax.random.uniform(key, (len(latents), 4, 4, 1), minval=-1)


def drawn(generate, number, labels=None, given=()):
  sample = samples.sampler(generate)
  return sample(given, prior, number, 0, 4, labels, 'the test')


def test_no_two_of_2048_noise_fields_agree():
  found = drawn(noise, 2048)
  assert len(np.unique(found.reshape(2048, -1), axis=0)) == 2048


@pytest.mark.parametrize('part', [3, 7, 100])
def test_parts_of_any_size_are_the_same_images(part, monkeypatch):
  def generate(given, latents, key, labels):
    shift = latents[:, :1, None, None] + labels[:, None, None, None] / 8
    return 0.2 * (noise(given, latents, key, labels) + shift)

  labels = np.arange(20) % 3
  whole = drawn(generate, 20, labels)
  monkeypatch.setattr(samples, '_PART', part)
  np.testing.assert_array_equal(drawn(generate, 20, labels), whole)


def test_styled_noise_belongs_to_its_image(monkeypatch):
  generator = stylegan.generator(8, 1, style=4, depth=1, base=64)
  params, buffers = generator.init(jax.random.key(0), jnp.zeros((2, 4)))
  # The strengths of the noise begin at 0.
  params = jax.tree.map(lambda leaf: leaf + 0.1, params)

  def generate(given, latents, key, labels):
    # The same latents for all images, so that only their noise differs.
    styles, _ = generator.mapping(
      given, buffers, jnp.ones((len(latents), 4)), None, False
    )
    return generator.synthesis(given, buffers, styles, key, False)[0]

  sample = samples.sampler(generate)
  whole = sample(params, prior, 12, 0, 8)
  assert len(np.unique(whole.reshape(12, -1), axis=0)) == 12
  monkeypatch.setattr(samples, '_PART', 5)
  parts = samples.sampler(generate)(params, prior, 12, 0, 8)
  assert np.abs(parts.astype(int) - whole).max() <= 1  # rounding of bytes


def test_networks_without_noise_make_the_images_that_they_did():
  pair = dcgan.generator(16, 1, width=4)
  params, buffers = pair.init(jax.random.key(0), jnp.zeros((2, 2)))

  def generate(given, latents, key, labels):
    return pair.synthesis(given, buffers, latents, key, False)[0]

  latents = np.asarray(prior(jax.random.split(jax.random.key(0))[0], 20))
  at_once = jax.jit(generate)(params, latents, None, None)
  found = samples.sampler(generate)(params, prior, 20, 0, 16)
  before = np.clip(np.round((np.asarray(at_once) + 1) * 127.5), 0, 255)
  assert np.abs(found - before).max() <= 1  # rounding of bytes


@pytest.mark.parametrize('value', [np.nan, np.inf])
def test_images_that_are_not_finite_are_counted_and_refused(value):
  def generate(given, latents, key, labels):
    images = noise(given, latents, key, labels)
    return {
      '4': images.at[:, 0, 0].add(labels[:, None]),
      '2': images[:, :2, :2],
    }

  labels = np.where(np.arange(300) % 3, 0, value).astype(np.float32)
  with pytest.raises(FloatingPointError) as error:
    drawn(generate, 300, labels)
  assert '100 of 300 samples of the test' in str(error.value)
  assert 'earlier checkpoint' in str(error.value)
  with pytest.raises(FloatingPointError, match='12 of 36 samples of the test'):
    own = functools.partial(generate, ())
    samples.tracked(own, prior, 0, 4, labels[:36], 'the test')


def test_one_pixel_of_one_resolution_is_enough_not_to_be_finite():
  tree = {'small': np.zeros((3, 2, 2, 1)), 'large': np.zeros((3, 4, 4, 1))}
  tree['small'][1, 0, 1, 0] = np.nan
  np.testing.assert_array_equal(pictures.finite(tree), [True, False, True])
