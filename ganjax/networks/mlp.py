"""Fully connected networks: the first GAN, and the players of toy mixtures.

Goodfellow et al., "Generative Adversarial Nets", 2014, arXiv:1406.2661.
"""

import functools
import math
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from flax import linen as nn

from ganjax.networks import linen

leaky_relu = functools.partial(nn.leaky_relu, negative_slope=0.2)

_LECUN = nn.initializers.lecun_normal()


def maxout(pieces):
  """The activation `[N, pieces * W] -> [N, W]`: the largest of each `pieces`.

  Goodfellow et al., "Maxout Networks", 2013, arXiv:1302.4389, equation 1. The
  layer before it is as wide as all pieces together.
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
    """Examples of the latents."""
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
    """Logits of the examples."""
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
  shape,
  widths=(128, 128),
  activation=nn.relu,
  output=lambda examples: examples,
  norm=None,
  kernel_init=_LECUN,
  dtype=jnp.float32,
):
  """The `Generator` of a perceptron.

  Args:
    shape: of one example: `(2,)` for points, `(28, 28, 1)` for images.
    widths: of the hidden layers.
    activation: after each hidden layer.
    output: after the last one: `jnp.tanh` for images in [-1, 1].
    norm: a module factory, such as `layers.BatchNorm`, called with a dtype
      after each activation; None for no normalisation.
    kernel_init: of all layers, `(key, shape, dtype) -> kernel`.
    dtype: of the computation; parameters are float32.
  """
  return linen.generator(
    DenseGenerator(
      tuple(shape), tuple(widths), activation, output, norm, kernel_init, dtype
    )
  )


def discriminator(
  widths=(128, 128),
  activation=nn.relu,
  scale=1.0,
  statistics=None,
  kernel_init=_LECUN,
  dtype=jnp.float32,
):
  """The `Discriminator` of a perceptron.

  Args:
    widths: of the hidden layers; with `maxout`, of all its pieces.
    activation: after each hidden layer.
    scale: what the examples are multiplied by first.
    statistics: a module factory, such as `layers.MinibatchStd`, called before
      the last layer: `[N, F]` -> `[N, F + S]`; None for none.
    kernel_init: of all layers, `(key, shape, dtype) -> kernel`.
    dtype: of the computation; parameters are float32.
  """
  return linen.discriminator(
    DenseDiscriminator(
      tuple(widths), activation, scale, statistics, kernel_init, dtype
    )
  )
