"""Schedules of numbers: how a value changes with the images seen.

A schedule is a function `(value, images_seen) -> value` of the value that a
config gives; its numbers may be traced. A config can choose every public
function here by its name, for any of its numbers.
"""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp

from ganjax.arrays import Scalar

Schedule = Callable[[Scalar, Scalar], Scalar]


def constant(to: Scalar, images: Scalar, start: Scalar = 0) -> Schedule:
  """Returns the schedule that leaves the value as it is."""
  return lambda value, images_seen: value


def linear(to: Scalar, images: Scalar, start: Scalar = 0) -> Schedule:
  """Returns the schedule along a line from the value to another one.

  Args:
    to: the last value.
    images: how many it takes, above 0; the value stays at `to` afterwards.
    start: images seen before it begins.
  """
  return lambda value, images_seen: (
    value + _share(images_seen, images, start) * (to - value)
  )


def cosine(to: Scalar, images: Scalar, start: Scalar = 0) -> Schedule:
  """Returns the schedule along half a cosine, which begins and ends gently.

  Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts",
  2017, arXiv:1608.03983, equation 5, without restarts. For the arguments, see
  `linear`.
  """

  def at(value, images_seen):
    angle = jnp.pi * _share(images_seen, images, start)
    return value + (1 - jnp.cos(angle)) / 2 * (to - value)

  return at


def piecewise(
  to: Sequence[Scalar], images: Sequence[Scalar], start: Scalar = 0
) -> Schedule:
  """Returns the schedule of values that last until the next one.

  Args:
    to: the values after the first.
    images: how many are seen, after `start`, when each of them begins, in
      ascending order.
    start: images seen before they are counted.
  """

  def at(value, images_seen):
    number = (images_seen - start >= jnp.asarray(images)).sum()
    return jnp.stack([jnp.asarray(own, float) for own in (value, *to)])[number]

  return at


def _share(images_seen: Scalar, images: Scalar, start: Scalar) -> jax.Array:
  """Returns how much of a change is done, from 0 to 1."""
  return jnp.clip((images_seen - start) / images, 0.0, 1.0)
