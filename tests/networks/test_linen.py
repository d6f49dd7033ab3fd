"""Linen modules as records of functions: the features that they sow."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from ganjax.networks import linen

KEY = jax.random.key(0)


class Affine(nn.Module):
  """Logits, the first of two activations, with or without showing them."""

  shows: bool

  @nn.compact
  def __call__(self, images, train):
    del train
    activations = images * self.param('scale', nn.initializers.ones, (2,))
    if self.shows:
      self.sow('features', 'last', activations[:, None])
    return activations[:, 0]


def test_features_are_what_the_module_sows_and_no_buffers():
  network, images = linen.discriminator(Affine(True)), jnp.ones((3, 2))
  params, buffers = network.init(KEY, images)
  assert buffers == {}
  _, buffers = network.apply(params, buffers, images, None, True)
  assert buffers == {}
  (logits, features), buffers = network.with_features(
    {'scale': jnp.arange(2)}, {}, images, None, True
  )
  np.testing.assert_array_equal(features, [[0, 1]] * 3)
  np.testing.assert_array_equal(logits, [0] * 3)
  assert buffers == {}


def test_a_module_that_sows_nothing_says_so_when_it_is_asked():
  network, images = linen.discriminator(Affine(False)), jnp.ones((3, 2))
  with pytest.raises(ValueError, match='Affine sows no features, .* self.sow'):
    network.with_features(*network.init(KEY, images), images, None, True)
