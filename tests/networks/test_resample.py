"""The filter 1 3 3 1 against its matrices, its transpose and constants."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganjax.networks import resample

IMAGES = jax.random.normal(jax.random.key(0), (2, 6, 4, 3))


def test_maximum_is_the_largest_of_four_and_shares_the_gradient():
  expected = np.asarray(IMAGES).reshape(2, 3, 2, 2, 2, 3).max((2, 4))
  np.testing.assert_array_equal(resample.maximum(IMAGES), expected)
  slopes = jax.grad(lambda own: resample.maximum(own).sum())
  largest = expected.repeat(2, 1).repeat(2, 2) == IMAGES
  np.testing.assert_array_equal(slopes(IMAGES), largest)
  np.testing.assert_allclose(slopes(jnp.ones_like(IMAGES)), 0.25)
  assert 'scatter' not in str(jax.make_jaxpr(slopes)(IMAGES))
  with pytest.raises(ValueError, match='cannot be halved'):
    resample.maximum(IMAGES[:, 1:])


def up_matrix(side):
  """Rows of new pixels, by the definition: zeros between pixels, then a filter.

  The filter has the gain 2, and pixel i of the zero-filled signal lies at 2i.
  """
  matrix = np.zeros((2 * side, side))
  for new in range(2 * side):
    for tap, weight in enumerate(np.array([1, 3, 3, 1]) / 8 * 2):
      place = new + tap - 2
      if place % 2 == 0 and 0 <= place // 2 < side:
        matrix[new, place // 2] += weight
  return matrix


def test_up_inserts_zeros_and_filters():
  expected = np.einsum(
    'yh,xw,nhwc->nyxc', up_matrix(6), up_matrix(4), np.asarray(IMAGES)
  )
  found = resample.fir_up(IMAGES)
  np.testing.assert_allclose(found, expected, atol=1e-6)


def test_up_is_four_times_the_transpose_of_down():
  large = jnp.zeros((2, 12, 8, 3))
  transposed = jax.linear_transpose(resample.fir_down, large)(IMAGES)[0]
  np.testing.assert_allclose(
    resample.fir_up(IMAGES), 4 * transposed, rtol=1e-6, atol=1e-6
  )


def test_constants_stay_away_from_the_border_and_fade_at_it():
  ones = jnp.ones((1, 8, 8, 1))
  up, down = (
    function(ones)[0, :, :, 0]
    for function in (resample.fir_up, resample.fir_down)
  )
  np.testing.assert_allclose(up[1:-1, 1:-1], 1)
  np.testing.assert_allclose(up[0, 1:-1], 3 / 4)
  np.testing.assert_allclose(down[1:-1, 1:-1], 1)
  np.testing.assert_allclose(down[0, 0], (7 / 8) ** 2)


def test_up_and_down_is_a_blur():
  # Per axis it is the stencil 3 10 3, over 16.
  spike = jnp.zeros((1, 7, 7, 1)).at[0, 3, 3, 0].set(1)
  found = resample.fir_down(resample.fir_up(spike))[0, :, :, 0]
  stencil = np.pad(np.array([3, 10, 3]) / 16, 2)
  np.testing.assert_allclose(found, np.outer(stencil, stencil), atol=1e-7)


def test_odd_sides_are_refused():
  with pytest.raises(ValueError, match='Images of 7x7 pixels cannot be halved'):
    resample.fir_down(jnp.zeros((1, 7, 7, 1)))
