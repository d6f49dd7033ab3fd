"""From a function of one image to an augmentation of many."""

from collections.abc import Callable

import jax

from ganjax.arrays import Scalar

Augmentation = Callable[[jax.Array, jax.Array, Scalar], jax.Array]
"""`(images [N, H, W, C], key, p) -> images`."""


def augmentation(
  one: Callable[[jax.Array, jax.Array, Scalar], jax.Array],
) -> Augmentation:
  """Returns the augmentation of which a function transforms one image.

  Args:
    one: `(image [H, W, C], key, p) -> image`.

  Returns:
    `(images [N, H, W, C], key, p) -> images`, whose image i depends on `key`
    and i alone; `p` may be traced. It raises a ValueError when it is traced
    with anything but images.
  """

  def augmented(images, key, p):
    if images.ndim != 4:
      raise ValueError(
        f'An augmentation takes images [N, H, W, C], not an array of shape '
        f'{list(images.shape)}; leave it out where the data are no images.'
      )
    keys = jax.random.split(key, images.shape[0])
    return jax.vmap(one, (0, 0, None))(images, keys, p)

  return augmented


def used(key: jax.Array, p: Scalar) -> jax.Array:
  """Returns whether a transform is used, which has probability p, a bool."""
  return jax.random.uniform(key) < p
