"""The sizes of the scales."""

import pytest

from ganjax.style import sizes


def test_sides_grow_by_the_root_of_two():
  assert sizes.sides(512) == (128, 181, 256, 362, 512)
  assert sizes.sides(100, 128) == (100,)
  assert sizes.sides(64, 16, 2) == (16, 32, 64)
  assert sizes.shape(857, 1280, 512) == (343, 512)
  with pytest.raises(ValueError, match='ratio of 1'):
    sizes.sides(512, 128, 1)
