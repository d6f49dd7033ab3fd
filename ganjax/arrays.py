"""Names for the types of arguments: arrays, numbers, trees, and batches.

A number may be traced; `certainly` asks what is known of it.
"""

from typing import Any, NamedTuple

import jax
import numpy as np

Array = jax.Array | np.ndarray
"""An array on a device or on the host."""

Scalar = float | jax.Array
"""A number, which may be traced."""

Metrics = dict[str, jax.Array]
"""Scalars by their names, such as `loss/generator`."""

Tree = Any
"""An array, or a tuple, list or dict of trees, as `jax.tree` has it."""


class Batch(NamedTuple):
  """What a step of training takes.

  Labels are a part of the batch and not of the images, which regularisers
  differentiate and interpolate.

  Attributes:
    images: `[N, H, W, C]` in [-1, 1], or any tree of arrays `[N, ...]`.
    labels: int32 `[N]`, the number of each image's class, from 0 on; None,
      which has no leaves, where classes do not matter.
  """

  images: Tree
  labels: jax.Array | None = None


def certainly(number: Scalar, value: float) -> bool:
  """Returns whether a number is `value` for certain; a traced one is not."""
  return isinstance(number, float | int) and number == value
