"""Layers that several architectures share."""

import math
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from ganjax.networks import convolution


def normal(deviation):
  """The initialiser `(key, shape, dtype) -> N(0, deviation^2)`."""

  def draw(key, shape, dtype=jnp.float32):
    # Drawn flat: with four axes, XLA on a CPU compiles it five times longer.
    flat = jax.random.normal(key, (math.prod(shape),), dtype)
    return deviation * flat.reshape(shape)

  return draw


class Conv(nn.Module):
  """Convolution without a bias: `[N, H, W, C]` -> `[N, H/2, W/2, features]`.

  The defaults are DCGAN's: a 4x4 kernel, stride 2, padding 1.
  """

  features: int
  size: int = 4
  stride: int = 2
  padding: int = 1
  kernel_init: Any = normal(0.02)
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, images):
    """Images with `features` channels, half as high and half as wide."""
    channels = images.shape[-1], self.features
    return self._through(convolution.convolution, images, channels)

  def _through(self, face, images, channels):
    shape = self.size, self.size, *channels
    kernel = self.param('kernel', self.kernel_init, shape)
    return face(
      images.astype(self.dtype),
      kernel.astype(self.dtype),
      self.stride,
      self.padding,
    )


class ConvTranspose(Conv):
  """The transpose of `Conv`: `[N, H, W, C]` -> `[N, 2H, 2W, features]`."""

  @nn.compact
  def __call__(self, images):
    """Images with `features` channels, twice as high and twice as wide."""
    channels = self.features, images.shape[-1]
    return self._through(convolution.transposed, images, channels)


class BatchNorm(nn.Module):
  """Batch normalisation over all axes but the last, `[..., C]` -> `[..., C]`.

  Ioffe and Szegedy, "Batch Normalization", 2015, arXiv:1502.03167. Statistics
  are those of the whole batch, wherever its rows lie.

  Attributes:
    groups: how many parts of the batch are normalised apart (ghost batches:
      Hoffer, Hubara and Soudry, 2017, arXiv:1705.08741); divides the batch.
    momentum: share of the running statistics that a batch leaves in place.
    epsilon: added to the variance.
    axis_name: of the devices under `jax.pmap`, so that they share statistics.
    dtype: of the output; statistics are float32.
  """

  groups: int = 1
  momentum: float = 0.9
  epsilon: float = 1e-5
  axis_name: str | None = None
  scale_init: Any = nn.initializers.ones
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, inputs, train):
    """Inputs normalised: by this batch if `train`, else as they ran."""
    channels = inputs.shape[-1:]
    scale = self.param('scale', self.scale_init, channels)
    bias = self.param('bias', nn.initializers.zeros, channels)
    running = (
      self.variable('batch_stats', 'mean', jnp.zeros, channels),
      self.variable('batch_stats', 'variance', jnp.ones, channels),
    )
    if not train:
      mean, variance = (statistic.value for statistic in running)
      slope = scale * jax.lax.rsqrt(variance + self.epsilon)
      outputs = inputs * slope + (bias - mean * slope)
      return outputs.astype(self.dtype)
    if inputs.shape[0] % self.groups:
      raise ValueError(
        f'A batch of {inputs.shape[0]} cannot be normalised in {self.groups} '
        'equal groups; choose a number of groups that divides it.'
      )
    grouped = inputs.astype(jnp.float32).reshape(
      self.groups, -1, *inputs.shape[1:]
    )
    axes = tuple(range(1, grouped.ndim - 1))
    mean = grouped.mean(axes, keepdims=True)
    square = (grouped**2).mean(axes, keepdims=True)
    if self.axis_name is not None and not self.is_initializing():
      mean, square = jax.lax.pmean((mean, square), self.axis_name)
    # Rounding may take a nearly constant channel below 0, past epsilon.
    variance = jnp.maximum(square - mean**2, 0)
    for statistic, batch in zip(running, (mean, variance), strict=True):
      if not self.is_initializing():
        batch = batch.reshape(-1, *channels).mean(0)
        # Not +=, which would write into a caller's numpy array.
        old = statistic.value
        statistic.value = old + (1 - self.momentum) * (batch - old)
    slope = scale * jax.lax.rsqrt(variance + self.epsilon)
    outputs = grouped * slope + (bias - mean * slope)
    return outputs.reshape(inputs.shape).astype(self.dtype)
