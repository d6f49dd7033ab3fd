"""How pictures are judged: by features that were not optimised, and MS-SSIM."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np

from ganjax import pictures
from ganjax.metrics import diversity
from ganjax.style import color, sizes, sliced_wasserstein


class FeatureDistance(NamedTuple):
  """The distance of pictures from styles in some layers of a network.

  Attributes:
    network: the encoder's name.
    layers: the names of the layers.
    distance: `(picture [s, s, 3], path) -> sliced_wasserstein.Distances`, from
      the style in the file of that path. Its longer side is made that of the
      picture, if it is longer.
  """

  network: str
  layers: tuple
  distance: Callable


def feature_distance(encoder, layers):
  """Returns the `FeatureDistance` of an encoder.

  Args:
    encoder: of `ganjax.style.encoders`.
    layers: a tuple of names.
  """
  apply = jax.jit(encoder.apply, static_argnums=2)

  def features(picture):
    found = apply(encoder.params, picture, layers)
    return {layer: np.asarray(values[0]) for layer, values in found.items()}

  @functools.cache
  def of_style(path, side):
    style = pictures.load(path)[None]
    return features(sizes.limited(style, side, encoder.smallest))

  def distance(picture, style):
    target = of_style(style, max(picture.shape))
    return sliced_wasserstein.distance(features(picture[None]), target)

  return FeatureDistance(encoder.name, layers, distance)


def unused_layers(encoder, used):
  """Returns the names of rectified layers that are not among those used.

  Args:
    encoder: of `ganjax.style.encoders`.
    used: names of layers that some method optimises.
  """
  # In VGG, layers called conv and pool differ little from those called relu.
  rectified = [n for n in encoder.layers if n.startswith(('relu', 'fire'))]
  return tuple(name for name in rectified if name not in used)


@jax.jit
def content_similarity(picture, content):
  """Returns the MS-SSIM of the luminance of two pictures, a scalar.

  Args:
    picture: the result, `[s, s, 3]` in [0, 1].
    content: the picture that was painted, of the same shape.
  """
  grey = [2 * color.luminance(each[None]) - 1 for each in (picture, content)]
  return diversity.ms_ssim(*grey)[0]
