"""Preserving colours, against the moments that the results must have."""

import numpy as np
import pytest

from ganjax.style import color

RANDOM = np.random.default_rng(0)


def draw(*shape):
  return RANDOM.uniform(size=shape).astype(np.float32)


def test_chroma_is_the_contents_and_luminance_the_results():
  result, content = draw(2, 5, 6, 3), draw(1, 5, 6, 3)
  kept = np.asarray(color.with_chroma(result, content))
  luma = np.array([0.299, 0.587, 0.114])
  np.testing.assert_allclose(kept @ luma, result @ luma, atol=1e-6)
  blue, red = (
    (pictures[..., c] - pictures @ luma for c in (2, 0))
    for pictures in (kept, np.broadcast_to(content, kept.shape))
  )
  for one, other in zip(blue, red, strict=True):
    np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.parametrize('root', [color.symmetric_sqrt, color.cholesky])
def test_matched_colours_have_the_contents_moments(root):
  mix = np.array([[0.5, 0.2, 0.1], [0, 0.4, 0.1], [0.1, 0, 0.6]], np.float32)
  own, content = draw(2, 9, 9, 3), draw(1, 11, 8, 3) @ mix
  found = np.asarray(color.matched(own, content, root))
  for rows in found.reshape(2, -1, 3):
    wanted = content.reshape(-1, 3)
    np.testing.assert_allclose(rows.mean(0), wanted.mean(0), atol=1e-5)
    np.testing.assert_allclose(
      np.cov(rows.T, bias=True), np.cov(wanted.T, bias=True), atol=1e-5
    )


def test_matching_a_picture_with_itself_changes_nothing():
  own = draw(1, 9, 9, 3)
  np.testing.assert_allclose(color.matched(own, own), own, atol=1e-5)
  grey = np.repeat(draw(1, 9, 9, 1), 3, -1)
  assert np.all(np.isfinite(color.matched(grey, own)))
  np.testing.assert_allclose(color.matched(grey, grey), grey, atol=1e-3)


def test_matched_luminance_has_the_contents_mean_and_deviation():
  own, content = draw(2, 7, 7, 3), draw(1, 9, 5, 3) / 2
  found = np.asarray(color.matched_luminance(own, content))
  luma = np.asarray(color.luminance(found))
  wanted = np.asarray(color.luminance(content))
  for measure in (np.mean, np.std):
    np.testing.assert_allclose(
      measure(luma, (1, 2)), np.repeat(measure(wanted, (1, 2)), 2, 0), 1e-4
    )
  chroma = found - luma, own - np.asarray(color.luminance(own))
  np.testing.assert_allclose(*chroma, atol=1e-6)
