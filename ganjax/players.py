"""The two players as records of pure functions, and a pair of anything.

In a conditional game the functions of the players have one more argument at the
end, the labels of the images' classes, int32 `[N]`.
"""

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
    init: `(key, latents, *labels) -> (params, buffers)`; only the shapes of
      latents `[N, Z]` and labels matter.
    mapping: `(params, buffers, latents, key, train, *labels) -> (styles,
      buffers)`; the identity in architectures without a mapping network.
    synthesis: `(params, buffers, styles, key, train, *labels) -> (images,
      buffers)`; images `[N, H, W, C]` in [-1, 1], or any tree of them (a
      pyramid).
  """

  init: Callable[..., tuple[Tree, Tree]]
  mapping: Callable[..., tuple[Tree, Tree]]
  synthesis: Callable[..., tuple[Tree, Tree]]


def _no_features(params, buffers, images, key, train, *labels):
  raise ValueError(
    'This discriminator has no features, which feature matching compares, '
    'classes are projected on, and auxiliary heads take; give its record the '
    'field `with_features`.'
  )


class Headed(NamedTuple):
  """The features of a discriminator with auxiliary heads, and what these say.

  Attributes:
    features: `[M, D]`, the activations before the last layer.
    outputs: those of the heads, a tree.
  """

  features: jax.Array
  outputs: Tree


class Discriminator(NamedTuple):
  """A discriminator as pure functions: images -> logits, before any sigmoid.

  Attributes:
    init: `(key, images, *labels) -> (params, buffers)`; only the shapes of
      images, which are the generator's, and of labels matter.
    apply: `(params, buffers, images, key, train, *labels) -> (logits [M],
      buffers)`. M is N, the number of images, or a divisor of it where each
      logit is that of a pack of N / M consecutive images.
    prepare_real: `images -> images`: turns reals into what `apply` takes, by
      resizing or fading them, or as a pyramid. Fakes need no preparation.
    with_features: as `apply`, with the activations before the last layer
      beside the logits: `((logits [M], features [M, D]), buffers)`, or with a
      `Headed` in the place of the features.
  """

  init: Callable[..., tuple[Tree, Tree]]
  apply: Callable[..., tuple[jax.Array, Tree]]
  prepare_real: Callable[[Tree], Tree] = lambda images: images
  with_features: Callable[..., tuple[tuple, Tree]] = _no_features


def activations(examined: jax.Array | Headed) -> jax.Array:
  """Returns the features `[M, D]` among what `with_features` returns."""
  return examined.features if isinstance(examined, Headed) else examined


def head_outputs(examined: jax.Array | Headed) -> Tree:
  """Returns the outputs of heads among what `with_features` returns.

  Raises:
    ValueError: if the discriminator has no heads.
  """
  if isinstance(examined, Headed):
    return examined.outputs
  raise ValueError(
    'This discriminator has no auxiliary heads to say the class of an image; '
    'give it some by `networks.conditional.with_heads`.'
  )
