"""Penalties of a critic's gradient in its images, per example.

The terms are the papers' where the logit of an example depends on that example
alone. They differentiate the sum of all logits: where a critic has batch
normalisation, or statistics of the batch before its last layer, the gradient at
an example also has what the example does to the logits of others, and its norm
is not that of the example's own logit. Gulrajani et al. (2017, section 4)
therefore have no batch normalisation in the critic. With that of an untrained
DCGAN at 16 pixels and 32 digits, R1 is 8 % smaller than that of each digit, and
WGAN-GP's penalty 37 %. The other `networks.norms`, such as `layer` (in
configs/dcgan.py discriminator.norm=layer), have no such terms.

All of them are `ganjax.regularizers`, whose docstring says what a critic and
its images are.
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
  return _squared(gradients, len(logits))


def _squared(gradients, logits):
  """Returns the squared norms of the leaves' gradients, for each logit."""
  return jax.tree.map(
    lambda leaf: jnp.sum(leaf.reshape(logits, -1) ** 2, 1), gradients
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
  the critic it has terms between examples, see the module.

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


def r1_r2(
  gradients: Callable[[], tuple[Tree, Tree]], real_logits: jax.Array
) -> jax.Array:
  """Returns R1 plus R2, both without gamma / 2, from gradients of one pass.

  Huang et al., "The GAN is dead; long live the GAN! A Modern GAN Baseline",
  2024, arXiv:2501.05441, section 2. With `passes.joint`, both gradients come
  from the pass that the loss is taken of, and cost one backward pass. The value
  is `r1` plus `r2`, with two differences: the draws of the critic, such as
  augmentations, are those of the loss; and fakes are held constant by the
  update of the discriminator, and not here.

  Args:
    gradients: `() -> (real, fake)`, those of the sum of all logits.
    real_logits: the logits of the reals, `[M]`.

  Returns:
    `[M]`, in squared logits per squared unit of the images.
  """
  squares = _squared(gradients(), len(real_logits))
  return jax.tree.reduce(jnp.add, squares)


def r1_by_differences(
  critic: Critic, real: Tree, key: jax.Array, spread: Scalar = 0.01
) -> jax.Array:
  """Returns an estimate of R1 by finite differences, `[M]`, without gamma / 2.

  Lin et al., "Diffusion Adversarial Post-Training for One-Step Video
  Generation", 2025, arXiv:2501.08316, section 3.4: the squared change of the
  logit under Gaussian noise, here divided by the variance of the noise. Its
  mean over the noise is R1 for a critic that is linear within `spread`, and
  otherwise up to terms in spread^2; its deviation is sqrt(2) times its mean. It
  needs first derivatives only. The paper's factor 100 of the bare change, at a
  spread of .01, is the weight .01 here.

  Args:
    critic: images -> logits `[M]`.
    real: images `[N, ...]`, or a tree of them; the sum runs over the tree.
    key: for the noise.
    spread: standard deviation of the noise, in units of the images; may be
      traced. Where it is small, rounding adds noise of 1e-7 logits / spread.

  Returns:
    `[M]`, in squared logits per squared unit of the images.
  """
  leaves, structure = jax.tree.flatten(real)
  moved = [
    leaf + spread * jax.random.normal(own, leaf.shape)
    for leaf, own in zip(
      leaves, jax.random.split(key, len(leaves)), strict=True
    )
  ]
  change = critic(jax.tree.unflatten(structure, moved)) - critic(real)
  return (change / spread) ** 2


def r2_by_differences(
  fake_critic: Critic, fake: Tree, key: jax.Array, spread: Scalar = 0.01
) -> jax.Array:
  """Returns an estimate of R2 by finite differences, `[M]`, without gamma / 2.

  For the arguments, see `r1_by_differences`; the fakes are held constant.
  """
  fake = jax.lax.stop_gradient(fake)
  return r1_by_differences(fake_critic, fake, key, spread)


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
  gradient, see the module.

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
