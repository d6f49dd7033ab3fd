"""Layers that several architectures share."""

import functools
import math
from collections.abc import Callable
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


class Block(nn.Module):
  """A function of arrays, which may use linen modules, as one module."""

  function: Callable

  @nn.compact
  def __call__(self, *inputs):
    """What the function makes of the arrays."""
    return self.function(*inputs)


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
  """The transpose of `Conv`: `[N, H, W, C]` -> `[N, 2H, 2W, features]`.

  Attributes:
    target: (height, width) that comes out, where a stride over odd kernels
      leaves the choice; None is the smallest.
  """

  target: tuple[int, int] | None = None

  @nn.compact
  def __call__(self, images):
    """Images with `features` channels, twice as high and twice as wide."""
    channels = self.features, images.shape[-1]
    return self._through(self._grow, images, channels)

  def _grow(self, images, kernel, stride, padding):
    return convolution.transposed(images, kernel, stride, padding, self.target)


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


class MinibatchStd(nn.Module):
  """Features with one more: how much they vary within a group of examples.

  Karras et al., "Progressive Growing of GANs for Improved Quality, Stability,
  and Variation", 2018, arXiv:1710.10196, section 3; `[N, ..., C]` ->
  `[N, ..., C + 1]`. The standard deviation over the group, averaged over all
  features, is the same number for each example of the group. Groups are
  consecutive examples, so that a batch spread over devices stays in place; the
  original strides, which is the same in law.

  Attributes:
    group: examples in a group; it must divide the batch, and a smaller batch
      is one group. None takes the whole batch.
    epsilon: added to the variance.
  """

  group: int | None = 4
  epsilon: float = 1e-8

  @nn.compact
  def __call__(self, features):
    """Features, with their deviation as the last channel."""
    rows = features.shape[0]
    # Initialising looks at shapes only, with a batch of its own.
    whole = self.group is None or self.is_initializing()
    group = rows if whole else min(self.group, rows)
    if rows % group:
      raise ValueError(
        f'A batch of {rows} cannot be divided into groups of {group}; choose a '
        'group that divides it, or None for the whole batch.'
      )
    grouped = features.astype(jnp.float32).reshape(rows // group, group, -1)
    deviation = jnp.sqrt(grouped.var(1) + self.epsilon).mean(1)
    extra = jnp.broadcast_to(
      jnp.repeat(deviation, group).reshape(-1, *[1] * (features.ndim - 1)),
      (*features.shape[:-1], 1),
    )
    return jnp.concatenate([features, extra.astype(features.dtype)], -1)


class MinibatchDiscrimination(nn.Module):
  """Features `[N, F]` with `kernels` more: how close the other examples are.

  Salimans et al., "Improved Techniques for Training GANs", 2016,
  arXiv:1606.03498, section 3.2: with M the linear map of the features to
  `[N, kernels, size]`, kernel b of example i is the sum over the others j of
  exp(-|M_ib - M_jb|_1). Two deviations from its code: the map is a plain
  matrix, drawn with columns of norm 1 or so, without weight normalisation or
  an initialisation by data; and the sums have no bias.

  Attributes:
    kernels: the paper's B.
    size: numbers that a kernel compares, the paper's C.
  """

  kernels: int = 100
  size: int = 5

  @nn.compact
  def __call__(self, features):
    """Features, with the kernels' sums as the last channels."""
    rows = features.shape[0]
    compared = nn.Dense(self.kernels * self.size, use_bias=False)(
      features.astype(jnp.float32)
    ).T.reshape(self.kernels, self.size, rows)
    others, one = 1 - jnp.eye(rows), jnp.ones(rows)
    product = functools.partial(jnp.matmul, precision='highest')

    # One kernel at a time, and again in the backward pass: together they
    # would hold N^2 kernels size numbers, half a gigabyte for 512 examples.
    @jax.checkpoint
    def closeness(compared):
      # x_i - x_j as a product, whose derivatives are products too: sums over
      # the pairs are ten times slower in XLA on a CPU.
      distances = sum(
        jnp.abs(product(jnp.stack([x, -one], 1), jnp.stack([one, x])))
        for x in compared
      )
      return product(jnp.exp(-distances) * others, one)

    extra = jax.lax.map(closeness, compared).T
    return jnp.concatenate([features, extra.astype(features.dtype)], -1)
