"""From a config to its networks, with the remedies that transform networks.

`ganjax.networks.from_config` says how a network makes its name known.
"""

import jax.numpy as jnp

from ganjax import networks as package
from ganjax import remedies
from ganjax.lookup import choose, gather
from ganjax.players import Pair

DTYPES = {'float32': jnp.float32, 'bfloat16': jnp.bfloat16}


def networks(config, shape, **stage):
  """Returns the `Pair` of networks of a config.

  Args:
    config: the config of a training run.
    shape: of one example of the data, without the batch.
    **stage: for networks that grow, their `stage` and `alpha`; without them,
      they are those of the last stage.

  Raises:
    ValueError: if the config names no network, or has other arguments in its
      sections than the network takes.
  """
  build = choose('network', gather(package, 'NETWORKS'), config.network)
  dtype = choose('dtype', DTYPES, config.dtype)
  try:
    pair = build(config, shape, dtype, **stage)
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
