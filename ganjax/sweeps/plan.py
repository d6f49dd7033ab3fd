"""The plan of a sweep: which runs there are, and which of them train together.

A setting is a dict of changes to a config, {field: JSON value}; a member is a
setting with a seed. Members that differ in traced numbers and seeds alone are
one population, and so one compiled program; what else differs starts another.
"""

import itertools
import json
from typing import NamedTuple


class Program(NamedTuple):
  """The members of a sweep that train as one population, M of them.

  Attributes:
    fixed: the changes that all of them share, {field: value}.
    numbers: from a field to its value in each member, a tuple of M floats, to
      be traced; may be empty.
    seeds: of each member, a tuple of M ints.
    settings: the number of each member's setting, a tuple of M ints.
  """

  fixed: dict
  numbers: dict
  seeds: tuple
  settings: tuple


def cross(factors):
  """Returns the settings of all combinations; the last factor is innermost.

  Args:
    factors: from a tuple of fields, which move together, to their values.

  Raises:
    ValueError: if a factor has no values or one of them twice, or if two
      factors have a field in common.
  """
  known = set()
  for fields, values in factors.items():
    for field in fields:
      if field in known:
        raise ValueError(
          f'The field {field} is given by two factors; give it once, with all '
          'of its values.'
        )
      known.add(field)
    _check('+'.join(fields), values)
  return [
    {
      field: value
      for fields, value in zip(factors, chosen, strict=True)
      for field in fields
    }
    for chosen in itertools.product(*factors.values())
  ]


def _check(name, values):
  if not len(values):
    raise ValueError(f'The factor {name} has no values; give at least one.')
  texts = [json.dumps(value) for value in values]
  for text in texts:
    if texts.count(text) > 1:
      raise ValueError(
        f'The factor {name} has the value {text} {texts.count(text)} times; '
        'give it once.'
      )


def programs(settings, seeds, traced):
  """Returns a tuple of `Program`s that train each setting with each seed.

  A number is traced if its field may be and it is a float other than 0: what is
  0 is left out of a game, which saves its cost. Programs come in the order of
  their first settings, and members in that of the settings, seeds innermost.

  Args:
    settings: a sequence of dicts, with values of the types of their fields.
    seeds: a sequence of ints.
    traced: the set of fields that may be traced.
  """
  found = {}
  for number, setting in enumerate(settings):
    fixed, numbers = {}, {}
    for field, value in setting.items():
      moves = field in traced and isinstance(value, float) and value != 0
      (numbers if moves else fixed)[field] = value
    # 1, 1.0 and True are equal keys of a dict, but not as JSON.
    which = json.dumps(fixed, sort_keys=True), *sorted(numbers)
    found.setdefault(which, []).append((number, fixed, numbers))
  return tuple(_program(members, seeds) for members in found.values())


def completed(planned, there):
  """Returns the programs of all members that are planned, a list.

  Those that are there already stay as they are, so that what they have trained
  is not trained again; a member that none of them has is part of a new one.

  Args:
    planned: `Program`s.
    there: `Program`s, such as those in the folder of a sweep.
  """
  found = []
  for program in planned:
    members = _members(program)
    own = [other for other in there if {*members} & {*_members(other)}]
    found += [other for other in own if other not in found]
    had = {member for other in own for member in _members(other)}
    rest = [at for at, member in enumerate(members) if member not in had]
    if rest:
      found.append(_some(program, rest))
  return found


def _members(program):
  return list(zip(program.settings, program.seeds, strict=True))


def _some(program, members):
  """Returns the `Program` of some of the members."""

  def chosen(values):
    return tuple(values[member] for member in members)

  return program._replace(
    numbers={name: chosen(own) for name, own in program.numbers.items()},
    seeds=chosen(program.seeds),
    settings=chosen(program.settings),
  )


def read(text):
  """Returns the `Program` that was written as JSON."""
  values = json.loads(text)
  return Program(
    fixed=values['fixed'],
    numbers={name: tuple(own) for name, own in values['numbers'].items()},
    seeds=tuple(values['seeds']),
    settings=tuple(values['settings']),
  )


def _program(members, seeds):
  _, fixed, numbers = members[0]
  return Program(
    fixed=fixed,
    numbers={
      field: tuple(own[field] for _, _, own in members for _ in seeds)
      for field in sorted(numbers)
    },
    seeds=tuple(seeds) * len(members),
    settings=tuple(number for number, _, _ in members for _ in seeds),
  )
