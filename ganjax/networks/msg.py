"""Multi-scale gradients: images of all resolutions are made and judged at once.

Karnewar and Wang, "MSG-GAN: Multi-Scale Gradients for Generative Adversarial
Networks", 2020, arXiv:1903.06048, section 2 and its appendix. The networks are
those of progressive growing, but each block of the generator makes an image and
each block of the discriminator is shown one. A pyramid is the tuple of these
images `[N, r, r, C]`, the smallest first.

The authors' code, BMSG-GAN, differs from the paper: there the discriminator has
`combine=lin_cat` and `block_statistics=None`, its `map_statistics` are those of
the whole batch, and both networks have `gain=equalized.GAIN`.
"""

import functools
import itertools
from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from flax import linen as nn

from ganjax.networks import equalized, layers, linen, resample


class Combine(NamedTuple):
  """How a block of the discriminator is shown the image of its resolution.

  Attributes:
    kept: `channels -> channels`: of those of the block, how many come from the
      block before.
    join: `(linear, width, rgb, hidden) -> hidden`: the image and what the block
      before made of larger ones, as one; `linear` is a module factory of 1x1
      convolutions, `width` the channels of the block.
  """

  kept: Callable
  join: Callable


def _beside(*images):
  return jnp.concatenate([rgb.astype(images[-1].dtype) for rgb in images], -1)


simple = Combine(
  lambda width: width,
  lambda linear, width, rgb, hidden: _beside(rgb, hidden),
)
"""The image itself is beside the channels: the paper's best for MSG-ProGAN."""

lin_cat = Combine(
  lambda width: width // 2,
  lambda linear, width, rgb, hidden: _beside(linear(width // 2)(rgb), hidden),
)
"""A linear map of the image is one half of the channels."""

cat_lin = Combine(
  lambda width: width,
  lambda linear, width, rgb, hidden: linear(width)(_beside(rgb, hidden)),
)
"""The channels are a linear map of the image and the channels before."""


class MSGGenerator(nn.Module):
  """Styles `[N, Z]` -> a pyramid of images `[N, r, r, channels]`.

  Attributes:
    stages: pairs of a resolution and its channels, from 4 pixels on.
    sides: resolutions of the pyramid.
  """

  stages: tuple[tuple[int, int], ...]
  sides: tuple[int, ...]
  channels: int
  conv: Callable
  linear: Callable
  remat: Callable

  @nn.compact
  def __call__(self, styles, train):
    """Images of the styles."""

    def convolved(images, width, **kernel):
      return equalized.leaky_relu(self.conv(width, **kernel)(images))

    def start(styles, width):
      # Of one pixel, a convolution makes what its transpose would.
      pixel = styles[:, None, None]
      images = convolved(pixel, width, size=4, padding=3)
      return equalized.pixel_norm(convolved(images, width))

    def grow(images, width):
      images = resample.nearest(images)
      for _ in range(2):
        images = equalized.pixel_norm(convolved(images, width))
      return images

    images, pyramid = styles, []
    for side, width in self.stages:
      function = functools.partial(start if side == 4 else grow, width=width)
      images = self.remat(layers.Block)(function, name=f'block{side}')(images)
      if side in self.sides:
        rgb = self.linear(self.channels, name=f'rgb{side}')(images)
        pyramid.append(rgb.astype(jnp.float32))
    return tuple(pyramid)


class MSGDiscriminator(nn.Module):
  """A pyramid of images `[N, r, r, C]` -> logits `[N]`.

  Attributes:
    stages: pairs of a resolution and its channels, from 4 pixels on.
    sides: resolutions of the pyramid.
    enter: `(linear, width, rgb) -> hidden`: what takes the largest image.
    shrink: `(conv, inner, outer, images) -> images`, half as high and half as
      wide: a block, between `inner` and `outer` channels.
  """

  stages: tuple[tuple[int, int], ...]
  sides: tuple[int, ...]
  combine: Combine
  enter: Callable
  shrink: Callable
  block_statistics: Callable | None
  map_statistics: Callable | None
  conv: Callable
  linear: Callable
  remat: Callable

  @nn.compact
  def __call__(self, pyramid, train):
    """Logits of the pyramids."""
    given = [image.shape[1:3] for image in pyramid]
    expected = [(side, side) for side in self.sides]
    if given != expected:
      raise ValueError(
        f'This discriminator is shown a pyramid of images {expected}, not '
        f'{given}; give it that of its own prepare_real, or of a generator '
        'with the '
        'same resolution and connections.'
      )
    shown = dict(zip(self.sides, pyramid, strict=True))

    def block(statistics, function, images):
      if statistics is not None:
        images = statistics()(images)
      return function(images)

    def end(images):
      width = self.stages[0][1]
      images = equalized.leaky_relu(self.conv(width)(images))
      images = self.conv(width, size=4, padding=0)(images)
      return equalized.leaky_relu(images)[:, 0, 0]

    largest, width = self.stages[-1]
    enter = functools.partial(self.enter, self.linear, width)
    hidden = layers.Block(enter, name=f'rgb{largest}')(shown[largest])
    for (side, inner), (below, width) in itertools.pairwise(self.stages[::-1]):
      outer = self.combine.kept(width) if below in shown else width
      shrink = functools.partial(self.shrink, self.conv, inner, outer)
      hidden = self.remat(layers.Block)(
        functools.partial(block, self.block_statistics, shrink),
        name=f'block{side}',
      )(hidden)
      if below in shown:
        join = functools.partial(self.combine.join, self.linear, width)
        hidden = layers.Block(join, name=f'rgb{below}')(shown[below], hidden)
    features = self.remat(layers.Block)(
      functools.partial(block, self.map_statistics, end), name='block4'
    )(hidden)
    self.sow('features', 'last', features)
    # A pixel for each example, of which the 1x1 convolution is a dense layer.
    logits = self.linear(1, name='logits')(features[:, None, None])
    return logits[:, 0, 0, 0].astype(jnp.float32)


def entered(linear, width, rgb):
  """The channels that take the largest image: a linear map of it."""
  return linear(width)(rgb)


def shrunk(conv, inner, outer, images):
  """The images after two convolutions, averaged over 2x2 pixels."""
  for width in (inner, outer):
    images = equalized.leaky_relu(conv(width)(images))
  return resample.average(images)


def generator(
  resolution,
  channels=3,
  base=8192,
  max_channels=512,
  connections=None,
  mapping=equalized.pixel_norm,
  gain=1.0,
  scaling=equalized.equalized,
  remat=lambda module: module,
  dtype=jnp.float32,
):
  """The `Generator` of MSG-ProGAN, whose images are a pyramid.

  The first convolution is scaled as in progressive growing, and not normalised.

  Args:
    resolution: of the largest images, a power of two from 4 on.
    channels: of the images.
    base: channels of the layers times half the resolution.
    max_channels: channels at any resolution.
    connections: resolutions at which images are made for the discriminator,
      which needs the same; the largest always is. None is all of them.
    mapping: latents -> styles, here the latents that the first layer takes.
    gain: of the layers without an activation, which make the images.
    scaling: `equalized.equalized` or `equalized.at_init`.
    remat: a transform of module classes, put around each block: `nn.remat`
      computes activations again in the backward pass, instead of storing them.
    dtype: of the computation; parameters and images are float32.

  Raises:
    ValueError: if there is no such resolution or connection.
  """
  conv, linear = convolutions(gain, scaling, dtype)
  module = MSGGenerator(
    stages(resolution, base, max_channels),
    connected(resolution, connections),
    channels,
    conv,
    linear,
    remat,
  )
  return linen.generator(module, mapping)


def discriminator(
  resolution,
  base=8192,
  max_channels=512,
  connections=None,
  combine=simple,
  block_statistics=layers.MinibatchStd,
  map_statistics=layers.MinibatchStd,
  gain=1.0,
  scaling=equalized.equalized,
  remat=lambda module: module,
  dtype=jnp.float32,
  enter=entered,
  shrink=shrunk,
):
  """The `Discriminator` of MSG-ProGAN, which is shown a pyramid.

  Its `prepare_real` makes that of the reals. For other arguments, see
  `generator`.

  Args:
    combine: `simple`, `lin_cat`, `cat_lin` or another `Combine`.
    block_statistics: a module factory, `[N, r, r, C]` -> `[N, r, r, C + S]`,
      called at the beginning of each block but the last; None for none.
    map_statistics: likewise of the last, at 4x4 pixels.
    gain: of the layers without an activation: those that take images, and the
      last one.
    enter: the layer that takes the largest image, as `entered` is.
    shrink: the convolutions of a block and what halves its images, as `shrunk`.

  Raises:
    ValueError: if there is no such resolution or connection, and when the
      network is shown another pyramid than its own.
  """
  sides = connected(resolution, connections)
  conv, linear = convolutions(gain, scaling, dtype)
  module = MSGDiscriminator(
    stages(resolution, base, max_channels),
    sides,
    combine,
    enter,
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


def convolutions(gain, scaling, dtype):
  """Two module factories: convolutions, and those of 1x1 with their own gain.

  For the arguments, see `generator`.
  """
  conv = functools.partial(equalized.Conv, scaling=scaling, dtype=dtype)
  return conv, functools.partial(conv, size=1, gain=gain)


def stages(resolution, base, max_channels):
  """Pairs of a resolution and its channels, from 4 pixels up to `resolution`.

  For the arguments and `Raises`, see `generator`.
  """
  return tuple(
    (side, equalized.channels(side, base, max_channels))
    for side in _sides(resolution)
  )


def connected(resolution, connections):
  """The resolutions of a pyramid: a tuple, the smallest first.

  For the arguments and `Raises`, see `generator`.
  """
  every = _sides(resolution)
  chosen = every if connections is None else {*connections, resolution}
  for side in chosen:
    if side not in every:
      raise ValueError(
        f'There are no images of {side} pixels to connect in a pyramid up to '
        f'{resolution}; choose among {", ".join(map(str, every))}.'
      )
  return tuple(sorted(chosen))


def _sides(resolution):
  sides = tuple(4 * 2**stage for stage in range(resolution.bit_length() - 2))
  if not sides or sides[-1] != resolution:
    raise ValueError(
      'The largest images of a pyramid have a power of two from 4 pixels on, '
      f'not {resolution}; set the resolution of the data to one.'
    )
  return sides
