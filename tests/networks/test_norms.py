"""Normalisations of images against NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from ganjax.networks import norms

KEY = jax.random.key(0)
REAL = jax.random.normal(KEY, (4, 16, 16, 3))


def test_layer_normalisation_is_over_all_of_an_example():
  class Normalized(nn.Module):
    @nn.compact
    def __call__(self, images):
      return norms.layer(jnp.abs)(images, True)

  outputs, _ = Normalized().init_with_output(KEY, 3 + 2 * REAL)
  axes = (1, 2, 3)
  real = np.asarray(REAL)
  expected = np.abs(
    (real - real.mean(axes, keepdims=True)) / real.std(axes, keepdims=True)
  )
  np.testing.assert_allclose(outputs, expected, atol=1e-4)
