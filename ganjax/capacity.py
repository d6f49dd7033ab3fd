"""The memory that is needed at least, compared with what there is."""

import contextlib
import math
import os

import jax


def available() -> float:
  """Returns the bytes of memory of a device; infinity where unknown.

  A CPU has those of its machine.
  """
  limits = jax.local_devices()[0].memory_stats() or {}
  if 'bytes_limit' in limits:
    return limits['bytes_limit']
  with contextlib.suppress(AttributeError, OSError, ValueError):
    return os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES')
  return math.inf


def size(tree) -> int:
  """Returns the bytes of a tree of arrays, or of their shapes and types."""
  return sum(
    math.prod(leaf.shape) * leaf.dtype.itemsize
    for leaf in jax.tree.leaves(tree)
    if not jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.extended)
  )


def check(needs: dict[str, float], advice: str) -> None:
  """Raises ValueError if more memory is needed than there is.

  It is asked before anything is allocated. What is counted is a lower bound, so
  that nothing is refused that could be computed.

  Args:
    needs: from what needs memory, in words, to how many bytes of it.
    advice: what to change, as an imperative without a full stop.
  """
  total, there = sum(needs.values()), available()
  if total > there:
    parts = ', '.join(
      f'{_gibibytes(n)} for {name}' for name, n in needs.items()
    )
    raise ValueError(
      f'At least {_gibibytes(total)} of memory are needed ({parts}), and there '
      f'are {_gibibytes(there)}; {advice}.'
    )


def _gibibytes(number):
  return f'{number / 2**30:,.1f} GiB'
