"""Layers that several architectures share."""

import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from ganjax.networks import convolution, patches


def normal(deviation: float) -> Callable[..., jax.Array]:
  """Returns the initialiser `(key, shape, dtype) -> N(0, deviation^2)`."""

  def draw(key, shape, dtype=jnp.float32):
    # Drawn flat: with four axes, XLA on a CPU compiles it five times longer.
    flat = jax.random.normal(key, (math.prod(shape),), dtype)
    return deviation * flat.reshape(shape)

  return draw


def chosen(table: jax.Array, labels: jax.Array) -> jax.Array:
  """Returns the rows of a table `[classes, ...]` that belong to labels.

  Args:
    table: one row for each class.
    labels: integers of any shape, or weights of the classes `[N, classes]`.
  """
  if jnp.issubdtype(labels.dtype, jnp.floating):
    return labels @ table
  return table[labels]


def _product(inputs, kernel, _, **options):
  return patches.product(inputs, kernel, **options)


# For images: `nn.Dense`, that is a convolution of one pixel.
Dense = functools.partial(nn.Dense, dot_general=_product)


class Block(nn.Module):
  """A function of arrays, which may use linen modules, as a module."""

  function: Callable

  @nn.compact
  def __call__(self, *inputs):
    """Returns the function's output."""
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
    """Returns images of half the height and width, of `features` channels."""
    channels = images.shape[-1], self.features
    return self._apply(convolution.convolution, images, channels)

  def _apply(self, product, images, channels):
    shape = self.size, self.size, *channels
    kernel = self.param('kernel', self.kernel_init, shape)
    return product(
      images.astype(self.dtype),
      kernel.astype(self.dtype),
      self.stride,
      self.padding,
    )


class ConvTranspose(Conv):
  """The transpose of `Conv`: `[N, H, W, C]` -> `[N, 2H, 2W, features]`.

  Attributes:
    target: (height, width) of the output, which a stride with odd kernels
      leaves open; None is the smallest.
  """

  target: tuple[int, int] | None = None

  @nn.compact
  def __call__(self, images):
    """Returns images of twice the height and width, of `features` channels."""
    channels = self.features, images.shape[-1]
    return self._apply(self._grow, images, channels)

  def _grow(self, images, kernel, stride, padding):
    return convolution.transposed(images, kernel, stride, padding, self.target)


class BatchNorm(nn.Module):
  """Batch normalisation over all axes but the last, `[..., C]` -> `[..., C]`.

  Ioffe and Szegedy, "Batch Normalization", 2015, arXiv:1502.03167. Statistics
  are those of the whole batch, however its rows are sharded.

  Attributes:
    groups: how many equal parts of the batch are normalised separately (ghost
      batches: Hoffer, Hubara and Soudry, 2017, arXiv:1705.08741).
    momentum: decay of the running statistics at each batch, in [0, 1].
    epsilon: added to the variance.
    axis_name: the name of the devices' axis under `jax.pmap`, so that they
      share statistics; None otherwise.
    scale_init: initialiser of the scales.
    dtype: of the output; statistics are float32.
    classes: how many; with them the labels choose what is added to the scales
      and the biases, 0 at first (de Vries et al., "Modulating early visual
      processing by language", 2017, arXiv:1707.00683). 0 for none.
  """

  groups: int = 1
  momentum: float = 0.9
  epsilon: float = 1e-5
  axis_name: str | None = None
  scale_init: Any = nn.initializers.ones
  dtype: Any = jnp.float32
  classes: int = 0

  @nn.compact
  def __call__(self, inputs, train, labels=None, affine=None):
    """Returns the inputs normalised, by their own statistics if `train`.

    Args:
      inputs: `[N, ..., C]`.
      train: a Python bool.
      labels: `[N]`, where there are classes.
      affine: the scales and the biases of each example, both `[N, C]`; with
        them the module has no parameters.
    """
    channels = inputs.shape[-1:]
    rows = len(inputs), *[1] * (inputs.ndim - 2), *channels
    if affine is not None:
      scale, bias = (own.astype(jnp.float32).reshape(rows) for own in affine)
    else:
      scale = self.param('scale', self.scale_init, channels)
      bias = self.param('bias', nn.initializers.zeros, channels)
    if self.classes:
      shape = self.classes, *channels
      tables = (
        self.param(name, nn.initializers.zeros, shape)
        for name in ('class_scale', 'class_bias')
      )
      scale, bias = (
        own + chosen(table, labels).reshape(rows)
        for own, table in zip((scale, bias), tables, strict=True)
      )
    running = (
      self.variable('batch_stats', 'mean', jnp.zeros, channels),
      self.variable('batch_stats', 'variance', jnp.ones, channels),
    )
    if not train:
      mean, variance = (statistic.value for statistic in running)
      factor = scale * jax.lax.rsqrt(variance + self.epsilon)
      outputs = inputs * factor + (bias - mean * factor)
      return outputs.astype(self.dtype)
    if inputs.shape[0] % self.groups:
      raise ValueError(
        f'A batch of {inputs.shape[0]} cannot be normalised in {self.groups} '
        'equal groups; choose a number of groups that divides it.'
      )

    def in_groups(rows):
      return rows.reshape(self.groups, -1, *rows.shape[1:])

    grouped = in_groups(inputs.astype(jnp.float32))
    if scale.ndim > 1:  # those of each example
      scale, bias = in_groups(scale), in_groups(bias)
    axes = tuple(range(1, grouped.ndim - 1))

    def average(rows):
      own = rows.mean(axes, keepdims=True)
      shared = self.axis_name is not None and not self.is_initializing()
      return jax.lax.pmean(own, self.axis_name) if shared else own

    # Rounding spoils E[x^2] - E[x]^2 where the mean is large. It is the same of
    # x less any constant: here the mean, of which a 0 with a gradient is left,
    # so that all derivatives are exact. This second pass over the images takes
    # 1 % of a step of DCGAN at 32 pixels on two CPU cores.
    mean = average(grouped)
    constant = jax.lax.stop_gradient(mean)
    variance = average((grouped - constant) ** 2) - (mean - constant) ** 2
    for statistic, batch in zip(running, (mean, variance), strict=True):
      if not self.is_initializing():
        batch = batch.reshape(-1, *channels).mean(0)
        # Not +=, which would write into a caller's numpy array.
        old = statistic.value
        statistic.value = old + (1 - self.momentum) * (batch - old)
    factor = scale * jax.lax.rsqrt(variance + self.epsilon)
    outputs = grouped * factor + (bias - mean * factor)
    return outputs.reshape(inputs.shape).astype(self.dtype)


class MinibatchStd(nn.Module):
  """Features `[N, ..., C]` with their standard deviation as channel C + 1.

  Karras et al., "Progressive Growing of GANs for Improved Quality, Stability,
  and Variation", 2018, arXiv:1710.10196, section 3. The standard deviation over
  a group of examples, averaged over all features, is the same number for each
  example of the group. Groups are consecutive examples, so that a sharded batch
  stays in place; the original takes strided ones, which have the same
  distribution.

  Attributes:
    group: examples in a group; it must divide the batch, and a smaller batch
      is one group. None takes the whole batch.
    epsilon: added to the variance.
  """

  group: int | None = 4
  epsilon: float = 1e-8

  @nn.compact
  def __call__(self, features):
    """Returns the features, with their deviation as the last channel."""
    rows = features.shape[0]
    # Initialisation needs shapes only, and has a batch of its own size.
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
  """Features `[N, F]` with `kernels` more: closeness to the other examples.

  Salimans et al., "Improved Techniques for Training GANs", 2016,
  arXiv:1606.03498, section 3.2: with M the linear map of the features to
  `[N, kernels, size]`, kernel b of example i is the sum over the others j of
  exp(-|M_ib - M_jb|_1). Two deviations from its code: the map is a plain
  matrix, drawn with columns of norm 1 or so, without weight normalisation or
  data-dependent initialisation; and the sums have no bias.

  Attributes:
    kernels: the paper's B.
    size: dimensions that a kernel compares, the paper's C.
  """

  kernels: int = 100
  size: int = 5

  @nn.compact
  def __call__(self, features):
    """Returns the features, with the sums of the kernels as last channels."""
    rows = features.shape[0]
    compared = nn.Dense(self.kernels * self.size, use_bias=False)(
      features.astype(jnp.float32)
    ).T.reshape(self.kernels, self.size, rows)
    others, one = 1 - jnp.eye(rows), jnp.ones(rows)
    product = functools.partial(jnp.matmul, precision='highest')

    # One kernel at a time, and again in the backward pass: all together hold
    # N^2 * kernels * size numbers, half a gigabyte for 512 examples.
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
