"""Normalisations of images against NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from ganjax.networks import norms

KEY = jax.random.key(0)
REAL = jax.random.normal(KEY, (4, 16, 16, 3))


def by_numpy(images, axes):
  away = images - images.mean(axes, keepdims=True)
  return np.abs(away / images.std(axes, keepdims=True))


def normalized(norm, images):
  class Normalized(nn.Module):
    @nn.compact
    def __call__(self, images):
      return norm(jnp.abs)(images, True)

  return Normalized().init_with_output(KEY, images)[0]


@pytest.mark.parametrize('name', ['batch', 'layer', 'instance', 'group'])
def test_a_large_mean_leaves_the_deviations_as_they_are(name):
  deviations = 0.01 * REAL
  images = np.asarray(deviations + 100, 'f8')
  # 3 channels are one group, as the greatest divisor of 32 and 3 is 1.
  axes = {'batch': (0, 1, 2), 'instance': (1, 2)}.get(name, (1, 2, 3))
  away = images - images.mean(axes, keepdims=True)
  expected = away / np.sqrt(images.var(axes, keepdims=True) + 1e-5)
  outputs = normalized(norms.NORMS[name], jnp.float32(images))
  np.testing.assert_allclose(outputs, np.abs(expected), atol=2e-2)


def test_layer_normalisation_is_over_all_of_an_example():
  outputs = normalized(norms.layer, 3 + 2 * REAL)
  expected = by_numpy(np.asarray(REAL), (1, 2, 3))
  np.testing.assert_allclose(outputs, expected, atol=1e-4)


def test_instance_normalisation_is_over_each_channel_of_an_example():
  outputs = normalized(norms.instance, 3 + 2 * REAL)
  expected = by_numpy(np.asarray(REAL), (1, 2))
  np.testing.assert_allclose(outputs, expected, atol=1e-4)


def test_group_normalisation_is_over_groups_of_channels():
  # Of 12 channels, 4 groups of 3 are the most that 32 groups can be.
  images = np.array(jax.random.normal(KEY, (2, 5, 5, 12)))
  grouped = images.reshape(2, 5, 5, 4, 3)
  expected = by_numpy(grouped, (1, 2, 4)).reshape(images.shape)
  outputs = normalized(norms.group, 3 + 2 * images)
  np.testing.assert_allclose(outputs, expected, atol=1e-4)
