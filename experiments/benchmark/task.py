"""What a row of the benchmark is, and what it is given and keeps."""

import importlib.util
import time
from collections.abc import Callable
from typing import NamedTuple


class Row(NamedTuple):
  """A row: several implementations of one thing, which are timed.

  Attributes:
    name: of the row.
    seconds: that its process may take.
    measured: `task -> found`, of a `Task`; JSON values, as `rounds.compare`
      returns them.
    needs: the flags that it cannot do without.
  """

  name: str
  seconds: float
  measured: Callable
  needs: tuple = ()


class Task(NamedTuple):
  """What a row is given.

  Attributes:
    tiny: whether sizes are those of a rehearsal on a CPU.
    until: of `time.monotonic()`; few rounds begin later.
    keep: is given what was found so far, a dict of JSON values.
    rounds: how many of each side are counted, at most.
    seconds: how long a round of a side takes, about: as often it is repeated.
      Zero is for steps that no round before makes faster.
    runs: members of a population.
    style_files: the paths (weights, content, style), or ().
    data_dir: a folder of pictures or of TFDS' data sets, or ''.
  """

  tiny: bool
  until: float
  keep: Callable
  rounds: int = 9
  seconds: float = 0.2
  runs: int = 8
  style_files: tuple = ()
  data_dir: str = ''

  @property
  def over(self):
    """Whether the time is over."""
    return time.monotonic() > self.until

  @property
  def torch_too(self):
    """Whether PyTorch is installed."""
    return importlib.util.find_spec('torch') is not None
