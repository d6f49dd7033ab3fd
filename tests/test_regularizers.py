"""Regularisers against closed forms: linear and quadratic critics."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganjax.regularizers import dragan, r1, r2, wgan_gp

KEY = jax.random.key(0)
REAL, FAKE = jax.random.normal(jax.random.key(1), (2, 5, 2, 2, 3))
SLOPE = jax.random.normal(jax.random.key(2), (2, 2, 3))
NORM = float(jnp.linalg.norm(SLOPE))

# Each on a critic alone, and its value where the gradient's norm is known.
FORMS = {
  'r1': (lambda critic: r1(critic, REAL), lambda norm: norm**2),
  'r2': (lambda critic: r2(critic, FAKE), lambda norm: norm**2),
  'wgan_gp': (
    lambda critic: wgan_gp(critic, REAL, FAKE, KEY),
    lambda norm: (norm - 1) ** 2,
  ),
  'wgan_gp, target 750': (
    lambda critic: wgan_gp(critic, REAL, FAKE, KEY, target=750),
    lambda norm: (norm - 750) ** 2,
  ),
  'dragan': (
    lambda critic: dragan(critic, REAL, KEY),
    lambda norm: (norm - 1) ** 2,
  ),
  'dragan, target 0': (
    lambda critic: dragan(critic, REAL, KEY, target=0),
    lambda norm: norm**2,
  ),
}


def linear(slope):
  return lambda images: jnp.tensordot(images, slope, slope.ndim)


def square(images):
  """A critic whose gradient is the image itself."""
  return sum(
    (leaf**2).sum(range(1, leaf.ndim)) / 2 for leaf in jax.tree.leaves(images)
  )


@pytest.mark.parametrize('name', FORMS)
def test_linear_critic(name):
  regularizer, form = FORMS[name]
  values = jax.jit(lambda slope: regularizer(linear(slope)))(SLOPE)
  np.testing.assert_allclose(values, np.full(5, form(NORM)), rtol=1e-5)


@pytest.mark.parametrize('name', FORMS)
def test_derivative_by_the_critic(name):
  # The gradient's norm is w |a|, so the penalty's slope is form'(w |a|) |a|.
  regularizer, form = FORMS[name]

  def value(weight):
    return regularizer(linear(weight * SLOPE)).mean()

  weight, h = 1.5, 1e-4
  ends = form((weight + h) * NORM), form((weight - h) * NORM)
  expected = (ends[0] - ends[1]) / (2 * h)
  np.testing.assert_allclose(
    jax.jit(jax.grad(value))(weight), expected, rtol=1e-4
  )


@pytest.mark.parametrize('name', FORMS)
def test_dead_critic_has_a_finite_derivative(name):
  regularizer, _ = FORMS[name]
  slope = jax.jit(jax.grad(lambda slope: regularizer(linear(slope)).mean()))(
    0 * SLOPE
  )
  assert np.isfinite(slope).all()


@pytest.mark.parametrize('regularizer', [r1, r2])
def test_quadratic_critic_at_a_point(regularizer):
  matrix = np.array([[2.0, 1.0], [1.0, -3.0]])
  points = np.array([[1.0, 2.0], [0.0, -1.0]])
  # |Mx|^2: M (1, 2) = (4, -5) and M (0, -1) = (-1, 3).
  values = regularizer(
    lambda x: jnp.einsum('ni,ij,nj->n', x, matrix, x) / 2, jnp.array(points)
  )
  np.testing.assert_allclose(values, [41, 10], rtol=1e-6)


def test_examples_do_not_mix():
  values = r1(square, REAL)
  np.testing.assert_allclose(values, (REAL**2).sum((1, 2, 3)), rtol=1e-5)


def test_r1_sums_a_tree_and_the_norms_average_it():
  small, large = SLOPE[:1, :1], SLOPE
  pyramid = REAL[:, :1, :1], REAL

  def critic(images):
    return linear(small)(images[0]) + linear(large)(images[1])

  norms = np.array([jnp.linalg.norm(small), jnp.linalg.norm(large)])
  total, mean = (norms**2).sum(), ((norms - 1) ** 2).mean()
  for regularizer, expected in (
    (lambda: r1(critic, pyramid), total),
    (lambda: r2(critic, pyramid), total),
    (lambda: wgan_gp(critic, pyramid, pyramid, KEY), mean),
    (lambda: dragan(critic, pyramid, KEY), mean),
  ):
    values = jax.jit(regularizer)()
    np.testing.assert_allclose(values, np.full(5, expected), rtol=1e-5)


def test_one_epsilon_for_an_example_and_its_whole_pyramid():
  # From zeros to ones, the gradient of `square` is epsilon at each pixel.
  real = {'small': jnp.ones((64, 2, 2, 1)), 'large': jnp.ones((64, 4, 4, 1))}
  fake = jax.tree.map(jnp.zeros_like, real)

  @jax.jit
  def epsilons():
    return [
      jnp.sqrt(2 * wgan_gp(critic, real, fake, KEY, target=0) / pixels)
      for critic, pixels in (
        (lambda images: square(images['small']), 4),
        (lambda images: square(images['large']), 16),
      )
    ]

  small, large = epsilons()
  np.testing.assert_allclose(small, large, atol=1e-5)
  assert len(np.unique(small)) == 64
  assert small.min() >= 0
  assert small.max() < 1
  assert abs(small.mean() - 0.5) < 0.15


def test_dragan_moves_up_to_half_a_deviation():
  real = jnp.linspace(-1, 3, 256)[:, None] + 10
  squares = jax.jit(lambda real: dragan(square, real, KEY, target=0))(real)
  moved = jnp.sqrt(squares) - real[:, 0]
  assert moved.min() > -1e-5
  # 256 products of two uniforms reach far, and have the mean 1 / 4.
  bound = 0.5 * real.std()
  assert 0.7 * bound < moved.max() < bound
  np.testing.assert_allclose(moved.mean(), bound / 4, rtol=0.2)


def test_fakes_are_held_constant():
  for value in (
    lambda fake: r2(square, fake).sum(),
    lambda fake: wgan_gp(square, REAL, fake, KEY).sum(),
  ):
    assert value(FAKE) > 0
    np.testing.assert_array_equal(jax.grad(value)(FAKE), 0)


def test_weights_may_be_traced():
  def slope(weight):
    return jax.grad(lambda a: (weight / 2 * r1(linear(a), REAL)).mean())(SLOPE)

  weights = jnp.array([0.0, 1.0, 10.0])
  np.testing.assert_allclose(
    jax.jit(jax.vmap(slope))(weights),
    weights[:, None, None, None] * SLOPE,
    rtol=1e-5,
  )
