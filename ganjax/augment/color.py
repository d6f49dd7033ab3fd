"""ADA's transforms 9 to 13: affine maps of colours.

Karras et al., "Training Generative Adversarial Networks with Limited Data",
2020, arXiv:2006.06676, appendix B. Each function is `(key, p) -> matrix [4, 4]`
that maps (red, green, blue, 1) in [-1, 1], the identity where the transform is
not used. v is the luma axis (1, 1, 1) / sqrt(3).
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from ganjax.arrays import Scalar
from ganjax.augment.per_image import used

_V = np.ones(3, np.float32) / np.sqrt(3, dtype=np.float32)
_LUMA = np.outer(_V, _V)
_ACROSS = np.eye(3, dtype=np.float32) - _LUMA
# What is across v, turned about it by 90 degrees (Rodrigues' formula).
_TURNED = np.cross(_V, np.eye(3, dtype=np.float32)).T


def _matrix(luma: Scalar, across: Scalar, turned: Scalar = 0) -> jax.Array:
  """Returns the matrix with these gains along v, and across it."""
  gains = jnp.add(luma * _LUMA, across * _ACROSS + turned * _TURNED)
  return jnp.eye(4).at[:3, :3].set(gains)


def brightness(key: jax.Array, p: Scalar) -> jax.Array:
  """Returns the matrix that adds N(0, .2) to all channels."""
  gate, draw = jax.random.split(key)
  amount = jnp.where(used(gate, p), 0.2 * jax.random.normal(draw), 0)
  return jnp.eye(4).at[:3, 3].set(amount)


def contrast(key: jax.Array, p: Scalar) -> jax.Array:
  """Returns the matrix that multiplies by 2^N(0, .5), about 0."""
  gate, draw = jax.random.split(key)
  amount = jnp.where(used(gate, p), 0.5 * jax.random.normal(draw), 0)
  return _matrix(jnp.exp2(amount), jnp.exp2(amount))


def luma_flip(key: jax.Array, p: Scalar) -> jax.Array:
  """Returns the matrix that, of half the images used, negates the luma."""
  gate, draw = jax.random.split(key)
  flipped = used(gate, p) & jax.random.bernoulli(draw)
  return _matrix(jnp.where(flipped, -1, 1), 1)


def hue(key: jax.Array, p: Scalar) -> jax.Array:
  """Returns the matrix that turns colours about v by U(-pi, pi)."""
  gate, draw = jax.random.split(key)
  angle = jax.random.uniform(draw, minval=-jnp.pi, maxval=jnp.pi)
  angle = jnp.where(used(gate, p), angle, 0)
  return _matrix(1, jnp.cos(angle), jnp.sin(angle))


def saturation(key: jax.Array, p: Scalar) -> jax.Array:
  """Returns the matrix that multiplies what is across v by 2^N(0, 1)."""
  gate, draw = jax.random.split(key)
  amount = jnp.where(used(gate, p), jax.random.normal(draw), 0)
  return _matrix(1, jnp.exp2(amount))


COLOR = (brightness, contrast, luma_flip, hue, saturation)
"""Transforms 9 to 13, in their order."""


def mapped(image: jax.Array, matrices: Sequence[jax.Array]) -> jax.Array:
  """Returns the image `[H, W, C]` with its colours through matrices in turn.

  Args:
    image: of 3 channels; of 4, of which the last (alpha) is left as it is; or
      of 1, whose value is then the mean of the three that a grey pixel becomes.
    matrices: `[4, 4]`, the first of which is applied first.

  Raises:
    ValueError: if there are other channels.
  """
  channels = image.shape[-1]
  if channels not in (1, 3, 4):
    raise ValueError(
      f'Images of {channels} channels have no colours to augment; they must '
      'have 1, 3 or 4. Put packs (remedies.pack) behind the augmentation, or '
      'choose a policy without colour.'
    )
  matrix = jnp.eye(4)
  for own in matrices:
    matrix = jnp.matmul(own, matrix, precision='highest')
  gains, offset = matrix[:3, :3], matrix[:3, 3]
  if channels == 1:
    return gains.sum() / 3 * image + offset.mean()
  colors = jnp.einsum('ij,hwj->hwi', gains, image[..., :3], precision='highest')
  return jnp.concatenate([colors + offset, image[..., 3:]], -1)
