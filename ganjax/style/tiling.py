"""Encoders that need less memory, for pictures too large for a device.

Rematerialisation by blocks saves nothing here. The weights are constant, so
that the peak of memory is hardly more than what the first block needs at the
full size. Tiles make that smaller.
"""

import math

import jax
import jax.numpy as jnp


def cast(encoder, dtype=jnp.bfloat16):
  """Returns the encoder that computes in another type, to save memory.

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
  """Returns the encoder that computes features tile by tile.

  The features are those of the whole picture, so statistics are global and
  there are no seams. For the gradient, the layers in between are computed
  again, tile by tile. At the full size only the features asked for are held in
  memory.

  The tiles run in a loop, because XLA would otherwise hold several at once; on
  a CPU that is about three times slower, besides the cost of the halos.

  Args:
    encoder: of `ganjax.style.encoders`, with layers on grids of 1, 2, 4, ...
      pixels.
    core: the longest side of a tile, in pixels, a multiple of the coarsest
      grid.
    halo: pixels around a tile that are computed as well, a multiple too. From
      the radius of the receptive field on (78 pixels for relu5_1 of VGG-19),
      features equal those of the whole picture but for rounding.

  Raises:
    ValueError: when the encoder is applied, if core or halo is no multiple of
      the grid.
  """

  def apply(params, pictures, layers):
    number, *sides, channels = pictures.shape
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
        f'The tiles have {core} pixels and a halo of {halo}, but both must be '
        f'multiples of {coarsest}, the grid of the coarsest layer of '
        f'{encoder.name}.'
      )
    cores, windows = zip(
      *(_tile(side, core, halo, coarsest) for side in sides), strict=True
    )
    room = jnp.subtract(jnp.array(sides), jnp.array(windows))

    def part(layer):
      """Returns the shape of a tile's features, and where the last begins."""
      _, *whole, depth = shapes[layer].shape
      size = [
        min(longest, side // grids[layer])
        for longest, side in zip(whole, cores, strict=True)
      ]
      last = jnp.array(whole) - jnp.array(size)
      return (number, *size, depth), last

    @jax.checkpoint
    def tile(corner):
      first = jnp.clip(corner - halo, 0, room)
      window = jax.lax.dynamic_slice(
        pictures, (0, *first, 0), (number, *windows, channels)
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
        for layer, (own, start) in tile(corner).items()
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
  """Returns the side of a tile, of about equal ones, and of its window."""
  number = math.ceil(side / core)
  own = grid * math.ceil(side / number / grid)
  # The last window begins on the grid and ends where the picture ends.
  return own, min(side, own + 2 * halo + side % grid)
