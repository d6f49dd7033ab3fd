"""The Frechet distance against closed forms and SciPy."""

import numpy as np
import pytest
import scipy.linalg

from ganjax.metrics import fid, kid


def _covariance(random, size, rank=None):
  factor = random.normal(size=(size, rank or 2 * size))
  return factor @ factor.T / size


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
