"""Initial pictures are what their names say."""

import jax
import jax.numpy as jnp
import numpy as np

from ganjax.style import initial, objective
from tests.style.toy import CONTENT, STYLES

KEY = jax.random.key(0)


def test_initial_pictures_are_what_they_say():
  for start in initial.noise, initial.style_stats:
    pictures = start(KEY, CONTENT, STYLES)
    assert pictures.shape == CONTENT.shape
    assert jnp.all((pictures >= 0) & (pictures <= 1))
  large = jnp.zeros((1, 200, 200, 3))
  flat = (objective.Exemplar(jnp.full((1, 4, 4, 3), 0.4)),)
  np.testing.assert_allclose(
    initial.style_stats(KEY, large, flat), 0.4, atol=1e-3
  )
  soft = tuple(
    objective.Exemplar(0.4 + 0.1 * e.picture, e.weight) for e in STYLES
  )
  pixels = [np.asarray(e.picture).reshape(-1, 3) for e in soft]
  mean = pixels[0].mean(0) / 4 + pixels[1].mean(0) * 3 / 4
  found = initial.style_stats(KEY, large, soft)
  np.testing.assert_allclose(found.mean((0, 1, 2)), mean, atol=1e-3)
  found = initial.colors(KEY, CONTENT, soft[:1])
  np.testing.assert_allclose(
    found.mean((1, 2)), pixels[0].mean(0)[None].repeat(2, 0), atol=1e-3
  )
  start = initial.picture(CONTENT[:1])
  np.testing.assert_array_equal(start(KEY, CONTENT, STYLES)[1], CONTENT[0])
  assert start(KEY, large, STYLES).shape == large.shape
