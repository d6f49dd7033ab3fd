"""ADA's transform 18, in two parts: noise, and a box that is cut out.

Karras et al., "Training Generative Adversarial Networks with Limited Data",
2020, arXiv:2006.06676, appendix B.
"""

import jax
import jax.numpy as jnp

from ganjax.arrays import Scalar
from ganjax.augment.per_image import used


def noise(image: jax.Array, key: jax.Array, p: Scalar) -> jax.Array:
  """Returns the image `[H, W, C]` plus noise of the deviation |N(0, .1)|."""
  gate, deviation, draw = jax.random.split(key, 3)
  std = 0.1 * jnp.abs(jax.random.normal(deviation))
  std = jnp.where(used(gate, p), std, 0)
  return image + std * jax.random.normal(draw, image.shape)


def cutout(image: jax.Array, key: jax.Array, p: Scalar) -> jax.Array:
  """Returns the image `[H, W, C]` with a box of half its sides set to 0.

  The centre of the box is uniform in the image, and what lies outside of it is
  lost: the mean area is .4375^2 of images whose sides 4 divides.
  """
  gate, draw = jax.random.split(key)
  centre = jax.random.uniform(draw, (2,))
  down, right = (
    jnp.abs((jnp.arange(length) + 0.5) / length - at) < 0.25
    for length, at in zip(image.shape[:2], centre, strict=True)
  )
  cut = used(gate, p) & down[:, None] & right
  return jnp.where(cut[..., None], 0, image)
