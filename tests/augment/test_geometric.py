"""The laws of ADA's transforms of places, from many draws."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganjax.augment import geometric

NUMBER, P = 4000, 0.6


@pytest.fixture(scope='module')
def drawn():
  """For each transform, its matrices: float `[NUMBER, 3, 3]`."""

  @jax.jit
  def draw(keys, p):
    names = dict.fromkeys((*geometric.BLIT, *geometric.GEOM))
    return {
      own.__name__: jax.vmap(lambda key, own=own: own(key, p, 32, 16))(keys)
      for own in names
    }

  keys = jax.random.split(jax.random.key(0), NUMBER)
  off = draw(keys, 0.0)
  for name, matrices in off.items():
    np.testing.assert_array_equal(
      matrices, np.broadcast_to(np.eye(3), matrices.shape), err_msg=name
    )
  return jax.tree.map(np.asarray, draw(keys, P))


def near(found, expected, deviation):
  """Whether a mean is expected, to four of its standard errors."""
  assert abs(found - expected) < 4 * deviation / np.sqrt(NUMBER)


def test_half_of_the_images_used_are_flipped(drawn):
  factors = drawn['x_flip'][:, 0, 0]
  assert set(factors) == {-1, 1}
  near((factors == -1).mean(), P / 2, 0.5)


def test_quarter_turns_are_uniform(drawn):
  cos, sin = drawn['quarter_turns'][:, :2, 0].T
  turns = np.round(np.arctan2(sin, cos) / (np.pi / 2)).astype(int) % 4
  for number, share in enumerate(np.bincount(turns) / NUMBER):
    near(share, P / 4 + (1 - P) * (number == 0), 0.5)


def test_shifts_are_whole_pixels_up_to_an_eighth(drawn):
  # 32 pixels high and 16 wide.
  x, y = drawn['integer_shift'][:, :2, 2].T
  for shift, most in ((x, 2), (y, 4)):
    assert set(shift) == set(range(-most, most + 1))
    near((shift == most).mean(), P / (4 * most), 0.3)
    near((shift == 1).mean(), P / (2 * most), 0.4)
  # One gate for both.
  assert np.mean((x == 0) & (y == 0)) > (1 - P)


@pytest.mark.parametrize('name', ['isotropic_scale', 'anisotropic_scale'])
def test_scales_are_powers_of_two(name, drawn):
  x, y = np.log2(drawn[name][:, 0, 0]), np.log2(drawn[name][:, 1, 1])
  np.testing.assert_allclose(x, y if name[0] == 'i' else -y, atol=1e-6)
  near((x != 0).mean(), P, 0.5)
  used = x[x != 0]
  near(used.mean(), 0, 0.3)
  np.testing.assert_allclose(used.std(), 0.2, rtol=0.06)


def test_one_of_two_rotations_is_used_as_often_as_p_says(drawn):
  cos, sin = drawn['rotation'][:, :2, 0].T
  angles = np.arctan2(sin, cos)
  near((angles != 0).mean(), 1 - np.sqrt(1 - P), 0.5)
  used = angles[angles != 0]
  near(used.mean() / np.pi, 0, 1.0)
  np.testing.assert_allclose(used.std(), np.pi / np.sqrt(3), rtol=0.06)
  unused = (angles == 0).mean()
  near(1 - unused**2, P, 0.7)


def test_fractional_shifts_are_normal(drawn):
  x, y = drawn['fractional_shift'][:, :2, 2].T
  np.testing.assert_array_equal(x == 0, y == 0)
  near((x != 0).mean(), P, 0.5)
  for shift, side in ((x, 16), (y, 32)):
    np.testing.assert_allclose(shift[x != 0].std(), 0.125 * side, rtol=0.06)


def test_p_beyond_one_turns_always():
  matrix = jax.vmap(lambda key: geometric.rotation(key, 1.3, 8, 8))(
    jax.random.split(jax.random.key(0), 20)
  )
  assert jnp.all(matrix[:, 1, 0] != 0)
