"""Layers with equalised learning rate, and pixel norm.

Karras et al., "Progressive Growing of GANs for Improved Quality, Stability, and
Variation", 2018, arXiv:1710.10196, section 4: weights are drawn N(0, 1) and
multiplied by He's constant, gain / sqrt(fan-in), whenever they are used, so
that an optimiser which normalises gradients updates all layers at one speed.
"""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from ganjax.networks import convolution
from ganjax.networks.layers import normal

# He's gain, for layers that a leaky ReLU follows.
GAIN = math.sqrt(2)


def equalized(deviation: float, rate: float) -> tuple[float, float]:
  """Returns the standard deviation of the weights drawn, and their factor."""
  return 1 / rate, deviation * rate


def at_init(deviation: float, rate: float) -> tuple[float, float]:
  """Returns the same without equalisation: He's constant is in the draw.

  He et al., "Delving Deep into Rectifiers", 2015, arXiv:1502.01852.
  """
  return deviation / rate, rate


# The scalings that a config can choose.
SCALINGS = {'equalized': equalized, 'init': at_init}


class Conv(nn.Module):
  """Convolution `[N, H, W, C]` -> `[N, H', W', features]`, with a bias.

  Attributes:
    features: channels of the output.
    size: side of the kernel, in pixels.
    stride: in pixels.
    padding: zeros on each side; None keeps the size of the image.
    gain: the output's standard deviation over the input's.
    bias: whether a bias is added.
    scaling: `equalized` or `at_init`.
    dtype: of the computation; parameters are float32.
    product: `(images, kernel) -> images`, in the place of the convolution with
      this stride and padding; None for that one.
  """

  features: int
  size: int = 3
  stride: int = 1
  padding: int | None = None
  gain: float = GAIN
  bias: bool = True
  scaling: Callable = equalized
  dtype: Any = jnp.float32
  product: Callable | None = None

  @nn.compact
  def __call__(self, images):
    """Returns the convolved images."""
    shape = self.size, self.size, images.shape[-1], self.features
    kernel = _weights(self, shape, self.gain, 1.0, self.scaling)
    images = images.astype(self.dtype)
    if self.product is not None:
      outputs = self.product(images, kernel)
    else:
      padding = self.size // 2 if self.padding is None else self.padding
      outputs = convolution.convolution(images, kernel, self.stride, padding)
    return outputs + _bias(self, 1.0) if self.bias else outputs


class Dense(nn.Module):
  """Linear map `[..., C]` -> `[..., features]`, with a bias.

  Attributes:
    features: channels of the output.
    gain: the output's standard deviation over the input's.
    rate: learning rate of this layer relative to the others (.01 in StyleGAN's
      mapping).
    offset: initial value of each bias.
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
    """Returns the mapped inputs."""
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


def leaky_relu(inputs: jax.Array) -> jax.Array:
  """Returns the inputs, with those below 0 multiplied by .2."""
  return nn.leaky_relu(inputs, 0.2)


def scaled_leaky_relu(inputs: jax.Array) -> jax.Array:
  """Returns `leaky_relu` of the inputs times `GAIN`, as StyleGAN2 has it.

  Biases are then scaled too, which a gain of the weights leaves as they are.
  """
  return GAIN * leaky_relu(inputs)


def pixel_norm(inputs: jax.Array) -> jax.Array:
  """Returns inputs `[..., C]` over the root mean square of their channels.

  Karras et al., 2018, arXiv:1710.10196, section 4.2; also for latents `[N, Z]`.
  """
  squares = jnp.mean(jnp.square(inputs.astype(jnp.float32)), -1, keepdims=True)
  return inputs * jax.lax.rsqrt(squares + 1e-8).astype(inputs.dtype)


def channels(resolution: int, base: int = 8192, max_channels: int = 512) -> int:
  """Returns the number of channels of the papers' networks at a resolution.

  Args:
    resolution: in pixels, a power of two from 4 on.
    base: the product of channels and half the resolution.
    max_channels: the largest number of channels, at any resolution.

  Raises:
    ValueError: if `base` is so small that no channel is left.
  """
  if 2 * base < resolution:
    raise ValueError(
      f'A base of {base} leaves no channels at {resolution} pixels; it must be '
      'at least half of them.'
    )
  return min(2 * base // resolution, max_channels)
