"""The two players as records of pure functions, and a pair of anything."""

from collections.abc import Callable
from typing import Any, NamedTuple

PLAYERS = ('generator', 'discriminator')


class Pair(NamedTuple):
  """One value for each player: losses, parameters, optimisers, gradients."""

  generator: Any
  discriminator: Any


class Generator(NamedTuple):
  """A generator as pure functions: latents `z` -> styles `w` -> images.

  `params` are what gradient descent moves; `buffers` are what the network
  carries along (batch statistics, spectral vectors), an empty dict if nothing.
  `train` is a Python bool: batch statistics or running ones.

  Attributes:
    init: `(key, latents) -> (params, buffers)`; latents `[N, Z]` give the
      shapes only.
    mapping: `(params, buffers, latents, key, train) -> (styles, buffers)`; the
      identity unless the architecture has a mapping network.
    synthesis: `(params, buffers, styles, key, train) -> (images, buffers)`;
      images `[N, H, W, C]` in [-1, 1], or any tree of them (a pyramid).
  """

  init: Callable
  mapping: Callable
  synthesis: Callable


def _no_features(params, buffers, images, key, train):
  raise ValueError(
    'This discriminator shows no features, which feature matching compares; '
    'give its record the field `features`.'
  )


class Discriminator(NamedTuple):
  """A discriminator as pure functions: images -> logits, before any sigmoid.

  Attributes:
    init: `(key, images) -> (params, buffers)`; images as the generator makes
      them give the shapes only, so it fits whatever generator it meets.
    apply: `(params, buffers, images, key, train) -> (logits [M], buffers)`,
      with M = N, unless a logit is that of a pack of N / M consecutive images.
    prepare_real: `images -> images`, how a real image is shown to it: resized,
      faded, or as a pyramid. The generator's images are shown as they are.
    features: `(params, buffers, images, key, train) -> [M, D]`, the activations
      before the last layer.
  """

  init: Callable
  apply: Callable
  prepare_real: Callable = lambda images: images
  features: Callable = _no_features
