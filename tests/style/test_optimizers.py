"""The optimisers of pictures, on functions whose minima are known."""

import jax
import jax.numpy as jnp
import numpy as np
import scipy.optimize

from ganjax.style import optimizers

RANDOM = np.random.default_rng(0)


def draw(*shape):
  return RANDOM.uniform(size=shape).astype(np.float32)


def descend(optimizer, function, start, steps):
  slopes = jax.vmap(jax.value_and_grad(function))

  def step(carry, _):
    pictures, state = carry
    values, gradients = slopes(pictures)
    ahead, reached, state = optimizer.update(pictures, values, gradients, state)
    return (ahead, state), reached

  @jax.jit
  def descent(start):
    return jax.lax.scan(step, (start, optimizer.init(start)), length=steps)[1]

  return descent(jnp.asarray(start))


def valley(picture):
  """Rosenbrock's, over neighbouring values; the minimum is at 1."""
  x = picture.ravel()
  return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


def test_lbfgs_reaches_the_end_of_a_valley_and_never_climbs():
  start = draw(2, 2, 1, 3) - 1
  reached = descend(optimizers.lbfgs(), valley, start, 150)
  values = np.asarray(jax.vmap(jax.vmap(valley))(reached))
  assert np.all(np.diff(values, axis=0) <= 0)
  np.testing.assert_allclose(reached[-1], 1, atol=2e-2)


def test_lbfgs_solves_a_quadratic_of_few_values_in_few_steps():
  scales = np.array([1, 10, 100], np.float32)
  goal = draw(1, 1, 3)

  def bowl(picture):
    return (scales * (picture - goal) ** 2).sum()

  reached = descend(optimizers.lbfgs(), bowl, draw(4, 1, 1, 3), 20)
  np.testing.assert_allclose(reached[-1], [goal] * 4, atol=1e-3)


def test_lbfgs_within_bounds_finds_the_constrained_minimum():
  goal = np.linspace(-0.5, 1.5, 12, dtype=np.float32).reshape(2, 2, 3)

  def bowl(picture):
    return (jnp.arange(1.0, 13).reshape(2, 2, 3) * (picture - goal) ** 2).sum()

  start = draw(1, 2, 2, 3)
  reached = descend(optimizers.lbfgs(bounds=optimizers.UNIT), bowl, start, 60)
  assert jnp.all((reached >= 0) & (reached <= 1))
  np.testing.assert_allclose(reached[-1, 0], np.clip(goal, 0, 1), atol=2e-2)


def test_bounds_bind_where_another_method_finds_that_they_do():
  random = np.random.default_rng(5)
  matrix = random.normal(size=(150, 108)) @ random.normal(size=(108, 108)) / 30
  goal = matrix @ random.uniform(-0.5, 1.5, 108)

  def bowl(picture):
    return ((matrix @ picture.ravel() - goal) ** 2).sum()

  expected = scipy.optimize.minimize(
    lambda x: (bowl(x), 2 * matrix.T @ (matrix @ x - goal)),
    np.full(108, 0.5),
    jac=True,
    method='L-BFGS-B',
    bounds=[(0, 1)] * 108,
    options={'maxiter': 5000, 'maxfun': 50_000, 'ftol': 1e-14, 'gtol': 1e-10},
  )
  assert 30 < np.sum((expected.x == 0) | (expected.x == 1)) < 100
  start = np.full((1, 6, 6, 3), 0.5)
  reached = descend(optimizers.lbfgs(bounds=optimizers.UNIT), bowl, start, 600)
  assert jnp.all((reached >= 0) & (reached <= 1))
  np.testing.assert_allclose(bowl(reached[-1]), expected.fun, rtol=0.01)


def test_a_value_that_is_not_finite_is_refused():
  def cliff(picture):
    x = picture.sum()
    return jnp.where(x > 0, x - jnp.log(x), jnp.nan)

  reached = descend(
    optimizers.lbfgs(first_step=10.0), cliff, np.ones((1, 1, 1, 3)), 25
  )
  np.testing.assert_allclose(reached[-1].sum(), 1, atol=1e-2)
