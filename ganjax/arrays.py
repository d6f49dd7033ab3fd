"""Names for the types of arguments: arrays, numbers, and trees of arrays."""

from typing import Any

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
