"""ADA's transforms 1 to 8: where each pixel of an image is taken from.

Karras et al., "Training Generative Adversarial Networks with Limited Data",
2020, arXiv:2006.06676, appendix B. Each function is `(key, p, height, width) ->
matrix [3, 3]` of `ganjax.augment.affine`, the identity where the transform is
not used. A result that is transformed by T1 and then by T2 is taken through the
product T1^-1 T2^-1, and these are the inverse matrices.
"""

import jax
import jax.numpy as jnp

from ganjax.arrays import Scalar
from ganjax.augment import affine
from ganjax.augment.per_image import used


def x_flip(key: jax.Array, p: Scalar, height: int, width: int) -> jax.Array:
  """Returns the matrix of a flip left to right, of half the images used."""
  gate, draw = jax.random.split(key)
  flipped = used(gate, p) & jax.random.bernoulli(draw)
  return affine.scaling(jnp.where(flipped, -1, 1), 1)


def quarter_turns(
  key: jax.Array, p: Scalar, height: int, width: int
) -> jax.Array:
  """Returns the matrix of 0, 1, 2 or 3 turns by 90 degrees."""
  gate, draw = jax.random.split(key)
  turns = jax.random.randint(draw, (), 0, 4)
  return affine.rotation(jnp.pi / 2 * jnp.where(used(gate, p), turns, 0))


def integer_shift(
  key: jax.Array, p: Scalar, height: int, width: int
) -> jax.Array:
  """Returns the matrix of a shift by whole pixels, up to an eighth a side."""
  gate, draw = jax.random.split(key)
  x, y = jax.random.uniform(draw, (2,), minval=-0.125, maxval=0.125)
  shown = used(gate, p)
  return affine.translation(
    jnp.where(shown, jnp.round(x * width), 0),
    jnp.where(shown, jnp.round(y * height), 0),
  )


def isotropic_scale(
  key: jax.Array, p: Scalar, height: int, width: int
) -> jax.Array:
  """Returns the matrix of a scale 2^N(0, .2), the same in x and y."""
  scale = _scale(key, p)
  return affine.scaling(1 / scale, 1 / scale)


def rotation(key: jax.Array, p: Scalar, height: int, width: int) -> jax.Array:
  """Returns the matrix of a turn by U(-pi, pi).

  ADA turns before and after the anisotropic scale, each time with probability
  1 - sqrt(1 - p), so that it turns at all with probability p.
  """
  gate, draw = jax.random.split(key)
  shown = used(gate, 1 - jnp.sqrt(jnp.clip(1 - p, 0, 1)))
  angle = jax.random.uniform(draw, minval=-jnp.pi, maxval=jnp.pi)
  return affine.rotation(jnp.where(shown, angle, 0))


def anisotropic_scale(
  key: jax.Array, p: Scalar, height: int, width: int
) -> jax.Array:
  """Returns the matrix of a scale s = 2^N(0, .2) in x, and 1 / s in y."""
  scale = _scale(key, p)
  return affine.scaling(1 / scale, scale)


def fractional_shift(
  key: jax.Array, p: Scalar, height: int, width: int
) -> jax.Array:
  """Returns the matrix of a shift by N(0, .125) sides in x and in y."""
  gate, draw = jax.random.split(key)
  x, y = 0.125 * jax.random.normal(draw, (2,))
  shown = used(gate, p)
  return affine.translation(
    jnp.where(shown, x * width, 0), jnp.where(shown, y * height, 0)
  )


def _scale(key, p):
  gate, draw = jax.random.split(key)
  return jnp.exp2(jnp.where(used(gate, p), 0.2 * jax.random.normal(draw), 0))


BLIT = (x_flip, quarter_turns, integer_shift)
"""Transforms 1 to 3, of pixels to pixels, in their order."""

GEOM = (
  isotropic_scale,
  rotation,
  anisotropic_scale,
  rotation,
  fractional_shift,
)
"""Transforms 4 to 8, in their order."""
