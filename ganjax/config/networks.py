"""From a config to its networks: names become functions here, by table."""

import functools

import jax
import jax.numpy as jnp

from ganjax import remedies
from ganjax.lookup import choose
from ganjax.networks import (
  dcgan,
  equalized,
  layers,
  linen,
  mlp,
  msg,
  progressive,
  stacked_mnist,
  stylegan,
  toy,
)
from ganjax.players import Pair

_norms = {
  'none': None,
  'batch': functools.partial(layers.BatchNorm, momentum=0.8),
}

# What a discriminator may see of the whole batch, before its last layer.
_statistics = {
  'none': lambda **arguments: None,
  'stddev': lambda group, **others: functools.partial(
    layers.MinibatchStd, group or None
  ),
  'discrimination': lambda kernels, size, **others: functools.partial(
    layers.MinibatchDiscrimination, kernels, size
  ),
}

_activations = {'leaky_relu': equalized.leaky_relu, 'relu': jax.nn.relu}
_outputs = {'linear': lambda images: images, 'tanh': jnp.tanh}
_scalings = {
  'equalized': equalized.equalized,
  'init': equalized.at_init,
}
_progressive_norms = {
  'pixel': progressive.normalized_by_pixel,
  'batch': progressive.normalized_by_batch,
  'layer': progressive.normalized_by_layer,
  'none': progressive.normalized_not,
}
_remats = {False: lambda module: module, True: linen.remat}


def _chosen(section, **tables):
  """The arguments of a section, those with a table chosen from it by name."""
  return dict(section) | {
    name: choose(name, table, section[name]) for name, table in tables.items()
  }


def _judging(section, **tables):
  """The arguments of a discriminator, its statistics as a module factory."""
  arguments = _chosen(section, **tables)
  statistics = dict(arguments.pop('statistics'))
  make = choose('statistics', _statistics, statistics.pop('name'))
  return arguments | {'statistics': make(**statistics)}


def _dcgan(config, shape, dtype):
  resolution, _, channels = shape
  return Pair(
    dcgan.generator(resolution, channels, dtype=dtype, **config.generator),
    dcgan.discriminator(
      resolution, channels, dtype=dtype, **_judging(config.discriminator)
    ),
  )


def _mlp(config, shape, dtype):
  return Pair(
    mlp.generator(
      shape,
      activation=mlp.leaky_relu,
      output=jnp.tanh,
      dtype=dtype,
      **_chosen(config.generator, norm=_norms),
    ),
    mlp.discriminator(
      activation=mlp.leaky_relu,
      dtype=dtype,
      **_judging(config.discriminator),
    ),
  )


def _progressive(config, shape, dtype, **grown):
  resolution, _, channels = shape
  tables = {
    'norm': _progressive_norms,
    'activation': _activations,
    'scaling': _scalings,
    'remat': _remats,
  }
  judging = _judging(config.discriminator, **tables)
  # Deviations are taken of maps, where the images are 4x4.
  if config.discriminator.statistics.name == 'stddev':
    judging |= {'map_statistics': judging['statistics'], 'statistics': None}
  else:
    judging |= {'map_statistics': None}
  common = {'dtype': dtype, **grown}
  return Pair(
    progressive.generator(
      resolution,
      channels,
      **common,
      **_chosen(config.generator, **tables, output=_outputs),
    ),
    progressive.discriminator(resolution, **common, **judging),
  )


def _multi_scale(network, combines):
  """MSG-GANs: `network` is a module of both players, with these combines."""

  def pair(config, shape, dtype):
    resolution, _, channels = shape
    connections = _connections(config.connections, resolution)
    tables = {'scaling': _scalings, 'remat': _remats}
    judging = _judging(config.discriminator, combine=combines, **tables)
    # Deviations are taken of maps, in all blocks or in the last.
    statistics = judging.pop('statistics')
    everywhere = judging.pop('everywhere')
    return Pair(
      network.generator(
        resolution,
        channels,
        connections=connections,
        dtype=dtype,
        **_chosen(config.generator, **tables),
      ),
      network.discriminator(
        resolution,
        connections=connections,
        dtype=dtype,
        block_statistics=statistics if everywhere else None,
        map_statistics=statistics,
        **judging,
      ),
    )

  return pair


def _connections(name, resolution):
  """The resolutions that the paper's ablation connects, but for the largest."""
  sides = [4 * 2**stage for stage in range(resolution.bit_length() - 3)]
  return choose(
    'connections',
    {
      'all': sides,
      'none': [],
      'coarse': [side for side in sides if side <= 8],
      'middle': [side for side in sides if side in (16, 32)],
      'fine': [side for side in sides if side >= 64],
    },
    name,
  )


def _published(pair):
  """A pair as its paper has it: the generator's section is all of its own."""
  return lambda config, shape, dtype: pair(
    **config.generator, **_judging(config.discriminator)
  )


_networks = {
  'dcgan': _dcgan,
  'mlp': _mlp,
  'progressive': _progressive,
  'msg': _multi_scale(
    msg,
    {'simple': msg.simple, 'lin_cat': msg.lin_cat, 'cat_lin': msg.cat_lin},
  ),
  'style': _multi_scale(stylegan, {'cat_lin': stylegan.cat_lin}),
  'plain_toy': _published(toy.plain),
  'pacgan_toy': _published(toy.pacgan),
  'unrolled_toy': _published(toy.unrolled),
  'unrolled_demo_toy': _published(toy.unrolled_demo),
  'wgan_gp_toy': _published(toy.wgan_gp),
  'unrolled_stacked': _published(stacked_mnist.unrolled),
  'pacgan_stacked': _published(stacked_mnist.pacgan),
  'residual_stacked': _published(stacked_mnist.residual),
}

DTYPES = {'float32': jnp.float32, 'bfloat16': jnp.bfloat16}


def networks(config, shape, **grown):
  """The `Pair` of networks of a config, for examples of a shape.

  Args:
    config: the config.
    shape: of an example, as the data have it.
    **grown: for networks that grow, their `stage` and `alpha`; they are at the
      end of their growth where nothing is said.

  Raises:
    ValueError: if the config names no network, or gives it other arguments.
  """
  network = choose('network', _networks, config.network)
  dtype = choose('dtype', DTYPES, config.dtype)
  try:
    pair = network(config, shape, dtype, **grown)
  except (KeyError, TypeError) as error:
    raise ValueError(
      f'The network {config.network!r} takes other arguments than the sections '
      f'generator and discriminator of this config hold ({error}); start from '
      'a config that is made for it.'
    ) from error
  generator, discriminator = (
    remedies.spectral(network) if normalized else network
    for network, normalized in zip(
      pair,
      (config.spectral.generator, config.spectral.discriminator),
      strict=True,
    )
  )
  if config.pack > 1:
    discriminator = remedies.pack(discriminator, config.pack)
  return Pair(generator, discriminator)
