"""Progressive growing: networks that begin with 4x4 pixels and double them.

Karras et al., "Progressive Growing of GANs for Improved Quality, Stability, and
Variation", 2018, arXiv:1710.10196, section 2, figure 2 and table 2. The images
of stage s have 4 * 2^s pixels on each side, from s = 0 to the last. At every
stage the parameters are those of all stages, with the same names, shapes and
initial values, so that the state of a growing run keeps its shape; those that a
stage does not use have zero gradients.

The other rows of the paper's table 1 are other arguments: `norms.batch`,
`norms.layer` and `norms.none` for `norm`, `nn.relu` for `activation`,
`jnp.tanh` for `output`, `equalized.at_init` for `scaling`, and other statistics
of the batch.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax.typing import DTypeLike

from ganjax import growth
from ganjax.arrays import Scalar
from ganjax.networks import (
  equalized,
  from_config,
  layers,
  linen,
  norms,
  resample,
)
from ganjax.players import Discriminator, Generator, Pair


class ProgressiveGenerator(nn.Module):
  """Styles `[N, Z]` -> images `[N, R, R, channels]` of a stage."""

  widths: tuple[int, ...]
  channels: int
  stage: int
  alpha: Any
  activate: Callable
  output: Callable
  conv: Callable
  remat: Callable

  @nn.compact
  def __call__(self, styles, train):
    """Returns the images of the styles."""

    def convolved(images, width, **kernel):
      return self.activate(self.conv(width, **kernel)(images), train)

    def start(styles, width):
      # Of a single pixel, this convolution is a dense layer.
      pixel = styles[:, None, None]
      images = convolved(pixel, width, size=4, padding=3, dtype=jnp.float32)
      return convolved(images, width, dtype=jnp.float32)

    def grow(images, width):
      return convolved(convolved(resample.nearest(images), width), width)

    # An image at each resolution: the compiler drops those that are not used.
    hidden, images = styles, []
    for stage, width in enumerate(self.widths[: self.stage + 1]):
      function = functools.partial(grow if stage else start, width=width)
      hidden = self.remat(layers.Block)(function, name=f'block{stage}')(hidden)
      rgb = self.conv(
        self.channels, 1, gain=1.0, dtype=jnp.float32, name=f'rgb{stage}'
      )
      images.append(rgb(hidden))
    last = images[-1]
    if self.stage:
      last = _fade(resample.nearest(images[-2]), last, self.alpha)
    return self.output(last)


class ProgressiveDiscriminator(nn.Module):
  """Images `[N, R, R, C]` of a stage -> logits `[N]`."""

  widths: tuple[int, ...]
  stage: int
  alpha: Any
  activation: Callable
  activate: Callable
  map_statistics: Callable | None
  statistics: Callable | None
  conv: Callable
  dense: Callable
  remat: Callable

  @nn.compact
  def __call__(self, images, train):
    """Returns the logits of the images."""
    side = growth.resolution(self.stage)
    if images.shape[1:3] != (side, side):
      raise ValueError(
        f'Stage {self.stage} takes images of {side}x{side} pixels, not of '
        f'{images.shape[1]}x{images.shape[2]}; give it those of a generator of '
        'the same stage, or of its own prepare_real.'
      )

    def from_rgb(images, stage):
      rgb = self.conv(self.widths[stage], 1, name=f'rgb{stage}')(images)
      return self.activation(rgb)

    def convolved(images, width, **kernel):
      return self.activate(self.conv(width, **kernel)(images), train)

    def shrink(images, width):
      return resample.average(
        convolved(convolved(images, images.shape[-1]), width)
      )

    def end(images, width):
      images = convolved(images, width, dtype=jnp.float32)
      return convolved(images, width, size=4, padding=0, dtype=jnp.float32)[
        :, 0, 0
      ]

    hidden = from_rgb(images, self.stage)
    for stage in range(self.stage, 0, -1):
      function = functools.partial(shrink, width=self.widths[stage - 1])
      hidden = self.remat(layers.Block)(function, name=f'block{stage}')(hidden)
      # Initialisation takes images at every stage, for the parameters of all.
      if stage == self.stage or self.is_initializing():
        images = resample.average(images)
        hidden = _fade(from_rgb(images, stage - 1), hidden, self.alpha)
    if self.map_statistics is not None:
      hidden = self.map_statistics()(hidden)
    function = functools.partial(end, width=self.widths[0])
    features = self.remat(layers.Block)(function, name='block0')(hidden)
    self.sow('features', 'last', features)
    if self.statistics is not None:
      features = self.statistics()(features)
    logits = self.dense(1, gain=1.0, dtype=jnp.float32, name='logits')
    return logits(features)[:, 0]


def generator(
  resolution: int,
  channels: int = 3,
  stage: int | None = None,
  alpha: Scalar = 1.0,
  base: int = 8192,
  max_channels: int = 512,
  activation: Callable = equalized.leaky_relu,
  norm: Callable = norms.pixel,
  mapping: Callable = equalized.pixel_norm,
  output: Callable = lambda images: images,
  scaling: Callable = equalized.equalized,
  remat: Callable = lambda module: module,
  dtype: DTypeLike = jnp.float32,
) -> Generator:
  """Returns the `Generator` of a stage of progressive growing.

  Args:
    resolution: of the last stage's images, in pixels, a power of two from 4 on.
    channels: of the images.
    stage: 0 for 4x4 pixels, 1 for 8x8 and so on; None is the last.
    alpha: how far the stage has faded in, in [0, 1]: 0 is the stage before with
      each pixel repeated four times, 1 the stage alone; may be traced. Stage 0
      has no stage before it.
    base: channels of the layers times half the resolution; 4096 for the paper's
      CIFAR-10, 2048 for its table 1.
    max_channels: the largest number of channels, at any resolution; 128 for the
      paper's CIFAR-10.
    activation: images -> images.
    norm: one of `ganjax.networks.norms`, or another function of an activation
      that returns `(images, train) -> images`.
    mapping: latents -> styles, here the latents that the first layer takes.
    output: images -> images, after the last layer: `jnp.tanh` bounds them to
      [-1, 1].
    scaling: `equalized.equalized` or `equalized.at_init`.
    remat: a transform of module classes, put around each block: `nn.remat`
      computes activations again in the backward pass, instead of storing them.
    dtype: of the computation; parameters, images, what is computed at 4 pixels,
      and the layers of images and of logits are float32.

  Raises:
    ValueError: if there is no such resolution or stage.
  """
  last = growth.stage_of(resolution)
  module = ProgressiveGenerator(
    _widths(last, base, max_channels),
    channels,
    _checked(stage, last, resolution),
    alpha,
    norm(activation),
    output,
    functools.partial(equalized.Conv, scaling=scaling, dtype=dtype),
    remat,
  )
  whole = linen.generator(module.clone(stage=last), mapping)
  return linen.generator(module, mapping)._replace(init=whole.init)


def discriminator(
  resolution: int,
  stage: int | None = None,
  alpha: Scalar = 1.0,
  base: int = 8192,
  max_channels: int = 512,
  activation: Callable = equalized.leaky_relu,
  norm: Callable = norms.none,
  map_statistics: Callable | None = layers.MinibatchStd,
  statistics: Callable | None = None,
  scaling: Callable = equalized.equalized,
  remat: Callable = lambda module: module,
  dtype: DTypeLike = jnp.float32,
) -> Discriminator:
  """Returns the `Discriminator` of a stage of progressive growing.

  Its `prepare_real` reduces reals from the last stage's resolution to that of
  the stage, and fades them as the generator fades its images. For other
  arguments, see `generator`.

  Args:
    alpha: at 0, the logits are those that the stage before gives to the images
      averaged over 2x2 pixels; may be traced.
    activation: images -> images; the layers that take images have it without
      a norm.
    norm: as in `generator`, in all other layers but the last.
    map_statistics: a module factory, `[N, 4, 4, C]` -> `[N, 4, 4, C + S]`,
      called before the convolutions at 4x4 pixels; None for none.
    statistics: a module factory, `[N, F]` -> `[N, F + S]`, called before the
      last layer, such as `layers.MinibatchDiscrimination`; None for none.

  Raises:
    ValueError: if there is no such resolution or stage.
  """
  last = growth.stage_of(resolution)
  stage = _checked(stage, last, resolution)
  module = ProgressiveDiscriminator(
    _widths(last, base, max_channels),
    stage,
    alpha,
    activation,
    norm(activation),
    map_statistics,
    statistics,
    functools.partial(equalized.Conv, scaling=scaling, dtype=dtype),
    functools.partial(equalized.Dense, scaling=scaling, dtype=dtype),
    remat,
  )
  whole = linen.discriminator(module.clone(stage=last))

  def init(key, images):
    # Whatever the stage, and of one example: only the shapes matter.
    example = jnp.zeros((1, resolution, resolution, images.shape[-1]))
    return whole.init(key, example)

  def prepare_real(images):
    for _ in range(last - stage):
      images = resample.average(images)
    if stage:
      coarse = resample.nearest(resample.average(images))
      images = _fade(coarse, images, alpha)
    return images

  return linen.discriminator(module, prepare_real)._replace(init=init)


def _fade(before, now, alpha):
  # Exact at both ends, as before + alpha * (now - before) is not.
  return ((1 - alpha) * before + alpha * now).astype(now.dtype)


def _widths(last, base, max_channels):
  return tuple(
    equalized.channels(growth.resolution(stage), base, max_channels)
    for stage in range(last + 1)
  )


def _checked(stage, last, resolution):
  if stage is None:
    return last
  if not 0 <= stage <= last:
    raise ValueError(
      f'There is no stage {stage}: images grow from 4 pixels at stage 0 to '
      f'{resolution} at stage {last}; choose one of them, or None for the last.'
    )
  return stage


def _from_sections(config, shape, dtype, **stage):
  resolution, _, channels = shape
  tables = {
    'norm': norms.NORMS,
    'activation': {'leaky_relu': equalized.leaky_relu, 'relu': jax.nn.relu},
    'scaling': equalized.SCALINGS,
    'remat': linen.REMATS,
  }
  outputs = {'linear': lambda images: images, 'tanh': jnp.tanh}
  own = from_config.discriminator_arguments(config.discriminator, **tables)
  # The standard deviation is taken of the maps at 4x4 pixels.
  if config.discriminator.statistics.name == 'stddev':
    own |= {'map_statistics': own['statistics'], 'statistics': None}
  else:
    own |= {'map_statistics': None}
  common = {'dtype': dtype, **stage}
  return Pair(
    generator(
      resolution,
      channels,
      **common,
      **from_config.arguments(config.generator, output=outputs, **tables),
    ),
    discriminator(resolution, **common, **own),
  )


NETWORKS = {'progressive': _from_sections}
