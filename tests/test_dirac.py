"""The Dirac-GAN against the theory: matrices, eigenvalues, invariants, rates.

Mescheder, Geiger and Nowozin, "Which Training Methods for GANs do actually
Converge?", 2018, arXiv:1801.04406.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from ganjax import (
  dirac,
  dirac_cases,
  dynamics,
  losses,
  optimizers,
  regularizers,
  remedies,
  steps,
)
from ganjax.arrays import Batch
from ganjax.players import Pair
from ganjax.turns import lazily, stateless

KEY = jax.random.key(0)
CASES = {case.name: case for case in dirac_cases.cases()}


@pytest.fixture(autouse=True)
def x64():
  with jax.enable_x64(True):
    yield


def sgd(h):
  return Pair(optax.sgd(h), optax.sgd(h))


def case_of(game, rule, optimizers, **rest):
  return dirac_cases.Case('', game, None, None, rule, optimizers, **rest)


def assert_spectrum(matrix, expected, atol=1e-10):
  """By polynomials, which are well-conditioned where eigenvalues are not."""
  assert len(matrix) == len(expected)
  np.testing.assert_allclose(np.poly(matrix), np.poly(expected), atol=atol)


def radius(matrix):
  return np.abs(np.linalg.eigvals(matrix)).max(axis=-1)


def trajectory(game, rule, optimizers, number):
  """The positions `[number, 2]` of a game, and its squared radii."""
  case = case_of(game, rule, optimizers)
  positions = jax.jit(lambda key: dirac_cases.trajectory(case, key, number))(
    KEY
  )
  return np.asarray(positions), np.sum(np.square(positions), axis=1)


@pytest.mark.parametrize('name', CASES)
def test_each_case_moves_as_the_theory_says(name):
  case = CASES[name]
  matrix, positions = jax.jit(
    lambda key: (
      dirac_cases.linearized(case, key),
      dirac_cases.trajectory(case, key, 500),
    )
  )(KEY)
  if case.multipliers is not None:
    assert_spectrum(np.array(matrix), case.multipliers, case.tolerance)
  theta, *_, psi = positions[0]
  assert theta == psi == 1
  assert dynamics.verdict(positions) == case.verdict


# Each loss, f'(0), and the damping by reals at 1: -2 f''(0), or 0 where the
# loss compares reals with fakes.
LOSSES = {
  'minimax': (0.5, 0.5),
  'non_saturating': (0.5, 0.5),
  'relativistic': (0.5, 0),
  'relativistic_average': (1.0, 0),
  'wasserstein': (1.0, 0),
  'hinge': (1.0, 0),
}
# The weights of R1 and R2, and where the reals are, which are traced.
SETTINGS = np.array(
  [(0, 0, 0), (0.3, 0, 0), (0, 0.3, 1), (0.2, 0.4, 1), (2.5, 0, -2), (0, 0, 1)]
)


def players(slope, damping):
  """The two players' rows of the flow's Jacobian, each a matrix."""
  return np.array([[0, -slope], [0, 0]]), np.array([[0, 0], [slope, -damping]])


def alternating(critic_steps, h, theta, psi):
  """The matrix of a step: `critic_steps` updates of psi, then one of theta."""
  critic = np.linalg.matrix_power(np.eye(2) + h * psi, critic_steps)
  return (np.eye(2) + h * theta) @ critic


def unrolled(number, h, theta, psi):
  """The row of theta after `number` more updates of psi, whose own is left."""
  field = dirac.unrolled(-theta[0, 1], h, number, -psi[1, 1])
  return np.eye(2) + h * np.array([field[0], psi[1]])


def alternating_unrolled(slope, h, number, b):
  """The multipliers of an update of psi, and then of theta."""
  (damping, coupling), _ = -dirac.unrolled(slope, h, number, b)
  trace = 2 - h * (damping + b) - h**2 * slope * coupling
  return np.roots([1, -trace, (1 - h * damping) * (1 - h * b)])


def two_generator_steps(h, slope, b):
  """The multipliers of an update of psi, and then of two of theta."""
  coupling, decay = 2 * (h * slope) ** 2, 1 - h * b
  return np.roots([1, coupling - 1 - decay, decay])


# Each rule: the least rows, its matrix, and its multipliers in closed form.
RULES = {
  'simultaneous': (
    steps.simultaneous,
    1,
    lambda h, theta, psi: np.eye(2) + h * (theta + psi),
    lambda h, slope, b: dynamics.simultaneous(dirac.flow(slope, 0, b), h),
  ),
  'extragradient': (
    steps.extragradient,
    1,
    lambda h, theta, psi: (
      np.eye(2) + h * (theta + psi) @ (np.eye(2) + h * (theta + psi))
    ),
    lambda h, slope, b: dynamics.extragradient(dirac.flow(slope, 0, b), h),
  ),
  'alternating': (
    steps.alternating,
    1,
    functools.partial(alternating, 1),
    lambda h, slope, b: dirac.alternating(slope, h, discriminator=b),
  ),
  '3 critic steps': (
    functools.partial(steps.alternating, critic_steps=3),
    3,
    functools.partial(alternating, 3),
    lambda h, slope, b: dirac.alternating(slope, h, 3, discriminator=b),
  ),
  '2 generator steps': (
    functools.partial(steps.alternating, generator_steps=2),
    1,
    lambda h, theta, psi: (
      np.linalg.matrix_power(np.eye(2) + h * theta, 2) @ (np.eye(2) + h * psi)
    ),
    two_generator_steps,
  ),
  'unrolled 3, alternating': (
    functools.partial(steps.alternating, unroll=3),
    1,
    lambda h, theta, psi: (
      (unrolled(3, h, theta, psi) - h * psi) @ (np.eye(2) + h * psi)
    ),
    lambda h, slope, b: alternating_unrolled(slope, h, 3, b),
  ),
  'unrolled 3, simultaneous': (
    functools.partial(steps.simultaneous, unroll=3),
    1,
    functools.partial(unrolled, 3),
    lambda h, slope, b: dynamics.simultaneous(
      np.linalg.eigvals(dirac.unrolled(slope, h, 3, b)), h
    ),
  ),
}


@pytest.mark.parametrize('loss', LOSSES)
@pytest.mark.parametrize('order', RULES)
def test_each_loss_penalty_and_order_is_its_matrix(loss, order):
  (slope, by_reals), h = LOSSES[loss], 0.3
  rule, rows, matrix, multipliers = RULES[order]

  def linearized(setting):
    terms = {'r1': dirac.r1(setting[0]), 'r2': dirac.r2(setting[1])}
    game = dirac.game(getattr(losses, loss), terms)
    case = case_of(game, rule, sgd(h), rows=4 * rows, data=setting[2])
    return dirac_cases.linearized(case, KEY)

  measured = jax.jit(jax.vmap(linearized))(SETTINGS)
  for (r1, r2, data), found in zip(SETTINGS, measured, strict=True):
    damping = r1 + r2 + by_reals * data**2
    expected = matrix(h, *players(slope, damping))
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10)
    assert_spectrum(expected, multipliers(h, slope, damping))


# Each optimiser at a rate of .2, its multipliers from the flow, and of how many
# simultaneous steps they are.
OPTIMIZERS = {
  'optimistic': (
    optax.optimistic_gradient_descent(0.2),
    lambda flow: dynamics.optimistic(flow, 0.2),
    1,
  ),
  'momentum': (
    optax.sgd(0.2, momentum=0.5),
    lambda flow: dynamics.momentum(flow, 0.2, 0.5),
    1,
  ),
  'lookahead': (
    optimizers.lookahead(optax.sgd(0.2), every=3, rate=0.4),
    lambda flow: dynamics.lookahead(flow, 0.2, 3, 0.4),
    3,
  ),
}


@pytest.mark.parametrize('name', OPTIMIZERS)
def test_each_optimizer_has_its_multipliers_wherever_the_reals_are(name):
  optimizer, multipliers, every = OPTIMIZERS[name]
  places = np.array([0.0, 1.0, -2.0])

  def linearized(data):
    case = case_of(
      dirac.game(losses.minimax),
      steps.simultaneous,
      Pair(optimizer, optimizer),
      rows=5,
      data=data,
      every=every,
    )
    return dirac_cases.linearized(case, KEY)

  measured = jax.jit(jax.vmap(linearized))(places)
  for data, matrix in zip(places, measured, strict=True):
    flow = dirac.flow(0.5, discriminator=data**2 / 2)
    assert_spectrum(np.array(matrix), multipliers(flow))


HALF = losses.minimax


def test_lazy_penalties_are_twice_as_strong_in_every_second_step():
  h, gamma, places = 0.3, 0.4, np.array([0.0, 1.0])
  terms = {'r1': lazily(dirac.r1(gamma), every=2)}

  def linearized(data):
    game = dirac.game(HALF, terms)
    case = case_of(game, steps.alternating, sgd(h), rows=4, data=data, every=2)
    return dirac_cases.linearized(case, KEY)

  measured = jax.jit(jax.vmap(linearized))(places)
  for data, matrix in zip(places, measured, strict=True):
    by_reals = data**2 / 2
    two = [
      alternating(1, h, *players(0.5, by_reals + penalty))
      for penalty in (2 * gamma, 0)
    ]
    assert_spectrum(np.array(matrix), np.linalg.eigvals(two[0] @ two[1]))


def test_instance_noise_damps_by_its_variance_and_the_place_of_the_reals():
  h, std, data = 0.2, 0.7, 1.0
  game = dirac.game(HALF, critic=remedies.instance_noise(dirac.linear, std))
  case = case_of(game, steps.simultaneous, sgd(h), rows=4096, data=data)
  matrix = jax.jit(lambda key: dirac_cases.linearized(case, key))(KEY)
  flow = dirac.flow(0.5, discriminator=(std**2 + data**2) / 2)
  # Five standard errors of that many squares of reals and of fakes.
  expected = dynamics.simultaneous(flow, h)
  assert_spectrum(np.array(matrix), expected, atol=1e-2)


@pytest.mark.parametrize('rule', [steps.simultaneous, steps.alternating])
@pytest.mark.parametrize('data', [0.0, 1.0])
def test_historical_averaging_pulls_both_players_to_their_means(rule, data):
  h, weight, number = 0.2, 0.3, 40
  game = remedies.historical_averaging(dirac.game(HALF), weight)
  case = case_of(game, rule, sgd(h), rows=3, data=data)
  positions = jax.jit(lambda key: dirac_cases.trajectory(case, key, number))(
    KEY
  )

  def sigmoid(x):
    return 1 / (1 + np.exp(-x))

  def by_theta(theta, psi):  # of -softplus(-psi theta)
    return psi * sigmoid(-psi * theta)

  def by_psi(theta, psi):  # of softplus(psi c) + softplus(-psi theta)
    return data * sigmoid(psi * data) - theta * sigmoid(-psi * theta)

  theta, psi = data + 1.0, 1.0
  means, expected = [0.0, 0.0], []
  for count in range(1, number + 2):
    expected.append((theta - data, psi))
    means[1] += (psi - means[1]) / count
    after = psi - h * (by_psi(theta, psi) + 2 * weight * (psi - means[1]))
    facing = after if rule is steps.alternating else psi
    means[0] += (theta - means[0]) / count
    pull = 2 * weight * (theta - means[0])
    theta -= h * (by_theta(theta, facing) + pull)
    psi = after
  np.testing.assert_allclose(positions, expected, rtol=1e-9, atol=1e-12)


def consensus(gamma, matrix):
  """The Jacobian of consensus optimisation, from that of the given game."""
  return matrix - gamma * matrix.T @ matrix


def term(regularizer, names, **settings):
  """A discriminator's term of weight 1, which takes these from the turn."""
  return {
    'term': stateless(
      lambda turn: regularizer(
        *(getattr(turn, name) for name in names.split()), **settings
      )
    )
  }


# Each game, and the Jacobian of its flow: as the papers write its eigenvalues,
# and with reals at 1.
FLOWS = {
  'minimax': (dirac.game(HALF), [0.5j, -0.5j], dirac.flow(0.5, 0, 0.5)),
  'Wasserstein': (dirac.game(losses.wasserstein), [1j, -1j], [1j, -1j]),
  'least squares': (
    dirac.game(losses.least_squares, critic=dirac.affine),
    [0.5j, -0.5j, -2],
    # By hand: d is ((bias - 1/2 - psi)^2 + (bias + 1/2 - psi theta)^2) / 2.
    np.linalg.eigvals([[0, 0, -0.5], [0, -2, 2], [0.5, 2, -2]]),
  ),
  'R1 at the critical weight': (
    dirac.game(losses.non_saturating, {'r1': dirac.r1(1.0)}),
    [-0.5, -0.5],
    dirac.flow(0.5, 0, 1.5),
  ),
  'R1 and R2 at the critical weight': (
    dirac.game(losses.relativistic, {'r1': dirac.r1(0.5), 'r2': dirac.r2(0.5)}),
    [-0.5, -0.5],
    [-0.5, -0.5],
  ),
  'R2, over-damped': (
    dirac.game(HALF, {'r2': dirac.r2(1.25)}),
    [-0.25, -1],
    dirac.flow(0.5, 0, 1.75),
  ),
  'consensus': (
    remedies.consensus(dirac.game(HALF), 0.6),
    [-0.15 + 0.5j, -0.15 - 0.5j],
    np.linalg.eigvals(consensus(0.6, np.array([[0, -0.5], [0.5, -0.5]]))),
  ),
  # With gradients of 0 wanted; of equal reals DRAGAN's noise is 0.
  'WGAN-GP': (
    dirac.game(HALF, {'wgan_gp': dirac.wgan_gp(0.6, 0.0)}),
    dirac.flow(0.5, 0, 0.6),
    dirac.flow(0.5, 0, 1.1),
  ),
  'DRAGAN': (
    dirac.game(HALF, term(regularizers.dragan, 'critic real key', target=0.0)),
    dirac.flow(0.5, 0, 2.0),
    dirac.flow(0.5, 0, 2.5),
  ),
  # Reals and fakes each have a quarter of the squared gradient.
  'Jensen-Shannon': (
    dirac.game(
      HALF,
      term(regularizers.jensen_shannon, 'critic real fake_critic fake'),
    ),
    dirac.flow(0.5, 0, 1.0),
    dirac.flow(0.5, 0, 1.5),
  ),
  'drift': (
    dirac.game(HALF, term(regularizers.drift, 'real_logits')),
    dirac.flow(0.5),
    dirac.flow(0.5, 0, 2.5),
  ),
  # The fakes are alike, so that each of the best has the gradient of all.
  'top k': (
    dirac.game(losses.top_k(HALF, 0.5)),
    [0.5j, -0.5j],
    dirac.flow(0.5, 0, 0.5),
  ),
  'label smoothing': (
    dirac.game(losses.label_smoothing(HALF, 0.0)),
    [0.5j, -0.5j],
    dirac.flow(0.5, 0, 0.5),
  ),
} | {
  f'packing {m}': (
    dirac.game(HALF, critic=remedies.pack(dirac.linear, m)),
    [0.5j * np.sqrt(m), -0.5j * np.sqrt(m)] + [0] * (m - 1),
    [*dirac.flow(np.sqrt(m) / 2, 0, m / 2), *[0] * (m - 1)],
  )
  for m in (2, 3, 4)
}


def at_rest(game, data=0.0):
  """The players and buffers at the equilibrium, and a batch of the reals."""
  params, buffers = game.init(KEY)
  rest = jax.tree.map(jnp.zeros_like, params)
  rest = rest._replace(generator=rest.generator + data)
  return rest, buffers, Batch(jnp.full((12, 1), data)), KEY


@pytest.mark.parametrize('name', FLOWS)
def test_the_flow_has_the_eigenvalues_of_the_papers(name):
  game, *expected = FLOWS[name]
  jacobian = jax.jit(
    lambda data: dynamics.jacobian(dynamics.field(game), *at_rest(game, data))
  )
  for data, eigenvalues in enumerate(expected):
    assert_spectrum(np.array(jacobian(float(data))), eigenvalues)


def test_smoothed_labels_move_the_equilibrium_of_a_linear_critic():
  # D's gradient at psi = 0 is (theta - (1 - 2 amount) c) / 2.
  game = dirac.game(losses.label_smoothing(HALF, 0.1))
  rest, *others = at_rest(game, 1.0)
  rest = rest._replace(generator=rest.generator - 0.2)
  velocities = jax.jit(dynamics.field(game))(rest, *others)
  np.testing.assert_allclose(np.hstack(velocities), 0, atol=1e-12)


def test_dampings_are_those_of_the_papers():
  gamma, std, number, h = 0.3, 1.2, 5, 0.2
  root = np.emath.sqrt
  for dampings, middle, square in (
    ({'discriminator': gamma}, gamma / 2, gamma**2 / 4),
    ({'discriminator': 2 * gamma}, gamma, gamma**2),
    ({'discriminator': std**2 / 2}, std**2 / 4, std**4 / 16),
    ({'generator': gamma / 4, 'discriminator': gamma / 4}, gamma / 4, 0),
    (
      {'generator': number * h / 2},
      number * h / 4,
      (number * h) ** 2 / 16,
    ),
  ):
    square = root(square - 1 / 4)
    np.testing.assert_allclose(
      dirac.flow(0.5, **dampings), [square - middle, -square - middle]
    )


@pytest.mark.parametrize('std', [0.7, 1.5])
def test_instance_noise_damps_by_its_variance(std):
  # The expectation over the noise of both, by Gauss and Hermite.
  nodes, weights = np.polynomial.hermite_e.hermegauss(20)
  weights = weights / weights.sum()

  def value(theta, psi):
    real = losses.minimax.generator(0, -psi * (std * nodes))
    fake = losses.minimax.generator(0, psi * (theta + std * nodes))
    return -weights @ (real + fake)

  def field(point):
    theta, psi = jax.grad(value, argnums=(0, 1))(*point)
    return jnp.stack([theta, -psi])

  matrix = dynamics.jacobian(field, jnp.zeros(2))
  assert_spectrum(np.array(matrix), dirac.flow(0.5, discriminator=std**2 / 2))


# Each order, and the learning rate at which it loses its hold.
BOUNDS = {
  'R1': (
    steps.simultaneous,
    sgd,
    dirac.game(HALF, {'r1': dirac.r1(0.1)}),
    4 * 0.1,
  ),
  'alternating': (steps.alternating, sgd, dirac.game(HALF), 4),
  'extragradient': (
    steps.extragradient,
    sgd,
    dirac.game(HALF),
    2,
  ),
  'optimistic': (
    steps.simultaneous,
    lambda h: Pair(*[optax.optimistic_gradient_descent(h)] * 2),
    dirac.game(HALF),
    2 / np.sqrt(3),
  ),
}


@pytest.mark.parametrize('name', BOUNDS)
def test_learning_rates_have_a_bound(name):
  rule, optimizers, game, bound = BOUNDS[name]

  def linearized(h):
    return dirac_cases.linearized(case_of(game, rule, optimizers(h)), KEY)

  rates = bound * np.array([0.975, 1.025])
  below, above = radius(jax.jit(jax.vmap(linearized))(rates))
  # Without damping, alternating descent stays on the circle all the way.
  assert below < 1 + 1e-12
  assert above > 1 + 1e-4


def test_multipliers_have_the_radii_of_the_papers():
  h, free = 0.2, dirac.flow(0.5)
  for found, expected in (
    (dynamics.simultaneous(free, h), np.sqrt(1 + h**2 / 4)),
    (dynamics.extragradient(free, h), 0.995038),
    (dynamics.optimistic(free, h), 0.994936),
    (dynamics.lookahead(free, h, 5, 0.5), 0.981327),
    (dirac.alternating(0.5, 4.1), 1.5625),
    (dirac.alternating(0.5, 4.1 / 3, critic_steps=9), 1.5625),
  ):
    np.testing.assert_allclose(np.abs(found).max(), expected, atol=5e-7)


def test_negative_momentum_converges_only_when_alternating():
  h, keep = 0.2, np.array([-0.5, 0.5, 0.9])

  def linearized(rule):
    def of(keep):
      optimizer = optax.sgd(h, momentum=keep)
      case = case_of(dirac.game(HALF), rule, Pair(optimizer, optimizer))
      return dirac_cases.linearized(case, KEY)

    return np.array(jax.jit(jax.vmap(of))(keep))

  turns, once = map(linearized, (steps.alternating, steps.simultaneous))
  np.testing.assert_allclose(
    radius(turns), [0.998518, 1.0323, 1.192], atol=2e-4
  )
  np.testing.assert_allclose(radius(once)[0], 1.00074, 5e-6)
  assert radius(once).min() > 1
  for own, one, other in zip(keep, turns, once, strict=True):
    assert_spectrum(one, dynamics.alternating_momentum(0.5, h, own))
    assert_spectrum(other, dynamics.momentum(dirac.flow(0.5), h, own))


@pytest.mark.parametrize('rule', [steps.simultaneous, steps.alternating])
def test_unrolling_differentiates_through_the_unrolled_steps(rule):
  h, number = 0.3, 3

  def critic(theta, psi):
    return jax.nn.softplus(-theta * psi)

  def unrolled(theta, psi, through):
    for _ in range(number):
      psi = psi - h * through(jax.grad(critic, 1)(theta, psi))
    return -critic(theta, psi)

  def generator(theta, psi, through=lambda gradient: gradient):
    return jax.grad(unrolled)(theta, psi, through)

  theta = psi = 1.0
  updated = psi - h * jax.grad(critic, 1)(theta, psi)
  facing = updated if rule is steps.alternating else psi
  game = dirac.game(losses.minimax)
  case = case_of(game, functools.partial(rule, unroll=number), sgd(h))
  positions, matrix = jax.jit(
    lambda key: (
      dirac_cases.trajectory(case, key, 1),
      dirac_cases.linearized(case, key),
    )
  )(KEY)
  expected = theta - h * generator(theta, facing), updated
  np.testing.assert_allclose(positions[1], expected, rtol=1e-12)
  # With no gradient through the unrolled steps, half of the damping is lost.
  # (The slope is a difference: stopping a gradient stops its derivative too.)
  tiny = 1e-4
  whole, half = (
    generator(tiny, 0.0, seen) / tiny
    for seen in (lambda gradient: gradient, jax.lax.stop_gradient)
  )
  np.testing.assert_allclose([whole, half], [number * h / 2, number * h / 4])
  push = h / 2 if rule is steps.alternating else 0
  np.testing.assert_allclose(matrix[0, 0], 1 - h * whole - push * h / 2)


@pytest.mark.parametrize('data', [0.0, 1.0])
@pytest.mark.parametrize('critic_rate', [0.1, 0.4])
def test_an_unrolled_generator_descends_the_saddle_with_the_reals(
  data, critic_rate
):
  # Metz et al., 2017, equation 7, of one theta and one psi.
  number, theta, psi = 4, 0.3, -1.2

  def saddle(theta, psi):
    return -jax.nn.softplus(psi * data) - jax.nn.softplus(-psi * theta)

  def unrolled(theta):
    after = psi
    for _ in range(number):
      after = after + critic_rate * jax.grad(saddle, 1)(theta, after)
    return saddle(theta, after)

  game = dirac.game(HALF)
  rate = 0.1
  optimizers = Pair(optax.sgd(rate), optax.sgd(critic_rate))
  step = jax.jit(steps.simultaneous(game, optimizers, unroll=number))
  state = steps.init(game, optimizers, KEY)
  state = state.replace(params=Pair(jnp.float64(theta), jnp.array([psi])))
  state, _ = step(state, Batch(jnp.full((3, 1), data)))
  np.testing.assert_allclose(
    state.params.generator, theta - rate * jax.grad(unrolled)(theta), rtol=1e-12
  )


@pytest.mark.parametrize('loss', LOSSES)
def test_unrolled_games_end_where_the_fakes_are_the_reals(loss):
  # With the term of the fakes alone, minimax ends at (.709, .391).
  game = dirac.game(getattr(losses, loss))
  case = case_of(
    game,
    functools.partial(steps.simultaneous, unroll=5),
    Pair(optax.sgd(0.1), optax.sgd(0.2)),
    rows=2,
    data=1.0,
  )
  positions = jax.jit(lambda key: dirac_cases.trajectory(case, key, 1500))(KEY)
  np.testing.assert_allclose(positions[-1], 0, atol=1e-6)


def test_a_linear_game_unrolled_has_the_dampings_of_the_paper():
  number, h = 5, 0.3
  rule = functools.partial(steps.simultaneous, unroll=number)
  case = case_of(dirac.game(losses.wasserstein), rule, sgd(h))
  matrix = np.array(jax.jit(lambda key: dirac_cases.linearized(case, key))(KEY))
  root = np.emath.sqrt((number * h) ** 2 - 1)
  flow = np.array([root, -root]) - number * h
  assert_spectrum(matrix, dynamics.simultaneous(flow, h))


def test_consensus_holds_the_second_derivatives():
  gamma, theta, psi = 0.7, 1.3, -0.6
  game = remedies.consensus(dirac.game(losses.minimax), gamma)
  params, buffers = game.init(KEY)
  there = Pair(jnp.full_like(params[0], theta), jnp.full_like(params[1], psi))
  batch = Batch(jnp.zeros((1, 1)))
  found = jax.jit(dynamics.field(game))(there, buffers, batch, KEY)
  # |v|^2 is (theta^2 + psi^2) f'(theta psi)^2.
  first = 1 / (1 + np.exp(theta * psi))
  second = -first * (1 - first)
  across = (theta**2 + psi**2) * first * second
  expected = (
    -psi * first - gamma * (theta * first**2 + across * psi),
    theta * first - gamma * (psi * first**2 + across * theta),
  )
  np.testing.assert_allclose(np.hstack(found), expected, rtol=1e-12)


# Each game, and how half the squared radius changes along its flow.
CHANGES = {
  'minimax': (dirac.game(HALF), lambda theta, psi: 0 * psi),
  'Wasserstein': (dirac.game(losses.wasserstein), lambda theta, psi: 0 * psi),
  'non-saturating': (
    dirac.game(losses.non_saturating),
    lambda theta, psi: -theta * psi * np.tanh(theta * psi / 2),
  ),
  'relativistic': (
    dirac.game(losses.relativistic),
    lambda theta, psi: -theta * psi * np.tanh(theta * psi / 2),
  ),
  'R1': (
    dirac.game(HALF, {'r1': dirac.r1(0.3)}),
    lambda theta, psi: -0.3 * psi**2,
  ),
}


@pytest.mark.parametrize('name', CHANGES)
def test_the_flow_turns_and_draws_in_as_the_theory_says(name):
  game, change = CHANGES[name]
  params, buffers = game.init(KEY)
  batch = Batch(jnp.zeros((1, 1)))
  theta, psi = np.linspace(-2, 2, 7), np.linspace(-1.5, 1.5, 6)
  arrows = jax.jit(
    lambda theta, psi: dynamics.grid(
      dynamics.field(game), params, theta, psi, buffers, batch, KEY
    )
  )(theta, psi)
  theta, psi = np.meshgrid(theta, psi)
  np.testing.assert_allclose(
    theta * arrows[..., 0] + psi * arrows[..., 1],
    change(theta, psi),
    atol=1e-12,
  )
  # Counter-clockwise, unless a penalty is stronger than the rotation.
  turn = theta * arrows[..., 1] - psi * arrows[..., 0]
  assert name == 'R1' or (turn > 0).all()


def test_minimax_at_once_spirals_out_by_the_recursion():
  h = 0.2
  positions, square = trajectory(
    dirac.game(losses.minimax), steps.simultaneous, sgd(h), 500
  )
  np.testing.assert_allclose(
    square[1:], dirac.minimax_radius(*positions[:-1].T, h), rtol=1e-12
  )
  np.testing.assert_allclose(np.sqrt(square[-1]), 3.09695, rtol=2e-6)


def test_wasserstein_at_once_spirals_out_by_a_constant_factor():
  h = 0.2
  _, square = trajectory(
    dirac.game(losses.wasserstein), steps.simultaneous, sgd(h), 500
  )
  np.testing.assert_allclose(
    square, 2 * (1 + h**2) ** np.arange(501), rtol=1e-12
  )


def test_alternating_wasserstein_stays_on_an_ellipse():
  h = 0.2
  positions, _ = trajectory(
    dirac.game(losses.wasserstein), steps.alternating, sgd(h), 500
  )
  np.testing.assert_allclose(
    dirac.wasserstein_invariant(*positions.T, h), 2 + h, rtol=1e-12
  )


@pytest.mark.parametrize('rule', [steps.simultaneous, steps.alternating])
def test_a_clipped_critic_stays_bounded_and_never_converges(rule):
  case = CASES['Wasserstein, clipped at 1, simultaneous']
  positions, square = trajectory(case.game, rule, case.optimizers, 4000)
  assert np.abs(positions[:, 1]).max() <= 1
  assert square.max() < 3
  assert square[2000:].min() > 0.5


@pytest.mark.parametrize(
  ('rule', 'expected'),
  [
    (steps.simultaneous, lambda h, number: 2 * h),
    (
      steps.alternating,
      lambda h, number: dirac.non_saturating_radius(2, number * h),
    ),
  ],
)
def test_non_saturating_cycles_at_once_and_converges_alternating(
  rule, expected
):
  h, number = 0.1, 10_000
  game = dirac.game(losses.non_saturating)
  _, square = trajectory(game, rule, sgd(h), number)
  # The last two rotations or so around the equilibrium.
  np.testing.assert_allclose(
    square[-250:].mean(), expected(h, number), rtol=0.03
  )


def test_the_critical_r1_converges_like_its_double_eigenvalue():
  h, number = 0.2, 400
  game = dirac.game(losses.minimax, {'r1': dirac.r1(1.0)})
  _, square = trajectory(game, steps.simultaneous, sgd(h), number)
  # Of -1 / 2: linear growth times (1 - h / 2) ** n.
  assert np.sqrt(square[-1]) < number * (1 - h / 2) ** number


def test_a_verdict_is_that_of_the_end():
  time = np.linspace(0, 40, 400)[:, None]
  circle = np.hstack([np.cos(time), np.sin(time)])
  for radii, expected in (
    (np.exp(-time / 40), 'converges'),
    (np.exp(time / 40), 'diverges'),
    (1 + 0 * time, 'cycles'),
    (1 + 5 * np.exp(-time), 'cycles'),
  ):
    assert dynamics.verdict(radii * circle) == expected
