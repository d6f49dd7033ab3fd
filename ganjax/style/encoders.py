"""Encoders: trained networks that see a picture in layers of features.

Pictures are float32 [N, H, W, 3] in [0, 1] here, and red comes first, as all
of the literature on style transfer has them; the GANs' images are in [-1, 1].
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np


class Encoder(NamedTuple):
  """A network's features of pictures, and what they may be asked for.

  Fields:
    name: what it is, and where its weights are from, with their hash.
    params: a tree of arrays. Pass it to compiled functions as an argument: XLA
      would fold what it closes over, for minutes. Cast to bfloat16, it
      computes in that type.
    apply: (params, pictures [N, H, W, 3] in [0, 1], layers: a tuple of names)
      -> {name: features [N, h, w, C]}. The preprocessing is inside. Nothing
      is computed beyond the deepest layer asked for. ValueError for a layer
      that there is not, and for pictures of another shape or too small.
    layers: all names, in order.
    content: names of the default content layers.
    style: names of the default style layers.
    smallest: least side of a picture, in pixels, at which every layer has
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
  """Returns pictures as torchvision's networks were trained to see them.

  Red first; the mean (.485, .456, .406) is taken away, and what is left is
  divided by the deviation (.229, .224, .225).
  """
  mean = np.array([0.485, 0.456, 0.406], np.float32)
  return (pictures - mean) / np.array([0.229, 0.224, 0.225], np.float32)


def caffe(pictures, mean=(103.939, 116.779, 123.68)):
  """Returns pictures as the networks of Caffe were trained to see them.

  Blue first, values in [0, 255], less their mean, which is that of VGG. Keras
  and Gatys use these networks.
  """
  return 255 * pictures[..., ::-1] - np.array(mean, np.float32)


def up_to(names, layers):
  """Returns the names up to the deepest of the layers.

  Args:
    names: of all layers, in order.
    layers: a tuple of some of them.

  Raises:
    ValueError: if one of the layers is not among the names.
  """
  for layer in layers:
    if layer not in names:
      raise ValueError(f"no layer '{layer}': choose from {', '.join(names)}.")
  return names[: max((names.index(layer) + 1 for layer in layers), default=0)]


def check(pictures, smallest):
  """Raises ValueError if an encoder cannot take pictures of this shape."""
  shape = pictures.shape
  if len(shape) != 4 or shape[3] != 3 or min(shape[1:3]) < smallest:
    raise ValueError(
      f'The encoder got pictures of the shape {shape}; expected [N, H, W, 3] '
      f'with H and W of at least {smallest}.'
    )


def levelled(encoder, pictures, layers, level):
  """Returns the encoder whose features have one root mean square.

  Args:
    encoder: an `Encoder`.
    pictures: [N, H, W, 3], on which the features are to have it.
    layers: names of those that are divided; others stay as they are.
    level: the root mean square of each of them.
  """
  found = encoder.apply(encoder.params, pictures, layers)
  scales = {
    layer: level / jnp.sqrt(jnp.mean(features.astype(jnp.float32) ** 2))
    for layer, features in found.items()
  }

  def apply(params, pictures, layers):
    own, scales = params
    return {
      layer: features * scales.get(layer, 1)
      for layer, features in encoder.apply(own, pictures, layers).items()
    }

  return encoder._replace(
    name=f'{encoder.name}, at a root mean square of {level:g}',
    params=(encoder.params, scales),
    apply=apply,
  )


def halves(x, axis):
  """Returns the even and the odd rows or columns; an odd last one falls away.

  Maxima and means of pools are taken of these: on a CPU the derivative of a
  window's maximum takes fifteen times as long.
  """
  pairs = x.shape[axis] // 2
  x = jax.lax.slice_in_dim(x, 0, 2 * pairs, axis=axis)
  x = x.reshape(*x.shape[:axis], pairs, 2, *x.shape[axis + 1 :])
  return [jax.lax.index_in_dim(x, k, axis + 1, keepdims=False) for k in (0, 1)]
