"""Fields and Jacobians against matrices, finite differences and NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn
from jax.flatten_util import ravel_pytree

from ganjax import dynamics, losses, priors, regularizers, steps
from ganjax.arrays import Batch
from ganjax.game import Game, gan
from ganjax.networks import layers, linen, mlp
from ganjax.players import Pair
from ganjax.turns import stateless

KEY = jax.random.key(0)
RANDOM = np.random.default_rng(0)
SIZES = 12, 18  # of the two players of a bilinear game
MATRIX = RANDOM.normal(size=(30, 30))


@pytest.fixture(autouse=True)
def x64():
  with jax.enable_x64(True):
    yield


def of_values(generator, discriminator):
  """The game of two functions `(theta, phi, batch, key) -> value`."""

  def turn(value):
    return lambda params, buffers, batch, key: (
      value(*params, batch, key),
      (buffers, {}),
    )

  return Game(
    init=lambda key: (Pair(jnp.ones(()), jnp.ones(())), Pair({}, {})),
    generator=turn(generator),
    discriminator=turn(discriminator),
    prior=priors.normal(1),
    sample=None,
    fake_labels=lambda key, labels: labels,
  )


def quadratic(matrix):
  """The game whose field is a matrix: each player's value has its rows."""
  cut = SIZES[0]
  rows = matrix[:cut], matrix[cut:]
  # Own blocks are symmetric: a gradient has no other ones.
  own = rows[0][:, :cut], rows[1][:, cut:]
  other = rows[0][:, cut:], rows[1][:, :cut]
  return of_values(
    lambda theta, phi, batch, key: (
      -(theta @ own[0] @ theta / 2 + theta @ other[0] @ phi)
    ),
    lambda theta, phi, batch, key: (
      -(phi @ own[1] @ phi / 2 + phi @ other[1] @ theta)
    ),
  )


def flat_field(matrix):
  """A linear field over a tree of two arrays, of any matrix."""

  def field(params, scale):
    whole = scale * matrix @ jnp.concatenate([params['a'], params['b']])
    return {'a': whole[:12], 'b': whole[12:]}

  return field


def point(seed=0):
  values = np.random.default_rng(seed).normal(size=30)
  return {'a': jnp.asarray(values[:12]), 'b': jnp.asarray(values[12:])}


def assert_found_in(found, expected, rtol=1e-8):
  distances = np.abs(found[:, None] - np.asarray(expected)[None]).min(axis=1)
  np.testing.assert_array_less(distances, rtol * np.abs(expected).max())


def test_the_field_is_minus_each_players_own_gradient():
  matrix = MATRIX.copy()
  cut = SIZES[0]
  for block in (slice(cut), slice(cut, None)):
    matrix[block, block] += matrix[block, block].T
  params = Pair(*point().values())
  field = dynamics.field(quadratic(matrix))
  rest = Pair({}, {}), None, KEY
  velocities = jax.jit(field)(params, *rest)
  np.testing.assert_allclose(
    np.hstack(velocities), matrix @ np.hstack(params), rtol=1e-10
  )
  found = dynamics.jacobian(field, params, *rest)
  np.testing.assert_allclose(found, matrix, rtol=1e-10, atol=1e-12)


def test_both_players_draw_the_same():
  field = dynamics.field(
    of_values(
      lambda theta, phi, batch, key: theta * jax.random.normal(key),
      lambda theta, phi, batch, key: phi * jax.random.normal(key),
    )
  )
  velocities = field(Pair(1.0, 1.0), Pair({}, {}), None, KEY)
  assert velocities.generator == velocities.discriminator != 0


def test_eigenvalues_are_those_of_the_matrix():
  found = dynamics.eigenvalues(flat_field(MATRIX), point(), 2.0)
  expected = 2 * np.linalg.eigvals(MATRIX)
  assert found.shape == (30,)
  assert_found_in(found, expected)
  assert_found_in(expected, found)


@pytest.mark.parametrize(
  ('which', 'measure'),
  [
    ('LM', np.abs),
    ('LR', np.real),
    # Those below the axis mirror those above it.
    ('LI', lambda values: np.abs(values.imag)),
  ],
)
def test_leading_eigenvalues_lead(which, measure):
  everything = np.linalg.eigvals(MATRIX)
  found = dynamics.leading(
    flat_field(MATRIX), point(), 1.0, number=4, which=which
  )
  assert_found_in(found, everything)
  np.testing.assert_allclose(
    np.sort(measure(found)), np.sort(measure(everything))[-4:], rtol=1e-8
  )


def test_a_field_is_compiled_once_for_all_points():
  traces = []

  def field(params, scale):
    traces.append(scale)
    return flat_field(MATRIX)(params, scale)

  for seed in range(3):
    dynamics.leading(field, point(seed), float(seed + 1), number=2)
  assert len(traces) == 1
  for seed in range(3):
    dynamics.eigenvalues(field, point(seed), float(seed + 1))
  assert len(traces) == 2


def at_reals(turn):
  return regularizers.r1(turn.critic, turn.real)


def test_the_jacobian_of_networks_is_that_of_forward_mode():
  game = gan(
    mlp.generator((2,), (4,)),
    mlp.discriminator((5,)),
    losses.non_saturating,
    priors.normal(2),
    Pair({}, {'r1': stateless(at_reals)}),
  )
  field = dynamics.field(game)
  params, buffers = jax.jit(game.init)(KEY)
  rest = buffers, Batch(jax.random.normal(KEY, (8, 2))), KEY
  flat, unravel = ravel_pytree(params)

  def flat_field(flat):
    return ravel_pytree(field(unravel(flat), *rest))[0]

  everything = dynamics.eigenvalues(field, params, *rest)
  expected = np.linalg.eigvals(jax.jit(jax.jacfwd(flat_field))(flat))
  assert_found_in(everything, expected, rtol=1e-4)
  assert_found_in(expected, everything, rtol=1e-4)
  found = dynamics.leading(field, params, *rest, number=4)
  assert_found_in(found, expected, rtol=1e-4)


class Painter(nn.Module):
  @nn.compact
  def __call__(self, latents, train):
    pixels = nn.Dense(2 * 4 * 4)(latents).reshape(-1, 4, 4, 2)
    return layers.ConvTranspose(1)(nn.tanh(pixels))


class Critic(nn.Module):
  @nn.compact
  def __call__(self, images, train):
    features = nn.tanh(layers.Conv(2)(images))
    return nn.Dense(1)(features.reshape(len(images), -1))[:, 0]


def test_products_of_convolutions_have_the_symmetry_of_a_zero_sum_game():
  game = gan(
    linen.generator(Painter()),
    linen.discriminator(Critic()),
    losses.minimax,
    priors.normal(2),
    Pair({}, {'r1': stateless(at_reals)}),
  )
  field = dynamics.field(game)
  params, buffers = jax.jit(game.init)(KEY)
  rest = buffers, Batch(jax.random.normal(KEY, (4, 8, 8, 1))), KEY
  flat, _ = ravel_pytree(params)
  # Own blocks are symmetric, the players' blocks for each other antisymmetric:
  # with the discriminator's rows negated, all of it is symmetric.
  signs = np.repeat([1, -1], [ravel_pytree(own)[0].size for own in params])
  one, other = jax.random.normal(KEY, (2, flat.size), flat.dtype)

  def product(row):
    return dynamics._compiled_product(field, row, params, *rest)

  np.testing.assert_allclose(
    product(signs * one) @ other, product(signs * other) @ one, rtol=1e-5
  )


def test_a_grid_has_the_first_value_along_its_columns():
  def field(params, scale):
    one, other = params['x'], params['y'][0]
    return {'x': scale * (one + 10 * other), 'y': [one * other]}

  first, second = np.array([1.0, 2.0, 3.0]), np.array([-1.0, 4.0])
  arrows = dynamics.grid(field, {'x': 0.0, 'y': [0.0]}, first, second, 2.0)
  assert arrows.shape == (2, 3, 2)
  one, other = np.meshgrid(first, second)
  np.testing.assert_allclose(arrows[..., 0], 2 * (one + 10 * other))
  np.testing.assert_allclose(arrows[..., 1], one * other)


def test_monodromy_holds_the_memories_of_optimisers():
  h, keep, turn = 0.2, 0.7, np.array([[0.0, -1.0], [1.0, 0.0]])
  game = of_values(
    lambda theta, phi, batch, key: theta * phi,
    lambda theta, phi, batch, key: -theta * phi,
  )
  optimizers = Pair(*[optax.sgd(h, momentum=keep)] * 2)
  state = steps.init(game, optimizers, KEY)
  state = state.replace(params=Pair(jnp.zeros(()), jnp.zeros(())))
  matrix = jax.jit(
    lambda state: dynamics.monodromy(
      steps.simultaneous(game, optimizers),
      state,
      Batch(jnp.zeros(1)),
      number=3,
    )
  )(state)
  # The momentum is a sum of gradients: m <- keep m - v, w <- w - h m.
  identity = np.eye(2)
  step = np.block(
    [[identity + h * turn, -h * keep * identity], [-turn, keep * identity]]
  )
  np.testing.assert_allclose(
    matrix, np.linalg.matrix_power(step, 3), atol=1e-12
  )


@pytest.mark.parametrize('function', [dynamics.jacobian, dynamics.eigenvalues])
def test_a_large_dense_jacobian_is_refused(function):
  with pytest.raises(ValueError, match='5001 parameters is too large'):
    function(lambda params: params, jnp.zeros(5001))


def test_more_leading_eigenvalues_than_arnoldi_finds_are_refused():
  with pytest.raises(ValueError, match='3 leading eigenvalues .* 4 parameters'):
    dynamics.leading(lambda params: params, jnp.zeros(4), number=3)


def test_a_field_of_three_values_is_not_drawn_in_the_plane():
  with pytest.raises(ValueError, match='The field of 3 parameters'):
    dynamics.grid(lambda params: params, jnp.zeros(3), [0.0], [0.0])
