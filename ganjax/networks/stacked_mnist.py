"""The networks of published experiments with Stacked MNIST.

Lin et al., "PacGAN: The power of two samples in generative adversarial
networks", 2018, arXiv:1712.04086, and its authors' code, for two settings, and
a residual pair for a third. Each function returns a `Pair` of a `Generator` and
a `Discriminator`; a discriminator fits itself to the images that it is
initialised with, so that packs of m images are one image of 3 m channels. The
published counts of weights are those of the kernels alone, without biases and
batch normalisation, and without packing.

The originals pad as TensorFlow's 'SAME': at stride 2 and an even side, by one
row and column less at the beginning than at the end. In an image rotated by
half a turn, that is the padding of `layers.Conv`; so both networks rotate their
images, and differ from the originals in the order of the kernels' entries only.
Biases before a normalisation, which cancels them, are left out.
"""

import functools
from typing import Any

import jax.numpy as jnp
from flax import linen as nn

from ganjax.networks import from_config, layers, linen
from ganjax.players import Pair

_NORMAL = layers.normal(0.02)
_leaky = functools.partial(nn.leaky_relu, negative_slope=0.2)
_TRUNCATED = nn.initializers.truncated_normal(0.02)  # at two deviations


class StridedGenerator(nn.Module):
  """Latents `[N, Z]` -> images `[N, R, R, 3]` in [-1, 1], by strides of 2.

  Attributes:
    widths: channels at each of the sides, all normalised.
    sides: of the images, in pixels, each half of the next, rounded up.
    size: of the kernels, in pixels, odd.
    last: a module factory of the layer that makes the three channels.
    groups: ghost batches of the batch normalisation.
  """

  widths: tuple[int, ...]
  sides: tuple[int, ...]
  size: int
  last: Any
  groups: int

  @nn.compact
  def __call__(self, latents, train):
    """Returns the images of the latents."""

    def activate(images):
      return nn.relu(layers.BatchNorm(groups=self.groups)(images, train))

    width, side = self.widths[0], self.sides[0]
    images = nn.Dense(side * side * width, use_bias=False, kernel_init=_NORMAL)(
      latents
    )
    images = activate(images.reshape(-1, side, side, width))
    for width, side in zip(self.widths[1:], self.sides[1:], strict=True):
      images = layers.ConvTranspose(
        width, self.size, padding=self.size // 2, target=(side, side)
      )(images)
      images = activate(images)
    return jnp.tanh(_rotated(Bias()(self.last()(images))))


class StridedDiscriminator(nn.Module):
  """Images `[N, R, R, C]` -> logits `[N]`, by strides of 2.

  Attributes:
    widths: channels after each convolution.
    size: of the kernels, in pixels, odd.
    plain: how many of the first layers have a bias and no normalisation.
    leak: factor of the activation below 0.
    statistics: as in `mlp.discriminator`.
  """

  widths: tuple[int, ...]
  size: int
  plain: int
  leak: float
  statistics: Any

  @nn.compact
  def __call__(self, images, train):
    """Returns the logits of the images."""
    images = _rotated(images)
    for depth, width in enumerate(self.widths):
      images = layers.Conv(
        width, self.size, padding=self.size // 2, kernel_init=_TRUNCATED
      )(images)
      if depth < self.plain:
        images = Bias()(images)
      else:
        images = layers.BatchNorm()(images, train)
      images = nn.leaky_relu(images, self.leak)
    return _logits(self, images, _NORMAL)


class ResidualGenerator(nn.Module):
  """Latents `[N, Z]` -> images `[N, R, R, 3]` in [-1, 1], without a norm.

  Attributes:
    widths: channels of the blocks, from the smallest images to the largest.
    blocks: at each side.
  """

  widths: tuple[int, ...]
  blocks: int

  @nn.compact
  def __call__(self, latents, train):
    """Returns the images of the latents."""
    images = nn.Dense(16 * self.widths[0])(latents)
    images = images.reshape(-1, 4, 4, self.widths[0])
    for depth, width in enumerate(self.widths):
      if depth:
        images = layers.Dense(width)(images).repeat(2, axis=1).repeat(2, axis=2)
      for _ in range(self.blocks):
        images = Residual()(images)
    n, side, _, _ = images.shape
    patches = layers.Dense(12)(_leaky(images)).reshape(n, side, side, 2, 2, 3)
    return jnp.tanh(patches.swapaxes(2, 3).reshape(n, 2 * side, 2 * side, 3))


class ResidualDiscriminator(nn.Module):
  """Images `[N, R, R, C]` -> logits `[N]`, without a norm.

  Attributes:
    widths: channels of the blocks, from the largest images to the smallest.
    blocks: at each side.
    statistics: as in `mlp.discriminator`.
  """

  widths: tuple[int, ...]
  blocks: int
  statistics: Any

  @nn.compact
  def __call__(self, images, train):
    """Returns the logits of the images."""
    n, side, _, _ = images.shape
    halvings = len(self.widths)
    if side % 2**halvings:
      raise ValueError(
        f'Images of {side} pixels cannot be halved {halvings} times; pad them '
        f'to a multiple of {2**halvings}, or give fewer widths.'
      )
    images = _patches(images).reshape(n, side // 2, side // 2, -1)
    for depth, width in enumerate(self.widths):
      if depth:
        # The derivatives of this mean are cheaper than those of a pooling.
        images = _patches(images).mean((3, 4))
      images = layers.Dense(width)(images)
      for _ in range(self.blocks):
        images = Residual()(images)
    return _logits(self, _leaky(images), nn.initializers.lecun_normal())


class Residual(nn.Module):
  """Images `[N, H, W, C]` plus the output of a bottleneck of C / 2 channels.

  The output begins at 0, so that deep networks train without a norm: Zhang,
  Dauphin and Ma, "Fixup Initialization", 2019, arXiv:1901.09321.
  """

  @nn.compact
  def __call__(self, images):
    """Returns images of the same shape."""
    width = images.shape[-1]
    inner = layers.Dense(width // 2)(_leaky(images))
    inner = layers.Conv(
      width // 2, 3, 1, 1, kernel_init=nn.initializers.he_normal()
    )(_leaky(inner))
    return images + layers.Dense(width, kernel_init=nn.initializers.zeros)(
      _leaky(inner)
    )


class Bias(nn.Module):
  """Images `[..., C]` plus a learned bias of each channel."""

  @nn.compact
  def __call__(self, images):
    """Returns the images plus the bias."""
    zeros = nn.initializers.zeros
    return images + self.param('bias', zeros, images.shape[-1:])


def unrolled(share=4, groups=1, statistics=None):
  """Returns the unrolled GAN's networks, with a weak discriminator.

  Metz et al., "Unrolled Generative Adversarial Networks", 2017,
  arXiv:1611.02163, section 3.3.1. The generator has 286,552 weights. The
  discriminator, a quarter as wide (542 weights; 2, 4 and 8 channels) or half as
  wide (1,804), is too weak to tell all 1000 modes. Images have 28 pixels;
  latents may have any size (256, normal).

  Args:
    share: how many times wider the generator is: 4 or 2, any divisor of 8.
    groups: ghost batches of the generator's normalisation. In packs of m, the
      original normalises the first images of all packs together, the second
      ones together, and so on; m groups here have the same size, but hold whole
      packs.
    statistics: as in `mlp.discriminator`.
  """
  widths = tuple(width // share for width in (8, 16, 32))
  last = functools.partial(layers.Conv, 3, 3, 1, 1, kernel_init=_TRUNCATED)
  return Pair(
    linen.generator(
      StridedGenerator((64, 32, 16, 8), (4, 7, 14, 28), 3, last, groups)
    ),
    linen.discriminator(StridedDiscriminator(widths, 3, 0, 0.3, statistics)),
  )


def pacgan(width=64, groups=1, statistics=None):
  """Returns PacGAN's networks of its comparison with VEEGAN.

  DCGAN with kernels of 5 pixels for images of 28 pixels, of 4,510,400 and
  4,307,648 weights; latents may have any size (100, uniform).

  Args:
    width: channels at the highest resolution; 64 in the paper.
    groups: as in `unrolled`.
    statistics: as in `mlp.discriminator`.
  """
  widths = tuple(times * width for times in (1, 2, 4, 8))
  last = functools.partial(
    layers.ConvTranspose, 3, 5, padding=2, target=(28, 28)
  )
  return Pair(
    linen.generator(
      StridedGenerator(widths[::-1], (2, 4, 7, 14), 5, last, groups)
    ),
    linen.discriminator(StridedDiscriminator(widths, 5, 1, 0.2, statistics)),
  )


def residual(widths=(128, 64, 32), blocks=1, statistics=None):
  """Returns residual networks, for R3GAN's comparison of losses.

  Huang et al., "The GAN is dead; long live the GAN! A Modern GAN Baseline",
  2024, arXiv:2501.05441, compares losses on networks that it does not describe;
  these are ours, small enough for a CPU, with 0.21 and 0.08 million parameters.
  As there, blocks are bottlenecks and nothing is normalised; resampling is by
  nearest neighbours and means, there bilinear. Images have 32 pixels for three
  widths, in general `4 * 2**len(widths)`, and are made and taken as 2x2
  patches; latents may have any size (64, normal).

  Args:
    widths: channels at 4 pixels, 8 pixels and so on, even.
    blocks: residual blocks at each of these sides.
    statistics: as in `mlp.discriminator`.

  Raises:
    ValueError: when initialised with images whose side the discriminator
      cannot halve once for each width.
  """
  widths = tuple(widths)
  return Pair(
    linen.generator(ResidualGenerator(widths, blocks)),
    linen.discriminator(
      ResidualDiscriminator(widths[::-1], blocks, statistics)
    ),
  )


def normalized_by_batch(generator):
  """Returns the `Generator` that normalises by its own batch when evaluated.

  In the `unrolled` setting PacGAN's code samples 128 images at a time in this
  manner, where others use the running statistics.

  Args:
    generator: any `Generator` without a mapping network.
  """

  def synthesis(params, buffers, styles, key, train):
    images, after = generator.synthesis(params, buffers, styles, key, True)
    return images, after if train else buffers

  return generator._replace(synthesis=synthesis)


def _logits(module, images, kernel_init):
  """Returns the logits `[N]` of a discriminator's last activations."""
  features = images.reshape(images.shape[0], -1)
  module.sow('features', 'last', features)
  if module.statistics is not None:
    features = module.statistics()(features)
  return nn.Dense(1, kernel_init=kernel_init)(features)[:, 0]


def _rotated(images):
  """Returns the images rotated by half a turn."""
  return images[:, ::-1, ::-1]


def _patches(images):
  """Returns patches `[N, H / 2, W / 2, 2, 2, C]` of images `[N, H, W, C]`."""
  n, height, width, channels = images.shape
  patches = images.reshape(n, height // 2, 2, width // 2, 2, channels)
  return patches.swapaxes(2, 3)


NETWORKS = {
  'stacked_mnist_unrolled': from_config.published(unrolled),
  'stacked_mnist_pacgan': from_config.published(pacgan),
  'stacked_mnist_residual': from_config.published(residual),
}
