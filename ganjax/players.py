"""The two players as records of pure functions, and a pair of anything."""

from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

import jax

from ganjax.arrays import Tree

PLAYERS = ('generator', 'discriminator')

_Value = TypeVar('_Value')


class Pair(NamedTuple, Generic[_Value]):
  """One value for each player: losses, parameters, optimisers, gradients."""

  generator: _Value
  discriminator: _Value


class Generator(NamedTuple):
  """A generator as pure functions: latents `z` -> styles `w` -> images.

  `params` are what the optimiser updates; `buffers` are what the network itself
  carries along (batch statistics, singular vectors), an empty dict if nothing.
  `train` is a Python bool, which chooses batch statistics or running ones.

  Attributes:
    init: `(key, latents) -> (params, buffers)`; only the shape of latents
      `[N, Z]` matters.
    mapping: `(params, buffers, latents, key, train) -> (styles, buffers)`; the
      identity in architectures without a mapping network.
    synthesis: `(params, buffers, styles, key, train) -> (images, buffers)`;
      images `[N, H, W, C]` in [-1, 1], or any tree of them (a pyramid).
  """

  init: Callable[[jax.Array, jax.Array], tuple[Tree, Tree]]
  mapping: Callable[..., tuple[Tree, Tree]]
  synthesis: Callable[..., tuple[Tree, Tree]]


def _no_features(params, buffers, images, key, train):
  raise ValueError(
    'This discriminator has no features, which feature matching compares; '
    'give its record the field `features`.'
  )


class Discriminator(NamedTuple):
  """A discriminator as pure functions: images -> logits, before any sigmoid.

  Attributes:
    init: `(key, images) -> (params, buffers)`; only the shapes of images, which
      are the generator's, matter.
    apply: `(params, buffers, images, key, train) -> (logits [M], buffers)`. M
      is N, the number of images, or a divisor of it where each logit is that of
      a pack of N / M consecutive images.
    prepare_real: `images -> images`: turns reals into what `apply` takes, by
      resizing or fading them, or as a pyramid. Fakes need no preparation.
    features: `(params, buffers, images, key, train) -> [M, D]`, the activations
      before the last layer.
  """

  init: Callable[[jax.Array, Tree], tuple[Tree, Tree]]
  apply: Callable[..., tuple[jax.Array, Tree]]
  prepare_real: Callable[[Tree], Tree] = lambda images: images
  features: Callable[..., jax.Array] = _no_features
