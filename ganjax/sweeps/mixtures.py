"""Mixtures in the plane: how a protocol draws them and counts their modes."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ganjax.data import toy
from ganjax.lookup import choose
from ganjax.metrics import modes


class Mixture(NamedTuple):
  """Points in the plane whose modes are known.

  Attributes:
    centres: of the modes, `[K, 2]`.
    sample: `(key, number) -> points`, or `-> points, labels`.
    count: `(samples, **rules) -> modes.Modes` of a `Batch` of samples, or
      `modes.LabelledModes` where they have labels.
    classes: how many labels there are; 0 where points have none.
  """

  centres: jax.Array
  sample: toy.Sample
  count: Callable
  classes: int = 0


def mixture(data):
  """Returns the `Mixture` of a protocol's section `data`.

  Raises:
    ValueError: if there is none of that name, or a ring cannot be labelled.
  """
  return choose('problem', _mixtures, data.name)(data)


def _unlabelled(centres, std, sample=None):
  def count(samples, **rules):
    return modes.count(samples.images, centres, std, **rules)

  return Mixture(centres, sample or toy.mixture(centres, std), count)


def _conditional_ring(data):
  """Returns the `Mixture` of a ring whose modes have the labels in turn."""
  number, classes = data.modes, data.classes
  if classes < 1 or number % classes:
    raise ValueError(
      f'{number} modes cannot be shared evenly by {classes} labels; set '
      'data.classes to a divisor of data.modes.'
    )
  # Neighbours differ in their labels, so that the modes of a label lie as far
  # apart as they can. If they were neighbours, a generator that spreads one
  # blob over an arc would have them all, and one that ignores its labels would
  # be right on whole arcs.
  owners = np.arange(number, dtype=np.int32) % classes
  centres = toy.ring(number, data.radius)

  def count(samples, **rules):
    return modes.count_by_label(
      *samples, centres, data.std, owners, classes, **rules
    )

  sample = toy.labelled_mixture(centres, data.std, owners)
  return Mixture(centres, sample, count, classes)


_mixtures = {
  'ring': lambda data: _unlabelled(toy.ring(data.modes, data.radius), data.std),
  'conditional_ring': _conditional_ring,
  'grid': lambda data: _unlabelled(toy.grid(data.side, data.spacing), data.std),
  'mixture': lambda data: _unlabelled(jnp.asarray(data.centres), data.std),
  'spiral': lambda data: _unlabelled(
    toy.coil(data.modes, data.divisor),
    data.noise / data.divisor,
    toy.spiral(data.noise, data.divisor),
  ),
}
