"""MSG-GAN: the generator's images of all resolutions are judged at once.

Karnewar and Wang, "MSG-GAN: Multi-Scale Gradients for Generative Adversarial
Networks", 2020, arXiv:1903.06048, section 2 and its appendix. The networks are
those of progressive growing, but each block of the generator makes an image,
and each block of the discriminator takes one. These images `[N, r, r, C]` are a
pyramid, a tuple with the smallest first.

The authors' code, BMSG-GAN, differs from the paper: there the discriminator has
`combine=lin_cat` and `block_statistics=None`, its `map_statistics` are those of
the whole batch, and both networks have `gain=equalized.GAIN`.
"""

import functools
import itertools
from collections.abc import Callable, Iterable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax.typing import DTypeLike

from ganjax.networks import (
  conditional,
  equalized,
  layers,
  linen,
  pyramids,
  resample,
)
from ganjax.players import Discriminator, Generator


class Combine(NamedTuple):
  """How a block of the discriminator takes the image of its resolution.

  Attributes:
    channels: `width -> channels`: how many channels the block before must give
      to a block of `width` channels.
    join: `(linear, width, rgb, hidden) -> hidden`: joins the image and the
      output of the block before; `linear` is a module factory of 1x1
      convolutions, `width` the number of channels of the block.
  """

  channels: Callable
  join: Callable


def _concatenated(*images):
  return jnp.concatenate([rgb.astype(images[-1].dtype) for rgb in images], -1)


simple = Combine(
  lambda width: width,
  lambda linear, width, rgb, hidden: _concatenated(rgb, hidden),
)
"""Concatenates the image itself: the best for MSG-ProGAN in the paper."""

lin_cat = Combine(
  lambda width: width // 2,
  lambda linear, width, rgb, hidden: _concatenated(
    linear(width // 2)(rgb), hidden
  ),
)
"""Concatenates a linear map of the image, half of the channels."""

cat_lin = Combine(
  lambda width: width,
  lambda linear, width, rgb, hidden: linear(width)(_concatenated(rgb, hidden)),
)
"""Maps the concatenated image and channels linearly to the channels."""


class MSGGenerator(nn.Module):
  """Styles `[N, Z]` -> a pyramid of images `[N, r, r, channels]`.

  Attributes:
    widths: pairs of a resolution and its channels, from 4 pixels on.
    sides: resolutions of the images in the pyramid.
  """

  widths: tuple[tuple[int, int], ...]
  sides: tuple[int, ...]
  channels: int
  conv: Callable
  linear: Callable
  remat: Callable

  @nn.compact
  def __call__(self, styles, train):
    """Returns the pyramid of images of the styles."""

    def convolved(images, width, **kernel):
      return equalized.leaky_relu(self.conv(width, **kernel)(images))

    def start(styles, width):
      # Of a single pixel, this convolution is its own transpose.
      pixel = styles[:, None, None]
      images = convolved(pixel, width, size=4, padding=3, dtype=jnp.float32)
      return equalized.pixel_norm(convolved(images, width, dtype=jnp.float32))

    def grow(images, width):
      images = resample.nearest(images)
      for _ in range(2):
        images = equalized.pixel_norm(convolved(images, width))
      return images

    images, pyramid = styles, []
    for side, width in self.widths:
      function = functools.partial(start if side == 4 else grow, width=width)
      images = self.remat(layers.Block)(function, name=f'block{side}')(images)
      if side in self.sides:
        rgb = self.linear(self.channels, dtype=jnp.float32, name=f'rgb{side}')
        pyramid.append(rgb(images))
    return tuple(pyramid)


class MSGDiscriminator(nn.Module):
  """A pyramid of images `[N, r, r, C]` -> logits `[N]`.

  Attributes:
    widths: pairs of a resolution and its channels, from 4 pixels on.
    sides: resolutions of the images in the pyramid.
    from_rgb: `(linear, width, rgb) -> hidden`: the layer that takes the largest
      image.
    shrink: `(conv, inner, outer, images) -> images`: a block that halves height
      and width, with `inner` channels within and `outer` at its end.
  """

  widths: tuple[tuple[int, int], ...]
  sides: tuple[int, ...]
  combine: Combine
  from_rgb: Callable
  shrink: Callable
  block_statistics: Callable | None
  map_statistics: Callable | None
  conv: Callable
  linear: Callable
  remat: Callable

  @nn.compact
  def __call__(self, pyramid, train):
    """Returns the logits of the pyramids."""
    given = [image.shape[1:3] for image in pyramid]
    expected = [(side, side) for side in self.sides]
    if given != expected:
      raise ValueError(
        f'This discriminator takes a pyramid of images {expected}, not '
        f'{given}; give it that of its own prepare_real, or of a generator '
        'with the same resolution and connections.'
      )
    images = dict(zip(self.sides, pyramid, strict=True))

    def block(statistics, function, images):
      if statistics is not None:
        images = statistics()(images)
      return function(images)

    def end(images):
      conv = functools.partial(self.conv, self.widths[0][1], dtype=jnp.float32)
      images = equalized.leaky_relu(conv()(images))
      images = conv(size=4, padding=0)(images)
      return equalized.leaky_relu(images)[:, 0, 0]

    largest, width = self.widths[-1]
    from_rgb = functools.partial(self.from_rgb, self.linear, width)
    hidden = layers.Block(from_rgb, name=f'rgb{largest}')(images[largest])
    for (side, inner), (below, width) in itertools.pairwise(self.widths[::-1]):
      outer = self.combine.channels(width) if below in images else width
      shrink = functools.partial(self.shrink, self.conv, inner, outer)
      hidden = self.remat(layers.Block)(
        functools.partial(block, self.block_statistics, shrink),
        name=f'block{side}',
      )(hidden)
      if below in images:
        join = functools.partial(self.combine.join, self.linear, width)
        hidden = layers.Block(join, name=f'rgb{below}')(images[below], hidden)
    features = self.remat(layers.Block)(
      functools.partial(block, self.map_statistics, end), name='block4'
    )(hidden)
    self.sow('features', 'last', features)
    # A pixel for each example, of which the 1x1 convolution is a dense layer.
    logits = self.linear(1, dtype=jnp.float32, name='logits')
    return logits(features[:, None, None])[:, 0, 0, 0]


def linear_from_rgb(linear: Callable, width: int, rgb: jax.Array) -> jax.Array:
  """Returns the channels that the first block takes, linear in the image."""
  return linear(width)(rgb)


def convolve_and_average(
  conv: Callable, inner: int, outer: int, images: jax.Array
) -> jax.Array:
  """Returns the images after two convolutions, averaged over 2x2 pixels."""
  for width in (inner, outer):
    images = equalized.leaky_relu(conv(width)(images))
  return resample.average(images)


def generator(
  resolution: int,
  channels: int = 3,
  base: int = 8192,
  max_channels: int = 512,
  connections: Iterable[int] | None = None,
  mapping: Callable = equalized.pixel_norm,
  gain: float = 1.0,
  scaling: Callable = equalized.equalized,
  remat: Callable = lambda module: module,
  dtype: DTypeLike = jnp.float32,
  classes: int = 0,
) -> Generator:
  """Returns the `Generator` of MSG-ProGAN, whose images are a pyramid.

  The first convolution is scaled as in progressive growing, and not normalised.

  Args:
    resolution: of the largest images, a power of two from 4 on.
    channels: of the images.
    base: channels of the layers times half the resolution.
    max_channels: the largest number of channels, at any resolution.
    connections: the resolutions of the pyramid beside the largest, in pixels;
      the discriminator needs the same. None stands for all of them.
    mapping: latents -> styles, here the latents that the first layer takes.
    gain: He's gain of the layers without an activation, which make the images.
    scaling: `equalized.equalized` or `equalized.at_init`.
    remat: a transform of module classes, put around each block: `nn.remat`
      computes activations again in the backward pass, instead of storing them.
    dtype: of the computation; parameters, images, what is computed at 4 pixels,
      and the layers of images and of logits are float32.
    classes: how many; with them the generator is conditional, and takes latents
      and labels together. 0 for an unconditional one.

  Raises:
    ValueError: if there is no such resolution or connection.
  """
  conv, linear = convolutions(gain, scaling, dtype)
  module = MSGGenerator(
    pyramids.widths(resolution, base, max_channels),
    pyramids.connected(resolution, connections),
    channels,
    conv,
    linear,
    remat,
  )
  made = linen.generator(module, mapping)
  return conditional.concatenated(made, classes) if classes else made


def discriminator(
  resolution: int,
  base: int = 8192,
  max_channels: int = 512,
  connections: Iterable[int] | None = None,
  combine: Combine = simple,
  block_statistics: Callable | None = layers.MinibatchStd,
  map_statistics: Callable | None = layers.MinibatchStd,
  gain: float = 1.0,
  scaling: Callable = equalized.equalized,
  remat: Callable = lambda module: module,
  dtype: DTypeLike = jnp.float32,
  from_rgb: Callable = linear_from_rgb,
  shrink: Callable = convolve_and_average,
) -> Discriminator:
  """Returns the `Discriminator` of MSG-ProGAN, which takes a pyramid.

  Its `prepare_real` makes the pyramid of the reals. For other arguments, see
  `generator`.

  Args:
    combine: how blocks take images: `simple`, `lin_cat`, `cat_lin` or another
      `Combine`.
    block_statistics: a module factory, `[N, r, r, C]` -> `[N, r, r, C + S]`,
      called at the beginning of each block but the last; None for none.
    map_statistics: likewise of the last, at 4x4 pixels.
    gain: He's gain of the layers without an activation: those that take images,
      and the last one.
    from_rgb: the layer that takes the largest image, such as `linear_from_rgb`.
    shrink: a block, such as `convolve_and_average`.

  Raises:
    ValueError: if there is no such resolution or connection, and when the
      network is given another pyramid than its own.
  """
  sides = pyramids.connected(resolution, connections)
  conv, linear = convolutions(gain, scaling, dtype)
  module = MSGDiscriminator(
    pyramids.widths(resolution, base, max_channels),
    sides,
    combine,
    from_rgb,
    shrink,
    block_statistics,
    map_statistics,
    conv,
    linear,
    remat,
  )

  def prepare_real(images):
    levels = resample.pyramid(images)
    return tuple(level for level in levels if level.shape[-2] in sides)

  return linen.discriminator(module, prepare_real)


def convolutions(
  gain: float, scaling: Callable, dtype: DTypeLike
) -> tuple[Callable, Callable]:
  """Returns two module factories: convolutions, and 1x1 ones with a gain.

  For the arguments, see `generator`.
  """
  conv = functools.partial(equalized.Conv, scaling=scaling, dtype=dtype)
  return conv, functools.partial(conv, size=1, gain=gain)


NETWORKS = {
  'msg': pyramids.from_sections(
    generator,
    discriminator,
    {'simple': simple, 'lin_cat': lin_cat, 'cat_lin': cat_lin},
  )
}
