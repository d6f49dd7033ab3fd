"""Layers with equalised learning rate, and the pixel norm beside them.

Karras et al., "Progressive Growing of GANs for Improved Quality, Stability, and
Variation", 2018, arXiv:1710.10196, section 4: weights are drawn N(0, 1) and
multiplied by He's constant, gain / sqrt(fan-in), whenever they are used, so
that an optimiser which normalises gradients moves all of them alike.
"""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from ganjax.networks import convolution
from ganjax.networks.layers import normal

# He's gain, for what a leaky ReLU follows.
GAIN = math.sqrt(2)


def equalized(deviation, rate):
  """Deviation of the weights when drawn, and their factor when used."""
  return 1 / rate, deviation * rate


def at_init(deviation, rate):
  """The same without equalisation: He's constant is in the draw (He, 2015)."""
  return deviation / rate, rate


class Conv(nn.Module):
  """Convolution `[N, H, W, C]` -> `[N, H', W', features]`, with a bias.

  Attributes:
    features: channels that come out.
    size: side of the kernel.
    stride: in pixels.
    padding: zeros on each side; None keeps the size of the image.
    gain: of the output's deviation over the input's.
    bias: whether there is one.
    scaling: `equalized` or `at_init`.
    dtype: of the computation; parameters are float32.
  """

  features: int
  size: int = 3
  stride: int = 1
  padding: int | None = None
  gain: float = GAIN
  bias: bool = True
  scaling: Callable = equalized
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, images):
    """The images convolved."""
    shape = self.size, self.size, images.shape[-1], self.features
    kernel = _weights(self, shape, self.gain, 1.0, self.scaling)
    padding = self.size // 2 if self.padding is None else self.padding
    outputs = convolution.convolution(
      images.astype(self.dtype), kernel, self.stride, padding
    )
    return outputs + _bias(self, 1.0) if self.bias else outputs


class Dense(nn.Module):
  """Linear map `[..., C]` -> `[..., features]`, with a bias.

  Attributes:
    features: numbers that come out.
    gain: of the output's deviation over the input's.
    rate: learning rate of this layer by that of the others (StyleGAN's mapping
      has .01).
    offset: what each bias begins with.
    scaling: `equalized` or `at_init`.
    dtype: of the computation; parameters are float32.
  """

  features: int
  gain: float = GAIN
  rate: float = 1.0
  offset: float = 0.0
  scaling: Callable = equalized
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, inputs):
    """The inputs mapped."""
    shape = inputs.shape[-1], self.features
    kernel = _weights(self, shape, self.gain, self.rate, self.scaling)
    outputs = inputs.astype(self.dtype) @ kernel
    return outputs + _bias(self, self.rate, self.offset)


def _weights(module, shape, gain, rate, scaling):
  drawn, factor = scaling(gain / math.sqrt(math.prod(shape[:-1])), rate)
  kernel = module.param('kernel', normal(drawn), shape)
  return (factor * kernel).astype(module.dtype)


def _bias(module, rate, offset=0.0):
  start = nn.initializers.constant(offset / rate)
  bias = module.param('bias', start, (module.features,))
  return (rate * bias).astype(module.dtype)


def leaky_relu(inputs):
  """Inputs, those below 0 times .2."""
  return nn.leaky_relu(inputs, 0.2)


def pixel_norm(inputs):
  """Inputs `[..., C]` divided by the root of their mean square over channels.

  Karras et al., 2018, arXiv:1710.10196, section 4.2; also of latents `[N, Z]`.
  """
  squares = jnp.mean(jnp.square(inputs.astype(jnp.float32)), -1, keepdims=True)
  return inputs * jax.lax.rsqrt(squares + 1e-8).astype(inputs.dtype)


def channels(resolution, base=8192, max_channels=512):
  """How many channels the papers' networks have at a resolution.

  Args:
    resolution: in pixels, a power of two from 4 on.
    base: what the channels and half the resolution multiply to.
    max_channels: channels at any resolution.

  Raises:
    ValueError: if so few leave none at that resolution.
  """
  if 2 * base < resolution:
    raise ValueError(
      f'A base of {base} leaves no channels at {resolution} pixels; it must be '
      'at least half of them.'
    )
  return min(2 * base // resolution, max_channels)
