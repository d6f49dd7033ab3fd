"""Measures of sets against closed forms and independent implementations."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
import scipy.ndimage

from ganjax.evaluation import features
from ganjax.metrics import diversity, fid, kid


def _covariance(random, size, rank=None):
  factor = random.normal(size=(size, rank or 2 * size))
  return factor @ factor.T / size


# --- Frechet distance ------------------------------------------------------


def test_frechet_of_commuting_gaussians_is_a_sum_of_deviations():
  a, b = np.array([1.0, 4.0, 9.0]), np.array([4.0, 0.0, 1.0])
  mean = np.array([1.0, 2.0, 2.0])
  distance = fid.frechet(np.zeros(3), np.diag(a), mean, np.diag(b))
  # |m|^2 + sum of (sqrt a - sqrt b)^2 = 9 + 1 + 4 + 4
  np.testing.assert_allclose(distance, 18.0, rtol=1e-12)


def test_frechet_of_gaussians_that_do_not_commute_agrees_with_scipy():
  random = np.random.default_rng(0)
  a, b = _covariance(random, 12), _covariance(random, 12)
  assert np.abs(a @ b - b @ a).max() > 0.1
  mean_a, mean_b = random.normal(size=(2, 12))
  root = scipy.linalg.sqrtm(a @ b).real
  expected = ((mean_a - mean_b) ** 2).sum() + np.trace(a + b - 2 * root)
  np.testing.assert_allclose(
    fid.frechet(mean_a, a, mean_b, b), expected, rtol=1e-10
  )


def test_frechet_of_singular_covariances():
  random = np.random.default_rng(1)
  line, other = np.linalg.qr(random.normal(size=(20, 20)))[0][:2]
  a, b = 4 * np.outer(line, line), 9 * np.outer(other, other)
  zero = np.zeros(20)
  # Orthogonal lines overlap nowhere: the distance is the sum of the traces.
  np.testing.assert_allclose(fid.frechet(zero, a, zero, b), 13, atol=1e-6)
  np.testing.assert_allclose(fid.frechet(zero, a, zero, a), 0, atol=1e-6)
  low = _covariance(random, 20, rank=3)
  np.testing.assert_allclose(
    fid.frechet(zero, low, zero, np.eye(20)),
    ((np.sqrt(np.maximum(np.linalg.eigvalsh(low), 0)) - 1) ** 2).sum(),
    atol=1e-6,
  )


def test_fid_of_a_set_and_its_shift():
  random = np.random.default_rng(2)
  set_ = random.normal(size=(200, 16)) @ random.normal(size=(16, 16))
  shift = random.normal(size=16)
  np.testing.assert_allclose(fid.fid(set_, set_), 0, atol=1e-8)
  np.testing.assert_allclose(
    fid.fid(set_, set_ + shift), (shift**2).sum(), rtol=1e-9
  )
  # Scaling by 2 about the mean: tr(C + 4 C - 4 C), with 1/(N - 1).
  centred = set_ - set_.mean(0)
  np.testing.assert_allclose(
    fid.fid(centred, 2 * centred),
    centred.var(0, ddof=1).sum(),
    rtol=1e-9,
  )


def test_fid_of_one_column():
  random = np.random.default_rng(3)
  a, b = random.normal(size=(50, 1)), random.normal(2, 3, size=(40, 1))
  expected = (a.mean() - b.mean()) ** 2 + (a.std(ddof=1) - b.std(ddof=1)) ** 2
  np.testing.assert_allclose(fid.fid(a, b), expected, rtol=1e-9)


# --- kernel distance -------------------------------------------------------


def test_kid_agrees_with_a_double_loop():
  random = np.random.default_rng(4)
  x, y = random.normal(size=(7, 3)), random.normal(1, 2, size=(7, 3))

  def kernel(a, b):
    return (sum(a * b) / 3 + 1) ** 3

  within = sum(
    kernel(set_[i], set_[j])
    for set_ in (x, y)
    for i in range(7)
    for j in range(7)
    if i != j
  )
  across = sum(kernel(a, b) for a in x for b in y)
  mean, deviation = kid.kid(x, y, subsets=3, size=1000, seed=0)
  np.testing.assert_allclose(mean, within / 42 - 2 * across / 49, rtol=1e-12)
  # Each subset is all of both sets.
  np.testing.assert_allclose(deviation, 0, atol=1e-12)


def test_kid_is_unbiased():
  random = np.random.default_rng(5)
  values = [
    kid.kid(*random.normal(size=(2, 20, 4)), subsets=1, size=20, seed=0)[0]
    for _ in range(400)
  ]
  standard_error = np.std(values) / np.sqrt(len(values))
  assert abs(np.mean(values)) < 4 * standard_error
  # The biased estimate, with its diagonals, would lie this far off.
  assert standard_error < 0.05
  assert min(values) < 0


def test_kid_takes_the_smaller_set_for_its_subsets_and_repeats():
  random = np.random.default_rng(6)
  x, y = random.normal(size=(30, 4)), random.normal(3, 1, size=(20, 4))
  first = kid.kid(x, y, subsets=5, size=25, seed=1)
  assert first == kid.kid(x, y, subsets=5, size=20, seed=1)
  assert first != kid.kid(x, y, subsets=5, size=20, seed=2)
  assert first[0] > 1


@pytest.mark.parametrize(
  ('real', 'fake', 'message'),
  [
    (np.ones((4, 2)), np.ones((4, 3)), '2 columns and the fake ones 3'),
    (np.ones((4, 2, 2)), np.ones((4, 2)), r'shape \(4, 2, 2\)'),
    (np.ones((4, 2)), np.ones((1, 2)), r'fake features have the shape \(1, 2'),
    (np.ones((4, 2)), np.full((4, 2), np.nan), 'not finite'),
  ],
)
def test_features_that_do_not_fit_are_refused(real, fake, message):
  with pytest.raises(ValueError, match=message):
    fid.fid(real, fake)
  with pytest.raises(ValueError, match=message):
    kid.kid(real, fake, seed=0)


def test_means_and_covariances_that_do_not_fit_are_refused():
  with pytest.raises(ValueError, match=r'\(3,\), \(3, 3\), \(2,\), \(2, 2\)'):
    fid.frechet(np.zeros(3), np.eye(3), np.zeros(2), np.eye(2))


# --- similarity and distance within a set ----------------------------------

_ms_ssim = jax.jit(diversity.ms_ssim)
_diversity = jax.jit(diversity.diversity, static_argnums=1)


def _ssim_terms(a, b):
  """Mean SSIM and mean contrast-structure of two [H, W] arrays, in SciPy."""

  def blur(x):
    blurred = scipy.ndimage.gaussian_filter(x, 1.5, truncate=5 / 1.5)
    return blurred[5:-5, 5:-5]

  c1, c2 = 0.02**2, 0.06**2
  a, b = a.astype(np.float64), b.astype(np.float64)
  mean_a, mean_b = blur(a), blur(b)
  variance_a = blur((a - 0.5) ** 2) - blur(a - 0.5) ** 2
  variance_b = blur((b - 0.5) ** 2) - blur(b - 0.5) ** 2
  covariance = blur((a - 0.5) * (b - 0.5)) - blur(a - 0.5) * blur(b - 0.5)
  contrast = (2 * covariance + c2) / (variance_a + variance_b + c2)
  luminance = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
  return (luminance * contrast).mean(), contrast.mean()


def _pictures(size, count=4, channels=2):
  """Smooth pictures with noisy copies: far from similarity 0 and from 1."""
  random = np.random.default_rng(size)
  noise = random.normal(size=(count, size, size, channels))
  smooth = np.tanh(3 * scipy.ndimage.gaussian_filter(noise, (0, 2, 2, 0)))
  near = np.clip(smooth + 0.2 * random.normal(size=noise.shape), -1, 1)
  return smooth.astype(np.float32), near.astype(np.float32)


def test_ms_ssim_at_one_scale_agrees_with_scipy():
  a, b = _pictures(21)
  expected = [
    np.mean([_ssim_terms(x[..., c], y[..., c])[0] for c in range(2)])
    for x, y in zip(a, b, strict=True)
  ]
  assert 0.3 < min(expected) < max(expected) < 0.97
  np.testing.assert_allclose(_ms_ssim(a, b), expected, atol=1e-5)


def test_ms_ssim_at_two_scales_agrees_with_scipy():
  a, b = _pictures(23, count=2, channels=1)

  def halve(x):
    return x[:22, :22].reshape(11, 2, 11, 2).mean((1, 3))

  fine, coarse = 0.0448 / 0.3304, 0.2856 / 0.3304
  expected = [
    _ssim_terms(x, y)[1] ** fine * _ssim_terms(halve(x), halve(y))[0] ** coarse
    for x, y in zip(a[..., 0], b[..., 0], strict=True)
  ]
  np.testing.assert_allclose(_ms_ssim(a, b), expected, atol=1e-5)


@pytest.mark.parametrize('size', [11, 44])
def test_ms_ssim_of_an_image_with_itself_and_with_noise(size):
  random = np.random.default_rng(0)
  a, b = random.uniform(-1, 1, (2, 6, size, size, 1)).astype(np.float32)
  np.testing.assert_allclose(_ms_ssim(a, a), 1, atol=1e-5)
  # The weighted scales raise what is near 0 to powers below 1.
  similarity = np.asarray(_ms_ssim(a, b))
  assert similarity.mean() < 0.15
  assert (similarity >= 0).all()
  np.testing.assert_allclose(_ms_ssim(b, a), similarity, atol=1e-6)


def test_diversity_is_the_mean_over_pairs_and_never_of_one_image_with_itself():
  a, b = _pictures(16, count=1)
  pair = jnp.concatenate([a, b])
  measured = _diversity(pair, 64, jax.random.key(0))
  np.testing.assert_allclose(measured, _ms_ssim(a, b)[0], atol=1e-5)
  assert measured < 0.99
  random = np.random.default_rng(0)
  noise = jnp.asarray(random.uniform(-1, 1, (8, 16, 16, 2)), jnp.float32)
  collapsed = jnp.repeat(noise[:1], 8, axis=0) + 0.01 * noise
  key = jax.random.key(1)
  assert _diversity(noise, 64, key) < 0.1
  assert _diversity(collapsed, 64, key) > 0.99


def test_pairwise_distance_closed_forms():
  points = jnp.array([[0.0, 0.0], [3.0, 4.0], [-3.0, -4.0]])
  np.testing.assert_allclose(
    diversity.pairwise_distance(points), (5 + 5 + 10) / 3 / np.sqrt(2), 1e-6
  )
  black, white = -jnp.ones((2, 4, 4, 3)), jnp.ones((2, 4, 4, 3))
  # 4 of the 6 pairs differ, by 2 at every value.
  np.testing.assert_allclose(
    diversity.pairwise_distance(jnp.concatenate([black, white])), 8 / 6, 1e-6
  )
  assert diversity.pairwise_distance(white) == 0
  # A Gram matrix in float32 would give 0 or noise here.
  near = white + jnp.array([0, 1e-4]).reshape(2, 1, 1, 1)
  np.testing.assert_allclose(diversity.pairwise_distance(near), 1e-4, 2e-3)


def test_images_that_do_not_fit_are_refused():
  with pytest.raises(
    ValueError, match='images of 8 pixels; its window needs 11'
  ):
    diversity.ms_ssim(jnp.ones((2, 8, 32, 1)), jnp.ones((2, 8, 32, 1)))
  with pytest.raises(ValueError, match=r'\(2, 16, 16, 1\) and \(2, 16, 16, 3'):
    diversity.ms_ssim(jnp.ones((2, 16, 16, 1)), jnp.ones((2, 16, 16, 3)))
  with pytest.raises(ValueError, match='set of 1 images has no pairs'):
    diversity.pairwise_distance(jnp.ones((1, 4)))
  with pytest.raises(ValueError, match='set of 1 images has no pairs'):
    diversity.diversity(jnp.ones((1, 16, 16, 1)), 3, jax.random.key(0))


# --- random features -------------------------------------------------------


@pytest.mark.parametrize('shape', [(8, 8, 1), (11, 16, 4)])
def test_random_features_are_fixed_finite_and_named(shape):
  measure = features.random_features()
  assert measure.name == 'random-conv-384 (seed 0, untrained)'
  random = np.random.default_rng(0)
  images = random.uniform(-1, 1, (3, *shape)).astype(np.float32)
  found = np.asarray(jax.jit(measure.apply)(images))
  assert found.shape == (3, 384)
  assert np.isfinite(found).all()
  assert 0.05 < found.std() < 5
  flipped = jax.jit(features.random_features().apply)(images[::-1])
  np.testing.assert_allclose(flipped, found[::-1], atol=1e-5)
  other = jax.jit(features.random_features(seed=1).apply)(images)
  assert np.abs(other - found).max() > 0.1


def test_random_features_order_sets_by_their_difference():
  random = np.random.default_rng(0)
  noise = random.normal(size=(600, 8, 8, 1)).astype(np.float32)
  sets = [noise[:300], noise[300:], 0.5 * noise[300:] + 0.3]
  apply = features.random_features().apply
  real, same, other = (features.in_batches(apply, set_) for set_ in sets)
  assert fid.fid(real, other) > 3 * fid.fid(real, same)
  near, _ = kid.kid(real, same, subsets=10, size=200, seed=0)
  far, deviation = kid.kid(real, other, subsets=10, size=200, seed=0)
  assert far - near > 5 * deviation


def test_small_images_have_no_random_features():
  with pytest.raises(ValueError, match=r'\(2, 4, 16, 3\)'):
    features.random_features().apply(jnp.ones((2, 4, 16, 3)))


def test_in_batches_scales_bytes_fills_up_the_last_and_drops_the_filling():
  images = np.arange(5 * 4, dtype=np.uint8).reshape(5, 2, 2, 1)
  found = features.in_batches(lambda x: x.sum((1, 2, 3)), images, size=3)
  expected = (images / 127.5 - 1).sum((1, 2, 3))
  np.testing.assert_allclose(found, expected, rtol=1e-6)
  floats = features.in_batches(
    lambda x: x, np.ones((5, 2, 2, 1), np.float32), size=3
  )
  np.testing.assert_array_equal(floats, np.ones((5, 2, 2, 1)))
