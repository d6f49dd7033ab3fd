"""Regularisers: penalties on the gradient of a critic, per example.

A critic is a discriminator with its parameters bound: images -> logits `[N]`.
Images are an array `[N, ...]` or any tree of such arrays (a pyramid); weights
are left to the caller, so that each function is its paper's formula. A critic
of packs gives `[M]` logits, where M divides N, and has `[M]` values: its
example is a pack of N / M consecutive images.
"""

import jax
import jax.numpy as jnp


def _squares(critic, images):
  """The squared norm of the gradient at each leaf of images: `[M]` each."""

  def total(images):
    logits = critic(images)
    return logits.sum(), logits

  slopes, logits = jax.grad(total, has_aux=True)(images)
  return jax.tree.map(
    lambda slope: jnp.sum(slope.reshape(len(logits), -1) ** 2, 1), slopes
  )


def _distances(critic, images, target):
  """The squared distance of gradient norms from target, `[M]`, over leaves."""
  penalties = [
    # The norm has no derivative at 0, where a dead critic would make it NaN.
    (jnp.sqrt(square + 1e-12) - target) ** 2
    for square in jax.tree.leaves(_squares(critic, images))
  ]
  return sum(penalties) / len(penalties)


def _uniform(key, critic, images):
  """Draws from U[0, 1), one for each logit, at all of its images: `[N]`."""
  (logits,) = jax.eval_shape(critic, images).shape
  rows = len(jax.tree.leaves(images)[0])
  return jnp.repeat(jax.random.uniform(key, (logits,)), rows // logits)


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
  mix = _uniform(key, critic, real)
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


def drift(real_logits):
  """Squared logits of the reals, `[M]`, which keep a critic near 0.

  Karras et al., "Progressive Growing of GANs for Improved Quality, Stability,
  and Variation", 2018, arXiv:1710.10196, appendix A.1, without epsilon (.001).

  Args:
    real_logits: of the reals, `[M]`.
  """
  return real_logits**2


def jensen_shannon(critic, real, fake):
  """Squared gradients at reals and fakes, the less the surer D is, `[M]`.

  Roth et al., "Stabilizing Training of Generative Adversarial Networks through
  Regularization", 2017, arXiv:1705.09367, without gamma / 2: (1 - D)^2 times R1
  and D^2 times R2, where D is the logit's sigmoid.

  Args:
    critic: images -> logits `[M]`, differentiable twice.
    real: images `[N, ...]`, or a tree of them; the sum runs over the tree.
    fake: images `[N, ...]`, or a tree of them; they are held constant.

  Returns:
    `[M]`, in squared logits per squared unit of the images.
  """
  fake = jax.lax.stop_gradient(fake)
  at_real = jax.nn.sigmoid(-critic(real)) ** 2 * r1(critic, real)
  at_fake = jax.nn.sigmoid(critic(fake)) ** 2 * r1(critic, fake)
  return at_real + at_fake


def feature_matching(features, real, fake):
  """Squared distance of the features' means at reals and fakes, for each `[M]`.

  Salimans et al., "Improved Techniques for Training GANs", 2016,
  arXiv:1606.03498, section 3.1 (its code has absolute values instead). It is a
  term of the generator, in place of a loss (`losses.features_only`) or
  beside one.

  Args:
    features: images -> activations of the discriminator `[M, D]`.
    real: images `[N, ...]`, or a tree of them.
    fake: images of the same shapes.

  Returns:
    `[M]` times the same number, which is one of the batch as a whole.
  """
  reals, fakes = features(real), features(fake)
  return jnp.full(len(fakes), ((reals.mean(0) - fakes.mean(0)) ** 2).sum())


def mode_seeking(fake, latents):
  """Distance of latents by that of their images, for each of the `[N]`.

  Mao et al., "Mode Seeking Generative Adversarial Networks for Diverse Image
  Synthesis", 2019, arXiv:1903.05628, as its code turns it into a term to be
  minimised: 1 / (ratio + 1e-5), where the ratio is that of the mean absolute
  differences. Each example is compared with its neighbour in the batch, so no
  further pass of the generator is needed.

  Args:
    fake: images `[N, ...]` of the latents, or a tree of them; N is at least 2.
    latents: `[N, Z]`.

  Returns:
    `[N]` times the same number, averaged over the leaves of the tree.
  """

  def distance(rows):
    return jnp.abs(rows - jnp.roll(rows, 1, 0)).mean()

  terms = [
    1 / (distance(leaf) / distance(latents) + 1e-5)
    for leaf in jax.tree.leaves(fake)
  ]
  return jnp.full(len(latents), sum(terms) / len(terms))


def lecam_memory():
  """What `lecam` remembers before its first turn: a count and two means."""
  return jnp.int32(0), jnp.float32(0), jnp.float32(0)


def lecam(real_logits, fake_logits, memory, decay=0.99):
  """Squared logits beyond the other kind's usual ones, `[M]`, and the memory.

  Tseng et al., "Regularizing Generative Adversarial Networks under Limited
  Data", 2021, arXiv:2104.03310, without lambda, and one-sided as in its code:
  relu(r - usual fake)^2 + relu(usual real - f)^2. The usual logits are moving
  averages of the batches' means, this batch included.

  Args:
    real_logits: of the reals, `[M]`.
    fake_logits: of the fakes, `[M]`.
    memory: as returned before, or `lecam_memory()`.
    decay: of the moving averages, which start out as plain ones; may be traced.

  Returns:
    `[M]`, in squared logits, and the memory for the next turn.
  """
  turns, *usual = memory
  keep = jnp.minimum(decay, turns / (turns + 1))
  usual_real, usual_fake = (
    keep * old + (1 - keep) * jax.lax.stop_gradient(logits).mean()
    for old, logits in zip(usual, (real_logits, fake_logits), strict=True)
  )
  values = (
    jax.nn.relu(real_logits - usual_fake) ** 2
    + jax.nn.relu(usual_real - fake_logits) ** 2
  )
  return values, (turns + 1, usual_real, usual_fake)
