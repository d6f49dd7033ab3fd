"""The style-based generator, and MSG-StyleGAN's networks around it.

Karras, Laine and Aila, "A Style-Based Generator Architecture for Generative
Adversarial Networks", 2019, arXiv:1812.04948, section 2: a mapping network
turns latents into styles, and one style scales and shifts the normalised
channels of each layer of the synthesis. Karnewar and Wang, "MSG-GAN:
Multi-Scale Gradients for Generative Adversarial Networks", 2020,
arXiv:1903.06048, make an image at each resolution, so that images are pyramids,
as in `networks.msg`. With `connections=()` the pyramid is one image, and the
generator is StyleGAN's, without growing.
"""

import functools
from collections.abc import Callable, Iterable
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax.typing import DTypeLike

from ganjax.arrays import Scalar
from ganjax.networks import (
  conditional,
  equalized,
  layers,
  linen,
  msg,
  pyramids,
  resample,
)
from ganjax.players import Discriminator, Generator


def mixed(
  keys: jax.Array,
  styles: jax.Array,
  others: jax.Array,
  number: int,
  share: Scalar,
  draws: int,
) -> jax.Array:
  """Returns styles `[N, number, W]`, from a random layer on those of others.

  Karras, Laine and Aila, 2019, arXiv:1812.04948, section 3.1. The layer is
  uniform among all but the first.

  Args:
    keys: two of them.
    styles: `[N, 1, W]`.
    others: `[N, 1, W]`.
    number: of layers, at least 2.
    share: probability of mixing, in [0, 1]; may be traced.
    draws: N, one draw for each example; or 1, one for the whole batch.
  """
  crossover = jax.random.randint(keys[0], (draws, 1), 1, number)
  chosen = jax.random.bernoulli(keys[1], share, (draws, 1))
  replaced = chosen & (jnp.arange(number) >= crossover)
  return jnp.where(replaced[:, :, None], others, styles)


class Mapping(nn.Module):
  """Latents `[N, Z]` -> styles `[N, number, width]`, one for each layer.

  Attributes:
    number: layers of the synthesis.
    width: size of a style.
    depth: dense layers.
    mixing: as in `generator`.
    dense: a module factory of dense layers.
    classes: how many, of which the labels are; 0 in unconditional games.
  """

  number: int
  width: int
  depth: int
  mixing: Any
  dense: Callable
  classes: int

  @nn.compact
  def __call__(self, latents, labels=None, *, train):
    """Returns the styles of the latents."""
    network = [
      self.dense(self.width, rate=0.01, name=f'dense{layer}')
      for layer in range(self.depth)
    ]

    def mapped(latents):
      if self.classes:
        latents = conditional.with_classes(latents, labels, self.classes)
      styles = equalized.pixel_norm(latents)
      for layer in network:
        styles = equalized.leaky_relu(layer(styles))
      return styles[:, None]

    rows = len(latents)
    styles = mapped(latents)
    if train and self.has_rng('noise'):
      keys = jax.random.split(self.make_rng('noise'), 3)
      others = mapped(jax.random.normal(keys[0], latents.shape))
      return mixed(keys[1:], styles, others, self.number, self.mixing, rows)
    return jnp.broadcast_to(styles, (rows, self.number, self.width))


def instance_norm(images: jax.Array) -> jax.Array:
  """Returns images of mean 0 and variance 1 over the pixels of each channel.

  Ulyanov, Vedaldi and Lempitsky, "Instance Normalization: The Missing
  Ingredient for Fast Stylization", 2016, arXiv:1607.08022.

  Args:
    images: `[N, H, W, C]`.
  """
  centred = images.astype(jnp.float32)
  centred -= centred.mean((1, 2), keepdims=True)
  variance = jnp.mean(centred**2, (1, 2), keepdims=True)
  return (centred * jax.lax.rsqrt(variance + 1e-8)).astype(images.dtype)


class Styling(nn.Module):
  """What follows a convolution: noise, bias, activation, norm and style.

  The noise is one image for all channels, with a strength for each channel that
  begins at 0. Without a key there is no noise, which is its mean.

  Attributes:
    dense: a module factory of dense layers.
  """

  dense: Callable

  @nn.compact
  def __call__(self, images, style):
    """Returns the images `[N, H, W, C]` in the styles `[N, W]`."""
    width = images.shape[-1]
    strength, bias = (
      self.param(name, nn.initializers.zeros, (width,)).astype(images.dtype)
      for name in ('strength', 'bias')
    )
    if self.has_rng('noise'):
      noise = jax.random.normal(self.make_rng('noise'), images.shape[:-1])
      images += strength * noise[..., None].astype(images.dtype)
    images = instance_norm(equalized.leaky_relu(images + bias))
    style = self.dense(2 * width, gain=1.0)(style)[:, None, None]
    scale, shift = jnp.split(style, 2, -1)
    return (scale + 1) * images + shift


def check_styles(
  styles: jax.Array, widths: tuple[tuple[int, int], ...]
) -> None:
  """Raises ValueError unless there are two styles for each resolution.

  Args:
    styles: `[N, L, W]`.
    widths: pairs of a resolution and its channels.
  """
  if styles.shape[1] != 2 * len(widths):
    raise ValueError(
      f'Images of {widths[-1][0]} pixels take {2 * len(widths)} styles, two '
      f'for each resolution, not {styles.shape[1]}; give styles of the mapping '
      'of a generator of the same resolution.'
    )


class StyleGenerator(nn.Module):
  """Styles `[N, L, W]` -> a pyramid of images `[N, r, r, channels]`.

  Attributes:
    widths: pairs of a resolution and its channels, from 4 pixels on; each has
      two of the L layers.
    sides: resolutions of the images in the pyramid.
  """

  widths: tuple[tuple[int, int], ...]
  sides: tuple[int, ...]
  channels: int
  conv: Callable
  linear: Callable
  dense: Callable
  remat: Callable

  @nn.compact
  def __call__(self, styles, train):
    """Returns the pyramid of images in the styles."""
    check_styles(styles, self.widths)

    def grow(images, width):
      # The bias comes after the blur, which would darken it at the border.
      grown = self.conv(width, bias=False)(resample.nearest(images))
      return resample.blur(grown)

    def block(first, width, images, styles):
      images = Styling(self.dense)(first(images, width), styles[:, 0])
      images = self.conv(width, bias=False)(images)
      return Styling(self.dense)(images, styles[:, 1])

    start = 4, 4, self.widths[0][1]
    constant = self.param('constant', nn.initializers.ones, start)
    images = jnp.broadcast_to(constant, (len(styles), *start))
    first, pyramid = lambda images, width: images, []
    for stage, (side, width) in enumerate(self.widths):
      function = functools.partial(block, first, width)
      images = self.remat(layers.Block)(function, name=f'block{side}')(
        images, styles[:, 2 * stage : 2 * stage + 2]
      )
      if side in self.sides:
        rgb = self.linear(self.channels, dtype=jnp.float32, name=f'rgb{side}')
        pyramid.append(rgb(images))
      first = grow
    return tuple(pyramid)


def _from_rgb(linear, width, rgb):
  return equalized.leaky_relu(linear(width, gain=equalized.GAIN)(rgb))


def _blur_and_halve(conv, inner, outer, images):
  images = equalized.leaky_relu(conv(inner)(images))
  # The mean of its outputs makes this a strided convolution of wider kernel.
  images = resample.average(conv(outer)(resample.blur(images)))
  return equalized.leaky_relu(images)


def _join(linear, width, rgb, hidden):
  features = equalized.leaky_relu(linear(width // 2, gain=equalized.GAIN)(rgb))
  both = jnp.concatenate([hidden, features], -1)
  return linear(width, bias=False)(both)


cat_lin = msg.Combine(lambda width: width, _join)
"""How MSG-StyleGAN takes images: a linear map of channels and of features.

The features of an image are half as many channels, made by a 1x1 convolution
with an activation.
"""


def generator(
  resolution: int,
  channels: int = 3,
  style: int = 512,
  depth: int = 8,
  mixing: Scalar = 0.0,
  base: int = 8192,
  max_channels: int = 512,
  connections: Iterable[int] | None = None,
  scaling: Callable = equalized.equalized,
  remat: Callable = lambda module: module,
  dtype: DTypeLike = jnp.float32,
  classes: int = 0,
) -> Generator:
  """Returns the style-based `Generator`, whose images are a pyramid.

  Its styles are `[N, L, style]`, two layers for each resolution. Images are
  enlarged by nearest neighbours, convolved and then blurred. For other
  arguments, see `msg.generator`.

  Args:
    style: size of a style; 512 in the papers.
    depth: dense layers of the mapping, which normalises latents first.
    mixing: share of the examples whose styles, from a random layer on, are
      those of other latents, drawn N(0, 1), in training only; in [0, 1], may be
      traced. 0 in MSG-StyleGAN, .9 in StyleGAN, which mixes all of a batch from
      the same layer on.
    dtype: of the synthesis; the mapping, parameters and images are float32.
    classes: how many; with them the generator is conditional, and its mapping
      takes latents and labels together. 0 for an unconditional one.

  Raises:
    ValueError: if there is no such resolution or connection, and when the
      synthesis is given another number of styles than L.
  """
  conv, linear = msg.convolutions(1.0, scaling, dtype)
  widths = pyramids.widths(resolution, base, max_channels)
  dense = functools.partial(equalized.Dense, scaling=scaling)
  return linen.generator_of_two(
    Mapping(2 * len(widths), style, depth, mixing, dense, classes),
    StyleGenerator(
      widths,
      pyramids.connected(resolution, connections),
      channels,
      conv,
      linear,
      functools.partial(dense, dtype=dtype),
      remat,
    ),
  )


def discriminator(
  resolution: int,
  base: int = 8192,
  max_channels: int = 512,
  connections: Iterable[int] | None = None,
  combine: msg.Combine = cat_lin,
  block_statistics: Callable | None = layers.MinibatchStd,
  map_statistics: Callable | None = layers.MinibatchStd,
  scaling: Callable = equalized.equalized,
  remat: Callable = lambda module: module,
  dtype: DTypeLike = jnp.float32,
) -> Discriminator:
  """Returns the `Discriminator` of MSG-StyleGAN, which takes a pyramid.

  It is that of MSG-ProGAN, with images blurred before they are halved. For the
  arguments and errors, see `msg.discriminator`.
  """
  return msg.discriminator(
    resolution,
    base,
    max_channels,
    connections,
    combine,
    block_statistics,
    map_statistics,
    scaling=scaling,
    remat=remat,
    dtype=dtype,
    from_rgb=_from_rgb,
    shrink=_blur_and_halve,
  )


NETWORKS = {
  'stylegan': pyramids.from_sections(
    generator, discriminator, {'cat_lin': cat_lin}
  )
}
