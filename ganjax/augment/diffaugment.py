"""DiffAugment: differentiable augmentation.

Zhao et al., "Differentiable Augmentation for Data-Efficient GAN Training",
2020, arXiv:2006.10738, and its code. Each transform is `(image [H, W, C], key)
-> image`, of any number of channels.
"""

import jax
import jax.numpy as jnp

from ganjax.augment.per_image import Augmentation, augmentation, used
from ganjax.lookup import choose


def brightness(image: jax.Array, key: jax.Array) -> jax.Array:
  """Returns the image plus U(-.5, .5)."""
  return image + jax.random.uniform(key, minval=-0.5, maxval=0.5)


def saturation(image: jax.Array, key: jax.Array) -> jax.Array:
  """Returns the image with U(0, 2) times what differs between its channels."""
  mean = image.mean(-1, keepdims=True)
  return mean + jax.random.uniform(key, maxval=2.0) * (image - mean)


def contrast(image: jax.Array, key: jax.Array) -> jax.Array:
  """Returns the image with U(.5, 1.5) times what differs from its mean."""
  mean = image.mean()
  factor = jax.random.uniform(key, minval=0.5, maxval=1.5)
  return mean + factor * (image - mean)


def translation(image: jax.Array, key: jax.Array) -> jax.Array:
  """Returns the image moved by whole pixels, with zeros where it was.

  The shift is uniform in -s, ..., s, with s an eighth of the side, rounded.
  """
  # As products with 0 and 1, whose derivatives need no scatter.
  down, right = (
    _shift(own, length)
    for own, length in zip(jax.random.split(key), image.shape[:2], strict=True)
  )
  return jnp.einsum('ih,jw,hwc->ijc', down, right, image, precision='highest')


def _shift(key, length):
  """Returns a random shift as a matrix `[L, L]`, of a row of L pixels."""
  most = int(length / 8 + 0.5)
  shift = jax.random.randint(key, (), -most, most + 1)
  pixels = jnp.arange(length)
  return (pixels[:, None] == pixels + shift).astype(jnp.float32)


def cutout(image: jax.Array, key: jax.Array) -> jax.Array:
  """Returns the image with a box of half its sides, rounded, set to 0.

  Its centre is uniform in 0, ..., L, or L - 1 where the side of the box is odd,
  and what lies outside of the image is lost: at 32 pixels the mean area is
  (456 / (33 * 32))^2.
  """
  down, right = (
    _box(own, length)
    for own, length in zip(jax.random.split(key), image.shape[:2], strict=True)
  )
  return jnp.where((down[:, None] & right)[..., None], 0, image)


def _box(key, length):
  """Returns which pixels of a row of L are in a random box, bools `[L]`."""
  size = int(length / 2 + 0.5)
  centre = jax.random.randint(key, (), 0, length + 1 - size % 2)
  first = centre - size // 2
  pixels = jnp.arange(length)
  return (pixels >= first) & (pixels < first + size)


POLICIES = {
  'color': (brightness, saturation, contrast),
  'translation': (translation,),
  'cutout': (cutout,),
}
"""By name, the transforms of a part of a policy, in their order."""


def diffaugment(policy: str = 'color,translation,cutout') -> Augmentation:
  """Returns the augmentation of a policy, in the order in which it is written.

  Args:
    policy: names of `POLICIES`, with commas. The code of the paper has
      'color,cutout' for StyleGAN2 on all of CIFAR-10, and all three on a fifth
      of it or less.

  Returns:
    `(images [N, H, W, C], key, p) -> images`. The paper's p is 1: each
    transform is always used.

  Raises:
    ValueError: if there is no such part of a policy.
  """
  transforms = [
    transform
    for name in policy.split(',')
    for transform in choose('part of a policy', POLICIES, name.strip())
  ]

  def one(image, key, p):
    keys = jax.random.split(key, len(transforms))
    for transform, own in zip(transforms, keys, strict=True):
      gate, draw = jax.random.split(own)
      image = jnp.where(used(gate, p), transform(image, draw), image)
    return image

  return augmentation(one)


AUGMENTATIONS = {'diffaugment': diffaugment}
