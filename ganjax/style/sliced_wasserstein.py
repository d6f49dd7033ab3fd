"""Sliced Wasserstein distance of the features of two pictures, in NumPy.

Style transfer makes Gram matrices or other moments of features agree, so these
cannot judge its results. Here the whole distributions of features are compared:
those of all pixels are points without places, projected on random directions.
It runs on the host, because NumPy sorts faster than XLA does on a CPU.
"""

from typing import NamedTuple

import numpy as np

_AT_ONCE = 16  # directions whose projections are in memory together
_SMALLEST = 1e-12  # divisor of distances from black features, which are 0


class Distances(NamedTuple):
  """Relative squared distances, at least 0.

  Attributes:
    layers: from the names of layers to their distances.
    mean: over the layers.
  """

  layers: dict
  mean: float


def distance(own, style, *, seed=0, directions=128) -> Distances:
  """Returns the `Distances` of a picture's features from those of a style.

  Heitz, Vanhoey, Chambon and Belcour, "A Sliced Wasserstein Loss for Neural
  Texture Synthesis", 2021, arXiv:2006.07229, section 3, divided by the style's
  mean square along the same directions. The scale of features does not change
  it, and features that are all 0 have the distance 1.

  Args:
    own: from layers to features `[h, w, C]`.
    style: from the same layers to features of as many channels, of any size.
      The distance is relative to it, and so not symmetric.
    seed: of NumPy's generator, which draws the directions of each layer alike.
    directions: number of directions at each layer.

  Raises:
    ValueError: if the layers or their channels differ.
  """
  channels, others = (
    {layer: np.shape(features)[-1] for layer, features in each.items()}
    for each in (own, style)
  )
  if channels != others or not own:
    raise ValueError(
      f'The picture has features {channels} and the style {others}, but both '
      'must have the same layers, at least one, with as many channels. Take '
      'both from one network.'
    )
  layers = {}
  for layer, width in channels.items():
    drawn = np.random.default_rng(seed).standard_normal((directions, width))
    unit = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    own_rows, style_rows = (
      np.asarray(each[layer], np.float64).reshape(-1, width)
      for each in (own, style)
    )
    layers[layer] = _relative(own_rows, style_rows, unit)
  return Distances(layers, float(np.mean(list(layers.values()))))


def one_dimensional(own, other):
  """Returns the squared Wasserstein-2 distances of sets of numbers, `[K]`.

  They are the integral of the squared difference of both quantile functions.
  These are step functions, so it is exact for sets of different sizes too.

  Args:
    own: `[K, N]`.
    other: `[K, M]`.
  """
  sizes = own.shape[-1], other.shape[-1]
  edges = np.union1d(*(np.arange(size + 1) / size for size in sizes))
  middles = (edges[1:] + edges[:-1]) / 2
  quantiles = [
    np.sort(values)[..., (middles * size).astype(int)]
    for values, size in zip((own, other), sizes, strict=True)
  ]
  return (quantiles[0] - quantiles[1]) ** 2 @ np.diff(edges)


def _relative(own, style, directions):
  distance, power = 0.0, 0.0
  for first in range(0, len(directions), _AT_ONCE):
    some = directions[first : first + _AT_ONCE]
    projected = some @ own.T, some @ style.T
    distance += one_dimensional(*projected).sum()
    power += (projected[1] ** 2).mean(-1).sum()
  return float(distance / max(power, _SMALLEST))
