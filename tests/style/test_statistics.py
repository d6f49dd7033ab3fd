"""Statistics of style and the distances between them against closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from ganjax.style import matrix_sqrt, statistics, variation

RANDOM = np.random.default_rng(0)


def draw(*shape, low=0.0, high=1.0):
  return RANDOM.uniform(low, high, shape).astype(np.float32)


@pytest.fixture
def x64():
  with jax.enable_x64(True):
    yield


def positive(number, channels, samples=40):
  """Well-conditioned covariances, float64."""
  rows = RANDOM.normal(size=(number, samples, channels))
  return np.einsum('npc,npd->ncd', rows, rows) / samples


# Statistics.


def test_gram_of_constant_features_is_their_product():
  value = np.array([1.0, -2.0, 3.0], np.float32)
  features = np.broadcast_to(value, (2, 4, 5, 3))
  expected = np.broadcast_to(np.outer(value, value), (2, 3, 3))
  np.testing.assert_allclose(statistics.gram(features), expected, rtol=1e-6)
  mean, square = statistics.moments(features)
  np.testing.assert_allclose(mean, [value] * 2, rtol=1e-6)
  np.testing.assert_allclose(square, [value**2] * 2, rtol=1e-6)


STATISTICS = {
  'gram': statistics.gram,
  'moments': statistics.moments,
  'gaussian': statistics.gaussian,
}


@pytest.mark.parametrize('of', STATISTICS.values(), ids=STATISTICS)
def test_masks_weigh_pixels(of):
  features = draw(2, 4, 6, 3, low=-1)
  ones = np.ones((1, 4, 6), np.float32)
  left = ones * (np.arange(6) < 3)
  share = draw(1, 4, 6)

  def assert_close(actual, expected):
    for a, b in zip(
      jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True
    ):
      np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)

  whole = of(features)
  assert_close(of(features, 7 * ones), whole)
  assert_close(of(features, left), of(features[:, :, :3]))
  assert_close(of(features, 1 - left), of(features[:, :, 3:]))
  halves = of(features, share), of(features, 1 - share)
  weight = share.mean()
  mixed = jax.tree.map(
    lambda one, other: weight * one + (1 - weight) * other, *halves
  )
  assert_close(mixed, whole)


def test_content_under_a_mask_is_that_of_the_part():
  features, target = draw(2, 4, 6, 3), draw(2, 4, 6, 3)
  mask = np.zeros((1, 4, 6), np.float32)
  mask[:, :2] = 1
  of, distance, _ = statistics.content_gatys
  np.testing.assert_allclose(
    distance(of(features, mask), of(target, mask)),
    ((features - target)[:, :2] ** 2).sum((1, 2, 3)) / 2,
    rtol=1e-5,
  )


def test_half_precision_is_summed_in_float32():
  features = jnp.asarray(draw(1, 64, 64, 2), jnp.bfloat16)
  exact = statistics.gram(features.astype(jnp.float32))
  assert statistics.gram(features).dtype == jnp.float32
  np.testing.assert_allclose(statistics.gram(features), exact, rtol=1e-5)
  assert statistics.pixelwise(features).dtype == jnp.float32
  assert statistics.moments(features)[1].dtype == jnp.float32


def test_a_mask_is_averaged_over_new_pixels():
  mask = draw(1, 8, 12)
  assert statistics.resized_mask(None, 2, 3) is None
  fitted = statistics.resized_mask(mask, 4, 6)
  assert fitted.shape == (1, 4, 6)
  full = statistics.resized_mask(np.ones((1, 9, 7), np.float32), 4, 3)
  np.testing.assert_allclose(full, 1, rtol=1e-6)


# Distances.


def test_gatys_gradient_is_equation_6():
  features, other = draw(1, 3, 4, 5), draw(1, 3, 4, 5)
  pixels, channels = 12, 5
  rows, target = (f.reshape(pixels, channels).T for f in (features, other))
  difference = rows @ rows.T - target @ target.T
  statistic = statistics.style_gatys
  aim = statistic.compute(other, None)

  def loss(features):
    return statistic.distance(statistic.compute(features, None), aim).sum()

  value, gradient = jax.value_and_grad(loss)(features)
  factor = 1 / (pixels * channels) ** 2
  np.testing.assert_allclose(
    value, factor / 4 * (difference**2).sum(), rtol=1e-4
  )
  np.testing.assert_allclose(
    gradient.reshape(pixels, channels),
    factor * (rows.T @ difference),
    rtol=1e-3,
    atol=1e-7,
  )


def test_distances_are_their_formulas():
  own, target = draw(2, 3, 3), draw(1, 3, 3)
  squares = ((own - target) ** 2).sum((1, 2))
  np.testing.assert_allclose(
    statistics.half_squared_error(own, target), squares / 2, 1e-5
  )
  np.testing.assert_allclose(
    statistics.mean_squared_error(own, target), squares / 9, 1e-5
  )
  np.testing.assert_allclose(
    statistics.relative_error(own, target), squares / (target**2).sum(), 1e-5
  )


SCALE_FREE = {
  'content': statistics.content,
  'gram': statistics.style,
  'moments': statistics.style_moments,
  'wasserstein': statistics.style_wasserstein,
}


@pytest.mark.parametrize('statistic', SCALE_FREE.values(), ids=SCALE_FREE)
def test_relative_distances_know_no_scale_and_survive_black(statistic):
  features, other = draw(1, 6, 6, 3), draw(1, 6, 6, 3)

  @jax.jit
  def apart(features, other):
    target = statistic.prepare(statistic.compute(other, None))
    return jax.value_and_grad(
      lambda f: statistic.distance(statistic.compute(f, None), target)[0]
    )(features)

  value, slope = apart(features, other)
  scaled, scaled_slope = apart(100 * features, 100 * other)
  np.testing.assert_allclose(scaled, value, rtol=1e-3)
  np.testing.assert_allclose(
    100 * scaled_slope, slope, rtol=1e-2, atol=1e-3 * jnp.abs(slope).max()
  )
  assert value > 0
  np.testing.assert_allclose(apart(other, other)[0], 0, atol=1e-5)
  for pair in ((features, 0 * other), (0 * features, other)):
    assert all(jnp.all(jnp.isfinite(found)) for found in apart(*pair))


def test_deviations_are_of_means_and_standard_deviations():
  own, other = draw(1, 50, 50, 3, low=-1), draw(1, 40, 40, 3, high=2)
  found = statistics.style_moments.distance(
    statistics.moments(own), statistics.moments(other)
  )
  expected = sum(
    ((f(own, (1, 2)) - f(other, (1, 2))) ** 2).sum() for f in (np.mean, np.std)
  )
  power = (other**2).mean((1, 2)).sum()
  np.testing.assert_allclose(found, [expected / power], rtol=1e-4)


# Roots and the Wasserstein distance.


def test_roots_multiply_to_the_matrix_and_to_one(x64):
  matrices = positive(3, 6)
  root, inverse = matrix_sqrt.sqrt_and_inverse(matrices)
  np.testing.assert_allclose(root @ root, matrices, atol=1e-9)
  np.testing.assert_allclose(root @ inverse, [np.eye(6)] * 3, atol=1e-9)
  exact = scipy.linalg.sqrtm(matrices[0])
  np.testing.assert_allclose(root[0], exact, atol=1e-9)


def test_the_gradient_of_the_trace_is_half_the_inverse_root(x64):
  [matrix] = positive(1, 5)

  def by_values(matrix):
    return jnp.sqrt(jnp.linalg.eigvalsh(matrix)).sum()

  slope = jax.grad(matrix_sqrt.trace_sqrt)(matrix)
  np.testing.assert_allclose(slope, jax.grad(by_values)(matrix), atol=1e-9)
  turn = RANDOM.normal(size=(5, 5))
  turn += turn.T
  step = 1e-5
  change = matrix_sqrt.trace_sqrt(
    matrix + step * turn
  ) - matrix_sqrt.trace_sqrt(matrix - step * turn)
  np.testing.assert_allclose(
    (slope * turn).sum(), change / (2 * step), rtol=1e-7
  )


def widened(rows):
  return np.cov(rows.T, bias=True)


def test_wasserstein_is_scipys_and_its_gradient_finite_differences(x64):
  own, other = (
    RANDOM.normal(size=(1, 8, 8, 4)) @ RANDOM.normal(size=(4, 4))
    for _ in range(2)
  )
  statistic = statistics.style_wasserstein_crowson
  target = statistic.prepare(statistic.compute(other, None))

  def distance(own):
    return statistic.distance(statistic.compute(own, None), target)[0]

  rows, goal = own.reshape(-1, 4), other.reshape(-1, 4)
  mine, theirs = widened(rows), widened(goal)
  floor = 1e-4 * np.trace(theirs) / 4 * np.eye(4)
  mine, theirs = mine + floor, theirs + floor
  half = scipy.linalg.sqrtm(theirs)
  shared = scipy.linalg.sqrtm(half @ mine @ half)
  expected = ((rows.mean(0) - goal.mean(0)) ** 2).sum()
  expected += np.trace(mine + theirs - 2 * shared)
  np.testing.assert_allclose(distance(own), expected / 4, rtol=1e-4)
  power = (goal**2).mean(0).sum()
  relative = statistics.style_wasserstein
  np.testing.assert_allclose(
    relative.distance(relative.compute(own, None), target)[0],
    expected / power,
    rtol=1e-4,
  )


def test_the_gradient_of_transport_is_that_of_its_definition(x64):
  mean, other_mean = RANDOM.normal(size=(2, 1, 4))
  square, other = (
    c + m[:, :, None] * m[:, None]
    for c, m in zip(positive(2, 4)[:, None], (mean, other_mean), strict=True)
  )
  target = statistics.style_wasserstein.prepare((other_mean, other))

  def transport(square):
    return statistics.gaussian_wasserstein((mean, square), target)[0]

  turn = RANDOM.normal(size=(1, 4, 4))
  turn += turn.swapaxes(1, 2)
  change = transport(square + 1e-5 * turn) - transport(square - 1e-5 * turn)
  slope = jax.grad(transport)(square)
  np.testing.assert_allclose((slope * turn).sum(), change / 2e-5, rtol=1e-6)


# Variation.


def test_variations_of_a_ramp():
  ramp = np.broadcast_to(
    0.1 * np.arange(5, dtype=np.float32)[None, None, :, None], (2, 4, 5, 3)
  )
  steps = 4 * 4 * 3  # rows, steps in each, channels
  np.testing.assert_allclose(variation.l1(ramp), [0.1 * steps] * 2, 1e-5)
  np.testing.assert_allclose(variation.l2(ramp), [0.01 * steps] * 2, 1e-5)
  # Diagonals: 5 rows of 6, the 4 in the middle of which climb.
  nine = 2 / 3 * 0.01 * 4 / 5 + 2 / 6 * 0.01 * 4 / 6
  np.testing.assert_allclose(variation.nine_point(ramp), [nine] * 2, 1e-5)
  flat = np.full((1, 3, 3, 3), 0.4, np.float32)
  for roughness in (
    variation.l1,
    variation.l2,
    variation.nine_point,
  ):
    np.testing.assert_allclose(roughness(flat), [0])
    turned = roughness(ramp.swapaxes(1, 2))
    np.testing.assert_allclose(turned, roughness(ramp), rtol=1e-5)
