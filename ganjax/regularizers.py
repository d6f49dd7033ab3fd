"""Regularisers: penalties on the gradient of a critic, per example.

A critic is a discriminator with its parameters bound: images -> logits `[N]`.
Images are an array `[N, ...]` or any tree of such arrays (a pyramid); weights
are left to the caller, so that each function is its paper's formula.
"""

import jax
import jax.numpy as jnp


def _squares(critic, images):
  """The squared norm of the gradient at each leaf of images: `[N]` each."""
  slopes = jax.grad(lambda images: critic(images).sum())(images)
  return jax.tree.map(
    lambda slope: jnp.sum(slope**2, axis=tuple(range(1, slope.ndim))), slopes
  )


def _distances(critic, images, target):
  """The squared distance of gradient norms from target, `[N]`, over leaves."""
  penalties = [
    # The norm has no derivative at 0, where a dead critic would make it NaN.
    (jnp.sqrt(square + 1e-12) - target) ** 2
    for square in jax.tree.leaves(_squares(critic, images))
  ]
  return sum(penalties) / len(penalties)


def _per_example(draws, like):
  return draws.reshape(-1, *[1] * (like.ndim - 1))


def r1(critic, real):
  """Squared gradient of the critic at the reals, `[N]`, without gamma / 2.

  Mescheder, Geiger and Nowozin, "Which Training Methods for GANs do actually
  Converge?", 2018, arXiv:1801.04406, equation 9.

  Args:
    critic: images -> logits `[N]`, differentiable twice.
    real: images `[N, ...]`, or a tree of them; the sum runs over the tree.

  Returns:
    `[N]`, in squared logits per squared unit of the images.
  """
  return sum(jax.tree.leaves(_squares(critic, real)))


def r2(critic, fake):
  """Squared gradient of the critic at the fakes, `[N]`, without gamma / 2.

  Mescheder, Geiger and Nowozin, "Which Training Methods for GANs do actually
  Converge?", 2018, arXiv:1801.04406, equation 10.

  Args:
    critic: images -> logits `[N]`, differentiable twice.
    fake: images `[N, ...]`, or a tree of them; they are held constant.

  Returns:
    `[N]`, in squared logits per squared unit of the images.
  """
  return r1(critic, jax.lax.stop_gradient(fake))


def wgan_gp(critic, real, fake, key, target=1.0):
  """Squared distance of the gradient's norm from `target`, `[N]`, in between.

  Gulrajani et al., "Improved Training of Wasserstein GANs", 2017,
  arXiv:1704.00028, equation 3, without lambda. Over a pyramid: one epsilon an
  example at all scales, and the mean of the scales' penalties (Karnewar and
  Wang, "MSG-GAN", 2020, arXiv:1903.06048).

  Args:
    critic: images -> logits `[N]`, differentiable twice.
    real: images `[N, ...]`, or a tree of them.
    fake: images of the same shapes; they are held constant.
    key: for the epsilons.
    target: the norm that is asked for; may be traced.

  Returns:
    `[N]`.
  """
  fake = jax.lax.stop_gradient(fake)
  mix = jax.random.uniform(key, jax.tree.leaves(real)[0].shape[:1])
  between = jax.tree.map(
    lambda real, fake: fake + _per_example(mix, real) * (real - fake),
    real,
    fake,
  )
  return _distances(critic, between, target)


def dragan(critic, real, key, spread=0.5, target=1.0):
  """Squared distance of the gradient's norm from `target` around the reals.

  Kodali et al., "On Convergence and Stability of GANs", 2017,
  arXiv:1705.07215, algorithm 1, without lambda, and with the noise of its
  authors' code: each real moves by a share, drawn for the example, of
  `spread` standard deviations of the batch times U[0, 1) for the pixel.

  Args:
    critic: images -> logits `[N]`, differentiable twice.
    real: images `[N, ...]`, or a tree of them.
    key: for the noise.
    spread: of the noise, in standard deviations of the reals; may be traced.
    target: the norm that is asked for; may be traced.

  Returns:
    `[N]`, averaged over the leaves of the tree.
  """
  share_key, noise_key = jax.random.split(key)
  leaves, structure = jax.tree.flatten(real)
  share = jax.random.uniform(share_key, leaves[0].shape[:1])
  around = [
    leaf
    + _per_example(share, leaf)
    * (spread * leaf.std() * jax.random.uniform(key, leaf.shape))
    for leaf, key in zip(
      leaves, jax.random.split(noise_key, len(leaves)), strict=True
    )
  ]
  return _distances(critic, jax.tree.unflatten(structure, around), target)
