"""Networks that take labels, made from networks that take none.

Labels are int32 `[N]`, the numbers of classes from 0 on; or, for samples that
lie between classes, weights of the classes, float32 `[N, classes]`. Any
`Generator` and any `Discriminator` with features become conditional here; an
architecture may take labels in a way of its own instead, as `dcgan` does.
"""

import jax
import jax.numpy as jnp

from ganjax.networks import layers
from ganjax.players import Discriminator, Generator


def with_classes(
  latents: jax.Array, labels: jax.Array, classes: int
) -> jax.Array:
  """Returns latents `[N, Z]` with the labels beside them, `[N, Z + classes]`.

  Mirza and Osindero, "Conditional Generative Adversarial Nets", 2014,
  arXiv:1411.1784: a label is 1 at its class and 0 elsewhere, here times the
  root of the number of classes, which makes its mean square that of N(0, 1).
  """
  table = classes**0.5 * jnp.eye(classes, dtype=latents.dtype)
  beside = layers.chosen(table, labels)
  return jnp.concatenate([latents, beside], -1)


def concatenated(generator: Generator, classes: int) -> Generator:
  """Returns the `Generator` whose mapping takes latents and labels together.

  See `with_classes`; the synthesis is given the styles alone.

  Args:
    generator: an unconditional `Generator`; it is initialised with longer
      latents.
    classes: how many there are, at least 1.
  """

  def init(key, latents, labels):
    return generator.init(key, with_classes(latents, labels, classes))

  def mapping(params, buffers, latents, key, train, labels):
    latents = with_classes(latents, labels, classes)
    return generator.mapping(params, buffers, latents, key, train)

  def synthesis(params, buffers, styles, key, train, labels):
    return generator.synthesis(params, buffers, styles, key, train)

  return generator._replace(init=init, mapping=mapping, synthesis=synthesis)


def projected(discriminator: Discriminator, classes: int) -> Discriminator:
  """Returns the `Discriminator` with a projection of its features on the class.

  Miyato and Koyama, "cGANs with Projection Discriminator", 2018,
  arXiv:1802.05637, equation 3: the logits are those of the discriminator plus
  the product of its last activations with a vector of the class. The vectors
  are N(0, .02^2) at first, and one kernel, which `remedies.spectral` divides by
  its norm. For a pack of images, the vectors of their labels are averaged.

  Args:
    discriminator: an unconditional `Discriminator` with features `[M, D]`.
    classes: how many there are, at least 1.

  Returns:
    A `Discriminator`, whose parameters are a dict with the keys 'network' and
    'classes'.
  """

  def init(key, images, labels):
    params, buffers = discriminator.init(key, images)
    (_, features), _ = jax.eval_shape(
      lambda: discriminator.with_features(params, buffers, images, key, True)
    )
    shape = classes, features.shape[-1]
    vectors = 0.02 * jax.random.normal(jax.random.fold_in(key, 1), shape)
    return {'network': params, 'classes': {'kernel': vectors}}, buffers

  def with_features(params, buffers, images, key, train, labels):
    (logits, features), buffers = discriminator.with_features(
      params['network'], buffers, images, key, train
    )
    vectors = layers.chosen(params['classes']['kernel'], labels)
    vectors = vectors.reshape(len(features), -1, features.shape[-1]).mean(1)
    return (logits + (features * vectors).sum(-1), features), buffers

  def apply(*arguments):
    (logits, _), buffers = with_features(*arguments)
    return logits, buffers

  return discriminator._replace(
    init=init, apply=apply, with_features=with_features
  )
