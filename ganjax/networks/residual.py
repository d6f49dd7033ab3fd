"""Residual blocks, as SNGAN, SAGAN and BigGAN have them.

He et al., "Identity Mappings in Deep Residual Networks", 2016,
arXiv:1603.05027, before whose convolutions Miyato et al., "Spectral
Normalization for Generative Adversarial Networks", 2018, arXiv:1802.05957,
appendix B.4, put a change of resolution.
"""

from typing import Any, NamedTuple

from flax import linen as nn

from ganjax.networks import convolution, layers, resample


class Initial(NamedTuple):
  """The initialisers of a network, `(key, shape, dtype) -> values`.

  Attributes:
    block: of the 3x3 kernels of residual blocks.
    other: of all other kernels.
    classes: of what a class adds to the scales and biases.
  """

  block: Any
  other: Any
  classes: Any


def _glorot(gain):
  return nn.initializers.variance_scaling(gain**2, 'fan_avg', 'uniform')


INITIALS = {
  'glorot': Initial(_glorot(2**0.5), _glorot(1.0), nn.initializers.zeros),
  'normal': Initial(*[layers.normal(0.02)] * 3),
  'orthogonal': Initial(*[nn.initializers.orthogonal()] * 3),
}
"""By name: of SNGAN's code, of BigGAN's for CIFAR-10, and of StudioGAN's."""


class Conv(layers.Conv):
  """A 3x3 convolution with a bias, `[N, H, W, C]` -> `[N, H, W, features]`."""

  size: int = 3
  stride: int = 1

  @nn.compact
  def __call__(self, images):
    """Returns images of `features` channels."""
    channels = images.shape[-1], self.features
    outputs = self._apply(convolution.convolution, images, channels)
    bias = self.param('bias', nn.initializers.zeros, channels[1:])
    return outputs + bias.astype(outputs.dtype)


class ConditionalNorm(nn.Module):
  """Batch normalisation with scales and biases of a condition.

  de Vries et al., "Modulating early visual processing by language", 2017,
  arXiv:1707.00683. A scale is 1 plus a linear function of the condition.

  Attributes:
    classes: how many; with them the condition is labels `[N]`, and a table has
      a row for each. 0 for a condition of vectors `[N, E]`, or of None, without
      which the normalisation is `layers.BatchNorm`.
    kernel_init: of both tables, or of both kernels `[E, C]`.
    dtype: of the output; statistics are float32.
  """

  classes: int
  kernel_init: Any
  dtype: Any

  @nn.compact
  def __call__(self, images, condition, train):
    """Returns images of the same shape."""
    norm = layers.BatchNorm(dtype=self.dtype, name='norm')
    if condition is None:
      return norm(images, train)
    width = images.shape[-1]
    if self.classes:
      shape = self.classes, width
      scale, bias = (
        layers.chosen(self.param(name, self.kernel_init, shape), condition)
        for name in ('class_scale', 'class_bias')
      )
    else:
      scale, bias = (
        nn.Dense(
          width, use_bias=False, kernel_init=self.kernel_init, name=name
        )(condition)
        for name in ('scale', 'bias')
      )
    return norm(images, train, affine=(1 + scale, bias))


class GeneratorBlock(nn.Module):
  """Images `[N, H, W, C]` -> `[N, 2H, 2W, width]`, given a condition."""

  width: int
  classes: int
  initial: Initial
  dtype: Any

  @nn.compact
  def __call__(self, images, condition, train):
    """Returns images of twice the height and width."""

    def activated(images):
      norm = ConditionalNorm(self.classes, self.initial.classes, self.dtype)
      return nn.relu(norm(images, condition, train))

    def convolved(images):
      return Conv(self.width, kernel_init=self.initial.block, dtype=self.dtype)(
        images
      )

    hidden = convolved(resample.nearest(activated(images)))
    hidden = convolved(activated(hidden))
    # Before the pixels are repeated, which is the same, and a quarter of it.
    shortcut = _one_by_one(self.width, self, images.dtype)(images)
    return hidden + resample.nearest(shortcut.astype(self.dtype))


class DiscriminatorBlock(nn.Module):
  """Images `[N, H, W, C]` -> `[N, H, W, width]`, or half as high and wide.

  Attributes:
    width: channels of the result.
    first: whether it is the block of the images, without an activation first.
    halved: whether pixels are averaged in the end.
    initial: the initialisers.
    dtype: of the computation.
  """

  width: int
  first: bool
  halved: bool
  initial: Initial
  dtype: Any

  @nn.compact
  def __call__(self, images):
    """Returns images of `width` channels."""
    images = images.astype(self.dtype)
    hidden = images if self.first else nn.relu(images)
    for number in range(2):
      hidden = nn.relu(hidden) if number else hidden
      hidden = Conv(
        self.width, kernel_init=self.initial.block, dtype=self.dtype
      )(hidden)
    pooled = resample.average if self.halved else lambda images: images
    shortcut = pooled(images)
    if self.halved or images.shape[-1] != self.width:
      shortcut = _one_by_one(self.width, self, self.dtype)(shortcut)
    return pooled(hidden) + shortcut


def _one_by_one(width, module, dtype):
  return layers.Dense(
    width, kernel_init=module.initial.other, dtype=dtype, name='shortcut'
  )
