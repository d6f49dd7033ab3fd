"""The sizes of the scales."""

import numpy as np
import pytest

from ganjax.style import sizes


def test_sides_grow_by_the_root_of_two():
  assert sizes.sides(512) == (128, 181, 256, 362, 512)
  assert sizes.sides(100, 128) == (100,)
  assert sizes.sides(64, 16, 2) == (16, 32, 64)
  assert sizes.shape(857, 1280, 512) == (343, 512)
  with pytest.raises(ValueError, match='ratio of 1'):
    sizes.sides(512, 128, 1)


def test_only_what_an_encoder_needs_is_enlarged():
  def shape(height, width, *limits):
    picture = np.zeros((1, height, width, 3), np.float32)
    return sizes.limited(picture, *limits).shape[1:3]

  assert shape(30, 40, 100) == (30, 40)
  assert shape(30, 40, 20) == (15, 20)
  assert shape(30, 40, 100, 32) == (32, 43)
  assert shape(30, 40, 20, 32) == (32, 43)
  assert shape(1, 9, 9, 4) == (4, 36)
  assert shape(64, 64, 64, 32) == (64, 64)
  with pytest.raises(ValueError, match='900x1 pixels, which is too narrow'):
    shape(1, 900, 100, 4)
