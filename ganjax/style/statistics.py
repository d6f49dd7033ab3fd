"""Statistics of features and the distances between them: content and style.

A `Statistic` goes with any layer, weight and mask. All of them are batched:
features `[N, h, w, C]` give trees of arrays `[N, ...]`, and trees give
distances `[N]`, to be weighted by the caller. A target may have 1 row for all.

Masks are weights of pixels `[N, h, w]` or `[1, h, w]`, at least 0, at the size
of the features; None weighs all pixels alike. The statistics of style are means
over pixels, so a weighted mean of several pictures' trees is the tree of all
their pixels together, each picture having its weight.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from ganjax.style.matrix_sqrt import roots, trace, trace_of_root

_SMALLEST = 1e-8  # of what a distance is divided by: a black target has 0


class Statistic(NamedTuple):
  """What is measured at a layer, and how far two measures are apart.

  Attributes:
    of: `(features, mask) -> tree` of arrays `[N, ...]`.
    distance: `(tree, target) -> [N]`, at least 0.
    prepare: `tree -> target`, whatever depends on the target alone.
  """

  of: Callable
  distance: Callable
  prepare: Callable = lambda tree: tree


def fitted(mask, height, width):
  """The mask `[N, height, width]` that weighs the pixels of a layer, or None.

  Args:
    mask: `[N, H, W]`, at least 0, or None.
    height: of the layer's features.
    width: of the layer's features.
  """
  if mask is None:
    return None
  # The filter spans the old pixels of a new one, so that none is lost.
  return jax.image.resize(mask, (len(mask), height, width), 'linear')


# What is measured.


def pixelwise(features, mask=None):
  """The features themselves `[N, h, w, C]`, float32, times the mask's root."""
  features = features.astype(jnp.float32)
  return features if mask is None else features * jnp.sqrt(mask)[..., None]


def gram(features, mask=None, precision=None):
  """The mean of the products of all pairs of channels, `[N, C, C]` float32.

  Gatys, Ecker and Bethge, "Image Style Transfer Using Convolutional Neural
  Networks", 2016 (arXiv:1508.06576), equation 3, divided by the number of
  pixels. With a mask it is the guided Gram matrix of Gatys et al.,
  "Controlling Perceptual Factors in Neural Style Transfer", 2017,
  arXiv:1611.07865, section 4, whose squared guidance is the mask.

  Args:
    features: `[N, h, w, C]`; half precision is summed up in float32.
    mask: as the module says.
    precision: of the product, as `jax.lax.dot_general` takes it.
  """
  number, height, width, channels = features.shape
  rows = features.reshape(number, height * width, channels)
  weights, total = _weights(mask, height * width)
  return _products(precision, rows, weights.astype(rows.dtype)) / total


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def _products(precision, rows, weights):
  """The sums of weighted products of channels, `[N, C, C]` float32."""
  return _sums(precision, rows, weights, rows)


@_products.defjvp
def _products_forward(precision, primals, tangents):
  # One product and its transpose, where autodiff would compute two.
  (rows, weights), (change, weighing) = primals, tangents
  half = _sums(precision, rows, weights, change)
  return (
    _products(precision, rows, weights),
    half + jnp.swapaxes(half, 1, 2) + _sums(precision, rows, weighing, rows),
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
  """The mean and the mean square of each channel, two `[N, C]` float32.

  Args:
    features: `[N, h, w, C]`.
    mask: as the module says.
  """
  number, height, width, channels = features.shape
  rows = features.reshape(number, height * width, channels).astype(jnp.float32)
  weights, total = _weights(mask, height * width)
  return tuple(
    (weights * power).sum(1) / total[..., 0] for power in (rows, rows**2)
  )


def gaussian(features, mask=None):
  """The mean `[N, C]` and the Gram matrix `[N, C, C]` of the channels."""
  # Lower precision would drown the covariance, which is a difference.
  return moments(features, mask)[0], gram(features, mask, 'highest')


def _weights(mask, pixels):
  """Weights that broadcast against `[N, pixels, C]`, and their sum."""
  if mask is None:
    return jnp.ones((1, 1, 1)), jnp.full((1, 1, 1), pixels, jnp.float32)
  weights = mask.reshape(-1, pixels, 1)
  total = weights.sum(1, keepdims=True)
  return weights, jnp.maximum(total, _SMALLEST)


# How far two measures are apart.


def half_squares(own, target):
  """Half the sum of squared differences, `[N]`: Gatys' content, equation 1."""
  return _total((own - target) ** 2) / 2


def mean_squares(own, target):
  """The mean of squared differences, `[N]`."""
  difference = (own - target) ** 2
  return _total(difference) / difference[0].size


def relative(own, target):
  """The sum of squared differences by that of the target's squares, `[N]`.

  It knows no scale: neither the features', nor the number of pixels or
  channels changes it, so one weight serves at all layers, sizes and networks.
  """
  return _total((own - target) ** 2) / jnp.maximum(_total(target**2), _SMALLEST)


def gatys(own, target):
  """The distance of two Gram matrices `[N, C, C]` in Gatys' scaling, `[N]`.

  Equation 4 of arXiv:1508.06576, 1 / (4 C^2 M^2) times the sum of squared
  differences, for Gram matrices that are sums over M pixels; of means, as
  here, 1 / (4 C^2). So pictures of different sizes can be compared.
  """
  return _total((own - target) ** 2) / (4 * own.shape[-1] ** 2)


def deviations(own, target):
  """The distance of means and standard deviations of the channels, `[N]`.

  The sum of squared differences of both (Li et al., "Demystifying Neural Style
  Transfer", 2017, arXiv:1701.01036, section 4.2), divided by the sum of the
  target's mean squares, so that it knows no scale.

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


def _known(tree):
  """What `transport` needs of a target: mean, root, trace, floor, power."""
  mean, square = tree
  covariance = _covariance(mean, square)
  # Both Gaussians are widened by it: a dead channel has no inverse root.
  floor = 1e-4 * trace(covariance) / mean.shape[-1]
  covariance = _widened(covariance, floor)
  return mean, roots(covariance)[0], trace(covariance), floor, trace(square)


def transport(own, target):
  """The squared Wasserstein-2 distance of two Gaussians, `[N]`.

  Both covariances are widened by 1e-4 of the target's mean variance.

  Args:
    own: (mean `[N, C]`, mean products `[N, C, C]`), of `gaussian`.
    target: as `style_wasserstein.prepare` makes it of such a tree.
  """
  mean, root, width, floor, _ = target
  covariance = _widened(_covariance(*own), floor)
  product = functools.partial(jnp.matmul, precision='highest')
  shared = trace_of_root(product(product(root, covariance), root))
  squares = ((own[0] - mean) ** 2).sum(-1)
  return squares + trace(covariance) + width - 2 * shared


def _covariance(mean, square):
  return square - mean[..., :, None] * mean[..., None, :]


def _widened(covariance, floor):
  return covariance + floor[..., None, None] * jnp.eye(covariance.shape[-1])


def _total(values):
  return values.sum(tuple(range(1, values.ndim)))


# How rough a picture is.


def variation_l1(pictures):
  """The sum of absolute differences of neighbours, `[N]`.

  Anisotropic total variation, as `tf.image.total_variation` has it.

  Args:
    pictures: `[N, H, W, 3]`.
  """
  return sum(_total(jnp.abs(step)) for step in _steps(pictures))


def variation_l2(pictures):
  """The sum of squared differences of neighbours, `[N]`.

  Args:
    pictures: `[N, H, W, 3]`.
  """
  return sum(_total(step**2) for step in _steps(pictures))


def variation_nine(pictures):
  """Mean squared differences of all eight neighbours, `[N]`.

  A nine-point stencil: 2/3 of the mean over pixels and channels to each side
  and 1/6 along each diagonal, edges repeated, as K. Crowson's
  style-transfer-pytorch (2021) has it. Being a mean, it knows no size.

  Args:
    pictures: `[N, H, W, 3]`.
  """
  padded = jnp.pad(pictures, ((0, 0), (1, 1), (1, 1), (0, 0)), 'edge')
  falling = padded[:, 1:, 1:] - padded[:, :-1, :-1]
  rising = padded[:, 1:, :-1] - padded[:, :-1, 1:]
  # An edge's step out of the picture is 0, but it counts in the mean.
  straight = variation_l2(pictures) / pictures[0].size
  oblique = _total(falling**2 + rising**2) / falling[0].size
  return 2 * straight / 3 + oblique / 6


def _steps(pictures):
  return (
    pictures[:, 1:] - pictures[:, :-1],
    pictures[:, :, 1:] - pictures[:, :, :-1],
  )


def penalty(function) -> Statistic:
  """The `Statistic` of a function of pictures that wants no target.

  Args:
    function: `[N, H, W, 3] -> [N]`.
  """
  return Statistic(
    lambda pictures, mask: function(pictures), lambda own, target: own
  )


# Both together.

content = Statistic(pixelwise, relative)
"""The features, and their relative distance: the default for content."""

content_gatys = Statistic(pixelwise, half_squares)
"""The features, and half their squared distance (arXiv:1508.06576, eq. 1)."""

content_mean = Statistic(pixelwise, mean_squares)
"""The features, and their mean squared distance."""

style = Statistic(gram, relative)
"""Gram matrices, and their relative distance: the default for style."""

style_gatys = Statistic(gram, gatys)
"""Gram matrices, and their distance in Gatys' scaling (equation 4)."""

style_mean = Statistic(gram, mean_squares)
"""Gram matrices, and their mean squared distance."""

style_moments = Statistic(moments, deviations)
"""Means and standard deviations of the channels; no product of channels."""

style_wasserstein = Statistic(
  gaussian,
  lambda own, target: (
    transport(own, target) / jnp.maximum(target[4], _SMALLEST)
  ),
  _known,
)
"""The squared Wasserstein-2 distance of Gaussians by the target's mean square.

It knows no scale.
"""

style_wasserstein_mean = Statistic(
  gaussian,
  lambda own, target: transport(own, target) / own[0].shape[-1],
  _known,
)
"""The squared Wasserstein-2 distance of Gaussians by the number of channels.

As K. Crowson's style-transfer-pytorch (2021) weighs it.
"""
