"""Normalisations of images, each together with the activation beside it.

Each takes an activation `images -> images` and returns a function
`(images, train) -> images` of `[N, H, W, C]`, which may use linen modules. The
dict `NORMS` has the names that a config can choose.
"""

import math
from collections.abc import Callable
from typing import Any

from flax import linen as nn

from ganjax.networks import equalized, layers

# Added to variances, as in PyTorch and in WGAN-GP's code. flax adds 1e-6, and
# its variance is E[x^2] - E[x]^2, which rounding spoils where means are large.
_EPSILON = 1e-5


def pixel(activation: Callable) -> Callable:
  """Returns the activation, followed by `equalized.pixel_norm`."""
  return lambda images, train: equalized.pixel_norm(activation(images))


def batch(activation: Callable, **arguments: Any) -> Callable:
  """Returns `layers.BatchNorm`, followed by the activation.

  Args:
    activation: images -> images.
    **arguments: of `layers.BatchNorm`.
  """

  def normalize(images, train):
    norm = layers.BatchNorm(dtype=images.dtype, **arguments)
    return activation(norm(images, train))

  return normalize


def layer(activation: Callable) -> Callable:
  """Returns layer normalisation, followed by the activation.

  Ba, Kiros and Hinton, "Layer Normalization", 2016, arXiv:1607.06450, over
  height, width and channels, with a scale and a bias for each channel.
  """

  def normalize(images, train):
    axes = tuple(range(1, images.ndim))
    norm = nn.LayerNorm(
      _EPSILON,
      dtype=images.dtype,
      reduction_axes=axes,
      use_fast_variance=False,
    )
    return activation(norm(images))

  return normalize


def instance(activation: Callable) -> Callable:
  """Returns instance normalisation, followed by the activation.

  Ulyanov, Vedaldi and Lempitsky, "Instance Normalization: The Missing
  Ingredient for Fast Stylization", 2016, arXiv:1607.08022: over height and
  width, with a scale and a bias for each channel.
  """

  def normalize(images, train):
    norm = nn.InstanceNorm(
      epsilon=_EPSILON, dtype=images.dtype, use_fast_variance=False
    )
    return activation(norm(images))

  return normalize


def group(activation: Callable, groups: int = 32) -> Callable:
  """Returns group normalisation, followed by the activation.

  Wu and He, "Group Normalization", 2018, arXiv:1803.08494: over height, width
  and the channels of a group, with a scale and a bias for each channel.

  Args:
    activation: images -> images.
    groups: of channels; as many of them as divide the channels, if not all do.
  """

  def normalize(images, train):
    number = math.gcd(groups, images.shape[-1])
    norm = nn.GroupNorm(
      number,
      epsilon=_EPSILON,
      dtype=images.dtype,
      use_fast_variance=False,
    )
    return activation(norm(images))

  return normalize


def none(activation: Callable) -> Callable:
  """Returns the activation alone."""
  return lambda images, train: activation(images)


NORMS = {
  'pixel': pixel,
  'batch': batch,
  'layer': layer,
  'instance': instance,
  'group': group,
  'none': none,
}
