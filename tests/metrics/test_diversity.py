"""MS-SSIM and distances within a set, against SciPy and closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage

from ganjax.metrics import diversity

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
