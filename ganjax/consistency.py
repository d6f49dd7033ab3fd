"""Consistency regularisation: logits that do not change with small changes.

All of them are `ganjax.regularizers`, whose docstring says what a critic and
its images are. They need first derivatives only. The critic is run again for
each side of a difference, with one key, so that what it draws for itself does
not count as a change.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from ganjax.arrays import Scalar, Tree
from ganjax.augment import affine, geometric
from ganjax.augment.per_image import augmentation

Critic = Callable[[Tree], jax.Array]


def cr(critic: Critic, real: jax.Array, key: jax.Array) -> jax.Array:
  """Returns the squared change of the logit as a real is moved, `[M]`.

  Zhang, Zhang, Odena and Lee, "Consistency Regularization for Generative
  Adversarial Networks", 2020, arXiv:1910.12027, equation 5, without lambda
  (10): half the images are flipped left to right, and all are shifted by whole
  pixels, by up to an eighth of each side, beyond which they are reflected.

  Args:
    critic: images -> logits `[M]`.
    real: images `[N, H, W, C]`.
    key: for the flips and shifts.

  Returns:
    `[M]`, in squared logits.

  Raises:
    ValueError: when traced with what is not one array of images.
  """
  if (number := len(jax.tree.leaves(real))) != 1:
    raise ValueError(
      f'Consistency moves one array of images, not a tree of {number}, such as '
      'the pyramids of multi-scale gradients; leave it out, or choose a '
      'network of single images.'
    )
  moved = jax.tree.map(lambda leaf: _moved(leaf, key, 1.0), real)
  return (critic(real) - critic(moved)) ** 2


def bcr(
  critic: Critic,
  real: jax.Array,
  fake_critic: Critic,
  fake: jax.Array,
  key: jax.Array,
) -> jax.Array:
  """Returns balanced consistency: `cr` of the reals and of the fakes, `[M]`.

  Zhao et al., "Improved Consistency Regularization for GANs", 2021,
  arXiv:2002.04724, algorithm 1, without its two lambdas (both 10).

  Args:
    critic: images -> logits `[M]`.
    real: images `[N, H, W, C]`.
    fake_critic: the critic of fakes, which has other labels in a conditional
      game.
    fake: images `[N, H, W, C]`; they are held constant.
    key: for the flips and shifts.

  Returns:
    `[M]`, in squared logits.

  Raises:
    ValueError: as `cr`.
  """
  real_key, fake_key = jax.random.split(key)
  fake = jax.lax.stop_gradient(fake)
  return cr(critic, real, real_key) + cr(fake_critic, fake, fake_key)


def zcr(
  fake_critic: Critic,
  fake: Tree,
  generate: Callable[[jax.Array], Tree],
  latents: jax.Array,
  key: jax.Array,
  spread: Scalar = 0.05,
) -> jax.Array:
  """Returns the squared change of a fake's logit as its latent moves, `[M]`.

  Zhao et al., "Improved Consistency Regularization for GANs", 2021,
  arXiv:2002.04724, algorithm 2, without lambda (20 in StudioGAN, 5 in the
  paper): latent consistency, of the discriminator. With `zcr_diversity` in the
  generator it asks for images that differ and are judged alike.

  Args:
    fake_critic: images -> logits `[M]`.
    fake: images `[N, ...]` of the latents, or a tree of them; they are held
      constant, as are those of the moved latents.
    generate: latents -> images, with the generator's parameters.
    latents: `[N, Z]`.
    key: for the moves of the latents.
    spread: their standard deviation, in units of the latents; may be traced.

  Returns:
    `[M]`, in squared logits.
  """
  moved = generate(_near(latents, key, spread))
  fake, moved = jax.lax.stop_gradient((fake, moved))
  return (fake_critic(fake) - fake_critic(moved)) ** 2


def zcr_diversity(
  fake: Tree,
  generate: Callable[[jax.Array], Tree],
  latents: jax.Array,
  key: jax.Array,
  spread: Scalar = 0.05,
) -> jax.Array:
  """Returns minus the squared change of a fake as its latent moves, `[N]`.

  The generator's part of `zcr`, without lambda (.5): the mean over all values
  of an image. It has no bound below, where the images have none.

  Args:
    fake: images `[N, ...]` of the latents, or a tree of them.
    generate: latents -> images, with the generator's parameters.
    latents: `[N, Z]`.
    key: for the moves of the latents.
    spread: their standard deviation, in units of the latents; may be traced.

  Returns:
    `[N]`, averaged over the leaves of the tree.
  """
  moved = generate(_near(latents, key, spread))
  terms = [
    -jnp.mean((before - after) ** 2, range(1, before.ndim))
    for before, after in zip(
      jax.tree.leaves(fake), jax.tree.leaves(moved), strict=True
    )
  ]
  return jnp.stack(terms).mean(0)


def _near(latents, key, spread):
  return latents + spread * jax.random.normal(key, latents.shape)


@augmentation
def _moved(image, key, p):
  """Returns the image `[H, W, C]`, perhaps flipped, and shifted."""
  height, width, _ = image.shape
  flip_key, x_key, y_key = jax.random.split(key, 3)
  x, y = (
    jax.random.randint(own, (), -(length // 8), length // 8 + 1)
    for own, length in ((x_key, width), (y_key, height))
  )
  flip = geometric.x_flip(flip_key, p, height, width)
  return affine.gathered(
    image, affine.product([flip, affine.translation(x, y)])
  )
