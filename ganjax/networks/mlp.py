"""Fully connected networks (multilayer perceptrons) for images and points.

Goodfellow et al., "Generative Adversarial Nets", 2014, arXiv:1406.2661.
"""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax.typing import DTypeLike

from ganjax.networks import from_config, layers, linen
from ganjax.players import Discriminator, Generator, Pair

leaky_relu = functools.partial(nn.leaky_relu, negative_slope=0.2)

_LECUN = nn.initializers.lecun_normal()


def maxout(pieces: int) -> Callable[[jax.Array], jax.Array]:
  """Returns the activation `[N, pieces * W] -> [N, W]`, a maximum over pieces.

  Goodfellow et al., "Maxout Networks", 2013, arXiv:1302.4389, equation 1. The
  layer before it has the width `pieces * W`.
  """
  return lambda hidden: hidden.reshape(*hidden.shape[:-1], -1, pieces).max(-1)


class DenseGenerator(nn.Module):
  """Latents `[N, Z]` -> examples `[N, *shape]`."""

  shape: tuple[int, ...]
  widths: tuple[int, ...]
  activation: Callable
  output: Callable
  norm: Callable | None
  kernel_init: Callable
  dtype: Any

  @nn.compact
  def __call__(self, latents, train):
    """Returns the examples of the latents."""
    dense = functools.partial(
      nn.Dense, kernel_init=self.kernel_init, dtype=self.dtype
    )
    hidden = latents
    for width in self.widths:
      hidden = self.activation(dense(width)(hidden))
      if self.norm is not None:
        hidden = self.norm(dtype=self.dtype)(hidden, train)
    examples = self.output(dense(math.prod(self.shape))(hidden))
    return examples.reshape(-1, *self.shape).astype(jnp.float32)


class DenseDiscriminator(nn.Module):
  """Examples `[N, ...]` -> logits `[N]`."""

  widths: tuple[int, ...]
  activation: Callable
  scale: float
  statistics: Callable | None
  kernel_init: Callable
  dtype: Any

  @nn.compact
  def __call__(self, examples, train):
    """Returns the logits of the examples."""
    dense = functools.partial(
      nn.Dense, kernel_init=self.kernel_init, dtype=self.dtype
    )
    hidden = self.scale * examples.reshape(examples.shape[0], -1)
    for width in self.widths:
      hidden = self.activation(dense(width)(hidden))
    self.sow('features', 'last', hidden)
    if self.statistics is not None:
      hidden = self.statistics()(hidden)
    logits = dense(1)(hidden)
    return logits[:, 0].astype(jnp.float32)


def generator(
  shape: Sequence[int],
  widths: Sequence[int] = (128, 128),
  activation: Callable = nn.relu,
  output: Callable = lambda examples: examples,
  norm: Callable | None = None,
  kernel_init: Callable = _LECUN,
  dtype: DTypeLike = jnp.float32,
) -> Generator:
  """Returns the `Generator` of a multilayer perceptron.

  Args:
    shape: of one example: `(2,)` for points, `(28, 28, 1)` for images.
    widths: of the hidden layers.
    activation: after each hidden layer.
    output: after the last layer: `jnp.tanh` for images in [-1, 1].
    norm: a module factory, such as `layers.BatchNorm`, called with a dtype; its
      module follows each activation. None normalises nothing.
    kernel_init: of all layers, `(key, shape, dtype) -> kernel`.
    dtype: of the computation; parameters are float32.
  """
  return linen.generator(
    DenseGenerator(
      tuple(shape), tuple(widths), activation, output, norm, kernel_init, dtype
    )
  )


def discriminator(
  widths: Sequence[int] = (128, 128),
  activation: Callable = nn.relu,
  scale: float = 1.0,
  statistics: Callable | None = None,
  kernel_init: Callable = _LECUN,
  dtype: DTypeLike = jnp.float32,
) -> Discriminator:
  """Returns the `Discriminator` of a multilayer perceptron.

  Args:
    widths: of the hidden layers; with `maxout`, of all pieces together.
    activation: after each hidden layer.
    scale: a factor of the examples, before the first layer.
    statistics: a module factory, such as `layers.MinibatchStd`, whose module
      appends statistics of the batch to the features before the last layer:
      `[N, F]` -> `[N, F + S]`; None appends nothing.
    kernel_init: of all layers, `(key, shape, dtype) -> kernel`.
    dtype: of the computation; parameters are float32.
  """
  return linen.discriminator(
    DenseDiscriminator(
      tuple(widths), activation, scale, statistics, kernel_init, dtype
    )
  )


def _from_sections(config, shape, dtype):
  norms = {
    'none': None,
    'batch': functools.partial(layers.BatchNorm, momentum=0.8),
  }
  common = {'activation': leaky_relu, 'dtype': dtype}
  return Pair(
    generator(
      shape,
      output=jnp.tanh,
      **common,
      **from_config.arguments(config.generator, norm=norms),
    ),
    discriminator(
      **common, **from_config.discriminator_arguments(config.discriminator)
    ),
  )


NETWORKS = {'mlp': _from_sections}
