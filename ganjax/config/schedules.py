"""The numbers of a config as they are after the images seen so far."""

import functools

from ganjax import schedules
from ganjax.lookup import choose, functions


def with_values(config, values):
  """Returns a copy of the config with other values, which may be traced.

  Args:
    config: the config of a training run.
    values: a dict from dotted names of fields to their values.
  """
  own = config.copy_and_resolve_references()
  with own.ignore_type():
    own.update_from_flattened_dict(dict(values))
  return own


def scheduled(config, images_seen):
  """Returns the config with the values that its schedules have by then.

  Args:
    config: the config of a training run, whose section `schedules` has the
      names of fields, and a function of `ganjax.schedules` for each.
    images_seen: a number, which may be traced.

  Raises:
    ValueError: if there is no such schedule, or the number is None.
  """
  values = {}
  for field, section in sections(config).items():
    make = choose('schedule', functions(schedules), section.pop('name'))
    value = functools.reduce(getattr, field.split('.'), config)
    if value is None:
      raise ValueError(
        f'schedules.{field} changes the value of {field}, which is None; set '
        f'{field} to the number that it begins with.'
      )
    values[field] = make(**section)(value, images_seen)
  return with_values(config, values) if values else config


def images_seen(config):
  """Returns `step -> images` of steps that all have the batch of a config."""
  # Floats, for a run may see more than 2^31 images.
  return lambda step: step * float(rows(config))


def rows(config):
  """Returns how many images the discriminator sees in a step of a config."""
  return config.batch_size * config.critic_steps


def rows_taken(config):
  """Returns how many images of the data a step of a config takes."""
  return rows(config) + config.batch_size * config.generator_batches


def sections(config):
  """Returns the sections of schedules that change a value, by its field."""

  def found(section, path):
    if 'name' not in section:
      return [
        pair
        for name, inner in section.items()
        for pair in found(inner, (*path, name))
      ]
    own = dict(section)
    return [] if own['name'] == 'constant' else [('.'.join(path), own)]

  return dict(found(config.schedules, ()))
