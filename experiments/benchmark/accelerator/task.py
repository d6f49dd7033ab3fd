"""What a row of the benchmark is given, and how it keeps what it finds."""

import time
from collections.abc import Callable
from typing import NamedTuple


class Task(NamedTuple):
  """What a row is given.

  Attributes:
    tiny: whether sizes are those of a rehearsal on a CPU.
    until: of `time.monotonic()`; no round begins later.
    keep: is given what was found so far, a dict of JSON values.
    style_files: the paths (weights, content, style), or ().
    data_dir: a folder of pictures or of TFDS' data sets, or ''.
  """

  tiny: bool
  until: float
  keep: Callable
  style_files: tuple = ()
  data_dir: str = ''

  @property
  def rounds(self):
    """How many rounds of each side are counted, at most."""
    return 3 if self.tiny else 9

  @property
  def seconds(self):
    """How long a round of a side takes, about."""
    return 0.01 if self.tiny else 0.2

  @property
  def over(self):
    """Whether the time is over."""
    return time.monotonic() > self.until
