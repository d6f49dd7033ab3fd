"""From a config to its networks, with the remedies that transform networks.

`ganjax.networks.from_config` says how a network makes its name known.
"""

import inspect

import jax.numpy as jnp

from ganjax import networks as package
from ganjax import remedies
from ganjax.lookup import choose, gather
from ganjax.networks import conditional
from ganjax.players import Pair

DTYPES = {'float32': jnp.float32, 'bfloat16': jnp.bfloat16}


def networks(config, shape, **stage):
  """Returns the `Pair` of networks of a config.

  Args:
    config: the config of a training run.
    shape: of one example of the data, without the batch.
    **stage: for networks that grow, their `stage` and `alpha`; without them,
      they are those of the last stage.

  Returns:
    A `Pair`, conditional where `config.labels` says so: by the architecture
    itself, if its function in `NETWORKS` has an argument `classes`, and by
    `ganjax.networks.conditional` otherwise.

  Raises:
    ValueError: if the config names no network, or has other arguments in its
      sections than the network takes.
  """
  build = choose('network', gather(package, 'NETWORKS'), config.network)
  dtype = choose('dtype', DTYPES, config.dtype)
  classes = config.classes if config.labels else 0
  own = 'classes' in inspect.signature(build).parameters
  if classes and own:
    stage = stage | {'classes': classes}
  try:
    pair = build(config, shape, dtype, **stage)
  except (KeyError, TypeError) as error:
    raise ValueError(
      f'The network {config.network!r} takes other arguments than the sections '
      f'generator and discriminator of this config hold ({error}); start from '
      'a config that is made for it.'
    ) from error
  if classes and not own:
    pair = Pair(
      conditional.concatenated(pair.generator, classes),
      conditional.projected(pair.discriminator, classes),
    )
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
