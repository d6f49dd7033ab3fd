"""Networks that take labels, made from networks that take none.

Labels are int32 `[N]`, the numbers of classes from 0 on; or, for samples that
lie between classes, weights of the classes, float32 `[N, classes]`. Any
`Generator` and any `Discriminator` with features become conditional here; an
architecture may take labels in a way of its own instead, as `dcgan` does.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp

from ganjax.arrays import Scalar
from ganjax.networks import layers
from ganjax.players import Discriminator, Generator, Headed

Network = TypeVar('Network', Generator, Discriminator)

_VECTORS = layers.normal(0.02)


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


def embedded(generator: Generator, classes: int) -> Generator:
  """Returns the `Generator` that learns what stands beside the latents.

  It is `concatenated`, but the rows of a square table are in the place of the
  labels. They are 0 at first, so that labels have no effect until they are
  learned.

  Args:
    generator: as there.
    classes: how many there are, at least 1.

  Returns:
    A `Generator`, whose parameters are a dict with the keys 'network' and
    'classes'.
  """

  def beside(table, latents, labels):
    return jnp.concatenate([latents, layers.chosen(table, labels)], -1)

  def init(key, latents, labels):
    table = jnp.zeros((classes, classes))
    longer = beside(table, latents, labels)
    params, buffers = generator.init(key, longer)
    return {'network': params, 'classes': {'table': table}}, buffers

  def mapping(params, buffers, latents, key, train, labels):
    longer = beside(params['classes']['table'], latents, labels)
    return generator.mapping(params['network'], buffers, longer, key, train)

  def synthesis(params, buffers, styles, key, train, labels):
    return generator.synthesis(params['network'], buffers, styles, key, train)

  return generator._replace(init=init, mapping=mapping, synthesis=synthesis)


def projected(
  discriminator: Discriminator,
  classes: int,
  initial: Callable[..., jax.Array] = _VECTORS,
) -> Discriminator:
  """Returns the `Discriminator` with a projection of its features on the class.

  Miyato and Koyama, "cGANs with Projection Discriminator", 2018,
  arXiv:1802.05637, equation 3: the logits are those of the discriminator plus
  the product of its last activations with a vector of the class. The vectors
  are one kernel, which `remedies.spectral` divides by its norm. For a pack of
  images, the vectors of their labels are averaged.

  Args:
    discriminator: an unconditional `Discriminator` with features `[M, D]`.
    classes: how many there are, at least 1.
    initial: of the vectors, `(key, [classes, D]) -> vectors`.

  Returns:
    A `Discriminator`, whose parameters are a dict with the keys 'network' and
    'classes'.
  """

  def init(key, images, labels):
    params, buffers = discriminator.init(key, images)
    shape = classes, _size(discriminator, params, buffers, images, key)
    vectors = initial(jax.random.fold_in(key, 1), shape)
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


def beside_images(discriminator: Discriminator, classes: int) -> Discriminator:
  """Returns the `Discriminator` that is given the class beside the image.

  Mirza and Osindero, "Conditional Generative Adversarial Nets", 2014,
  arXiv:1411.1784: the label is 1 at its class and 0 elsewhere, here as so many
  constant channels. For a pack of images, those of its labels are averaged.

  Args:
    discriminator: an unconditional `Discriminator`; it is initialised with
      more channels.
    classes: how many there are, at least 1.
  """

  def beside(images, labels):
    vectors = layers.chosen(jnp.eye(classes), labels)
    vectors = vectors.reshape(len(labels), -1, classes).mean(1)

    def longer(leaf):
      rows = vectors.reshape(len(leaf), *[1] * (leaf.ndim - 2), classes)
      shape = *leaf.shape[:-1], classes
      constant = jnp.broadcast_to(rows, shape).astype(leaf.dtype)
      return jnp.concatenate([leaf, constant], -1)

    return jax.tree.map(longer, images)

  def given(function):
    def run(params, buffers, images, key, train, labels):
      return function(params, buffers, beside(images, labels), key, train)

    return run

  return discriminator._replace(
    init=lambda key, images, labels: discriminator.init(
      key, beside(images, labels)
    ),
    apply=given(discriminator.apply),
    with_features=given(discriminator.with_features),
  )


def with_heads(
  discriminator: Discriminator, kind: Any, classes: int
) -> Discriminator:
  """Returns the `Discriminator` with auxiliary heads on its features.

  Its logits are those of the unconditional one, whatever the labels are.

  Args:
    discriminator: an unconditional `Discriminator` with features `[M, D]`.
    kind: of the heads, an `auxiliary.Kind`.
    classes: how many there are, at least 1.

  Returns:
    A `Discriminator`, whose parameters are a dict with the keys 'network' and
    'heads', and whose features are `Headed`.
  """

  def init(key, images, *labels):
    params, buffers = discriminator.init(key, images)
    size = _size(discriminator, params, buffers, images, key)
    heads = kind.init(jax.random.fold_in(key, 1), classes, size)
    return {'network': params, 'heads': heads}, buffers

  def apply(params, buffers, images, key, train, *labels):
    return discriminator.apply(params['network'], buffers, images, key, train)

  def with_features(params, buffers, images, key, train, *labels):
    (logits, features), buffers = discriminator.with_features(
      params['network'], buffers, images, key, train
    )
    outputs = kind.outputs(params['heads'], features)
    return (logits, Headed(features, outputs)), buffers

  return discriminator._replace(
    init=init, apply=apply, with_features=with_features
  )


def scaled(network: Network, classes: int, strength: Scalar) -> Network:
  """Returns the network in which all that labels add has a factor.

  Shahbazi et al., "Collapse by Conditioning: Training Class-conditional GANs
  with Limited Data", 2022, arXiv:2201.06578, let it rise from 0 to 1 while they
  train. A label is `strength` at its class and 0 elsewhere, so that the rows of
  every table have the factor. At 0, the network is unconditional.

  Args:
    network: a conditional `Generator` or `Discriminator`.
    classes: how many there are, at least 1.
    strength: the paper's lambda, in [0, 1]; may be traced.
  """

  def weighted(function):
    def run(params, buffers, inputs, key, train, labels):
      weights = strength * layers.chosen(jnp.eye(classes), labels)
      return function(params, buffers, inputs, key, train, weights)

    return run

  names = set(network._fields) - {'init', 'prepare_real'}
  return network._replace(
    **{name: weighted(getattr(network, name)) for name in names}
  )


def zeroed(network: Network) -> Network:
  """Returns the network whose tables of classes are 0 at first.

  It begins as the unconditional network. Tables are the leaves with 'class' in
  their path.

  Args:
    network: a conditional `Generator` or `Discriminator`.

  Raises:
    ValueError: when initialised, if it has no such table.
  """

  def init(key, inputs, labels):
    params, buffers = network.init(key, inputs, labels)
    leaves, structure = jax.tree_util.tree_flatten_with_path(params)
    tables = ['class' in jax.tree_util.keystr(path) for path, _ in leaves]
    if not any(tables):
      raise ValueError(
        f'This {type(network).__name__.lower()} has no table of classes that '
        'could be 0 at first; leave conditional.zero at false.'
      )
    params = [
      jnp.zeros_like(leaf) if own else leaf
      for own, (_, leaf) in zip(tables, leaves, strict=True)
    ]
    return jax.tree.unflatten(structure, params), buffers

  return network._replace(init=init)


def _size(discriminator, params, buffers, images, key):
  """Returns the number of features of a discriminator."""
  (_, features), _ = jax.eval_shape(
    lambda: discriminator.with_features(params, buffers, images, key, True)
  )
  return features.shape[-1]
