"""From a config to how its networks and its game take labels."""

import inspect

from ganjax import auxiliary
from ganjax.arrays import certainly
from ganjax.lookup import choose, functions
from ganjax.networks import conditional
from ganjax.players import Pair

# How a discriminator takes labels itself; with all other kinds it has heads.
_IN_THE_LOGITS = {
  'projection': conditional.projected,
  'concatenation': conditional.beside_images,
}


def kind_names():
  """Returns the kinds of heads that a config can choose, functions by name."""
  return {
    name: function
    for name, function in functions(auxiliary).items()
    if 'weight' in inspect.signature(function).parameters
  }


def check(config):
  """Raises ValueError if the section `conditional` of a config cannot be."""
  section = config.conditional
  kind = _kind(section)
  if not config.labels and (change := _change(section)):
    raise ValueError(
      f'{change}, but labels is false, so that the game is unconditional; set '
      'labels to true, or leave the section conditional as it is.'
    )
  if kind and config.pack > 1:
    raise ValueError(
      f'conditional.name is {section.name!r} and pack is {config.pack}, but an '
      'auxiliary head says the class of one image; set pack to 1, or choose '
      'the projection, which takes the mean of the classes of a pack.'
    )
  if section.zero and section.name == 'concatenation':
    raise ValueError(
      'conditional.zero is true, but the concatenation has no vectors of the '
      'classes that could begin at 0; choose the projection, or set it to '
      'false.'
    )


def players(config, plain, own):
  """Returns the `Pair` of networks that take labels as a config says.

  Where it leaves the section `conditional` as it is, a network with a way of
  its own takes labels so. Otherwise its discriminator is the unconditional one,
  with what the section chooses; its generator is its own.

  Args:
    config: of a training run, with labels.
    plain: `() -> Pair`, without labels.
    own: `() -> Pair`, with labels, or None where the network takes none.
  """
  section, classes = config.conditional, config.classes
  if own and not _change(section):
    return own()
  generator, discriminator = plain()
  if own:
    generator = own().generator
  elif section.zero:
    generator = conditional.embedded(generator, classes)
  else:
    generator = conditional.concatenated(generator, classes)
  if kind := _kind(section):
    discriminator = conditional.with_heads(discriminator, kind, classes)
  else:
    take = _IN_THE_LOGITS[section.name]
    discriminator = take(discriminator, classes)
  if section.zero:
    generator = conditional.zeroed(generator)
    if not kind:
      discriminator = conditional.zeroed(discriminator)
  pair = Pair(generator, discriminator)
  if certainly(section.strength, 1):
    return pair
  strength = section.strength
  return Pair(*(conditional.scaled(own, classes, strength) for own in pair))


def terms(config):
  """Returns the `Regularizer`s by name that the kind adds to each player."""
  section = config.conditional
  kind = _kind(section) if config.labels else None
  if kind is None:
    return Pair({}, {})
  added = auxiliary.terms(kind, section.strength)
  return Pair(*({section.name: term} for term in added))


def _kind(section):
  """Returns the `auxiliary.Kind` that a section chooses, or None without heads.

  Raises:
    ValueError: if there is none of that name, or it takes other arguments.
  """
  table = {**_IN_THE_LOGITS, **kind_names()}
  make = choose('kind of conditional GAN', table, section.name)
  given = {
    name: section[name]
    for name in ('weight', 'temperature', 'margin', 'size', 'fakes')
    if section[name] is not None
  }
  taken = () if section.name in _IN_THE_LOGITS else _parameters(make)
  for name, value in given.items():
    if name not in taken:
      raise ValueError(
        f'conditional.{name} is {value}, but the kind {section.name!r} takes '
        f'no {name}; leave it at None, or choose another kind.'
      )
  return make(**given) if taken else None


def _parameters(function):
  return tuple(inspect.signature(function).parameters)


def _change(section):
  """Returns what a section asks for besides the projection, in words."""
  if section.name != 'projection':
    return f'conditional.name is {section.name!r}'
  if section.zero:
    return 'conditional.zero is true'
  if not certainly(section.strength, 1):
    return f'conditional.strength is {section.strength}'
  return ''
