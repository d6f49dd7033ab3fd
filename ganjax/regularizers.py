"""Regularisers: penalties of critics and terms of generators, per example.

A critic is a discriminator with its parameters bound: images -> logits `[N]`.
Images are an array `[N, ...]` or any tree of such arrays (a pyramid). Weights
are left to the caller, so that each function is its paper's formula. The critic
of packs gives `[M]` logits, where M divides N, and so there are `[M]` values:
an example is then a pack of N / M consecutive images.

Penalties of gradients are the papers' where the logit of an example depends on
that example alone. They differentiate the sum of all logits: where a critic has
batch normalisation, or statistics of the batch before its last layer, the
gradient at an example also has what the example does to the logits of others,
and its norm is not that of the example's own logit. Gulrajani et al. (2017,
section 4) therefore have no batch normalisation in the critic. With that of an
untrained DCGAN at 16 pixels and 32 digits, R1 is 8 % smaller than that of each
digit, and WGAN-GP's penalty 37 %. The other `networks.norms`, such as `layer`
(in configs/dcgan.py discriminator.norm=layer), have no such terms.

A config can choose every public function here by its name. Its arguments that
are fields of `ganjax.turns.Turn` come from the turn, and the config gives the
others; one with the argument `memory` also returns its next memory, and begins
with that of the function `<name>_memory`.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from ganjax.arrays import Scalar, Tree

Critic = Callable[[Tree], jax.Array]


def _squares(critic, images):
  """Returns the squared norm of the gradient for each leaf of images, `[M]`.

  The gradient is that of the sum of logits, as the module's docstring says.
  """

  def total(images):
    logits = critic(images)
    return logits.sum(), logits

  gradients, logits = jax.grad(total, has_aux=True)(images)
  return jax.tree.map(
    lambda leaf: jnp.sum(leaf.reshape(len(logits), -1) ** 2, 1), gradients
  )


def _distances(critic, images, target):
  """Returns (norm of the gradient - target)^2, `[M]`, the mean over leaves."""
  penalties = [
    # The norm has no derivative at 0: a constant critic would give NaN.
    (jnp.sqrt(square + 1e-12) - target) ** 2
    for square in jax.tree.leaves(_squares(critic, images))
  ]
  return sum(penalties) / len(penalties)


def _uniform(key, critic, images):
  """Returns draws from U[0, 1), one for all images of a logit: `[N]`."""
  (logits,) = jax.eval_shape(critic, images).shape
  rows = len(jax.tree.leaves(images)[0])
  return jnp.repeat(jax.random.uniform(key, (logits,)), rows // logits)


def _per_example(draws, like):
  return draws.reshape(-1, *[1] * (like.ndim - 1))


def r1(critic: Critic, real: Tree) -> jax.Array:
  """Returns R1, the squared gradient norm at the reals, without gamma / 2.

  Mescheder, Geiger and Nowozin, "Which Training Methods for GANs do actually
  Converge?", 2018, arXiv:1801.04406, equation 9. With batch normalisation in
  the critic it has terms between examples, see `ganjax.regularizers`.

  Args:
    critic: images -> logits `[N]`, differentiable twice.
    real: images `[N, ...]`, or a tree of them; the sum runs over the tree.

  Returns:
    `[N]`, in squared logits per squared unit of the images.
  """
  return jax.tree.reduce(jnp.add, _squares(critic, real))


def r2(fake_critic: Critic, fake: Tree) -> jax.Array:
  """Returns R2, the squared gradient norm at the fakes, without gamma / 2.

  Mescheder, Geiger and Nowozin, "Which Training Methods for GANs do actually
  Converge?", 2018, arXiv:1801.04406, equation 10. The same is true of it with
  batch normalisation as of `r1`.

  Args:
    fake_critic: images -> logits `[N]`, differentiable twice.
    fake: images `[N, ...]`, or a tree of them; they are held constant.

  Returns:
    `[N]`, in squared logits per squared unit of the images.
  """
  return r1(fake_critic, jax.lax.stop_gradient(fake))


def wgan_gp(
  critic: Critic, real: Tree, fake: Tree, key: jax.Array, target: Scalar = 1.0
) -> jax.Array:
  """Returns WGAN-GP's penalty on the gradient norm between reals and fakes.

  Gulrajani et al., "Improved Training of Wasserstein GANs", 2017,
  arXiv:1704.00028, equation 3, without lambda: the squared distance of the norm
  from `target`, at random points between reals and fakes. A pyramid has one
  epsilon for all scales of an example, and the mean of the scales' penalties
  (Karnewar and Wang, "MSG-GAN", 2020, arXiv:1903.06048). The paper's critic has
  no batch normalisation, with which the norm is not that of an example's
  gradient, see `ganjax.regularizers`.

  Args:
    critic: images -> logits `[N]`, differentiable twice.
    real: images `[N, ...]`, or a tree of them.
    fake: images of the same shapes; they are held constant.
    key: for the epsilons.
    target: the wanted norm, in logits per unit of the images; may be traced.

  Returns:
    `[N]`.
  """
  fake = jax.lax.stop_gradient(fake)
  mix = _uniform(key, critic, real)
  between = jax.tree.map(
    lambda real, fake: fake + _per_example(mix, real) * (real - fake),
    real,
    fake,
  )
  return _distances(critic, between, target)


def dragan(
  critic: Critic,
  real: Tree,
  key: jax.Array,
  spread: Scalar = 0.5,
  target: Scalar = 1.0,
) -> jax.Array:
  """Returns DRAGAN's penalty on the gradient norm around the reals.

  Kodali et al., "On Convergence and Stability of GANs", 2017,
  arXiv:1705.07215, algorithm 1, without lambda: the squared distance of the
  norm from `target`, at reals plus the noise of its authors' code. That is
  `spread` standard deviations of the batch, times U[0, 1) drawn for each
  example, times U[0, 1) drawn for each pixel.

  Args:
    critic: images -> logits `[N]`, differentiable twice.
    real: images `[N, ...]`, or a tree of them.
    key: for the noise.
    spread: of the noise, in standard deviations of the reals; may be traced.
    target: the wanted norm, in logits per unit of the images; may be traced.

  Returns:
    `[N]`, averaged over the leaves of the tree.
  """
  share_key, noise_key = jax.random.split(key)
  leaves, structure = jax.tree.flatten(real)
  share = _uniform(share_key, critic, real)
  around = [
    leaf
    + _per_example(share, leaf)
    * (spread * leaf.std() * jax.random.uniform(key, leaf.shape))
    for leaf, key in zip(
      leaves, jax.random.split(noise_key, len(leaves)), strict=True
    )
  ]
  return _distances(critic, jax.tree.unflatten(structure, around), target)


def drift(real_logits: jax.Array) -> jax.Array:
  """Returns the squared logits of the reals, `[M]`, which keep them near 0.

  Karras et al., "Progressive Growing of GANs for Improved Quality, Stability,
  and Variation", 2018, arXiv:1710.10196, appendix A.1, without epsilon (.001).

  Args:
    real_logits: the logits of the reals, `[M]`.
  """
  return real_logits**2


def jensen_shannon(
  critic: Critic, real: Tree, fake_critic: Critic, fake: Tree
) -> jax.Array:
  """Returns the Jensen-Shannon regulariser: R1 and R2, weighted by D, `[M]`.

  Roth et al., "Stabilizing Training of Generative Adversarial Networks through
  Regularization", 2017, arXiv:1705.09367, without gamma / 2: (1 - D)^2 times R1
  plus D^2 times R2, where D is the sigmoid of the logit.

  Args:
    critic: images -> logits `[M]`, differentiable twice.
    real: images `[N, ...]`, or a tree of them; the sum runs over the tree.
    fake_critic: the critic of fakes, which has other labels in a conditional
      game.
    fake: images `[N, ...]`, or a tree of them; they are held constant.

  Returns:
    `[M]`, in squared logits per squared unit of the images.
  """
  fake = jax.lax.stop_gradient(fake)
  at_real = jax.nn.sigmoid(-critic(real)) ** 2 * r1(critic, real)
  at_fake = jax.nn.sigmoid(fake_critic(fake)) ** 2 * r1(fake_critic, fake)
  return at_real + at_fake


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
