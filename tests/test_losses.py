"""Losses against the papers' formulas in probabilities, derived by hand."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganjax import losses
from ganjax.players import PLAYERS

NAMES = (
  'minimax',
  'non_saturating',
  'least_squares',
  'hinge',
  'wasserstein',
  'relativistic',
  'relativistic_average',
  'relativistic_average_hinge',
)
REAL = np.array([-1.5, 0, 2, 0.5])
FAKE = np.array([1, 0, -3, 0.25])


def sigmoid(logits):
  return 1 / (1 + np.exp(-logits))


# D of the papers: of each example, against its partner, against the average.
D_REAL, D_FAKE = sigmoid(REAL), sigmoid(FAKE)
PAIRED = sigmoid(REAL - FAKE)
MEAN_REAL, MEAN_FAKE = sigmoid(REAL - FAKE.mean()), sigmoid(FAKE - REAL.mean())
CROSS_ENTROPY = -np.log(D_REAL) - np.log(1 - D_FAKE), D_REAL - 1, D_FAKE

# Value, derivative by the reals' logits, derivative by the fakes'.
TABLE = {
  ('minimax', 'generator'): (np.log(1 - D_FAKE), 0, -D_FAKE),
  ('minimax', 'discriminator'): CROSS_ENTROPY,
  ('non_saturating', 'generator'): (-np.log(D_FAKE), 0, D_FAKE - 1),
  ('non_saturating', 'discriminator'): CROSS_ENTROPY,
  ('least_squares', 'generator'): ([0, 0.5, 8, 0.28125], 0, [0, -1, -4, -0.75]),
  ('least_squares', 'discriminator'): (
    [3.625, 0.5, 5, 0.15625],
    [-2.5, -1, 1, -0.5],
    FAKE,
  ),
  ('hinge', 'generator'): ([-1, 0, 3, -0.25], 0, -1),
  ('hinge', 'discriminator'): (
    [4.5, 2, 0, 1.75],
    [-1, -1, 0, -1],
    [1, 1, 0, 1],
  ),
  ('wasserstein', 'generator'): ([-1, 0, 3, -0.25], 0, -1),
  ('wasserstein', 'discriminator'): ([2.5, 0, -5, -0.25], -1, 1),
  ('relativistic', 'generator'): (-np.log(1 - PAIRED), PAIRED, -PAIRED),
  ('relativistic', 'discriminator'): (-np.log(PAIRED), PAIRED - 1, 1 - PAIRED),
  ('relativistic_average', 'generator'): (
    -np.log(MEAN_FAKE) - np.log(1 - MEAN_REAL),
    MEAN_REAL + np.mean(1 - MEAN_FAKE),
    MEAN_FAKE - 1 - np.mean(MEAN_REAL),
  ),
  ('relativistic_average', 'discriminator'): (
    -np.log(MEAN_REAL) - np.log(1 - MEAN_FAKE),
    MEAN_REAL - 1 - np.mean(MEAN_FAKE),
    MEAN_FAKE + np.mean(1 - MEAN_REAL),
  ),
  # Less the other mean, reals are -1.0625 .4375 2.4375 .9375, and fakes
  # .75 -.25 -3.25 0.
  ('relativistic_average_hinge', 'generator'): (
    [0.25, 2.6875, 7.6875, 2.9375],
    [1, 2, 2, 2],
    -1.75,
  ),
  ('relativistic_average_hinge', 'discriminator'): (
    [3.8125, 1.3125, 0, 1.0625],
    [-1.75, -1.75, -0.75, -1.75],
    [1.75, 1.75, 0.75, 1.75],
  ),
}


@functools.partial(jax.jit, static_argnums=0)
def gradients(loss, real=REAL, fake=FAKE):
  """The derivatives of the sum by the logits of reals and of fakes."""
  return jax.grad(lambda real, fake: loss(real, fake).sum(), (0, 1))(
    jnp.float32(real), jnp.float32(fake)
  )


@pytest.mark.parametrize('player', PLAYERS)
@pytest.mark.parametrize('name', NAMES)
def test_values_and_derivatives_are_the_papers(name, player):
  loss = getattr(getattr(losses, name), player)
  value, *derivatives = TABLE[name, player]
  np.testing.assert_allclose(
    loss(jnp.float32(REAL), jnp.float32(FAKE)), value, rtol=1e-5, atol=1e-6
  )
  for slope, derivative in zip(gradients(loss), derivatives, strict=True):
    np.testing.assert_allclose(
      slope, np.broadcast_to(derivative, slope.shape), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize(
  ('loss', 'value'),
  [
    (losses.minimax.discriminator, np.log(4)),
    (losses.minimax.generator, -np.log(2)),
    (losses.non_saturating.generator, np.log(2)),
    (losses.relativistic.generator, np.log(2)),
    (losses.relativistic_average.discriminator, np.log(4)),
  ],
)
def test_an_undecided_discriminator(loss, value):
  undecided = jnp.zeros(1)
  np.testing.assert_allclose(loss(undecided, undecided), value, rtol=1e-6)


@pytest.mark.parametrize('player', PLAYERS)
@pytest.mark.parametrize('name', NAMES)
def test_huge_logits_are_finite(name, player):
  loss = getattr(getattr(losses, name), player)
  real, fake = jnp.float32([[1e4, 1e4, -1e4, -1e4], [1e4, -1e4, 1e4, -1e4]])
  for values in (loss(real, fake), *gradients(loss, real, fake)):
    assert np.isfinite(values).all()


def test_minimax_is_zero_sum_in_the_fakes():
  generator, discriminator = losses.minimax
  total = generator(REAL, FAKE) + discriminator(REAL, FAKE)
  np.testing.assert_allclose(total, -np.log(D_REAL), rtol=1e-5)


def test_which_losses_are_zero_sum():
  found = {name for name in NAMES if losses.zero_sum(getattr(losses, name))}
  assert found == {'minimax', 'wasserstein'}
  # Also while something is traced, as configs do it.
  assert jax.jit(lambda x: x + losses.zero_sum(losses.minimax))(1) == 2


# The derivative by the reals' logits when a share s of them is labelled fake.
SMOOTHED = {
  'minimax': lambda s: D_REAL - (1 - s),
  'non_saturating': lambda s: D_REAL - (1 - s),
  'least_squares': lambda s: REAL - (1 - s),
  'hinge': lambda s: s * (REAL > -1) - (1 - s) * (REAL < 1),
  'wasserstein': lambda s: np.full(4, 2 * s - 1),
}


@pytest.mark.parametrize('amount', [0.0, 0.1, 0.25])
@pytest.mark.parametrize('name', SMOOTHED)
def test_label_smoothing_is_one_sided(name, amount):
  loss = getattr(losses, name)
  smooth = losses.label_smoothing(loss, amount)
  real, fake = gradients(smooth.discriminator)
  np.testing.assert_allclose(real, SMOOTHED[name](amount), rtol=1e-5)
  np.testing.assert_array_equal(fake, gradients(loss.discriminator)[1])
  assert smooth.generator is loss.generator


def test_label_smoothing_moves_the_best_discriminator():
  # Where reals and fakes are equally dense, to D = (1 - s) / 2.
  amount = 0.25
  best = np.log((1 - amount) / (1 + amount))
  loss = losses.label_smoothing(losses.minimax, amount).discriminator
  np.testing.assert_allclose(sum(gradients(loss, [best], [best])), 0, atol=1e-6)


def test_features_only_leaves_the_generator_to_its_regularisers():
  loss = losses.features_only
  np.testing.assert_array_equal(loss.generator(REAL, FAKE), np.zeros(4))
  np.testing.assert_array_equal(gradients(loss.generator), np.zeros((2, 4)))
  assert loss.discriminator is losses.non_saturating.discriminator


# k of four, with the fakes 1 > 0.25 > 0 > -3 in the order of their logits.
KEPT = {
  0.01: (1, [4, 0, 0, 0]),
  0.25: (1, [4, 0, 0, 0]),
  0.6: (2, [2, 0, 0, 2]),
  0.75: (3, [4 / 3, 4 / 3, 0, 4 / 3]),
  1.0: (4, [1, 1, 1, 1]),
}


@pytest.mark.parametrize('name', NAMES)
def test_top_k_is_the_mean_over_the_largest_logits(name):
  loss = getattr(losses, name)
  real, fake = jnp.float32(REAL), jnp.float32(FAKE)

  @jax.jit
  @jax.vmap
  def values(share):
    return losses.top_k(loss, share).generator(real, fake)

  found, plain = values(jnp.array(list(KEPT))), loss.generator(real, fake)
  for value, (number, weights) in zip(found, KEPT.values(), strict=True):
    np.testing.assert_allclose(value, np.multiply(weights, plain), rtol=1e-6)
    best = np.argsort(-FAKE)[:number]
    np.testing.assert_allclose(value.mean(), plain[best].mean(), rtol=1e-5)
  assert losses.top_k(loss, 0.5).discriminator is loss.discriminator


def test_top_k_gives_the_others_no_gradient_and_all_of_them_the_plain_loss():
  real, fake = jnp.zeros(4), jnp.array([0.5, -1.0, 2.0, 0.0])

  def slopes(loss):
    return jax.grad(lambda fake: loss.generator(real, fake).mean())(fake)

  plain = slopes(losses.non_saturating)
  top = functools.partial(losses.top_k, losses.non_saturating)
  np.testing.assert_allclose(slopes(top(1.0)), plain, rtol=1e-6)
  np.testing.assert_allclose(
    slopes(top(0.5)), 2 * plain * np.array([1, 0, 1, 0]), rtol=1e-6
  )


def test_top_k_of_equal_logits_keeps_k_of_them():
  loss = losses.top_k(losses.hinge, 0.5)
  values = loss.generator(jnp.zeros(4), jnp.ones(4))
  np.testing.assert_array_equal(np.sort(values), [-2, -2, 0, 0])


def test_label_smoothing_takes_a_tracer():
  def value(amount):
    loss = losses.label_smoothing(losses.hinge, amount)
    return loss.discriminator(jnp.float32(REAL), jnp.float32(FAKE))

  plain, smooth = jax.vmap(value)(jnp.float32([0, 0.1]))
  np.testing.assert_allclose(plain, TABLE['hinge', 'discriminator'][0])
  # relu(1 + r) - relu(1 - r) is -2.5, 0, 3 and 1 at the four reals.
  np.testing.assert_allclose(smooth - plain, [-0.25, 0, 0.3, 0.1], rtol=1e-5)
