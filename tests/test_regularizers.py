"""Regularisers against closed forms: linear and quadratic critics."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganjax.regularizers import (
  dragan,
  drift,
  feature_matching,
  jensen_shannon,
  lecam,
  lecam_memory,
  mode_seeking,
  path_length,
  path_length_memory,
  r1,
  r1_by_differences,
  r2,
  r2_by_differences,
  wgan_gp,
)

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


def test_wgan_gp_is_taken_between_the_fake_and_the_real():
  # The gradient of `square` is the point itself.
  real, fake = jnp.full((256, 1), 3.0), jnp.full((256, 1), 1.0)
  points = np.sqrt(wgan_gp(square, real, fake, KEY, target=0))
  assert 1 <= points.min() < 1.1
  assert 2.9 < points.max() < 3
  # Four standard errors of as many uniform draws.
  np.testing.assert_allclose(points.mean(), 2, atol=0.15)


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


def packs(slope):
  """A linear critic of packs of two, whose slope is that of a pack."""
  return lambda images: jnp.tensordot(
    images.reshape(-1, *slope.shape), slope, slope.ndim
  )


def test_a_pack_has_one_gradient_over_all_its_images():
  slope = jax.random.normal(KEY, (2, 2, 2, 3))
  norm = np.linalg.norm(np.ravel(slope))
  real, fake = REAL[:4], FAKE[:4]
  values = jax.jit(
    lambda slope: [
      r1(packs(slope), real),
      r2(packs(slope), fake),
      wgan_gp(packs(slope), real, fake, KEY),
      dragan(packs(slope), real, KEY),
    ]
  )(slope)
  distance = (norm - 1) ** 2
  for value, expected in zip(
    values, (norm**2, norm**2, distance, distance), strict=True
  ):
    np.testing.assert_allclose(value, [expected] * 2, rtol=1e-5)


def test_packs_do_not_mix():
  values = r1(lambda images: square(images).reshape(2, 2).sum(1), REAL[:4])
  squares = np.sum(np.square(REAL[:4]), (1, 2, 3))
  np.testing.assert_allclose(values, squares.reshape(2, 2).sum(1), rtol=1e-5)


def test_one_epsilon_for_a_whole_pack():
  # From zeros to ones, the gradient of `square` is epsilon at each pixel.
  real, fake = jnp.ones((16, 3)), jnp.zeros((16, 3))
  first, second = (
    jnp.sqrt(
      wgan_gp(
        lambda images, member=member: square(images[member::2]),
        real,
        fake,
        KEY,
        target=0,
      )
    )
    for member in (0, 1)
  )
  np.testing.assert_array_equal(first, second)
  assert len(np.unique(first)) == 8


def test_drift_is_the_squared_logit_of_each_real():
  logits = jnp.array([-1.5, 0.0, 2.0])
  np.testing.assert_allclose(drift(logits), [2.25, 0, 4])
  slopes = jax.grad(lambda logits: drift(logits).sum())(logits)
  np.testing.assert_allclose(slopes, [-3, 0, 4])


def test_jensen_shannon_weighs_each_gradient_by_the_doubt():
  slope = SLOPE / 4

  @jax.jit
  def value(slope):
    return jensen_shannon(linear(slope), REAL, linear(slope), FAKE)

  values = value(slope)
  real, fake = (
    1 / (1 + np.exp(-np.tensordot(images, slope, 3))) for images in (REAL, FAKE)
  )
  np.testing.assert_allclose(
    values, ((1 - real) ** 2 + fake**2) * NORM**2 / 16, rtol=1e-5
  )


def test_jensen_shannon_holds_the_fakes_and_moves_the_weights():
  def value(slope, fake):
    def critic(images):
      return slope * images[:, 0]

    return jensen_shannon(critic, jnp.ones((1, 1)), critic, fake)[0]

  gradients = jax.grad(value, (0, 1))(jnp.float32(0.3), jnp.full((1, 1), 2.0))

  def form(a):
    doubt = 1 / (1 + np.exp(a)), 1 / (1 + np.exp(-2 * a))
    return (doubt[0] ** 2 + doubt[1] ** 2) * a**2

  h = 1e-5
  expected = (form(0.3 + h) - form(0.3 - h)) / (2 * h)
  np.testing.assert_allclose(gradients[0], expected, rtol=1e-4)
  np.testing.assert_array_equal(gradients[1], 0)


def test_feature_matching_is_the_squared_distance_of_means():
  matrix = np.random.default_rng(0).normal(size=(12, 4))

  def features(images):
    return jnp.square(images.reshape(5, 12) @ matrix)

  values = feature_matching(features, REAL, features, FAKE)
  means = [features(images).mean(0) for images in (REAL, FAKE)]
  np.testing.assert_allclose(
    values, [np.square(np.subtract(*means)).sum()] * 5, rtol=1e-5
  )

  # With plain images for features, each fake moves by 2 (E x - E y) / N.
  def flat(images):
    return images.reshape(5, -1)

  gradients = jax.grad(
    lambda fake: feature_matching(flat, REAL, flat, fake).mean()
  )(FAKE)
  np.testing.assert_allclose(
    gradients[0], 2 * (FAKE.mean(0) - REAL.mean(0)) / 5, rtol=1e-5, atol=1e-6
  )


def test_mode_seeking_is_the_ratio_of_neighbours_distances():
  latents = np.random.default_rng(0).normal(size=(5, 7)).astype('f4')
  values = mode_seeking(FAKE, latents)
  apart, between = (
    np.mean([np.abs(rows[i] - rows[i - 1]).mean() for i in range(5)])
    for rows in (np.asarray(FAKE), latents)
  )
  ratio = apart / between
  np.testing.assert_allclose(values, [1 / (ratio + 1e-5)] * 5, rtol=1e-5)
  np.testing.assert_allclose(
    mode_seeking((FAKE, FAKE / 2), latents)[0], 1.5 / ratio, rtol=1e-4
  )


def test_mode_seeking_of_a_collapsed_generator_is_finite():
  latents = jax.random.normal(KEY, (5, 7))
  value, gradients = jax.value_and_grad(
    lambda fake: mode_seeking(fake, latents).mean()
  )(jnp.ones((5, 2)))
  np.testing.assert_allclose(value, 1e5, rtol=1e-6)
  assert np.isfinite(gradients).all()


def test_lecam_compares_logits_with_the_others_moving_average():
  logits = np.random.default_rng(0).normal(size=(6, 2, 4)).astype('f4')
  turn, decay = jax.jit(lecam), 0.75
  memory, usual = lecam_memory(), np.zeros(2)
  for turns, (real, fake) in enumerate(logits):
    keep = min(decay, turns / (turns + 1))
    usual = keep * usual + (1 - keep) * np.array([real.mean(), fake.mean()])
    values, memory = turn(real, fake, memory, decay)
    np.testing.assert_allclose(
      values,
      np.maximum(real - usual[1], 0) ** 2 + np.maximum(usual[0] - fake, 0) ** 2,
      rtol=1e-4,
      atol=1e-6,
    )
  # A plain mean while that is the shorter one: of the first 4 turns here.
  assert memory[0] == 6
  np.testing.assert_allclose(memory[1:], usual, rtol=1e-4)


def test_lecam_holds_its_averages_constant():
  real, fake = jnp.array([2.0, -1.0]), jnp.array([0.5, -1.5])
  gradients = jax.grad(
    lambda *logits: lecam(*logits, lecam_memory())[0].sum(), (0, 1)
  )(real, fake)
  # The means are 0.5 and -0.5: 2 relu(r + 0.5) and -2 relu(0.5 - f).
  np.testing.assert_allclose(gradients, [[5, 0], [0, -4]])


@pytest.mark.parametrize('spread', [0.01, 0.5])
def test_finite_differences_estimate_r1_of_a_linear_critic(spread):
  # The change of the logit is N(0, spread^2 |a|^2), so that the estimate is
  # |a|^2 times a chi-squared variable of one degree: mean 1, variance 2.
  many = jnp.broadcast_to(REAL[:1], (40_000, 2, 2, 3))
  values = jax.jit(
    lambda key: r1_by_differences(linear(SLOPE), many, key, spread)
  )(KEY)
  # Three deviations of the mean, and of the variance (which has a kurtosis).
  np.testing.assert_allclose(values.mean(), NORM**2, rtol=3 * (2 / 4e4) ** 0.5)
  np.testing.assert_allclose(values.std(), 2**0.5 * NORM**2, rtol=0.06)
  again = r2_by_differences(linear(SLOPE), many, KEY, spread)
  np.testing.assert_allclose(again, values, rtol=1e-3, atol=1e-3)


def test_finite_differences_are_exact_for_the_noise_that_was_drawn():
  pyramid = {'small': REAL[:, :1], 'large': REAL}
  slopes = {'small': SLOPE[:1], 'large': SLOPE}

  def critic(images):
    return sum(linear(slopes[name])(own) for name, own in images.items())

  spread = 0.25
  keys = jax.random.split(KEY, 2)
  change = sum(
    linear(slopes[name])(jax.random.normal(key, pyramid[name].shape))
    for name, key in zip(sorted(pyramid), keys, strict=True)
  )
  np.testing.assert_allclose(
    r1_by_differences(critic, pyramid, KEY, spread), change**2, rtol=1e-4
  )


def test_finite_differences_hold_fakes_constant():
  slope = jax.grad(lambda fake: r2_by_differences(square, fake, KEY).sum())
  np.testing.assert_array_equal(slope(FAKE), 0)


def linear_synthesis(matrix):
  """`styles [N, W] -> images`, a pixel for each row of the matrix."""
  return lambda styles: (styles @ matrix.T).reshape(len(styles), 4, 3, -1)


def test_path_lengths_of_a_linear_synthesis_have_their_mean_square():
  matrix = jax.random.normal(KEY, (4 * 3 * 2, 5))
  values, _ = path_length(
    jnp.zeros((20_000, 5)),
    linear_synthesis(matrix),
    KEY,
    path_length_memory(),
    decay=1.0,
    shrink=1,
  )
  # Around a mean of 0 that never moves, they are squared lengths.
  expected = (matrix**2).sum() / (4 * 3)
  np.testing.assert_allclose(values.mean(), expected, rtol=0.03)


def test_path_lengths_under_an_orthogonal_synthesis_are_those_of_noise():
  matrix = 2 * jnp.linalg.qr(jax.random.normal(KEY, (24, 5)))[0]
  values, _ = path_length(
    jnp.zeros((20_000, 5)), linear_synthesis(matrix), KEY, 0.0, 1.0, shrink=1
  )
  lengths = jnp.sqrt(values)
  # 2 chi_5 / sqrt(12), whose mean is sqrt(2) Gamma(3) / Gamma(5/2).
  mean = math.sqrt(2) * math.gamma(3) / math.gamma(2.5)
  np.testing.assert_allclose(
    lengths.mean(), 2 * mean / math.sqrt(12), rtol=0.01
  )
  np.testing.assert_allclose(lengths.var(), 4 * (5 - mean**2) / 12, rtol=0.05)


def test_a_length_is_the_root_of_the_mean_square_over_layers():
  # Images of one pixel and channel, so that the gradient is the noise times
  # what each layer is multiplied by.
  def synthesis(styles):
    factors = jnp.array([[3.0, 0.0], [0.0, 4.0]])
    return (factors * styles).sum((1, 2)).reshape(-1, 1, 1, 1)

  values, average = path_length(
    jnp.ones((6, 2, 2)), synthesis, KEY, jnp.float32(0), 0.99, shrink=2
  )
  (own,) = jax.random.split(KEY, 1)
  noise = jnp.abs(jax.random.normal(own, (3, 1, 1, 1))).ravel()
  lengths = noise * math.sqrt((9 + 16) / 2)
  np.testing.assert_allclose(average, 0.01 * lengths.mean(), rtol=1e-4)
  np.testing.assert_allclose(values, (lengths - average) ** 2, rtol=1e-4)


def test_the_mean_of_path_lengths_is_remembered():
  # Half of each batch; lengths of no spread, since chi of many is its mean.
  memory, penalties = path_length_memory(), []

  def synthesis(styles):
    return 2 * styles.reshape(-1, 32, 32, 4)

  for number in range(1, 4):
    values, memory = path_length(
      jnp.zeros((4, 4096)), synthesis, jax.random.fold_in(KEY, number), memory
    )
    assert values.shape == (2,)
    np.testing.assert_allclose(memory, 4 * (1 - 0.99**number), rtol=0.03)
    penalties.append(values.mean())
  np.testing.assert_allclose(penalties[0], (0.99 * 4) ** 2, rtol=0.05)


def test_path_lengths_weigh_two_at_any_resolution():
  # The paper's weight is that of a sum over layers, with noise not divided.
  for side in 32, 64, 256, 1024:
    paper = math.log(2) / (side**2 * (math.log(side) - math.log(2)))
    layers = 2 * math.log2(side) - 2
    np.testing.assert_allclose(2 / (side**2 * layers), paper, rtol=1e-12)


def test_a_hundredth_of_the_gradient_passes_through_the_mean():
  def total(scale, memory, decay):
    values, after = path_length(
      jnp.ones((2, 3)),
      lambda styles: scale * images(styles),
      KEY,
      memory,
      decay,
    )
    return values.mean(), after

  def images(styles):
    return styles.reshape(-1, 1, 1, 3)

  # One example: the penalty is (.99 l)^2, l linear in the scale.
  gradient, after = jax.grad(total, has_aux=True)(1.0, jnp.float32(0), 0.99)
  value, _ = total(1.0, jnp.float32(0), 0.99)
  np.testing.assert_allclose(gradient, 2 * value, rtol=1e-4)
  # What is remembered has no gradient.
  blocked = jax.grad(lambda scale: total(scale, jnp.float32(0), 0.99)[1])(1.0)
  assert blocked == 0
  assert after > 0


def test_path_lengths_of_a_constant_synthesis_are_finite():
  def penalty(scale):
    values, _ = path_length(
      jnp.ones((4, 3)),
      lambda styles: scale * styles.reshape(-1, 1, 1, 3),
      KEY,
      jnp.float32(1),
    )
    return values.mean()

  value, gradient = jax.value_and_grad(penalty)(0.0)
  np.testing.assert_allclose(value, 0.99**2, rtol=1e-4)
  assert jnp.isfinite(gradient)
