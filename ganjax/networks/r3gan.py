"""R3GAN: residual networks without normalisation, for a relativistic loss.

Huang, Gokaslan, Kuleshov and Tompkin, "The GAN is dead; long live the GAN! A
Modern GAN Baseline", 2024, arXiv:2501.05441, section 4 and appendix, with what
is in its authors' code alone: gains, the basis and its transpose, and labels.
The two networks mirror one another. Where the resolution changes, a filter
resamples (`resample.fir_up`, `resample.fir_down`), and a 1x1 convolution
changes the number of channels if it has to; no convolution has a bias, but each
activation adds one. Neither network mixes the examples of a batch.
"""

from typing import Any

import jax.numpy as jnp
from flax import linen as nn
from jax.typing import DTypeLike

from ganjax.networks import grouped, layers, linen, resample
from ganjax.players import Discriminator, Generator, Pair

_SLOPE = 0.2  # of the leaky ReLU below 0
_SMALLEST = 4  # side of the smallest images, in pixels


class Residual(nn.Module):
  """Images `[N, H, W, C]` plus an inverted bottleneck, which begins at 0.

  That is a 1x1 convolution to more channels, a grouped 3x3 one and a 1x1 one
  back, with a biased leaky ReLU after each of the first two.

  Attributes:
    blocks: of the whole network, which the initial weights are scaled by
      (Zhang, Dauphin and Ma, "Fixup Initialization", 2019, arXiv:1901.09321).
    expansion: how many times more channels lie within.
    group: channels in a group of the 3x3 convolution.
    dtype: of the computation.
  """

  blocks: int
  expansion: int
  group: int
  dtype: Any

  @nn.compact
  def __call__(self, images):
    """Returns images of the same shape."""
    images = images.astype(self.dtype)
    width = images.shape[-1]
    inside = self.expansion * width
    gain = (2 / (1 + _SLOPE**2)) ** 0.5 * self.blocks**-0.25
    group = min(self.group, inside)
    hidden = _one_by_one(inside, self.dtype, _scaled(gain), 'widen')(images)
    hidden = self._activate(hidden, 'bias_before')
    kernel = self.param('kernel', _scaled(gain), (3, 3, group, inside))
    hidden = grouped.convolution(hidden, kernel.astype(self.dtype))
    hidden = self._activate(hidden, 'bias_after')
    zeros = nn.initializers.zeros
    return images + _one_by_one(width, self.dtype, zeros, 'narrow')(hidden)

  def _activate(self, images, name):
    bias = self.param(name, nn.initializers.zeros, images.shape[-1:])
    return nn.leaky_relu(images + bias.astype(images.dtype), _SLOPE)


class R3GANGenerator(nn.Module):
  """Latents `[N, Z]` -> images `[N, R, R, channels]`, unbounded.

  With classes, the vectors of the labels `[N]` lie beside the latents.
  """

  widths: tuple[int, ...]
  channels: int
  blocks: int
  expansion: int
  group: int
  low_precision: int
  classes: int
  embedding: int
  dtype: Any

  @nn.compact
  def __call__(self, latents, labels=None, *, train):
    """Returns the images of the latents."""
    if self.classes:
      shape = self.classes, self.embedding
      table = self.param('classes', layers.normal(self.classes**-0.5), shape)
      beside = layers.chosen(table, labels)
      latents = jnp.concatenate([latents, beside], -1)
    shape = _SMALLEST, _SMALLEST, self.widths[0]
    basis = self.param('basis', layers.normal(1.0), shape)
    weights = _one_by_one(self.widths[0], jnp.float32, _scaled(), 'start')(
      latents
    )
    images = weights[:, None, None] * basis
    for stage, width in enumerate(self.widths):
      dtype = _dtype_of(self, stage)
      images = images.astype(dtype)
      if stage:
        images = resample.fir_up(_widened(images, width, dtype, stage))
      images = _residuals(self, images, stage, dtype)
    to_rgb = _one_by_one(self.channels, jnp.float32, _scaled(), 'to_rgb')
    return to_rgb(images)


class R3GANDiscriminator(nn.Module):
  """Images `[N, R, R, C]` -> logits `[N]`.

  With classes, a logit is the product of the features with the vector of the
  label, which for a pack is the mean of its labels' vectors.
  """

  widths: tuple[int, ...]
  blocks: int
  expansion: int
  group: int
  low_precision: int
  classes: int
  dtype: Any

  @nn.compact
  def __call__(self, images, labels=None, *, train):
    """Returns the logits of the images."""
    side = _side(self.widths)
    if images.shape[1:3] != (side, side):
      raise ValueError(
        f'R3GAN with {len(self.widths)} widths takes images of {side}x{side} '
        f'pixels, not of {images.shape[1]}x{images.shape[2]}; give it those, '
        'or one width more for each doubling from 4 pixels on.'
      )
    last = len(self.widths) - 1
    dtype = _dtype_of(self, last)
    images = _one_by_one(self.widths[-1], dtype, _scaled(), 'from_rgb')(images)
    for stage in range(last, -1, -1):
      dtype = _dtype_of(self, stage)
      images = _residuals(self, images.astype(dtype), stage, dtype)
      if stage:
        images = resample.fir_down(images)
        images = _widened(images, self.widths[stage - 1], dtype, stage)
    width = self.widths[0]
    basis = self.param('basis', _scaled(), (_SMALLEST, _SMALLEST, width))
    features = (images.astype(jnp.float32) * basis).sum((1, 2))
    self.sow('features', 'last', features)
    outputs = width if self.classes else 1
    head = _one_by_one(outputs, jnp.float32, _scaled(), 'head')(features)
    if not self.classes:
      return head[:, 0]
    deviation = (self.classes * width) ** -0.5
    shape = self.classes, width
    table = self.param('classes', layers.normal(deviation), shape)
    vectors = layers.chosen(table, labels)
    vectors = vectors.reshape(len(features), -1, width).mean(1)
    return (head * vectors).sum(-1)


def generator(
  widths: tuple[int, ...] = (768, 768, 768, 768),
  channels: int = 3,
  blocks: int = 2,
  expansion: int = 2,
  group: int = 16,
  low_precision: int = 4,
  dtype: DTypeLike = jnp.float32,
  classes: int = 0,
  embedding: int = 64,
) -> Generator:
  """Returns the `Generator` of R3GAN, of 20,732,160 parameters by default.

  Args:
    widths: channels at 4 pixels, 8 pixels and so on: four widths make images of
      32 pixels.
    channels: of the images.
    blocks: residual blocks at each resolution.
    expansion: how many times more channels lie within a block.
    group: channels in a group of its 3x3 convolution, which have to divide
      those within, or are all of them if they are fewer; 16 is the paper's
      cardinality of 96 at a width of 768.
    low_precision: how many resolutions, from the highest down, are computed in
      `dtype`; the others, and always that of 4 pixels, in float32.
    dtype: of the computation; parameters, images, and the layers of images and
      of logits are float32.
    classes: how many; with them the generator is conditional. 0 for an
      unconditional one.
    embedding: size of the vector of a class.

  Raises:
    ValueError: if `group` does not divide the channels within a block.
  """
  widths = _checked(widths, expansion, group)
  return linen.generator(
    R3GANGenerator(
      widths,
      channels,
      blocks,
      expansion,
      group,
      low_precision,
      classes,
      embedding,
      dtype,
    )
  )


def discriminator(
  widths: tuple[int, ...] = (768, 768, 768, 768),
  blocks: int = 2,
  expansion: int = 2,
  group: int = 16,
  low_precision: int = 4,
  dtype: DTypeLike = jnp.float32,
  classes: int = 0,
) -> Discriminator:
  """Returns the `Discriminator` of R3GAN, of 20,683,776 parameters by default.

  For the arguments and errors, see `generator`.

  Args:
    widths: channels at 4 pixels, 8 pixels and so on, as the generator has them.
  """
  widths = _checked(widths, expansion, group)
  return linen.discriminator(
    R3GANDiscriminator(
      widths, blocks, expansion, group, low_precision, classes, dtype
    )
  )


def _scaled(gain=1.0):
  """Returns the initialiser N(0, gain^2 / fan-in) of all kernels."""

  def draw(key, shape, dtype=jnp.float32):
    fan_in = 1
    for size in shape[:-1]:
      fan_in *= size
    return layers.normal(gain * fan_in**-0.5)(key, shape, dtype)

  return draw


def _one_by_one(width, dtype, kernel_init, name):
  return layers.Dense(
    width, use_bias=False, dtype=dtype, kernel_init=kernel_init, name=name
  )


def _widened(images, width, dtype, stage):
  """Returns images `[N, H, W, width]`, the images themselves if they are."""
  if images.shape[-1] == width:
    return images
  return _one_by_one(width, dtype, _scaled(), f'width{stage}')(images)


def _residuals(module, images, stage, dtype):
  total = module.blocks * len(module.widths)
  for number in range(module.blocks):
    images = Residual(
      total,
      module.expansion,
      module.group,
      dtype,
      name=f'block{stage}_{number}',
    )(images)
  return images


def _dtype_of(module, stage):
  """Returns the dtype in which a stage, of which 0 is 4 pixels, is computed."""
  first = max(1, len(module.widths) - module.low_precision)
  return module.dtype if stage >= first else jnp.float32


def _side(widths):
  """Returns the side of the images of as many widths, in pixels."""
  return _SMALLEST * 2 ** (len(widths) - 1)


def _checked(widths, expansion, group):
  for width in widths:
    if expansion * width % min(group, expansion * width):
      raise ValueError(
        f'{expansion} times {width} channels cannot be divided into groups of '
        f'{group}; choose a group that divides them.'
      )
  return tuple(widths)


def _from_sections(config, shape, dtype, classes=0):
  side, _, channels = shape
  for section in (config.generator, config.discriminator):
    if side != _side(section.widths):
      raise ValueError(
        f'R3GAN with the widths {tuple(section.widths)} makes images of '
        f'{_side(section.widths)} pixels, and the data has {side}; give each '
        'player one width for 4 pixels and one more for each doubling.'
      )
  shared = {'dtype': dtype, 'classes': classes}
  return Pair(
    generator(channels=channels, **shared, **config.generator),
    discriminator(**shared, **config.discriminator),
  )


NETWORKS = {'r3gan': _from_sections}
