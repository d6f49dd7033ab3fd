"""StyleGAN2: modulated convolutions, skip generator, residual discriminator.

Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", 2020,
arXiv:1912.04958, with the numbers of its PyTorch code (Karras et al., "Training
Generative Adversarial Networks with Limited Data", 2020, arXiv:2006.06676).
Every weight has an equalised learning rate, and every leaky ReLU a gain of
sqrt(2). Resampling is by the filter 1 3 3 1 (`resample`, `modulation`).
"""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from flax import linen as nn
from jax.typing import DTypeLike

from ganjax.arrays import Scalar
from ganjax.networks import (
  equalized,
  from_config,
  layers,
  linen,
  modulation,
  pyramids,
  resample,
  stylegan,
  stylegan2_mapping,
)
from ganjax.players import Discriminator, Generator, Pair

_LABEL_LAYERS = 8  # of the discriminator's mapping of labels


class StyleGAN2Generator(nn.Module):
  """Styles `[N, L, W]` -> images `[N, R, R, channels]`, unbounded.

  Each resolution adds an image to that of the one before, made twice as large.

  Attributes:
    widths: pairs of a resolution and its channels, from 4 pixels on.
  """

  widths: tuple[tuple[int, int], ...]
  channels: int
  low_precision: int
  remat: Callable
  dtype: Any

  @nn.compact
  def __call__(self, styles, train):
    """Returns the images in the styles."""
    stylegan.check_styles(styles, self.widths)
    width = self.widths[0][1]
    constant = self.param('constant', layers.normal(1.0), (4, 4, width))
    images = jnp.broadcast_to(constant, (len(styles), *constant.shape))
    rgb = jnp.zeros(())
    for stage, (side, width) in enumerate(self.widths):
      products = (
        [modulation.up, modulation.same] if stage else [modulation.same]
      )
      # The style of an image is also that of the next layer.
      first = max(0, 2 * stage - 1)

      def block(images, styles, width=width, products=products, stage=stage):
        for number, product in enumerate(products):
          conv = modulation.StyledConv(
            width, product, _dtype_of(self, stage), name=f'conv{number}'
          )
          images = conv(images, styles[:, number])
        image = modulation.ToRGB(self.channels, name='to_rgb')(
          images, styles[:, -1]
        )
        return images, image

      images, image = self.remat(layers.Block)(block, name=f'block{side}')(
        images, styles[:, first : first + len(products) + 1]
      )
      rgb = image + (resample.fir_up(rgb) if stage else 0)
    return rgb


class StyleGAN2Discriminator(nn.Module):
  """Images `[N, R, R, C]` -> logits `[N]`.

  With classes, a logit is the product of the last layer with a mapping of the
  label, which for a pack is that of the mean of its labels.

  Attributes:
    widths: pairs of a resolution and its channels, from 4 pixels on.
    residual: as in `discriminator`.
    statistics: likewise.
  """

  widths: tuple[tuple[int, int], ...]
  residual: bool
  statistics: Callable | None
  low_precision: int
  remat: Callable
  dtype: Any
  classes: int

  @nn.compact
  def __call__(self, images, labels=None, *, train):
    """Returns the logits of the images."""
    side, width = self.widths[-1]
    if images.shape[1:3] != (side, side):
      raise ValueError(
        f'This discriminator takes images of {side}x{side} pixels, not of '
        f'{images.shape[1]}x{images.shape[2]}; give it those of a generator '
        'of the same resolution.'
      )
    last = len(self.widths) - 1
    conv = _conv(width, _dtype_of(self, last), name='from_rgb', size=1)
    images = equalized.scaled_leaky_relu(conv(images))
    for stage in range(last, 0, -1):
      (_, outer), (side, inner) = self.widths[stage - 1 : stage + 1]

      def block(images, inner=inner, outer=outer, stage=stage):
        dtype = _dtype_of(self, stage)
        hidden = equalized.scaled_leaky_relu(
          _conv(inner, dtype, name='conv0')(images)
        )
        halved = _conv(outer, dtype, name='conv1', product=modulation.down)
        hidden = equalized.scaled_leaky_relu(halved(hidden))
        if not self.residual:
          return hidden
        skip = _conv(outer, dtype, name='skip', size=1, bias=False)
        return (hidden + skip(resample.fir_down(images))) * 0.5**0.5

      images = self.remat(layers.Block)(block, name=f'block{side}')(images)
    images = images.astype(jnp.float32)
    if self.statistics is not None:
      images = self.statistics()(images)
    width = self.widths[0][1]
    images = equalized.scaled_leaky_relu(
      _conv(width, jnp.float32, name='conv')(images)
    )
    flat = images.reshape(len(images), -1)
    dense = equalized.Dense(width, gain=1.0, name='dense')
    features = equalized.scaled_leaky_relu(dense(flat))
    self.sow('features', 'last', features)
    outputs = width if self.classes else 1
    head = equalized.Dense(outputs, gain=1.0, name='head')(features)
    if not self.classes:
      return head[:, 0]
    embedded = stylegan2_mapping.embedded(
      labels, self.classes, width, len(head)
    )
    stack = stylegan2_mapping.Stack(width, _LABEL_LAYERS, name='labels')
    vectors = stack(embedded)
    return (head * vectors).sum(-1) * width**-0.5


def generator(
  resolution: int,
  channels: int = 3,
  style: int = 512,
  depth: int = 8,
  mixing: Scalar = 0.9,
  base: int = 16384,
  max_channels: int = 512,
  low_precision: int = 4,
  remat: Callable = lambda module: module,
  dtype: DTypeLike = jnp.float32,
  classes: int = 0,
) -> Generator:
  """Returns the `Generator` of StyleGAN2, with a skip connection of images.

  Its styles are `[N, 2 log2(resolution) - 2, style]`.

  Args:
    resolution: of the images, a power of two from 4 on.
    channels: of the images.
    style: size of a style.
    depth: dense layers of the mapping.
    mixing: probability that a training batch has styles of other latents, drawn
      N(0, 1), from a random layer on; in [0, 1], may be traced.
    base: channels of the layers times half the resolution.
    max_channels: the largest number of channels, at any resolution.
    low_precision: how many resolutions, from the highest down, are computed in
      `dtype`; the others, and always that of 4 pixels, in float32.
    remat: a transform of module classes, put around each block: `nn.remat`
      computes activations again in the backward pass, instead of storing them.
    dtype: of these resolutions; the mapping, parameters and images are float32.
    classes: how many; with them the generator is conditional. 0 for an
      unconditional one.

  Raises:
    ValueError: if there is no such resolution, and when the synthesis is given
      another number of styles.
  """
  widths = pyramids.widths(resolution, base, max_channels)
  return linen.generator_of_two(
    stylegan2_mapping.Mapping(2 * len(widths), style, depth, mixing, classes),
    StyleGAN2Generator(widths, channels, low_precision, remat, dtype),
  )


def discriminator(
  resolution: int,
  base: int = 16384,
  max_channels: int = 512,
  residual: bool = True,
  statistics: Callable | None = layers.MinibatchStd,
  low_precision: int = 4,
  remat: Callable = lambda module: module,
  dtype: DTypeLike = jnp.float32,
  classes: int = 0,
) -> Discriminator:
  """Returns the `Discriminator` of StyleGAN2.

  For other arguments and errors, see `generator`.

  Args:
    residual: whether blocks are residual; not in the paper's for CIFAR-10.
    statistics: a module factory, `[N, 4, 4, C]` -> `[N, 4, 4, C + S]`, called
      before the last convolution; None for none.
  """
  return linen.discriminator(
    StyleGAN2Discriminator(
      pyramids.widths(resolution, base, max_channels),
      residual,
      statistics,
      low_precision,
      remat,
      dtype,
      classes,
    )
  )


def _conv(features, dtype, **arguments):
  return equalized.Conv(features, gain=1.0, dtype=dtype, **arguments)


def _dtype_of(module, stage):
  """Returns the dtype in which a stage, of which 0 is 4 pixels, is computed."""
  first = max(1, len(module.widths) - module.low_precision)
  return module.dtype if stage >= first else jnp.float32


def _from_sections(config, shape, dtype, classes=0):
  resolution, _, channels = shape
  tables = {'remat': linen.REMATS}
  shared = {'dtype': dtype, 'classes': classes}
  return Pair(
    generator(
      resolution,
      channels,
      **shared,
      **from_config.arguments(config.generator, **tables),
    ),
    discriminator(
      resolution,
      **shared,
      **from_config.discriminator_arguments(config.discriminator, **tables),
    ),
  )


NETWORKS = {'stylegan2': _from_sections}
