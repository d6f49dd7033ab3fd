"""Remedies of unstable training: transforms of networks and of games.

Each function is the idea of one paper.
"""

from typing import TypeVar

import jax
import jax.numpy as jnp

from ganjax.arrays import Scalar
from ganjax.augment.per_image import Augmentation
from ganjax.game import Game
from ganjax.memory import carrying
from ganjax.players import PLAYERS, Discriminator, Generator, Pair

Network = TypeVar('Network', Generator, Discriminator)


def spectral(network: Network) -> Network:
  """Returns the network with each kernel divided by its spectral norm.

  Miyato et al., "Spectral Normalization for Generative Adversarial Networks",
  2018, arXiv:1802.05957, algorithm 1: one step of power iteration whenever
  the network runs in training mode. The gradient passes through the singular
  value, and not through the singular vectors. Kernels are the leaves with the
  key 'kernel', as matrices of their last axis against all others.

  Args:
    network: a `Generator` or a `Discriminator`.

  Returns:
    A record of the same type, whose buffers also hold the singular vectors.
  """

  def init(key, examples, *labels):
    params, buffers = network.init(key, examples, *labels)
    leaves = jax.tree_util.tree_leaves_with_path(params)
    keys = jax.random.split(key, len(leaves))
    vectors = {
      jax.tree_util.keystr(path): jax.random.normal(key, leaf.shape[-1:])
      for key, (path, leaf) in zip(keys, leaves, strict=True)
      if path[-1].key == 'kernel'
    }
    return params, {'network': buffers, 'spectral': vectors}

  def divided(params, buffers, train):
    vectors = dict(buffers['spectral'])

    def divide(path, leaf):
      name = jax.tree_util.keystr(path)
      if name not in vectors:
        return leaf
      matrix = leaf.reshape(-1, leaf.shape[-1])
      value, vector = _largest(matrix, vectors[name])
      if train:
        vectors[name] = vector
      return leaf / value

    return jax.tree_util.tree_map_with_path(divide, params), vectors

  def normalized(apply):
    def apply_normalized(params, buffers, inputs, key, train, *labels):
      params, vectors = divided(params, buffers, train)
      outputs, inner = apply(
        params, buffers['network'], inputs, key, train, *labels
      )
      return outputs, {'network': inner, 'spectral': vectors}

    return apply_normalized

  if isinstance(network, Discriminator):
    return network._replace(
      init=init,
      apply=normalized(network.apply),
      with_features=normalized(network.with_features),
    )
  return network._replace(
    init=init,
    mapping=normalized(network.mapping),
    synthesis=normalized(network.synthesis),
  )


def pack(discriminator: Discriminator, m: int) -> Discriminator:
  """Returns the `Discriminator` of packs: `[N, ...]` -> logits `[N / m]`.

  Lin, Khetan, Fanti and Oh, "PacGAN: The power of two samples in generative
  adversarial networks", 2018, arXiv:1712.04086. A pack is m consecutive images,
  all real or all fake, concatenated on their last axis; nothing else changes.
  Batch sizes count packs in the paper, and images here. In a conditional game
  the discriminator is given the labels of all images of a pack, `[N / m, m]`.

  Args:
    discriminator: a `Discriminator`, whose first layer takes the channels of
      the packs that it is initialised with.
    m: images in a pack, at least 1, a Python int; it must divide the batch.

  Raises:
    ValueError: when traced with images that m does not divide.
  """

  def packed(images):
    if images.shape[0] % m:
      raise ValueError(
        f'{images.shape[0]} images cannot be put into packs of {m}; choose a '
        f'batch size that is a multiple of {m}.'
      )
    packs = images.reshape(-1, m, *images.shape[1:])
    packs = jnp.moveaxis(packs, 1, -2)
    return packs.reshape(*packs.shape[:-2], -1)

  def init(key, images, *labels):
    # Only shapes matter here, so that a pack may repeat one image.
    images, labels = jax.tree.map(
      lambda leaf: jnp.repeat(leaf, m, 0), (images, labels)
    )
    packs = jax.tree.map(packed, images)
    return discriminator.init(key, packs, *map(packed_labels, labels))

  def packed_labels(labels):
    return labels.reshape(-1, m)

  def of_packs(function):
    return lambda params, buffers, images, key, train, *labels: function(
      params,
      buffers,
      jax.tree.map(packed, images),
      key,
      train,
      *map(packed_labels, labels),
    )

  return discriminator._replace(
    init=init,
    apply=of_packs(discriminator.apply),
    with_features=of_packs(discriminator.with_features),
  )


def instance_noise(discriminator: Discriminator, std: Scalar) -> Discriminator:
  """Returns the `Discriminator` with Gaussian noise on its training images.

  Arjovsky and Bottou, "Towards Principled Methods for Training Generative
  Adversarial Networks", 2017, arXiv:1701.04862, section 3; Sonderby et al.,
  "Amortised MAP Inference for Image Super-resolution", 2017, arXiv:1610.04490.
  To anneal it, let a schedule `step -> Game` compute `std`.

  Args:
    discriminator: a `Discriminator`.
    std: standard deviation of the noise, in units of the images; may be traced.
  """

  def noisy(function):
    def run(params, buffers, images, key, train, *labels):
      if train:
        key, noise_key = jax.random.split(key)
        leaves, structure = jax.tree.flatten(images)
        keys = jax.random.split(noise_key, len(leaves))
        images = jax.tree.unflatten(
          structure,
          [
            leaf + std * jax.random.normal(key, leaf.shape)
            for leaf, key in zip(leaves, keys, strict=True)
          ],
        )
      return function(params, buffers, images, key, train, *labels)

    return run

  return discriminator._replace(
    apply=noisy(discriminator.apply),
    with_features=noisy(discriminator.with_features),
  )


def augmented(
  discriminator: Discriminator, augmentation: Augmentation, p: Scalar
) -> Discriminator:
  """Returns the `Discriminator` that sees augmented images in training.

  Karras et al., "Training Generative Adversarial Networks with Limited Data",
  2020, arXiv:2006.06676; Zhao et al., "Differentiable Augmentation for
  Data-Efficient GAN Training", 2020, arXiv:2006.10738: reals and fakes are
  augmented in both players' updates, and the generator learns through the
  augmentation. Penalties on gradients are those in the images before it. To
  change `p` while training runs, let a schedule `step -> Game` compute it, or
  `adaptive.augmentation`.

  Args:
    discriminator: a `Discriminator` of images `[N, H, W, C]`.
    augmentation: `(images, key, p) -> images`, of `ganjax.augment`.
    p: probability of each transform; may be traced.

  Raises:
    ValueError: when initialised with a tree of several images, which could not
      all be moved alike.
  """

  def init(key, images, *labels):
    if (number := len(jax.tree.leaves(images))) != 1:
      raise ValueError(
        f'Augmentations take one array of images, not a tree of {number}, such '
        'as the pyramids of multi-scale gradients: a shift by one pixel has no '
        'counterpart at the smaller resolutions. Leave the augmentation out, '
        'or choose a network of single images.'
      )
    return discriminator.init(key, images, *labels)

  def seeing_augmented(function):
    def run(params, buffers, images, key, train, *labels):
      if train:
        key, own = jax.random.split(key)
        images = jax.tree.map(lambda leaf: augmentation(leaf, own, p), images)
      return function(params, buffers, images, key, train, *labels)

    return run

  return discriminator._replace(
    init=init,
    apply=seeing_augmented(discriminator.apply),
    with_features=seeing_augmented(discriminator.with_features),
  )


def consensus(game: Game, weight: Scalar) -> Game:
  """Returns the `Game` with consensus optimisation.

  Mescheder, Nowozin and Geiger, "The Numerics of GANs", 2017,
  arXiv:1705.10461: to each player's value it adds weight / 2 |v|^2, where v is
  the vector of both players' gradients in the given game, with the same batch
  and key.

  Args:
    game: a `Game`, whose values are differentiable twice.
    weight: the paper's gamma; may be traced.
  """

  def objective(player):
    def value(params, buffers, batch, key):
      def value_and_gradient(name):
        def value_of_own(own):
          both = params._replace(**{name: own})
          return getattr(game, name)(both, buffers, batch, key)

        return jax.value_and_grad(value_of_own, has_aux=True)(
          getattr(params, name)
        )

      results = Pair(*map(value_and_gradient, PLAYERS))
      (total, (after, metrics)), _ = getattr(results, player)
      term = weight / 2 * _square([gradient for _, gradient in results])
      return total + term, (after, metrics | {'regularizer/consensus': term})

    return value

  # These gradients pass through the fakes, which updates thus cannot share.
  return game._replace(
    fake=None, **{player: objective(player) for player in PLAYERS}
  )


def historical_averaging(game: Game, weight: Scalar) -> Game:
  """Returns the `Game` with historical averaging of parameters.

  Salimans et al., "Improved Techniques for Training GANs", 2016,
  arXiv:1606.03498, section 3.3: to each player's value it adds weight times the
  squared distance of its parameters from their mean over all its updates, this
  one included; no gradient passes through the mean.

  Args:
    game: a `Game`.
    weight: of the squared distance; may be traced.

  Returns:
    A `Game` that carries each player's mean and count of updates.
  """

  def init(params):
    return Pair(
      *({'count': jnp.int32(0), 'mean': _zeros(own)} for own in params)
    )

  def update(player, memory, params, metrics):
    count = memory['count'] + 1
    mean = jax.tree.map(
      lambda old, new: old + (jax.lax.stop_gradient(new) - old) / count,
      memory['mean'],
      getattr(params, player),
    )
    return {'count': count, 'mean': mean}

  def make(memory):
    def objective(player):
      def value(params, *arguments):
        total, (after, metrics) = getattr(game, player)(params, *arguments)
        mean = update(player, getattr(memory, player), params, metrics)['mean']
        own = getattr(params, player)
        term = weight * _square(jax.tree.map(jnp.subtract, own, mean))
        metrics = metrics | {'regularizer/historical_averaging': term}
        return total + term, (after, metrics)

      return value

    return game._replace(**{player: objective(player) for player in PLAYERS})

  return carrying(game, make, init, update)


def _zeros(tree):
  return jax.tree.map(jnp.zeros_like, tree)


def _square(tree):
  return sum(jnp.vdot(leaf, leaf) for leaf in jax.tree.leaves(tree))


def _largest(matrix, right):
  """Returns the largest singular value after a power step, and its vector."""
  left = _unit(jax.lax.stop_gradient(matrix) @ right)
  right = _unit(jax.lax.stop_gradient(matrix).T @ left)
  return left @ matrix @ right, right


def _unit(vector):
  return vector / (jnp.linalg.norm(vector) + 1e-12)
