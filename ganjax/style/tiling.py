"""Encoders that need less memory: for pictures too large for a device.

Rematerialisation by blocks saves nothing here: the weights are constant, so at
the peak hardly more is alive than what the first block, at the full size, needs
at once. Tiles make that smaller.
"""

import math

import jax
import jax.numpy as jnp


def cast(encoder, dtype=jnp.bfloat16):
  """The encoder that computes in another type, half the memory of float32.

  Statistics are still summed up in float32.

  Args:
    encoder: of `ganjax.style.encoders`.
    dtype: of its parameters and features. float16 overflows in VGG.
  """
  return encoder._replace(
    name=f'{encoder.name}, {jnp.dtype(dtype).name}',
    params=jax.tree.map(lambda leaf: leaf.astype(dtype), encoder.params),
  )


def tiled(encoder, core=512, halo=96):
  """The encoder that looks at one tile after another, and forgets it.

  Features are those of the whole picture, so statistics are global and there
  are no seams; what led to them is computed again, by tile, for the gradient.
  At the full size there remain only the features that are asked for.

  The tiles run in a loop, or XLA would hold several at once; on a CPU that is
  about three times slower, besides the halos.

  Args:
    encoder: of `ganjax.style.encoders`, with layers on grids of 1, 2, 4, ...
      pixels.
    core: longest side of a tile, in pixels, a multiple of the coarsest grid.
    halo: pixels around a tile that are looked at as well, another multiple.
      From the radius of the receptive field on (78 pixels for relu5_1 of
      VGG-19), features equal those of the whole but for rounding.

  Raises:
    ValueError: by `apply`, if core or halo is no multiple of the grid.
  """

  def apply(params, pictures, layers):
    number, *sides, colours = pictures.shape
    shapes = jax.eval_shape(
      lambda params, pictures: encoder.apply(params, pictures, layers),
      params,
      pictures,
    )
    grids = {
      layer: 2 ** round(math.log2(sides[0] / features.shape[1]))
      for layer, features in shapes.items()
    }
    coarsest = max(grids.values())
    if min(core, halo) < 1 or core % coarsest or halo % coarsest:
      raise ValueError(
        f'Tiles of {core} pixels and a halo of {halo}: both must be multiples '
        f'of {coarsest}, the grid of the coarsest layer of {encoder.name}.'
      )
    cores, windows = zip(
      *(_tile(side, core, halo, coarsest) for side in sides), strict=True
    )
    room = jnp.subtract(jnp.array(sides), jnp.array(windows))

    def part(layer):
      """The features of one tile, and how far the last may begin."""
      _, *all_of_them, channels = shapes[layer].shape
      size = [
        min(most, side // grids[layer])
        for most, side in zip(all_of_them, cores, strict=True)
      ]
      last = jnp.array(all_of_them) - jnp.array(size)
      return (number, *size, channels), last

    @jax.checkpoint
    def look(corner):
      first = jnp.clip(corner - halo, 0, room)
      window = jax.lax.dynamic_slice(
        pictures, (0, *first, 0), (number, *windows, colours)
      )
      found = {}
      for layer, features in encoder.apply(params, window, layers).items():
        size, last = part(layer)
        start = jnp.minimum(corner // grids[layer], last)
        inside = start - first // grids[layer]
        own = jax.lax.dynamic_slice(features, (0, *inside, 0), size)
        found[layer] = own, start
      return found

    def step(features, corner):
      return {
        layer: jax.lax.dynamic_update_slice(
          features[layer], own, (0, *start, 0)
        )
        for layer, (own, start) in look(corner).items()
      }, None

    corners = [
      (top, left)
      for top in range(0, sides[0], cores[0])
      for left in range(0, sides[1], cores[1])
    ]
    empty = jax.tree.map(lambda like: jnp.zeros(like.shape, like.dtype), shapes)
    return jax.lax.scan(step, empty, jnp.array(corners))[0]

  return encoder._replace(name=f'{encoder.name}, in tiles', apply=apply)


def _tile(side, core, halo, grid):
  """How long a tile is, of about equal ones, and how long its window."""
  number = math.ceil(side / core)
  own = grid * math.ceil(side / number / grid)
  # So long that the last window begins on the grid and ends with the picture.
  return own, min(side, own + 2 * halo + side % grid)
