"""From a config to what its discriminator sees, augmented or pseudo reals."""

from ganjax import adaptive, augment, remedies
from ganjax.arrays import certainly
from ganjax.lookup import choose, gather

# The augmentations that are always used, when the config gives no p. That of
# all others is adapted.
_PUBLISHED = {'diffaugment': 1.0}


def augmentation_names():
  """Returns the augmentations that a config can choose, functions by name."""
  return gather(augment, 'AUGMENTATIONS')


def game(config, make):
  """Returns the `Game` of a config with the augmentations that it chooses.

  Args:
    config: the config of a training run.
    make: `(augmented, reals) -> Game`, where `augmented` is a function from a
      `Discriminator` to the one that the game is to have, and `reals` is the
      argument of `game.gan`.

  Raises:
    ValueError: if there is no such augmentation or policy, or p is no
      probability, or it is given and adapted.
  """
  section = config.apa
  if section.adapted and not certainly(section.p, 0):
    raise ValueError(
      f'apa.adapted is true and apa.p is {section.p}, but an adapted p begins '
      'at 0; leave apa.p at 0, or set apa.adapted to false.'
    )

  def at(reals):
    return _augmented(config, lambda augmented: make(augmented, reals))

  if section.adapted:
    return adaptive.augmentation(
      lambda p: at(adaptive.pseudo(p)),
      config.batch_size,
      section.target,
      section.images,
      most=1.0,
      name='apa',
    )
  if certainly(section.p, 0):
    return at(None)
  return at(adaptive.pseudo(section.p))


def _augmented(config, make):
  """Returns the `Game` of `make`, which is given `augmented`."""
  section = config.augment
  if section.name == 'none':
    return make(lambda discriminator: discriminator)
  names = {'none': None, **augmentation_names()}
  build = choose('augmentation', names, section.name)
  augmentation = build(section.policy) if section.policy else build()
  p = _PUBLISHED.get(section.name) if section.p is None else section.p
  if isinstance(p, float | int) and not 0 <= p <= 1:
    raise ValueError(
      f'augment.p is {p}; a probability is in [0, 1], and None stands for that '
      'of the paper.'
    )

  def at(p):
    return make(
      lambda discriminator: remedies.augmented(discriminator, augmentation, p)
    )

  if p is not None:
    return at(p)
  return adaptive.augmentation(
    at, config.batch_size, section.target, section.images
  )
