"""Random features, and networks applied in batches."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganjax.evaluation import features
from ganjax.metrics import fid, kid


@pytest.mark.parametrize('shape', [(8, 8, 1), (11, 16, 4)])
def test_random_features_are_fixed_finite_and_named(shape):
  measure = features.random_features()
  assert measure.name == 'random-conv-384 (seed 0, untrained)'
  random = np.random.default_rng(0)
  images = random.uniform(-1, 1, (3, *shape)).astype(np.float32)
  found = np.asarray(jax.jit(measure.apply)(images))
  assert found.shape == (3, 384)
  assert np.isfinite(found).all()
  assert 0.05 < found.std() < 5
  flipped = jax.jit(features.random_features().apply)(images[::-1])
  np.testing.assert_allclose(flipped, found[::-1], atol=1e-5)
  other = jax.jit(features.random_features(seed=1).apply)(images)
  assert np.abs(other - found).max() > 0.1


def test_random_features_order_sets_by_their_difference():
  random = np.random.default_rng(0)
  noise = random.normal(size=(600, 8, 8, 1)).astype(np.float32)
  sets = [noise[:300], noise[300:], 0.5 * noise[300:] + 0.3]
  apply = features.random_features().apply
  real, same, other = (features.in_batches(apply, set_) for set_ in sets)
  assert fid.fid(real, other) > 3 * fid.fid(real, same)
  near, _ = kid.kid(real, same, subsets=10, size=200, seed=0)
  far, deviation = kid.kid(real, other, subsets=10, size=200, seed=0)
  assert far - near > 5 * deviation


def test_small_images_have_no_random_features():
  with pytest.raises(ValueError, match=r'\(2, 4, 16, 3\)'):
    features.random_features().apply(jnp.ones((2, 4, 16, 3)))


def test_in_batches_scales_bytes_fills_up_the_last_and_drops_the_filling():
  images = np.arange(5 * 4, dtype=np.uint8).reshape(5, 2, 2, 1)
  found = features.in_batches(lambda x: x.sum((1, 2, 3)), images, size=3)
  expected = (images / 127.5 - 1).sum((1, 2, 3))
  np.testing.assert_allclose(found, expected, rtol=1e-6)
  floats = features.in_batches(
    lambda x: x, np.ones((5, 2, 2, 1), np.float32), size=3
  )
  np.testing.assert_array_equal(floats, np.ones((5, 2, 2, 1)))
