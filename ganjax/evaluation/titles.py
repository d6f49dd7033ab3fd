"""What measured values are called, and which way they are better."""

from typing import NamedTuple

ON_FEATURES = ' (features)'
"""Ends the title of a value that is of other features than Inception's."""


class Value(NamedTuple):
  """A value of a measure.

  Attributes:
    title: as it stands over a column.
    better: 'minimize' or 'maximize'; None where runs are not compared by it.
    seen: whether it depends on the features that images are seen by.
  """

  title: str
  better: str | None = None
  seen: bool = False


VALUES = {
  'fid': Value('FID', 'minimize', seen=True),
  'kid': Value('KID', 'minimize', seen=True),
  'kid_std': Value('KID std', seen=True),
  'inception_score': Value('IS', 'maximize', seen=True),
  'inception_score_std': Value('IS std', seen=True),
  'precision': Value('precision', 'maximize', seen=True),
  'recall': Value('recall', 'maximize', seen=True),
  'density': Value('density', 'maximize', seen=True),
  'coverage': Value('coverage', 'maximize', seen=True),
  'swd': Value('SWD x 1000', 'minimize'),
  'swd_levels': Value('SWD x 1000'),
  'ms_ssim': Value('MS-SSIM', 'minimize'),
  'distance': Value('pairwise distance', 'maximize'),
  'change': Value('mean squared change'),
  'captured': Value('modes captured', 'maximize'),
  'quality': Value('high quality', 'maximize'),
  'reverse_kl': Value('reverse KL', 'minimize'),
}


def title(name, *features):
  """What stands over the values of that name.

  Args:
    name: of `VALUES`, or of another value, which is its own title.
    *features: the names of those that images were seen by.
  """
  value = VALUES.get(name, Value(name.replace('_', ' ')))
  plain = features and all(
    own and own.lower().startswith('inception') for own in features
  )
  return value.title + ('' if plain or not value.seen else ON_FEATURES)


def better(name):
  """Which way a value is better: 'minimize', where it is not known."""
  return VALUES.get(name, Value(name)).better or 'minimize'
