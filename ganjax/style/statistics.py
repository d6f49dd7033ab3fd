"""Statistics of features and the distances between them: content and style.

A `Statistic` goes with any layer, weight and mask, and is batched: features
`[N, h, w, C]` give trees of arrays `[N, ...]`, and two trees give distances
`[N]`, which the caller weights. A target may have one row for all.

Masks are weights of pixels `[N, h, w]` or `[1, h, w]`, at least 0, at the size
of the features; None weighs all pixels alike. The statistics of style are means
over pixels. A weighted mean of several pictures' trees is therefore the tree of
all their pixels together, in which each picture has its weight.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from ganjax.style.matrix_sqrt import sqrt_and_inverse, trace, trace_sqrt

_SMALLEST = 1e-8  # divisor of distances from a black target, which is 0


class Statistic(NamedTuple):
  """What is computed of a layer, and how far two results are apart.

  Attributes:
    compute: `(features, mask) -> tree` of arrays `[N, ...]`.
    distance: `(tree, target) -> [N]`, at least 0.
    prepare: `tree -> target`, which computes once whatever depends on the
      target alone.
  """

  compute: Callable
  distance: Callable
  prepare: Callable = lambda tree: tree


def resized_mask(mask, height, width):
  """Returns the mask `[N, height, width]` for the pixels of a layer, or None.

  Args:
    mask: `[N, H, W]`, at least 0, or None.
    height: of the layer's features.
    width: of the layer's features.
  """
  if mask is None:
    return None
  # The filter spans the old pixels of a new one, so that none is lost.
  return jax.image.resize(mask, (len(mask), height, width), 'linear')


# What is computed of features.


def pixelwise(features, mask=None):
  """Returns the features `[N, h, w, C]` in float32, times the mask's root."""
  features = features.astype(jnp.float32)
  return features if mask is None else features * jnp.sqrt(mask)[..., None]


def gram(features, mask=None, precision=None):
  """Returns the mean products of all pairs of channels, `[N, C, C]` float32.

  It is the Gram matrix of Gatys, Ecker and Bethge, "Image Style Transfer Using
  Convolutional Neural Networks", 2016 (arXiv:1508.06576), equation 3, divided
  by the number of pixels. With a mask it is the guided Gram matrix of Gatys et
  al., "Controlling Perceptual Factors in Neural Style Transfer", 2017,
  arXiv:1611.07865, section 4, whose squared guidance is the mask.

  Args:
    features: `[N, h, w, C]`; half precision is summed up in float32.
    mask: weights of pixels, see the module's docstring.
    precision: of the product, as `jax.lax.dot_general` takes it.
  """
  number, height, width, channels = features.shape
  rows = features.reshape(number, height * width, channels)
  weights, total = _weights(mask, height * width)
  return _products(precision, rows, weights.astype(rows.dtype)) / total


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _products(precision, rows, weights):
  """Returns the sums of weighted products of channels, `[N, C, C]` float32."""
  return _sums(precision, rows, weights, rows)


@_products.defjvp
def _products_forward(precision, primals, tangents):
  # One product and its transpose, where autodiff would compute two.
  (rows, weights), (row_tangents, weight_tangents) = primals, tangents
  half = _sums(precision, rows, weights, row_tangents)
  return (
    _products(precision, rows, weights),
    half
    + jnp.swapaxes(half, 1, 2)
    + _sums(precision, rows, weight_tangents, rows),
  )


def _sums(precision, left, weights, right):
  return jnp.einsum(
    'npc,npd->ncd',
    left * weights,
    right,
    precision=precision,
    preferred_element_type=jnp.float32,
  )


def moments(features, mask=None):
  """Returns the mean and the mean square of each channel, two `[N, C]` float32.

  Args:
    features: `[N, h, w, C]`.
    mask: weights of pixels, see the module's docstring.
  """
  number, height, width, channels = features.shape
  rows = features.reshape(number, height * width, channels).astype(jnp.float32)
  weights, total = _weights(mask, height * width)
  return tuple(
    (weights * power).sum(1) / total[..., 0] for power in (rows, rows**2)
  )


def gaussian(features, mask=None):
  """Returns the mean `[N, C]` and the Gram matrix `[N, C, C]` of channels."""
  # Lower precision would drown the covariance, which is a difference.
  return moments(features, mask)[0], gram(features, mask, 'highest')


def _weights(mask, pixels):
  """Returns weights to broadcast against `[N, pixels, C]`, and their sum."""
  if mask is None:
    return jnp.ones((1, 1, 1)), jnp.full((1, 1, 1), pixels, jnp.float32)
  weights = mask.reshape(-1, pixels, 1)
  total = weights.sum(1, keepdims=True)
  return weights, jnp.maximum(total, _SMALLEST)


# How far two results are apart.


def half_squared_error(own, target):
  """Returns half the sum of squared differences, `[N]`.

  It is the content loss of Gatys et al., arXiv:1508.06576, equation 1.
  """
  return _total((own - target) ** 2) / 2


def mean_squared_error(own, target):
  """Returns the mean of squared differences, `[N]`."""
  difference = (own - target) ** 2
  return _total(difference) / difference[0].size


def relative_error(own, target):
  """Returns the squared error divided by the target's squared norm, `[N]`.

  Neither the scale of the features nor the number of pixels or channels changes
  it, so one weight serves at all layers, sizes and networks.
  """
  return _total((own - target) ** 2) / jnp.maximum(_total(target**2), _SMALLEST)


def gatys_gram_error(own, target):
  """Returns the distance of two Gram matrices in Gatys' scaling, `[N]`.

  Equation 4 of arXiv:1508.06576 is 1 / (4 C^2 M^2) times the sum of squared
  differences of Gram matrices that are sums over M pixels. The matrices here
  are means, so the factor is 1 / (4 C^2), and pictures of different sizes can
  be compared.

  Args:
    own: `[N, C, C]`.
    target: `[N, C, C]`.
  """
  return _total((own - target) ** 2) / (4 * own.shape[-1] ** 2)


def moments_error(own, target):
  """Returns the distance of the channels' means and standard deviations, `[N]`.

  It is the sum of squared differences of both (Li et al., "Demystifying Neural
  Style Transfer", 2017, arXiv:1701.01036, section 4.2), divided by the sum of
  the target's mean squares, so that the scale of features does not change it.

  Args:
    own: of `moments`.
    target: of `moments`.
  """
  power = jnp.maximum(target[1].sum(-1, keepdims=True), _SMALLEST)
  # The root has no derivative at 0, where most channels of some layers are.
  floor = 1e-6 * power / target[1].shape[-1]

  def deviation(mean, square):
    return jnp.sqrt(jnp.maximum(square - mean**2, 0) + floor)

  squares = (own[0] - target[0]) ** 2
  squares += (deviation(*own) - deviation(*target)) ** 2
  return (squares / power).sum(-1)


def _gaussian_target(tree):
  """Returns mean, root and trace of the covariance, floor, and mean square."""
  mean, square = tree
  covariance = _covariance(mean, square)
  # A dead channel has no inverse root, so both covariances get this floor.
  floor = 1e-4 * trace(covariance) / mean.shape[-1]
  covariance = _with_floor(covariance, floor)
  root, _ = sqrt_and_inverse(covariance)
  return mean, root, trace(covariance), floor, trace(square)


def gaussian_wasserstein(own, target):
  """Returns the squared Wasserstein-2 distance of two Gaussians, `[N]`.

  1e-4 of the target's mean variance is added to the diagonal of both
  covariances.

  Args:
    own: of `gaussian`: mean `[N, C]`, mean products `[N, C, C]`.
    target: what `style_wasserstein.prepare` makes of such a tree.
  """
  mean, root, total, floor, _ = target
  covariance = _with_floor(_covariance(*own), floor)
  product = functools.partial(jnp.matmul, precision='highest')
  shared = trace_sqrt(product(product(root, covariance), root))
  squares = ((own[0] - mean) ** 2).sum(-1)
  return squares + trace(covariance) + total - 2 * shared


def _covariance(mean, square):
  return square - mean[..., :, None] * mean[..., None, :]


def _with_floor(covariance, floor):
  return covariance + floor[..., None, None] * jnp.eye(covariance.shape[-1])


def _total(values):
  return values.sum(tuple(range(1, values.ndim)))


def penalty(function) -> Statistic:
  """Returns the `Statistic` of a function of pictures that needs no target.

  Args:
    function: `[N, H, W, 3] -> [N]`.
  """
  return Statistic(
    lambda pictures, mask: function(pictures), lambda own, target: own
  )


# Pairs of both.

content = Statistic(pixelwise, relative_error)
"""Features and their relative error: the default for content."""

content_gatys = Statistic(pixelwise, half_squared_error)
"""Features and half their squared error (arXiv:1508.06576, equation 1)."""

content_mse = Statistic(pixelwise, mean_squared_error)
"""Features and their mean squared error."""

style = Statistic(gram, relative_error)
"""Gram matrices and their relative error: the default for style."""

style_gatys = Statistic(gram, gatys_gram_error)
"""Gram matrices and their distance in Gatys' scaling (equation 4)."""

style_mse = Statistic(gram, mean_squared_error)
"""Gram matrices and their mean squared error."""

style_moments = Statistic(moments, moments_error)
"""Means and standard deviations of the channels, without their products."""

style_wasserstein = Statistic(
  gaussian,
  lambda own, target: (
    gaussian_wasserstein(own, target) / jnp.maximum(target[4], _SMALLEST)
  ),
  _gaussian_target,
)
"""Squared Wasserstein-2 distance of Gaussians, divided by the target's power.

The power is the sum of the channels' mean squares, so that the scale of the
features does not change the distance.
"""

style_wasserstein_crowson = Statistic(
  gaussian,
  lambda own, target: gaussian_wasserstein(own, target) / own[0].shape[-1],
  _gaussian_target,
)
"""Squared Wasserstein-2 distance of Gaussians, divided by the channels' number.

K. Crowson's style-transfer-pytorch (2021) weighs it so.
"""
