"""From the sections of regularisers in a config to `Regularizer`s by name."""

import inspect

from ganjax import regularizers
from ganjax.arrays import certainly
from ganjax.lookup import choose, functions
from ganjax.turns import Regularizer, Turn, lazily, stateless


def names():
  """Returns the regularisers that a config can choose, functions by name."""
  return {
    name: function
    for name, function in functions(regularizers).items()
    if not name.endswith('_memory')
  }


def of_section(section):
  """Returns a player's `Regularizer`s by name, weighted and perhaps lazy."""
  return {
    name: lazily(term, every) if every > 1 else term
    for name, (term, every) in _weighted_terms(section).items()
  }


def in_every_update(section):
  """Returns those of a player's `Regularizer`s that are not lazy, weighted."""
  return {
    name: term
    for name, (term, every) in _weighted_terms(section).items()
    if every == 1
  }


def apart(section):
  """Returns those that are lazy, for updates of their own, weighted."""
  return {
    name: term
    for name, (term, every) in _weighted_terms(section).items()
    if every > 1
  }


def interval(section):
  """Returns the interval of those that are lazy, 0 if there are none.

  Raises:
    ValueError: if they have several.
  """
  found = {
    name: every
    for name, (_, every) in _weighted_terms(section).items()
    if every > 1
  }
  if len(set(found.values())) > 1:
    each = ', '.join(f'{name} every {every}' for name, every in found.items())
    raise ValueError(
      'With update_rule=lazy_regularization the lazy penalties of a player '
      f'share its updates, but there are {each}; give them the same interval, '
      'or 1 to those that are to be in every update.'
    )
  return next(iter(found.values()), 0)


def _weighted_terms(section):
  """Returns pairs of a weighted `Regularizer` and its interval, by name.

  One whose weight is the number 0 is left out, for second derivatives cost most
  of a step; one whose weight is traced is not.
  """
  built = {}
  for name, arguments in section.items():
    arguments = dict(arguments)
    weight, every = arguments.pop('weight'), arguments.pop('every')
    term = _regularizer(name, arguments)
    if certainly(weight, 0):
      continue
    built[name] = _weighted(term, weight), every
  return built


def _regularizer(name, arguments):
  """Returns the `Regularizer` of a function of `ganjax.regularizers`.

  Its parameters that are fields of a `Turn` get their values from the turn; the
  config gives the others. A function with a parameter `memory` returns its next
  memory too, and begins with that of the function `<name>_memory`.
  """
  function = choose('regularizer', names(), name)
  taken = inspect.signature(function).parameters
  if unknown := set(arguments) - set(taken):
    raise ValueError(
      f'The regularizer {name!r} takes no {", ".join(sorted(unknown))}; it '
      f'takes {", ".join(taken)}.'
    )
  fields = set(taken) & set(Turn._fields)

  def values(turn, **memory):
    given = {field: getattr(turn, field) for field in fields}
    return function(**given, **arguments, **memory)

  if 'memory' not in taken:
    return stateless(values)
  return Regularizer(
    lambda turn, memory: values(turn, memory=memory),
    getattr(regularizers, f'{name}_memory'),
  )


def _weighted(term, weight):
  def apply(turn, memory):
    values, memory = term.apply(turn, memory)
    return weight * values, memory

  return term._replace(apply=apply)
