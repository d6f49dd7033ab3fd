"""A network that paints any picture in the one style that it has learned."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from ganjax.networks import layers, resample

SMALLEST = 5
"""Least side of a picture, in pixels; a smaller one has nothing to reflect."""


class Painter(NamedTuple):
  """A network from pictures to pictures.

  Attributes:
    init: `(key, pictures) -> params`.
    apply: `(params, pictures [N, H, W, 3] in [0, 1]) -> pictures`, of the same
      shape, in (0, 1).
  """

  init: Callable
  apply: Callable


def painter(width=32, blocks=5, outer=9):
  """The `Painter` of Johnson's image transformation network.

  Johnson, Alahi and Fei-Fei, "Perceptual Losses for Real-Time Style Transfer
  and Super-Resolution", 2016, arXiv:1603.08155, supplementary table 1: 9x9, two
  halvings, residual blocks, two doublings, 9x9, and a scaled tanh, which is the
  logistic function. Three deviations, all of them usual since: instances are
  normalised and not batches; a doubling repeats pixels and then convolves
  (Odena, Dumoulin and Olah, "Deconvolution and Checkerboard Artifacts",
  Distill, 2016); and every convolution reflects the picture at its border, the
  residual ones too.

  Args:
    width: channels at the full size; twice and four times that, further in.
      The paper has 32.
    blocks: how many residual ones. The paper has 5.
    outer: side of the first and of the last kernel, odd. The paper has 9, which
      takes much of the time where the width is small.

  Raises:
    ValueError: if `outer` is even.
  """
  if outer % 2 == 0:
    raise ValueError(
      f'outer is {outer}, but a kernel of an even side has no middle; choose '
      'an odd one.'
    )
  module = _Transformer(width, blocks, outer)

  def init(key, pictures):
    return module.init(key, pictures)['params']

  def apply(params, pictures):
    return module.apply({'params': params}, pictures)

  return Painter(init, apply)


class InstanceNorm(nn.Module):
  """Normalisation of each channel of each picture by itself, same shape.

  Ulyanov, Vedaldi and Lempitsky, "Instance Normalization: The Missing
  Ingredient for Fast Stylization", 2016, arXiv:1607.08022, equation 4, with a
  scale and a bias for each channel.

  Attributes:
    epsilon: added to the variance.
  """

  epsilon: float = 1e-5

  @nn.compact
  def __call__(self, features):
    """Features `[N, H, W, C]` of mean `bias` and deviation `scale`."""
    channels = features.shape[-1:]
    scale = self.param('scale', nn.initializers.ones, channels)
    bias = self.param('bias', nn.initializers.zeros, channels)
    centred = features - features.mean((1, 2), keepdims=True)
    variance = (centred**2).mean((1, 2), keepdims=True)
    return centred * (scale * jax.lax.rsqrt(variance + self.epsilon)) + bias


class _Transformer(nn.Module):
  width: int
  blocks: int
  outer: int

  @nn.compact
  def __call__(self, pictures):
    height, width = pictures.shape[1:3]
    if min(height, width) < SMALLEST:
      raise ValueError(
        f'A picture of {height}x{width} pixels cannot be painted; each side '
        f'must have at least {SMALLEST}.'
      )
    x = _normal(pictures, self.width, self.outer)
    for factor in (2, 4):
      x = _normal(x, factor * self.width, 3, stride=2)
    for _ in range(self.blocks):
      inner = _normal(x, 4 * self.width, 3)
      x = x + InstanceNorm()(_convolved(inner, 4 * self.width, 3))
    for factor in (2, 1):
      x = _normal(resample.nearest(x), factor * self.width, 3)
    # Halving rounded up, so that what was doubled covers the picture.
    x = _convolved(x[:, :height, :width], 3, self.outer)
    return nn.sigmoid(x + self.param('bias', nn.initializers.zeros, (3,)))


def _normal(x, features, size, stride=1):
  # A bias would be taken away again with the mean.
  return nn.relu(InstanceNorm()(_convolved(x, features, size, stride)))


def _convolved(x, features, size, stride=1):
  """`[N, H / stride, W / stride, features]`, rounded up."""
  around = (size // 2, size // 2)
  x = jnp.pad(x, ((0, 0), around, around, (0, 0)), 'reflect')
  deviation = (size * size * x.shape[-1]) ** -0.5
  return layers.Conv(
    features, size, stride, 0, kernel_init=layers.normal(deviation)
  )(x)
