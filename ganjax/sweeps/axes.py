"""The axes of a sweep, from what is written on the command line.

A factor is one field of the config, or several that move together, with its
values; a range is what a search draws a field from. An error in them is raised
before anything is trained.
"""

import ast
import json
import math
import re

import optuna

from ganjax.config import ranges
from ganjax.sweeps import fields, mode_task


def grid(config, texts):
  """Returns the factors of a grid: from a tuple of fields to their values.

  Args:
    config: the config whose fields they are.
    texts: of the form FIELD=VALUE,VALUE; FIELD+FIELD where fields move
      together.

  Raises:
    ValueError: if there is no such field, no values, or one of another type.
  """
  factors = {}
  for text in texts:
    names, values = _parted('--grid', 'loss=hinge,wasserstein', text)
    _once(factors, names)
    # Commas within brackets are those of a tuple.
    listed = re.split(r',(?![^([]*[)\]])', values)
    if not all(map(str.strip, listed)):
      raise ValueError(
        f'--grid {text} lacks a value; give at least one, and commas between.'
      )
    # Each of the fields may have a type of its own.
    read = [
      [value(config, name, word.strip()) for word in listed] for name in names
    ]
    factors[names] = _alike(f'--grid {text}', names, read)
  return factors


def search(config, texts):
  """Returns the ranges of a search: from a tuple of fields to a distribution.

  Optuna draws the fields from it.

  Args:
    config: the config whose fields they are.
    texts: of the form FIELD=LOW..HIGH, FIELD=log:LOW..HIGH, FIELD=int:LOW..HIGH
      or FIELD=VALUE|VALUE.

  Raises:
    ValueError: if there is no such field, an empty range, or one of another
      type.
  """
  ranges = {}
  for text in texts:
    names, spec = _parted('--search', 'loss=hinge|wasserstein', text)
    _once(ranges, names)
    try:
      found = [_distribution(config, name, spec.strip()) for name in names]
    except ValueError as error:
      raise ValueError(f'--search {text}: {error}') from error
    ranges[names] = _alike(f'--search {text}', names, found)
  return ranges


def value(config, name, word):
  """Returns the value of a field that a word stands for.

  Raises:
    ValueError: if there is no such field, it is of another type, or outside its
      range.
  """
  now = fields.now(config, name)
  if name == 'remedy':
    mode_task.remedied(config, word)
    return word
  type_ = fields.type_of(config, name)
  try:
    read = _READ[type_](word)
  except (KeyError, SyntaxError, ValueError):
    read = None
  if now is None and word.lower() == 'none':
    return None
  if (
    not isinstance(read, type_) or read in (math.inf, -math.inf) or read != read
  ):
    raise ValueError(
      f'{name} is {_TYPES[type_]}, such as {json.dumps(_example(now, type_))}, '
      f'and {word!r} is not.'
    )
  ranges.check_value(name, read)
  return read


def check_apart(factors, ranges):
  """Raises ValueError where --grid and --search are both given."""
  for names in ranges:
    _once(factors, names)
  if factors and ranges:
    raise ValueError(
      '--grid and --search cannot be given together; search among values by '
      '--search FIELD=VALUE|VALUE.'
    )


def described(ranges):
  """Returns the ranges of a search in words, a list for each field."""
  return {name: [f'{own}'] for names, own in ranges.items() for name in names}


_READ = {
  bool: lambda word: {'true': True, 'false': False}[word.lower()],
  int: int,
  float: float,
  str: str,
  tuple: lambda word: _tuple(ast.literal_eval(word)),
}
_TYPES = {
  bool: 'true or false',
  int: 'a whole number',
  float: 'a number',
  str: 'a name',
  tuple: 'a tuple',
}


def _tuple(read):
  return tuple(read) if isinstance(read, list) else read


def _example(now, type_):
  return {float: 0.5}.get(type_) if now is None else now


def _distribution(config, name, spec):
  now, type_ = fields.now(config, name), fields.type_of(config, name)
  scale, _, limits = spec.rpartition(':')
  if '..' not in limits or scale not in ('', 'log', 'int'):
    return _choice(config, name, spec)
  if type_ not in (int, float) or (type_ is int) != (scale == 'int'):
    right = {int: 'int:1..8', float: '0.1..10 or log:1e-5..1e-2'}.get(
      type_, f'{now}|...'
    )
    raise ValueError(f'{name} is {_TYPES[type_]}; give its range as {right}.')
  low, high = (value(config, name, word) for word in limits.split('..', 1))
  if scale == 'log' and low <= 0:
    raise ValueError(
      f'a logarithmic range begins above 0, and {low:g} is not; give a small '
      'positive number, or leave out log:.'
    )
  if low >= high:
    raise ValueError(f'the range is empty; {low:g} must be below {high:g}.')
  if type_ is int:
    return optuna.distributions.IntDistribution(low, high)
  return optuna.distributions.FloatDistribution(low, high, log=scale == 'log')


def _choice(config, name, spec):
  if fields.type_of(config, name) is tuple:
    raise ValueError(
      f'{name} is a tuple, which a search cannot choose; give it to --grid.'
    )
  chosen = [value(config, name, word.strip()) for word in spec.split('|')]
  if len(chosen) < 2:
    raise ValueError(
      'this is no range; give LOW..HIGH, log:LOW..HIGH, int:LOW..HIGH, or '
      'values with | between them.'
    )
  _check_twice(chosen)
  return optuna.distributions.CategoricalDistribution(chosen)


def _check_twice(chosen):
  for one in chosen:
    if chosen.count(one) > 1:
      raise ValueError(f'{one} is given twice; give it once.')


def _parted(flag, example, text):
  names, equals, rest = text.partition('=')
  if not names or not equals:
    raise ValueError(
      f'{flag} is {text!r}; give a field and what it is to be, such as '
      f'{flag} {example}.'
    )
  return tuple(name.strip() for name in names.split('+')), rest


def _alike(said, names, read):
  """Returns the values of all of the fields, which must be the same."""
  if any(own != read[0] for own in read):
    raise ValueError(
      f'{said}: the fields {" and ".join(names)} are of different types and '
      'cannot move together.'
    )
  return read[0]


def _once(known, names):
  given = [name for others in known for name in others]
  for name in names:
    if name in given or names.count(name) > 1:
      raise ValueError(
        f'The factor {name} is given twice; give it once, with all of its '
        'values.'
      )
