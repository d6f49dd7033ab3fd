"""Image transformation networks: they paint any picture in one style."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from ganjax.networks import layers, resample

SMALLEST_SIDE = 5
"""Of a picture, in pixels; in a smaller one there is nothing to reflect."""


class Painter(NamedTuple):
  """A network from pictures to pictures.

  Attributes:
    init: `(key, pictures) -> params`.
    apply: `(params, pictures [N, H, W, 3] in [0, 1]) -> pictures`, of the same
      shape, in (0, 1).
  """

  init: Callable
  apply: Callable


def johnson(width=32, blocks=5, outer_kernel=9):
  """Returns the `Painter` of Johnson's image transformation network.

  Johnson, Alahi and Fei-Fei, "Perceptual Losses for Real-Time Style Transfer
  and Super-Resolution", 2016, arXiv:1603.08155, supplementary table 1: a 9x9
  convolution, two that halve the size, residual blocks, two that double it, a
  9x9 convolution, and a scaled tanh, which is the logistic function. There are
  three deviations, all of them usual since: instances are normalised and not
  batches; doubling repeats pixels and then convolves (Odena, Dumoulin and Olah,
  "Deconvolution and Checkerboard Artifacts", Distill, 2016); and every
  convolution reflects the picture at its border, the residual ones too.

  Args:
    width: channels at the full size; there are twice and four times as many
      further inside. The paper has 32.
    blocks: number of residual blocks. The paper has 5.
    outer_kernel: side of the first and of the last kernel, odd. The paper has
      9, which takes much of the time where the width is small.

  Raises:
    ValueError: if `outer_kernel` is even.
  """
  if outer_kernel % 2 == 0:
    raise ValueError(
      f'outer_kernel is {outer_kernel}, but a kernel of an even side has no '
      'middle. Choose an odd one.'
    )
  module = _Johnson(width, blocks, outer_kernel)

  def init(key, pictures):
    return module.init(key, pictures)['params']

  def apply(params, pictures):
    return module.apply({'params': params}, pictures)

  return Painter(init, apply)


class InstanceNorm(nn.Module):
  """Normalises each channel of each picture by itself.

  Ulyanov, Vedaldi and Lempitsky, "Instance Normalization: The Missing
  Ingredient for Fast Stylization", 2016, arXiv:1607.08022, equation 4, with a
  scale and a bias for each channel.

  Attributes:
    epsilon: added to the variance.
  """

  epsilon: float = 1e-5

  @nn.compact
  def __call__(self, features):
    """Returns `[N, H, W, C]` of mean `bias` and standard deviation `scale`."""
    channels = features.shape[-1:]
    scale = self.param('scale', nn.initializers.ones, channels)
    bias = self.param('bias', nn.initializers.zeros, channels)
    centred = features - features.mean((1, 2), keepdims=True)
    variance = (centred**2).mean((1, 2), keepdims=True)
    return centred * (scale * jax.lax.rsqrt(variance + self.epsilon)) + bias


class _Johnson(nn.Module):
  width: int
  blocks: int
  outer_kernel: int

  @nn.compact
  def __call__(self, pictures):
    height, width = pictures.shape[1:3]
    if min(height, width) < SMALLEST_SIDE:
      raise ValueError(
        f'A picture of {height}x{width} pixels cannot be painted, because each '
        f'side must have at least {SMALLEST_SIDE} pixels.'
      )
    x = _normalized(pictures, self.width, self.outer_kernel)
    for factor in (2, 4):
      x = _normalized(x, factor * self.width, 3, stride=2)
    for _ in range(self.blocks):
      inner = _normalized(x, 4 * self.width, 3)
      x = x + InstanceNorm()(_convolved(inner, 4 * self.width, 3))
    for factor in (2, 1):
      x = _normalized(resample.nearest(x), factor * self.width, 3)
    # Halving rounds up, so what was doubled may be larger than the picture.
    x = _convolved(x[:, :height, :width], 3, self.outer_kernel)
    return nn.sigmoid(x + self.param('bias', nn.initializers.zeros, (3,)))


def _normalized(x, features, size, stride=1):
  # There is no bias, because it would be subtracted with the mean.
  return nn.relu(InstanceNorm()(_convolved(x, features, size, stride)))


def _convolved(x, features, size, stride=1):
  """Returns `[N, H / stride, W / stride, features]`, rounded up."""
  around = (size // 2, size // 2)
  x = jnp.pad(x, ((0, 0), around, around, (0, 0)), 'reflect')
  deviation = (size * size * x.shape[-1]) ** -0.5
  return layers.Conv(
    features, size, stride, 0, kernel_init=layers.normal(deviation)
  )(x)
