"""The bank of filters against its closed form, and numpy's convolution."""

import jax
import jax.numpy as jnp
import numpy as np

from ganjax.augment import bands


def test_the_bands_sum_to_the_identity():
  bank = bands.filters()
  assert bank.shape == (4, 43)
  np.testing.assert_allclose(
    bank.sum(0), np.arange(43) == 21, atol=1e-12, rtol=0
  )
  np.testing.assert_allclose(bank[:, 21], [0.125, 0.125, 0.25, 0.5], atol=1e-12)
  np.testing.assert_allclose(bank.sum(1), [1, 0, 0, 0], atol=1e-12)
  np.testing.assert_allclose(bank, bank[:, ::-1], atol=1e-12)


def test_each_band_has_its_octave():
  response = np.abs(np.fft.rfft(bands.filters(), 1024))
  # Edges of the octaves are at 1/8, 1/4 and 1/2 of the highest frequency.
  for band, middle in enumerate((16, 96, 192, 400)):
    assert response[:, middle].argmax() == band


def test_a_row_is_filtered_with_its_reflection():
  row = np.random.default_rng(0).normal(size=32)
  for matrix, taps in zip(bands._matrices(32), bands.filters(), strict=True):
    around = np.pad(row, 21, 'reflect')
    np.testing.assert_allclose(
      matrix @ row, np.convolve(around, taps, 'valid'), atol=1e-6
    )


def test_gains_keep_the_power_of_natural_images():
  image = jnp.ones((8, 8, 1))  # its power is all in the first band

  @jax.jit
  def gain(keys, p):
    return jax.vmap(lambda key: bands.band_gains(image, key, p))(keys)

  keys = jax.random.split(jax.random.key(0), 500)
  np.testing.assert_allclose(gain(keys, 0.0), 1, atol=1e-5)
  found = gain(keys, 1.0)
  np.testing.assert_allclose(
    found, found[:, :1, :1] * np.ones((8, 8, 1)), rtol=1e-5
  )
  # The gain of a row times that of a column, from the same law drawn by numpy.
  t = 2 ** np.random.default_rng(0).normal(size=(4, 4000))
  power = np.array([10, 1, 1, 1]) / 13
  norm = np.sqrt(1 + power[:, None] * (t**2 - 1))
  expected = 2 * np.log2(t[0] / norm.prod(0))
  logs = np.log2(found[:, 0, 0, 0])
  assert abs(logs.mean() - expected.mean()) < 4 * expected.std() / np.sqrt(500)
  np.testing.assert_allclose(logs.std(), expected.std(), rtol=0.2)
