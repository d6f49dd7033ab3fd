"""The cases of the benchmark on this machine, in their order."""

from collections.abc import Callable
from typing import NamedTuple

from experiments.benchmark import (
  configured,
  dcgan,
  evaluation,
  loading,
  populations,
  starts,
  style,
)


class Group(NamedTuple):
  """Cases that one function has timed.

  Attributes:
    names: of the cases.
    rows: `(name, given) -> rows`, each with a sentence about it; what is given
      is a `given.Given`.
  """

  names: tuple
  rows: Callable


GROUPS = (
  Group(dcgan.NAMES, dcgan.rows),
  Group(configured.NAMES, configured.rows),
  Group(populations.NAMES, populations.rows),
  Group(evaluation.NAMES, evaluation.rows),
  Group(loading.NAMES, loading.rows),
  Group(starts.NAMES, starts.rows),
  Group(style.NAMES, style.rows),
)


def matching(match):
  """Returns pairs of a name and its `Group`, of the cases that match.

  Args:
    match: what their names contain.

  Raises:
    ValueError: if there is none.
  """
  pairs = [(name, group) for group in GROUPS for name in group.names]
  found = [(name, group) for name, group in pairs if match in name]
  if not found:
    raise ValueError(
      f'No case has {match!r} in its name; the cases are '
      f'{"; ".join(name for name, _ in pairs)}.'
    )
  return found
