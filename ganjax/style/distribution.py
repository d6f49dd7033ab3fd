"""How far a picture is from a style, by the whole distribution of features.

Style transfer makes Gram matrices or other moments of features agree, so these
cannot judge it. Here the features of all pixels are compared, as points without
places, along random directions. It is held out as far as the features are: take
layers that were not optimised, better still of a network that was not. On the
host, in NumPy, which sorts faster than XLA does on a CPU.
"""

from typing import NamedTuple

import numpy as np

_AT_ONCE = 16  # directions whose projections are held together
_SMALLEST = 1e-12  # of what a distance is divided by: black features have 0


class Distances(NamedTuple):
  """Relative squared distances, at least 0.

  Attributes:
    layers: from the name of a layer to its distance.
    mean: of the layers.
  """

  layers: dict
  mean: float


def distance(own, style, *, seed=0, directions=128) -> Distances:
  """The `Distances` of a picture's features from those of a style.

  Heitz, Vanhoey, Chambon and Belcour, "A Sliced Wasserstein Loss for Neural
  Texture Synthesis", 2021, arXiv:2006.07229, section 3, divided by the style's
  mean square along the same directions: it knows no scale of features, and
  features that are all 0 have the distance 1. Pictures may differ in size.

  Args:
    own: from layers to features `[h, w, C]`.
    style: as `own`, of the same layers and channels; it alone is the measure
      of scale, so the distance is not symmetric.
    seed: of NumPy's generator, which draws the directions of each layer alike.
    directions: at each layer.

  Raises:
    ValueError: if the layers or their channels differ.
  """
  shapes = [
    {layer: np.shape(features)[-1] for layer, features in each.items()}
    for each in (own, style)
  ]
  if shapes[0] != shapes[1] or not own:
    raise ValueError(
      f'The picture has features {shapes[0]} and the style {shapes[1]}: '
      'expected the same layers with as many channels, at least one; take both '
      'from one network.'
    )
  layers = {}
  for layer, channels in shapes[0].items():
    drawn = np.random.default_rng(seed).standard_normal((directions, channels))
    unit = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    own_rows, style_rows = (
      np.asarray(each[layer], np.float64).reshape(-1, channels)
      for each in (own, style)
    )
    layers[layer] = _relative(own_rows, style_rows, unit)
  return Distances(layers, float(np.mean(list(layers.values()))))


def on_a_line(own, other):
  """The squared Wasserstein-2 distances of sets of numbers, `[K]`.

  The integral of the squared difference of both quantile functions, which are
  steps, so that it is exact for sets of different sizes too.

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
  moved, power = 0.0, 0.0
  for first in range(0, len(directions), _AT_ONCE):
    some = directions[first : first + _AT_ONCE]
    seen = some @ own.T, some @ style.T
    moved += on_a_line(*seen).sum()
    power += (seen[1] ** 2).mean(-1).sum()
  return float(moved / max(power, _SMALLEST))
