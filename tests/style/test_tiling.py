"""Encoders that need less memory give the features of the whole."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganjax.style import objective, statistics, tiling
from tests.style.toy import AIMS, CONTENT, ENCODER, TERMS, draw


@pytest.mark.parametrize('shape', [(32, 48), (37, 21), (10, 50)])
def test_tiles_have_the_features_and_gradients_of_the_whole(shape):
  pictures = draw(2, *shape, 3)
  cut = tiling.tiled(ENCODER, core=16, halo=4)

  @functools.partial(jax.jit, static_argnums=0)
  def found(apply):
    def total(pictures):
      features = apply(ENCODER.params, pictures, ENCODER.layers)
      grams = [statistics.gram(values) for values in features.values()]
      return sum(jnp.sin(gram).sum() for gram in grams), features

    return jax.grad(total, has_aux=True)(pictures)

  for a, b in zip(
    jax.tree.leaves(found(cut.apply)),
    jax.tree.leaves(found(ENCODER.apply)),
    strict=True,
  ):
    np.testing.assert_allclose(a, b, atol=1e-5)


def test_tiles_lie_on_the_grid():
  cut = tiling.tiled(ENCODER, core=15, halo=4)
  with pytest.raises(ValueError, match='multiples of 2, the grid'):
    cut.apply(ENCODER.params, CONTENT, ENCODER.layers)


def test_bfloat16_has_nearly_the_same_losses():
  narrow = tiling.cast(ENCODER)
  assert narrow.name == 'toy, bfloat16'
  exact, rough = (
    objective.losses(ENCODER, TERMS, params, CONTENT[::-1], AIMS)
    for params in (ENCODER.params, narrow.params)
  )
  for name, value in exact.items():
    assert rough[name].dtype == jnp.float32
    np.testing.assert_allclose(rough[name], value, rtol=0.05)
