"""Regularisers: penalties of critics and terms of generators, per example.

A critic is a discriminator with its parameters bound: images -> logits `[N]`.
Images are an array `[N, ...]` or any tree of such arrays (a pyramid). Weights
are left to the caller, so that each function is its paper's formula. The critic
of packs gives `[M]` logits, where M divides N, and so there are `[M]` values:
an example is then a pack of N / M consecutive images.

Those of gradients are in `ganjax.gradient_penalties`, which says what batch
normalisation in a critic does to them, and those of consistency in
`ganjax.consistency`.

A config can choose every public function here by its name. Its arguments that
are fields of `ganjax.turns.Turn` come from the turn, and the config gives the
others; one with the argument `memory` also returns its next memory, and begins
with that of the function `<name>_memory`.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from ganjax.arrays import Scalar, Tree
from ganjax.consistency import bcr, cr, zcr, zcr_diversity
from ganjax.gradient_penalties import (
  Critic,
  dragan,
  jensen_shannon,
  r1,
  r1_by_differences,
  r1_r2,
  r2,
  r2_by_differences,
  wgan_gp,
)

__all__ = [
  'bcr',
  'cr',
  'dragan',
  'drift',
  'feature_matching',
  'jensen_shannon',
  'lecam',
  'lecam_memory',
  'mode_seeking',
  'path_length',
  'path_length_memory',
  'r1',
  'r1_by_differences',
  'r1_r2',
  'r2',
  'r2_by_differences',
  'wgan_gp',
  'zcr',
  'zcr_diversity',
]


def drift(real_logits: jax.Array) -> jax.Array:
  """Returns the squared logits of the reals, `[M]`, which keep them near 0.

  Karras et al., "Progressive Growing of GANs for Improved Quality, Stability,
  and Variation", 2018, arXiv:1710.10196, appendix A.1, without epsilon (.001).

  Args:
    real_logits: the logits of the reals, `[M]`.
  """
  return real_logits**2


def feature_matching(
  features: Critic, real: Tree, fake_features: Critic, fake: Tree
) -> jax.Array:
  """Returns the squared distance of mean features of reals and fakes, `[M]`.

  Salimans et al., "Improved Techniques for Training GANs", 2016,
  arXiv:1606.03498, section 3.1 (its code has absolute values instead). It is a
  term of the generator, in place of a loss (`losses.features_only`) or
  beside one.

  Args:
    features: images -> activations of the discriminator `[M, D]`.
    real: images `[N, ...]`, or a tree of them.
    fake_features: the same of fakes, which have other labels in a conditional
      game.
    fake: images of the same shapes.

  Returns:
    `[M]`, all the same number, since the batch has one distance.
  """
  reals, fakes = features(real), fake_features(fake)
  return jnp.full(len(fakes), ((reals.mean(0) - fakes.mean(0)) ** 2).sum())


def mode_seeking(fake: Tree, latents: jax.Array) -> jax.Array:
  """Returns the distance of latents over that of their images, `[N]`.

  Mao et al., "Mode Seeking Generative Adversarial Networks for Diverse Image
  Synthesis", 2019, arXiv:1903.05628, in the form that its code minimises:
  1 / (ratio + 1e-5), where the ratio is that of mean absolute differences. Each
  example is compared with its neighbour in the batch, so that the generator
  runs only once.

  Args:
    fake: images `[N, ...]` of the latents, or a tree of them; N is at least 2.
    latents: `[N, Z]`.

  Returns:
    `[N]`, all the same number, averaged over the leaves of the tree.
  """

  def distance(rows):
    return jnp.abs(rows - jnp.roll(rows, 1, 0)).mean()

  terms = [
    1 / (distance(leaf) / distance(latents) + 1e-5)
    for leaf in jax.tree.leaves(fake)
  ]
  return jnp.full(len(latents), sum(terms) / len(terms))


def path_length_memory() -> jax.Array:
  """Returns the initial memory of `path_length`: a mean length of 0."""
  return jnp.float32(0)


def path_length(
  styles: jax.Array,
  synthesis: Callable[[jax.Array], Tree],
  key: jax.Array,
  memory: jax.Array,
  decay: Scalar = 0.99,
  shrink: int = 2,
) -> tuple[jax.Array, jax.Array]:
  """Returns the penalty on path lengths far from their mean, and memory.

  Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", 2020,
  arXiv:1912.04958, equation 4 and appendix B, in the form of its PyTorch code:
  the length of a style is the norm of the gradient of the image times Gaussian
  noise, over the root of the number of pixels; with a style for each of L
  layers, it is the root of the mean of their squares. So the weight is 2 at any
  resolution R, where the paper has ln 2 / (R^2 (ln R - ln 2)) for the sum over
  layers and noise that is not divided. The penalty is the squared difference
  from a moving average, this batch included, through which the gradient passes
  in this batch alone.

  Args:
    styles: `[N, L, W]`, or `[N, W]`.
    synthesis: styles -> images `[N, H, W, C]` or a tree of them, differentiable
      twice.
    key: for the noise.
    memory: of the update before, or `path_length_memory()`.
    decay: of the moving average, in [0, 1]; may be traced.
    shrink: each so many-th example has a penalty, to save memory. Above 1 the
      synthesis must not take labels, which are those of all examples.

  Returns:
    `[ceil(N / shrink)]`, in units of the images per unit of the styles,
    squared; and the memory for the next update.
  """
  # Strided, so that a sharded batch stays in place.
  styles = styles[::shrink]

  def projected(styles):
    leaves = jax.tree.leaves(synthesis(styles))
    return sum(
      (image * jax.random.normal(own, image.shape)).sum()
      / (image.shape[1] * image.shape[2]) ** 0.5
      for image, own in zip(
        leaves, jax.random.split(key, len(leaves)), strict=True
      )
    )

  squares = jnp.sum(jax.grad(projected)(styles) ** 2, -1)
  # The root has no derivative at 0: constant images would give NaN.
  lengths = jnp.sqrt(squares.reshape(len(squares), -1).mean(1) + 1e-12)
  average = decay * memory + (1 - decay) * lengths.mean()
  return (lengths - average) ** 2, jax.lax.stop_gradient(average)


def lecam_memory() -> tuple[jax.Array, jax.Array, jax.Array]:
  """Returns the initial memory of `lecam`: a count and two means of logits."""
  return jnp.int32(0), jnp.float32(0), jnp.float32(0)


def lecam(
  real_logits: jax.Array,
  fake_logits: jax.Array,
  memory: tuple[jax.Array, jax.Array, jax.Array],
  decay: Scalar = 0.99,
) -> tuple[jax.Array, tuple[jax.Array, jax.Array, jax.Array]]:
  """Returns LeCam's penalty on logits far from average ones, `[M]`, and memory.

  Tseng et al., "Regularizing Generative Adversarial Networks under Limited
  Data", 2021, arXiv:2104.03310, without lambda, and one-sided as in its code:
  relu(real - average fake)^2 + relu(average real - fake)^2. The averages are
  moving averages of the batches' mean logits, this batch included.

  Args:
    real_logits: the logits of the reals, `[M]`.
    fake_logits: the logits of the fakes, `[M]`.
    memory: of the update before, or `lecam_memory()`.
    decay: of the moving averages, in [0, 1], which are plain means at first;
      may be traced.

  Returns:
    `[M]`, in squared logits, and the memory for the next update.
  """
  count, *averages = memory
  decay = jnp.minimum(decay, count / (count + 1))
  average_real, average_fake = (
    decay * old + (1 - decay) * jax.lax.stop_gradient(logits).mean()
    for old, logits in zip(averages, (real_logits, fake_logits), strict=True)
  )
  values = (
    jax.nn.relu(real_logits - average_fake) ** 2
    + jax.nn.relu(average_real - fake_logits) ** 2
  )
  return values, (count + 1, average_real, average_fake)
