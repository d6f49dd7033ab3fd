"""The kinds of parts that a config chooses by name, and all that there are."""

from typing import NamedTuple

from ganjax import networks, priors, schedules
from ganjax.config import augmentations, conditional, games, regularizers
from ganjax.lookup import functions, modules


class Kind(NamedTuple):
  """Parts that are in one table.

  Attributes:
    table: from the names to functions, values of `losses`, or the modules that
      define a network.
    line: how a config is told to take one, with the place of its `{name}`.
  """

  table: dict
  line: str


def kinds():
  """Returns the `Kind`s by their names."""
  return {
    'loss': Kind(games.loss_names(), '--config.loss={name}'),
    'regularizer': Kind(
      regularizers.names(),
      '--config.regularizers.discriminator.{name}.weight=1',
    ),
    'optimizer': Kind(
      games.optimizer_names(), '--config.optimizers.generator.name={name}'
    ),
    'update_rule': Kind(
      games.update_rule_names(), '--config.update_rule={name}'
    ),
    'prior': Kind(functions(priors), '--config.prior.name={name}'),
    'network': Kind(
      {
        name: module
        for module in modules(networks)
        for name in getattr(module, 'NETWORKS', {})
      },
      '--config.network={name}',
    ),
    'augmentation': Kind(
      augmentations.augmentation_names(), '--config.augment.name={name}'
    ),
    'conditional': Kind(
      conditional.kind_names(), '--config.conditional.name={name}'
    ),
    'fake_labels': Kind(
      games.fake_label_names(), '--config.fake_labels.name={name}'
    ),
    'schedule': Kind(
      functions(schedules), '--config.schedules.FIELD.name={name}'
    ),
    'critic_pass': Kind(games.pass_names(), '--config.critic_pass={name}'),
  }
