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


class DenseGenerator(nn.Module):
  """Latents `[N, Z]` -> examples `[N, *shape]`."""

  shape: tuple[int, ...]
  widths: tuple[int, ...]
  activation: Callable
  output: Callable
  norm: Callable | None
  dtype: Any

  @nn.compact
  def __call__(self, latents, train):
    """Examples of the latents."""
    hidden = latents
    for width in self.widths:
      hidden = self.activation(nn.Dense(width, dtype=self.dtype)(hidden))
      if self.norm is not None:
        hidden = self.norm(dtype=self.dtype)(hidden, train)
    size = math.prod(self.shape)
    examples = self.output(nn.Dense(size, dtype=self.dtype)(hidden))
    return examples.reshape(-1, *self.shape).astype(jnp.float32)


class DenseDiscriminator(nn.Module):
  """Examples `[N, ...]` -> logits `[N]`."""

  widths: tuple[int, ...]
  activation: Callable
  dtype: Any

  @nn.compact
  def __call__(self, examples, train):
    """Logits of the examples."""
    hidden = examples.reshape(examples.shape[0], -1)
    for width in self.widths:
      hidden = self.activation(nn.Dense(width, dtype=self.dtype)(hidden))
    logits = nn.Dense(1, dtype=self.dtype)(hidden)
    return logits[:, 0].astype(jnp.float32)


def generator(
  shape,
  widths=(128, 128),
  activation=nn.relu,
  output=lambda examples: examples,
  norm=None,
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
    dtype: of the computation; parameters are float32.
  """
  return linen.generator(
    DenseGenerator(tuple(shape), tuple(widths), activation, output, norm, dtype)
  )


def discriminator(widths=(128, 128), activation=nn.relu, dtype=jnp.float32):
  """The `Discriminator` of a perceptron; arguments as in `generator`."""
  return linen.discriminator(
    DenseDiscriminator(tuple(widths), activation, dtype)
  )
