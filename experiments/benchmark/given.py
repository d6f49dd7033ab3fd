"""What the cases of the benchmark on this machine are given."""

from collections.abc import Callable
from typing import NamedTuple


class Given(NamedTuple):
  """What a case is given.

  Attributes:
    measure: `rounds.measure` with the number of rounds and repeats bound.
    torch_too: whether PyTorch is installed.
    tiny: whether sizes are those of a rehearsal.
    runs: members of a population.
    style_files: the paths (weights, content, style), which may be None.
  """

  measure: Callable
  torch_too: bool
  tiny: bool = False
  runs: int = 8
  style_files: tuple = (None, None, None)
