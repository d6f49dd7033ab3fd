"""What pictures in a style are judged by: distances in networks, likeness."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np

from ganjax import pictures
from ganjax.metrics import diversity
from ganjax.style import canvas, color, distribution


class Judge(NamedTuple):
  """A network and its layers, in which distances from styles are taken.

  Attributes:
    network: its name.
    layers: their names.
    distance: `(picture [s, s, 3], style) -> stylistic.Distances`, where the
      style is the path of a picture, shown at the size at which it is painted.
  """

  network: str
  layers: tuple
  distance: Callable


def judge(encoder, layers):
  """The `Judge` of an encoder.

  Args:
    encoder: of `ganjax.style.encoders`.
    layers: a tuple of names.
  """
  apply = jax.jit(encoder.apply, static_argnums=2)

  def see(picture):
    found = apply(encoder.params, picture, layers)
    return {layer: np.asarray(f[0]) for layer, f in found.items()}

  @functools.cache
  def of_style(path, side):
    picture = pictures.load(path)[None]
    height, width = picture.shape[1:3]
    size = canvas.shape(height, width, min(side, max(height, width)))
    return see(canvas.resized(picture, size))

  def distance(picture, style):
    wanted = of_style(style, max(picture.shape))
    return distribution.distance(see(picture[None]), wanted)

  return Judge(encoder.name, layers, distance)


@jax.jit
def likeness(picture, content):
  """MS-SSIM of the luminance of two pictures `[s, s, 3]` in [0, 1], a scalar.

  Args:
    picture: in a style.
    content: what was painted, at the same size.
  """
  greys = [2 * color.luminance(each[None]) - 1 for each in (picture, content)]
  return diversity.ms_ssim(*greys)[0]
