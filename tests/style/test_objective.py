"""The losses of terms against their definitions."""

import numpy as np
import pytest

from ganjax.style import objective, statistics, variation
from tests.style.toy import AIMS, CONTENT, ENCODER, STYLES, TERMS


def test_losses_are_their_definitions():
  found = objective.losses(ENCODER, TERMS, ENCODER.params, CONTENT[::-1], AIMS)
  own, wanted = (
    ENCODER.apply(ENCODER.params, pictures, ENCODER.layers)
    for pictures in (CONTENT[::-1], CONTENT)
  )
  np.testing.assert_allclose(
    found['content'],
    statistics.relative_error(own['two'], wanted['two']),
    rtol=1e-5,
  )
  grams = [
    {
      layer: np.asarray(statistics.gram(features))
      for layer, features in ENCODER.apply(
        ENCODER.params, exemplar.picture, ENCODER.layers
      ).items()
    }
    for exemplar in STYLES
  ]
  expected = 0
  for layer, share in {'one': 0.7, 'two': 0.3}.items():
    mixed = grams[0][layer] / 4 + grams[1][layer] * 3 / 4
    difference = np.asarray(statistics.gram(own[layer])) - mixed
    expected += share * (difference**2).sum((1, 2)) / (mixed**2).sum()
  np.testing.assert_allclose(found['style'], expected, rtol=1e-4)
  np.testing.assert_allclose(
    found['variation'], variation.nine_point(CONTENT[::-1]), rtol=1e-6
  )


def test_each_half_is_like_its_own_style():
  ones = np.ones((1, 8, 12), np.float32)
  left = ones * (np.arange(12) < 6)
  terms = (objective.style_term((objective.PIXELS,)),)
  styles = [
    exemplar._replace(mask=mask)
    for exemplar, mask in zip(STYLES, (left, 1 - left), strict=True)
  ]

  def values(pictures, styles):
    aims = objective.targets(ENCODER, terms, (), CONTENT, styles)
    return objective.losses(ENCODER, terms, (), pictures, aims)['style']

  alone = [
    values(half, [exemplar])
    for half, exemplar in zip(
      (CONTENT[:, :, :6], CONTENT[:, :, 6:]), STYLES, strict=True
    )
  ]
  np.testing.assert_allclose(
    values(CONTENT, styles), alone[0] / 4 + alone[1] * 3 / 4, rtol=1e-5
  )
  np.testing.assert_allclose(
    values(CONTENT, [STYLES[0]._replace(mask=ones)]),
    values(CONTENT, STYLES[:1]),
    rtol=1e-5,
  )


def test_what_is_missing_is_told():
  terms = (objective.style_term(('three',)),)
  with pytest.raises(ValueError, match="toy has no layer 'three'; choose from"):
    objective.targets(ENCODER, terms, ENCODER.params, CONTENT, STYLES)
  with pytest.raises(ValueError, match='has no picture to resemble'):
    objective.targets(ENCODER, TERMS, ENCODER.params, CONTENT, ())
