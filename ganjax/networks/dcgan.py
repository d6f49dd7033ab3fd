"""DCGAN: a generator and a discriminator of strided convolutions.

Radford, Metz and Chintala, "Unsupervised Representation Learning with Deep
Convolutional Generative Adversarial Networks", 2016, arXiv:1511.06434. As in
PyTorch's example: 4x4 kernels, no biases beside batch normalisation, weights
N(0, .02), scales N(1, .02). The paper's networks are twice as wide as that
example's, which has the width 64: its figure 1 begins with 1024 channels of 4x4
pixels, which is width=128 at 64 pixels. Its latents are uniform
(`priors.uniform`), where the example's and those of most later work are normal.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from flax import linen as nn
from jax.typing import DTypeLike

from ganjax.networks import conditional, from_config, linen, norms
from ganjax.networks.layers import BatchNorm, Conv, ConvTranspose, normal
from ganjax.players import Discriminator, Generator, Pair

_WEIGHTS = normal(0.02)


def _scales(key, shape):
  return 1 + _WEIGHTS(key, shape)


class DCGANGenerator(nn.Module):
  """Latents `[N, Z]` -> images `[N, R, R, channels]` in [-1, 1].

  With classes, the labels `[N]` choose scales and biases of the normalisation.
  """

  resolution: int
  channels: int
  width: int
  groups: int
  axis_name: str | None
  dtype: Any
  classes: int

  @nn.compact
  def __call__(self, latents, labels=None, *, train):
    """Returns the images of the latents."""

    def activate(images):
      images = BatchNorm(
        groups=self.groups,
        axis_name=self.axis_name,
        scale_init=_scales,
        dtype=self.dtype,
        classes=self.classes,
      )(images, train, labels)
      return nn.relu(images)

    width = self.width * self.resolution // 8
    images = nn.Dense(16 * width, use_bias=False, kernel_init=_WEIGHTS)(latents)
    images = activate(images.reshape(-1, 4, 4, width))
    while width > self.width:
      width //= 2
      images = activate(ConvTranspose(width, dtype=self.dtype)(images))
    return jnp.tanh(ConvTranspose(self.channels)(images))


class DCGANDiscriminator(nn.Module):
  """Images `[N, R, R, C]` -> logits `[N]`."""

  width: int
  statistics: Callable | None
  norm: Callable
  dtype: Any

  @nn.compact
  def __call__(self, images, train):
    """Returns the logits of the images."""
    width = self.width
    activate = functools.partial(nn.leaky_relu, negative_slope=0.2)
    images = activate(Conv(width, dtype=self.dtype)(images))
    normalize = self.norm(activate)
    while images.shape[1] > 4:
      width *= 2
      images = normalize(Conv(width, dtype=self.dtype)(images), train)
    features = images.astype(jnp.float32).reshape(images.shape[0], -1)
    self.sow('features', 'last', features)
    if self.statistics is not None:
      features = self.statistics()(features)
    logits = nn.Dense(1, use_bias=False, kernel_init=_WEIGHTS)(features)
    return logits[:, 0]


def generator(
  resolution: int,
  channels: int = 3,
  width: int = 64,
  groups: int = 1,
  axis_name: str | None = None,
  dtype: DTypeLike = jnp.float32,
  classes: int = 0,
) -> Generator:
  """Returns the `Generator` of DCGAN.

  Args:
    resolution: of the images, in pixels: 16, 32, 64 or 128.
    channels: of the images, 1 to 4.
    width: channels of the layer before the last; each halving of the resolution
      doubles them.
    groups: ghost batches of the batch normalisation.
    axis_name: the name of the devices' axis under `jax.pmap`, or None.
    dtype: of the computation; parameters, the first 4x4 pixels, statistics, and
      the layers of images and of logits are float32.
    classes: how many; with them the generator is conditional, by batch
      normalisation whose scales and biases are those of the class. 0 for an
      unconditional one. The discriminator is made conditional by
      `conditional.projected`.

  Raises:
    ValueError: if the resolution or the channels are others.
  """
  _check(resolution, channels)
  return linen.generator(
    DCGANGenerator(
      resolution, channels, width, groups, axis_name, dtype, classes
    )
  )


def discriminator(
  resolution: int,
  channels: int = 3,
  width: int = 64,
  groups: int = 1,
  axis_name: str | None = None,
  dtype: DTypeLike = jnp.float32,
  statistics: Callable | None = None,
  norm: Callable = norms.batch,
) -> Discriminator:
  """Returns the `Discriminator` of DCGAN.

  For other arguments and errors, see `generator`.

  Args:
    width: channels of the first layer; each halving of the resolution doubles
      them.
    statistics: a module factory, such as `layers.MinibatchStd`, whose module
      appends statistics of the batch to the features `[N, F]` before the last
      layer; None appends nothing.
    norm: one of `ganjax.networks.norms`, in all layers but the first and the
      last. With batch normalisation, as in the paper, a gradient penalty is not
      that of each example (`ganjax.gradient_penalties`); with the others but
      for `statistics` it is. `groups` and `axis_name` are those of the batch's.
  """
  _check(resolution, channels)
  if norm is norms.batch:
    norm = functools.partial(
      norm, groups=groups, axis_name=axis_name, scale_init=_scales
    )
  return linen.discriminator(DCGANDiscriminator(width, statistics, norm, dtype))


def _check(resolution, channels):
  if resolution not in (16, 32, 64, 128):
    raise ValueError(
      f'DCGAN makes images of 16, 32, 64 or 128 pixels, not {resolution}; '
      'set the resolution of the data to one of these.'
    )
  if channels not in (1, 2, 3, 4):
    raise ValueError(f'DCGAN makes images of 1 to 4 channels, not {channels}.')


def _from_sections(config, shape, dtype, classes=0):
  resolution, _, channels = shape
  own = from_config.discriminator_arguments(
    config.discriminator, norm=norms.NORMS
  )
  critic = discriminator(resolution, channels, dtype=dtype, **own)
  return Pair(
    generator(
      resolution, channels, dtype=dtype, classes=classes, **config.generator
    ),
    conditional.projected(critic, classes) if classes else critic,
  )


NETWORKS = {'dcgan': _from_sections}
