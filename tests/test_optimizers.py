"""Descents against numpy, and lookahead on the Dirac-GAN against its theory."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax

from ganjax import optimizers

GRADIENTS = np.random.default_rng(0).normal(size=(12, 3)).astype('f4')


@functools.partial(jax.jit, static_argnums=0)
def path(make, number):
  """The parameters after each move along GRADIENTS, `[12, 3]`."""
  optimizer = make(number)
  params = jnp.float32([0.5, -0.25, 0])

  def move(carry, gradients):
    params, state = carry
    updates, state = optimizer.update(gradients, state, params)
    params = optax.apply_updates(params, updates)
    return (params, state), params

  return jax.lax.scan(move, (params, optimizer.init(params)), GRADIENTS)[1]


def clipped(bound):
  return optimizers.clipped(optax.sgd(0.3), bound)


def lookahead(rate):
  return optimizers.lookahead(optax.sgd(0.1, momentum=0.9), every=4, rate=rate)


def test_no_parameter_moves_beyond_its_bound():
  expected, params = [], np.float32([0.5, -0.25, 0])
  for gradients in GRADIENTS:
    params = np.clip(params - 0.3 * gradients, -0.2, 0.2)
    expected.append(params)
  found = path(clipped, 0.2)
  np.testing.assert_allclose(found, expected, atol=1e-6)
  assert np.abs(found).max() < 0.2 + 1e-6
  assert (np.abs(found) < 0.19).any()


def test_lookahead_comes_back_after_every_fourth_move():
  fast = slow = np.float32([0.5, -0.25, 0])
  momentum, expected = np.zeros(3), []
  for number, gradients in enumerate(GRADIENTS, 1):
    momentum = 0.9 * momentum + gradients
    fast = fast - 0.1 * momentum
    if number % 4 == 0:
      fast = slow = slow + 0.3 * (fast - slow)
    expected.append(fast)
  np.testing.assert_allclose(path(lookahead, 0.3), expected, atol=1e-5)


def test_lookahead_that_keeps_all_or_nothing():
  def plain(rate):
    return optax.sgd(0.1, momentum=0.9)

  np.testing.assert_allclose(
    path(lookahead, 1.0), path(plain, 1.0), rtol=1e-5, atol=1e-6
  )
  np.testing.assert_allclose(path(lookahead, 0.0)[3::4], [[0.5, -0.25, 0]] * 3)


def test_lookahead_damps_the_dirac_gan_by_its_closed_form():
  # At the equilibrium v = (-psi, theta) / 2; five moves at once, then back:
  # the eigenvalues are 1 - rate + rate (1 + i h / 2)^5.
  h, every, rate = 0.2, 5, 0.5
  field = jnp.array([[0, 0.5], [-0.5, 0]])
  optimizer = optimizers.lookahead(optax.sgd(h), every, rate)

  @jax.jit
  def moved(start):
    params, state = start, optimizer.init(start)
    for _ in range(every):
      updates, state = optimizer.update(field @ params, state, params)
      params = optax.apply_updates(params, updates)
    return params

  radii = np.abs(np.linalg.eigvals(jax.jacobian(moved)(jnp.zeros(2))))
  np.testing.assert_allclose(radii, 0.981327, rtol=2e-6)


def test_optimistic_adam_of_optax_is_the_papers_without_nesterov():
  # Daskalakis et al., 2018, arXiv:1711.00141, algorithm 1, but for the first
  # move, which has no move before it and is Adam's.
  def optimistic(rate):
    return optax.optimistic_adam_v2(rate, b1=0.5, b2=0.9, nesterov=False)

  params, mean, square = np.float64([0.5, -0.25, 0]), 0, 0
  expected, before = [], None
  for turn, gradients in enumerate(GRADIENTS, 1):
    mean = 0.5 * mean + 0.5 * gradients
    square = 0.9 * square + 0.1 * gradients**2
    now = mean / (1 - 0.5**turn) / (np.sqrt(square / (1 - 0.9**turn)) + 1e-8)
    before = now if before is None else before
    params = params - 0.01 * (2 * now - before)
    expected.append(params)
    before = now
  np.testing.assert_allclose(path(optimistic, 0.01), expected, atol=1e-6)
