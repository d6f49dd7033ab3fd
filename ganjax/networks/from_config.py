"""Arguments of networks from sections of a config: names become functions.

A module of `ganjax.networks` that a config can choose defines `NETWORKS`, a
dict from names to functions `(config, shape, dtype, **stage) -> Pair` of a
`Generator` and a `Discriminator`:

- `config` has the sections `generator` and `discriminator`, which map the
  names of arguments to JSON values;
- `shape` is that of one example of the data, such as `(32, 32, 3)`;
- `dtype` is that of the computation;
- `stage`, of networks that grow, is their `stage` and `alpha`.
"""

import functools

from ganjax.lookup import choose
from ganjax.networks import layers
from ganjax.players import Pair

# Statistics of the batch that a discriminator appends to its last features.
STATISTICS = {
  'none': lambda **arguments: None,
  'stddev': lambda group, **others: functools.partial(
    layers.MinibatchStd, group or None
  ),
  'discrimination': lambda kernels, size, **others: functools.partial(
    layers.MinibatchDiscrimination, kernels, size
  ),
}


def arguments(section, **tables):
  """Returns a section as a dict of arguments, some of them chosen by name.

  Args:
    section: a section of a config.
    **tables: for each argument that is chosen by name, its table.

  Raises:
    ValueError: if a table has no such name.
  """
  return dict(section) | {
    name: choose(name, table, section[name]) for name, table in tables.items()
  }


def discriminator_arguments(section, **tables):
  """Returns `arguments`, with `statistics` as a module factory or None."""
  chosen = arguments(section, **tables)
  statistics = dict(chosen.pop('statistics'))
  make = choose('statistics', STATISTICS, statistics.pop('name'))
  return chosen | {'statistics': make(**statistics)}


def published(pair):
  """Returns the entry of `NETWORKS` for a pair of networks of one paper.

  The data give no argument: their shape is the paper's.

  Args:
    pair: a function of the arguments in the section `generator`, and of
      `statistics`, which returns a `Pair`.
  """

  def build(config, shape, dtype) -> Pair:
    return pair(
      **config.generator, **discriminator_arguments(config.discriminator)
    )

  return build
