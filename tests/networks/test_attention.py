"""Self-attention against a plain loop, and against what it must not do."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganjax.networks import layers
from ganjax.networks.attention import SelfAttention

KEY = jax.random.key(0)
IMAGES = jax.random.normal(KEY, (2, 4, 6, 16))


@pytest.fixture(scope='module')
def params():
  """Parameters with kernels that make the weights of pixels unequal."""
  return jax.jit(SelfAttention(layers.normal(0.4)).init)(KEY, IMAGES)['params']


@jax.jit
def attended(params, images):
  return SelfAttention().apply({'params': params}, images)


def test_at_first_it_is_the_identity_and_gamma_learns(params):
  np.testing.assert_array_equal(attended(params, IMAGES), IMAGES)
  slopes = jax.grad(lambda own: (attended(own, IMAGES) ** 2).sum())(params)
  assert abs(slopes['gamma']) > 1e-2
  np.testing.assert_array_equal(slopes['query']['kernel'], 0)


@pytest.mark.parametrize('gamma', [1.0, -0.5])
def test_it_is_the_papers_sum_over_pooled_pixels(gamma, params):
  own = params | {'gamma': jnp.float32(gamma)}
  kernels = {
    name: np.asarray(own[name]['kernel'], np.float64)
    for name in ('query', 'key', 'value', 'output')
  }
  image = np.asarray(IMAGES[1], np.float64)
  keys, values = (
    np.array(
      [
        (image[y : y + 2, x : x + 2] @ kernels[name]).max((0, 1))
        for y in (0, 2)
        for x in (0, 2, 4)
      ]
    )
    for name in ('key', 'value')
  )
  for y, x in ((0, 0), (2, 5)):
    weights = np.exp(keys @ (image[y, x] @ kernels['query']))
    weights /= weights.sum()
    assert weights.max() > 2 / 6  # far from a plain mean
    expected = image[y, x] + gamma * (weights @ values) @ kernels['output']
    np.testing.assert_allclose(
      attended(own, IMAGES)[1, y, x], expected, rtol=1e-4, atol=1e-5
    )


def test_constant_images_stay_constant(params):
  own = params | {'gamma': jnp.float32(2.0)}
  constant = jnp.broadcast_to(IMAGES[:, :1, :1], IMAGES.shape)
  outputs = attended(own, constant)
  np.testing.assert_allclose(
    outputs, jnp.broadcast_to(outputs[:, :1, :1], outputs.shape), rtol=1e-5
  )
  assert np.abs(outputs - constant).max() > 1e-2


@pytest.mark.parametrize(
  ('width', 'number'),
  [(256, 81_921), (128, 20_481), (384, 184_321), (192, 46_081)],
)
def test_counts(width, number):
  init = functools.partial(SelfAttention().init, KEY)
  made = jax.eval_shape(init, jnp.zeros((1, 16, 16, width)))
  assert sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(made)) == number


def test_half_precision_is_near_and_other_widths_are_refused(params):
  own = params | {'gamma': jnp.float32(1.0)}
  half = SelfAttention(dtype=jnp.bfloat16).apply({'params': own}, IMAGES)
  assert half.dtype == jnp.bfloat16
  exact = attended(own, IMAGES)
  deviation = np.abs(half.astype(jnp.float32) - exact).max()
  assert deviation < 0.03 * np.abs(exact).max()
  with pytest.raises(ValueError, match='multiple of 8 channels, not 12'):
    SelfAttention().init(KEY, jnp.zeros((1, 4, 4, 12)))
