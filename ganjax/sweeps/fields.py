"""The fields of a config, and settings: what runs of a sweep change in them.

A setting is a dict of changes, from a dotted field to a JSON value.
"""

import difflib
import json
import runpy

from ganjax import files
from ganjax.config import ranges
from ganjax.sweeps import mode_task

# Fields of a protocol that a run does not read, and what to do instead.
_NO_FACTORS = {
  'seed': 'give --seeds, the number of them',
  'seeds': 'give --seeds, the number of them',
  'mapping': 'it changes no result',
  'protocol': 'it is chosen by --config',
  'source': 'it is words',
  'note': 'it is words',
}
_SECTIONS = ('remedies', 'published')


def present(config):
  """Returns what a setting may change: from a dotted field to its value now.

  A protocol of mode collapse has the field `remedy` besides, which stands for
  all that the remedy changes.
  """
  found = files.flat(config)
  if 'protocol' in config:
    found = {
      name: value
      for name, value in found.items()
      if name.partition('.')[0] not in _SECTIONS
    }
    found['remedy'] = _remedies(config)[0]
  return found


def changed(config, changes):
  """Returns a copy of the config with the changes of a setting.

  Args:
    config: of a training or of a protocol, where without the field `remedy` the
      first remedy is chosen.
    changes: `{field: value}`.

  Raises:
    ValueError: if it has no such field, one of another type, or a number
      outside its range.
  """
  changes = dict(changes)
  if 'protocol' in config:
    remedy = changes.pop('remedy', _remedies(config)[0])
    own = mode_task.remedied(config, remedy)
  else:
    own = config.copy_and_resolve_references()
  try:
    own.update_from_flattened_dict(changes)
  except (AttributeError, KeyError, TypeError) as error:
    raise ValueError(f'{words(changes)}: {error.args[0]}') from error
  ranges.check(own)
  return own


def words(changes):
  """Returns the changes of a setting as text."""
  if not changes:
    return 'the config as it is'
  return ', '.join(f'{field}={_word(own)}' for field, own in changes.items())


def _word(value):
  if isinstance(value, float):
    return f'{value:.4g}'
  return value if isinstance(value, str) else json.dumps(value)


def checked(config, added):
  """Returns the settings of a config file's own sweep, their types checked.

  Raises:
    ValueError: if one changes a field that there is not, or its type.
  """
  for changes in added:
    for name in changes:
      now(config, name)
    changed(config, changes)
  return [
    {name: _as(type_of(config, name), value) for name, value in own.items()}
    for own in added
  ]


def proposed(name):
  """Returns the function `add -> None` that proposes a config file's settings.

  Args:
    name: of the file, and after a colon what its `get_config` is given.
  """
  found = runpy.run_path(name.partition(':')[0])
  return found.get('sweep', lambda add: None)


def example(ranges):
  """Returns a setting that a search could draw: upper ends, first choices."""
  setting = {}
  for names, found in ranges.items():
    first = found.choices[0] if hasattr(found, 'choices') else found.high
    setting |= dict.fromkeys(names, first)
  return setting


def examples(ranges):
  """Returns the `example`, and those that differ from it in one choice."""
  first = example(ranges)
  return [first] + [
    first | dict.fromkeys(names, other)
    for names, found in ranges.items()
    for other in getattr(found, 'choices', ())[1:]
  ]


def factors(settings):
  """Returns the values of each field that settings change, in their order."""
  found = {}
  for changes in settings:
    for name, value in changes.items():
      values = found.setdefault(name, [])
      if value not in values:
        values.append(value)
  return found


def numbers(settings):
  """Returns the numbers other than 0 of each field that has any, in order."""
  found = {
    name: [own for own in values if isinstance(own, float) and own != 0]
    for name, values in factors(settings).items()
  }
  return {name: values for name, values in found.items() if values}


def now(config, name):
  """Returns the value that a field has in the config.

  Raises:
    ValueError: if there is none, or it is no factor.
  """
  if name in _NO_FACTORS and name in config:
    raise ValueError(f'{name} is no factor of a sweep: {_NO_FACTORS[name]}.')
  known = present(config)
  if name in known:
    return known[name]
  section = [other for other in known if other.startswith(f'{name}.')]
  ending = [other for other in known if f'.{other}'.endswith(f'.{name}')]
  near = section or ending or difflib.get_close_matches(name, known, 3)
  last = {other: other.rpartition('.')[2] for other in known}
  if not near:
    close = difflib.get_close_matches(name.rpartition('.')[2], last.values(), 1)
    near = [other for other in known if last[other] in close]
  hint = f' did you mean {" or ".join(near[:4])}?' if near else ''
  raise ValueError(
    f'The config has no field {name!r};{hint or " its file lists them."}'
  )


def type_of(config, name):
  """Returns the type of the values of a field."""
  *path, last = name.split('.')
  for part in path:
    config = config[part]
  type_ = str if name == 'remedy' else config.get_type(last)
  return tuple if type_ is list else type_


def _as(type_, value):
  return float(value) if type_ is float and value is not None else value


def _remedies(config):
  """Returns the remedies as the protocol lists them; a ConfigDict sorts."""
  return list(json.loads(config.to_json())['remedies'])
