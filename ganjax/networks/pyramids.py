"""Pyramids: the tuples of images of several resolutions that MSG-GANs make.

A pyramid holds images `[N, r, r, C]`, the smallest first; r is 4 times a power
of two.
"""

from ganjax import growth
from ganjax.lookup import choose
from ganjax.networks import conditional, equalized, from_config, linen
from ganjax.players import Pair


def resolutions(resolution):
  """Returns the tuple 4, 8, 16, ... up to `resolution`, in pixels.

  Raises:
    ValueError: if `resolution` is not a power of two from 4 on.
  """
  last = growth.stage_of(resolution)
  return tuple(map(growth.resolution, range(last + 1)))


def widths(resolution, base, max_channels):
  """Returns pairs of a resolution and its channels, a tuple, from 4 pixels on.

  Args:
    resolution: of the largest images, in pixels, a power of two from 4 on.
    base: channels of the layers times half the resolution.
    max_channels: the largest number of channels, at any resolution.

  Raises:
    ValueError: if there is no such resolution, or `base` is too small for it.
  """
  return tuple(
    (side, equalized.channels(side, base, max_channels))
    for side in resolutions(resolution)
  )


def connected(resolution, connections):
  """Returns the resolutions of the images in a pyramid, a tuple, in pixels.

  Args:
    resolution: of the largest images, which are always in the pyramid.
    connections: the other resolutions; None stands for all of them.

  Raises:
    ValueError: if there is no such resolution or connection.
  """
  possible = resolutions(resolution)
  chosen = possible if connections is None else {*connections, resolution}
  for side in chosen:
    if side not in possible:
      raise ValueError(
        f'There are no images of {side} pixels to connect in a pyramid up to '
        f'{resolution}; choose among {", ".join(map(str, possible))}.'
      )
  return tuple(sorted(chosen))


def connections(name, resolution):
  """Returns the connections of MSG-GAN's ablation by name, a list, in pixels.

  Karnewar and Wang, "MSG-GAN", 2020, arXiv:1903.06048, table 5.

  Args:
    name: 'all', 'none', 'coarse' (4 and 8 pixels), 'middle' (16 and 32) or
      'fine' (from 64 pixels on).
    resolution: of the largest images, which are left out here.

  Raises:
    ValueError: if there is no such name or resolution.
  """
  sides = resolutions(resolution)[:-1]
  return choose(
    'connections',
    {
      'all': list(sides),
      'none': [],
      'coarse': [side for side in sides if side <= 8],
      'middle': [side for side in sides if side in (16, 32)],
      'fine': [side for side in sides if side >= 64],
    },
    name,
  )


def from_sections(generator, discriminator, combines):
  """Returns the entry of `NETWORKS` for networks of pyramids.

  Args:
    generator: a function with the arguments of `msg.generator`.
    discriminator: a function with the arguments of `msg.discriminator`.
    combines: a dict of `msg.Combine`s by name.
  """

  def build(config, shape, dtype, classes=0):
    resolution, _, channels = shape
    tables = {'scaling': equalized.SCALINGS, 'remat': linen.REMATS}
    own = from_config.discriminator_arguments(
      config.discriminator, combine=combines, **tables
    )
    statistics = own.pop('statistics')
    everywhere = own.pop('everywhere')
    common = {
      'connections': connections(config.connections, resolution),
      'dtype': dtype,
    }
    critic = discriminator(
      resolution,
      block_statistics=statistics if everywhere else None,
      map_statistics=statistics,
      **common,
      **own,
    )
    return Pair(
      generator(
        resolution,
        channels,
        classes=classes,
        **common,
        **from_config.arguments(config.generator, **tables),
      ),
      conditional.projected(critic, classes) if classes else critic,
    )

  return build
