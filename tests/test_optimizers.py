"""Descents against numpy, and lookahead on the Dirac-GAN against its theory."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from configs import base, mode_collapse, msg
from ganjax import optimizers
from ganjax.config import games
from ganjax.sweeps import mode_task

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


def updates_of(optimizer, gradients):
  """The updates `[T, ...]` of gradients `[T, ...]`, one after another."""

  def update(state, gradient):
    updates, state = optimizer.update(gradient, state)
    return state, updates

  return jax.lax.scan(
    update, optimizer.init(jnp.zeros_like(gradients[0])), gradients
  )[1]


def rmsprop_of(gradients, decay, outside, inside):
  """RMSprop's updates at a learning rate of 1, by the formula, in float64."""
  square, found = 0.0, []
  for gradient in np.float64(gradients):
    square = decay * square + (1 - decay) * gradient**2
    found.append(-gradient / (np.sqrt(square + inside) + outside))
  return found


def adam_of(gradients, b1, b2):
  """PyTorch's Adam likewise, whose epsilon is 1e-8."""
  mean, square, found = 0.0, 0.0, []
  for turn, gradient in enumerate(np.float64(gradients), 1):
    mean = b1 * mean + (1 - b1) * gradient
    square = b2 * square + (1 - b2) * gradient**2
    root = np.sqrt(square / (1 - b2**turn)) + 1e-8
    found.append(-mean / (1 - b1**turn) / root)
  return found


def of_config(config):
  """The optimisers of a config, at a learning rate of 1 and not clipped."""
  config = config.copy_and_resolve_references()
  config.clip = 0.0
  for section in config.optimizers.values():
    section.learning_rate = 1.0
  return games.optimizer_pair(config)


def remedied(protocol, remedy):
  return mode_task.remedied(mode_collapse.get_config(protocol), remedy)


# Each config, and the updates by the formula of its paper's code.
FORMULAS = {
  'MSG-GAN, as PyTorch': (
    msg.get_config('digits'),
    lambda gradients: rmsprop_of(gradients, 0.99, 1e-8, 0),
  ),
  'clipped WGAN of the toys, as TensorFlow 1': (
    remedied('wgan_gp_toys', 'wgan_clip'),
    lambda gradients: rmsprop_of(gradients, 0.9, 0, 1e-10),
  ),
  'clipped WGAN of the ring, as PyTorch': (
    remedied('ring', 'wgan_clip'),
    lambda gradients: rmsprop_of(gradients, 0.9, 1e-8, 0),
  ),
  'Adam': (
    base.get_config(),
    lambda gradients: adam_of(gradients, 0.5, 0.999),
  ),
}


@pytest.mark.parametrize('scale', [1e-6, 1e-4, 1.0])
@pytest.mark.parametrize('name', FORMULAS)
def test_small_gradients_move_as_in_the_papers_code(name, scale):
  config, formula = FORMULAS[name]
  # Constant at first, and then drawn.
  gradients = scale * np.concatenate([np.ones((12, 3), 'f4'), GRADIENTS])
  for optimizer in of_config(config):
    found = jax.jit(
      lambda gradients, own=optimizer: updates_of(own, gradients)
    )(gradients)
    np.testing.assert_allclose(found, formula(gradients), rtol=2e-3, atol=1e-5)


def test_a_gradient_of_a_millionth_moves_by_nearly_the_rate():
  gradients = np.full((400, 1), 1e-6, 'f4')
  ours = updates_of(optimizers.rmsprop(1.0, 0.0, 0.9), gradients)[-1]
  np.testing.assert_allclose(-ours, 1e-6 / (1e-6 + 1e-8), rtol=1e-4)
  of_tensorflow = optimizers.rmsprop(1.0, 0.0, 0.9, 0.0, 1e-10)
  slow = updates_of(of_tensorflow, gradients)[-1]
  np.testing.assert_allclose(-slow, 1 / np.sqrt(101), rtol=1e-4)


def test_the_momentum_of_rmsprop_is_that_of_its_updates():
  found = updates_of(optimizers.rmsprop(0.1, 0.8, 0.9), GRADIENTS)
  momentum, expected = 0.0, []
  for update in rmsprop_of(GRADIENTS, 0.9, 1e-8, 0):
    momentum = 0.8 * momentum + 0.1 * update
    expected.append(momentum)
  np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
