"""Encoders: networks whose layers give features of pictures.

Pictures are float32 `[N, H, W, 3]` in [0, 1], red first, as in all of the
literature on style transfer; the images of GANs are in [-1, 1].
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np


class Encoder(NamedTuple):
  """A network that gives features of pictures, and the layers that it has.

  Attributes:
    name: the network, and where its weights are from, with their hash.
    params: a tree of arrays. Pass them to compiled functions as an argument,
      because XLA would spend minutes on folding constants. Cast to bfloat16,
      they make the network compute in that type.
    apply: `(params, pictures [N, H, W, 3] in [0, 1], layers) -> {layer:
      features [N, h, w, C]}`, where `layers` is a tuple of names. It includes
      the preprocessing, and computes nothing beyond the deepest of the layers.
      It raises ValueError for an unknown layer, and for pictures of another
      shape or too small.
    layers: the names of all layers, in order.
    content: the names of the default content layers.
    style: the names of the default style layers.
    smallest: the least side of a picture, in pixels, at which every layer has
      features.
  """

  name: str
  params: Any
  apply: Callable
  layers: tuple[str, ...]
  content: tuple[str, ...]
  style: tuple[str, ...]
  smallest: int


def torchvision(pictures):
  """Returns pictures preprocessed as for the networks of torchvision.

  Red comes first. The mean (.485, .456, .406) is subtracted, and the result is
  divided by the standard deviation (.229, .224, .225).
  """
  mean = np.array([0.485, 0.456, 0.406], np.float32)
  return (pictures - mean) / np.array([0.229, 0.224, 0.225], np.float32)


def caffe(pictures, mean=(103.939, 116.779, 123.68)):
  """Returns pictures preprocessed as for the networks of Caffe.

  Blue comes first. The mean is subtracted from values in [0, 255]; the default
  is the mean of VGG. Keras and Gatys use these networks too.
  """
  return 255 * pictures[..., ::-1] - np.array(mean, np.float32)


def up_to(names, layers):
  """Returns the names of all layers up to the deepest of those asked for.

  Args:
    names: of all layers, in order.
    layers: those asked for.

  Raises:
    ValueError: if one of the layers is not among the names.
  """
  for layer in layers:
    if layer not in names:
      raise ValueError(
        f'There is no layer {layer!r}; choose from {", ".join(names)}.'
      )
  return names[: max((names.index(layer) + 1 for layer in layers), default=0)]


def check(pictures, smallest):
  """Raises ValueError if an encoder cannot take pictures of this shape."""
  shape = pictures.shape
  if len(shape) != 4 or shape[3] != 3 or min(shape[1:3]) < smallest:
    raise ValueError(
      f'The encoder got pictures of the shape {shape}; expected [N, H, W, 3] '
      f'with H and W of at least {smallest}.'
    )


def rescaled(encoder, pictures, layers, rms):
  """Returns the encoder with features of the same root mean square.

  Args:
    encoder: an `Encoder`.
    pictures: `[N, H, W, 3]`, on which the root mean square is taken.
    layers: names of those that are rescaled; others stay as they are.
    rms: the root mean square that each of them gets.
  """
  found = encoder.apply(encoder.params, pictures, layers)
  scales = {
    layer: rms / jnp.sqrt(jnp.mean(features.astype(jnp.float32) ** 2))
    for layer, features in found.items()
  }

  def apply(params, pictures, layers):
    own, scales = params
    return {
      layer: features * scales.get(layer, 1)
      for layer, features in encoder.apply(own, pictures, layers).items()
    }

  return encoder._replace(
    name=f'{encoder.name}, rescaled to a root mean square of {rms:g}',
    params=(encoder.params, scales),
    apply=apply,
  )


def of_any_image(encoder):
  """Returns an encoder that takes grey images, small ones, and opacity.

  Grey ones get three equal channels, opacity is left out, and images that are
  smaller than the encoder takes are enlarged.

  Args:
    encoder: an `Encoder` of pictures `[N, H, W, 3]`.
  """

  def apply(params, pictures, layers):
    if pictures.shape[-1] == 1:
      pictures = jnp.repeat(pictures, 3, -1)
    size = [max(side, encoder.smallest) for side in pictures.shape[1:3]]
    shape = len(pictures), *size, 3
    enlarged = jax.image.resize(pictures[..., :3], shape, 'linear')
    return encoder.apply(params, enlarged, layers)

  return encoder._replace(apply=apply, smallest=1)


def halves(x, axis):
  """Returns the even and the odd rows or columns, without an odd last one.

  Pooling takes the maximum or the mean of the two, because on a CPU the
  derivative of a window's maximum takes fifteen times as long.
  """
  pairs = x.shape[axis] // 2
  x = jax.lax.slice_in_dim(x, 0, 2 * pairs, axis=axis)
  x = x.reshape(*x.shape[:axis], pairs, 2, *x.shape[axis + 1 :])
  return [jax.lax.index_in_dim(x, k, axis + 1, keepdims=False) for k in (0, 1)]
