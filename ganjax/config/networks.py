"""From a config to its networks, with the remedies that transform networks.

`ganjax.networks.from_config` says how a network makes its name known.
"""

import functools
import inspect

import jax.numpy as jnp

from ganjax import networks as package
from ganjax import remedies
from ganjax.config import conditional
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

  Returns:
    A `Pair`, conditional where `config.labels` says so: by the architecture
    itself, if its function in `NETWORKS` has an argument `classes`, and by
    what `config.conditional` chooses otherwise.

  Raises:
    ValueError: if the config names no network, or has other arguments in its
      sections than the network takes, or as `conditional.check`.
  """
  build = choose('network', gather(package, 'NETWORKS'), config.network)
  dtype = choose('dtype', DTYPES, config.dtype)
  conditional.check(config)

  def built(**classes):
    try:
      return build(config, shape, dtype, **stage, **classes)
    except (KeyError, TypeError) as error:
      raise ValueError(
        f'The network {config.network!r} takes other arguments than the '
        'sections generator and discriminator of this config hold '
        f'({error}); start from a config that is made for it.'
      ) from error

  if config.labels and config.classes:
    takes_labels = 'classes' in inspect.signature(build).parameters
    own = functools.partial(built, classes=config.classes)
    pair = conditional.players(config, built, own if takes_labels else None)
  else:
    pair = built()
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
