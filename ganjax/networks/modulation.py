"""Convolutions that a style modulates, and that resample, as in StyleGAN2.

Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", 2020,
arXiv:1912.04958, section 2 and appendix B. Kernels are shared by all examples:
each example's input channels are scaled by its style, and its output channels
by what brings them back to variance 1. That is the same as a kernel for each
example, in a convolution of as many groups, whose derivatives XLA is slow at.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from ganjax.networks import convolution, equalized, layers, resample


class StyledConv(nn.Module):
  """A modulated convolution, noise, a bias and the activation.

  The noise is one image for all channels, times one number that begins at 0.
  Without a key there is none.

  Attributes:
    features: channels of the output.
    product: `same` or `up`.
    dtype: of the computation; the style's part is float32.
  """

  features: int
  product: Callable
  dtype: Any

  @nn.compact
  def __call__(self, images, style):
    """Returns images `[N, H', W', features]` in the styles `[N, W]`."""
    channels = images.shape[-1]
    scale = equalized.Dense(channels, gain=1.0, offset=1.0, name='affine')(
      style
    )
    shape = 3, 3, channels, self.features
    kernel = self.param('kernel', layers.normal(1.0), shape)
    zeros = nn.initializers.zeros
    strength = self.param('strength', zeros, ()).astype(self.dtype)
    bias = self.param('bias', zeros, (self.features,)).astype(self.dtype)
    images = modulated(images.astype(self.dtype), kernel, scale, self.product)
    if self.has_rng('noise'):
      noise = jax.random.normal(self.make_rng('noise'), images.shape[:-1])
      images += strength * noise[..., None].astype(self.dtype)
    return equalized.scaled_leaky_relu(images + bias)


class ToRGB(nn.Module):
  """Images `[N, H, W, C]` -> `[N, H, W, channels]`, float32, in a style.

  A modulated 1x1 convolution without demodulation, noise and activation.
  """

  channels: int

  @nn.compact
  def __call__(self, images, style):
    """Returns the images in the styles `[N, W]`."""
    width = images.shape[-1]
    scale = equalized.Dense(width, gain=1.0, offset=1.0, name='affine')(style)
    scale = (scale * width**-0.5)[:, None, None]
    kernel = self.param('kernel', layers.normal(1.0), (width, self.channels))
    bias = self.param('bias', nn.initializers.zeros, (self.channels,))
    return (images.astype(jnp.float32) * scale) @ kernel + bias


def modulated(
  images: jax.Array, kernel: jax.Array, style: jax.Array, product: Callable
) -> jax.Array:
  """Returns the images of a modulated and demodulated kernel (equations 1, 3).

  Any factor of the kernel, or of the style, is demodulated away.

  Args:
    images: `[N, H, W, C]`, of any float type.
    kernel: `[k, k, C, F]`, float32.
    style: factors of the channels, `[N, C]`, float32.
    product: `(images, kernel) -> images`, linear in both: `same`, `up` or
      `down`.

  Returns:
    `[N, H', W', F]`, of the images' type.
  """
  squares = jnp.square(style) @ jnp.square(kernel).sum((0, 1))
  demodulation = jax.lax.rsqrt(squares + 1e-8)
  dtype = images.dtype
  images = images * style[:, None, None].astype(dtype)
  outputs = product(images, kernel.astype(dtype))
  return outputs * demodulation[:, None, None].astype(dtype)


def same(images: jax.Array, kernel: jax.Array) -> jax.Array:
  """Returns images `[N, H, W, F]` after a 3x3 convolution, padded by zeros."""
  return convolution.convolution(images, kernel, 1, 1)


def up(images: jax.Array, kernel: jax.Array) -> jax.Array:
  """Returns images `[N, 2H, 2W, F]`: a transposed convolution, then a filter.

  The convolution has stride 2 and gives 2H + 1 pixels, of which the filter
  1 3 3 1, with a gain of 4, makes 2H. It is computed without the zeros between
  pixels, on which convolutions are slow: the transpose of a 2x2 one makes
  the four pixels of each tile.

  Args:
    images: `[N, H, W, C]`.
    kernel: `[3, 3, C, F]`, of the same type, which acts as a true convolution:
      row 0 of it comes to lie above row 2.
  """
  rows, height, width, _ = images.shape
  features = kernel.shape[-1]
  # Row 2t + a of the kernel takes pixel i to row a of tile i + t.
  kernel = _tiles(kernel).reshape(2, 2, 4, -1, features)
  kernel = kernel.swapaxes(3, 4).reshape(2, 2, 4 * features, -1)
  tiles = convolution.transposed(images, kernel, 1, 0)
  tiles = tiles.reshape(rows, height + 1, width + 1, 2, 2, features)
  large = tiles.transpose(0, 1, 3, 2, 4, 5).reshape(
    rows, 2 * height + 2, 2 * width + 2, features
  )
  return 4 * resample.fir(large[:, :-1, :-1], 1)


def down(images: jax.Array, kernel: jax.Array) -> jax.Array:
  """Returns images `[N, H/2, W/2, F]`: a filter, then a convolution.

  The filter 1 3 3 1 gives H + 1 pixels, and the convolution has stride 2. It is
  computed as a 2x2 convolution of tiles, whose derivatives have no zeros
  between pixels.

  Args:
    images: `[N, H, W, C]`, H and W even.
    kernel: `[3, 3, C, F]`, of the same type.
  """
  rows, height, width, channels = images.shape
  blurred = resample.fir(images, 2)
  padded = jnp.pad(blurred, ((0, 0), (0, 1), (0, 1), (0, 0)))
  tiles = padded.reshape(
    rows, height // 2 + 1, 2, width // 2 + 1, 2, channels
  ).transpose(0, 1, 3, 2, 4, 5)
  tiles = tiles.reshape(rows, height // 2 + 1, width // 2 + 1, 4 * channels)
  return convolution.convolution(tiles, _tiles(kernel), 1, 0)


def _tiles(kernel):
  """Returns a kernel `[3, 3, C, F]` as one of tiles, `[2, 2, 4C, F]`.

  A 0 is its fourth row and column; the channels of a tile are those of its
  pixels, row by row.
  """
  _, _, channels, features = kernel.shape
  padded = jnp.pad(kernel, ((0, 1), (0, 1), (0, 0), (0, 0)))
  split = padded.reshape(2, 2, 2, 2, channels, features)
  return split.transpose(0, 2, 1, 3, 4, 5).reshape(2, 2, 4 * channels, features)
