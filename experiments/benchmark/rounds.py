"""Rounds of several implementations of one thing, timed in alternation."""

import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

from tqdm import tqdm


class Side(NamedTuple):
  """One implementation of a case.

  Attributes:
    run: makes a round of steps, and waits for the last one.
    steps: in a round.
    seconds: until the first step could run, by stage ('traced', 'compiled').
  """

  run: Callable
  steps: int
  seconds: dict


def measure(name, batch, sides, rounds, repeats=1):
  """Returns the row of a case as JSON values, and a sentence about it.

  Rounds of the sides alternate, so that whatever else the machine does slows
  all of them; the first round of each is not counted.

  Args:
    name: of the case.
    batch: examples in a step.
    sides: a dict of `Side`s by name, one of them 'ganjax'.
    rounds: of each side, that are counted.
    repeats: how often a round makes its steps.
  """
  times = {side: [] for side in sides}
  for number in tqdm(range(rounds + 1), name, disable=None):
    for side, (run, steps, _) in sides.items():
      before = time.perf_counter()
      for _ in range(repeats):
        run()
      if number:  # The first round warms up.
        seconds = time.perf_counter() - before
        times[side].append(seconds / steps / repeats)
  medians = {side: statistics.median(series) for side, series in times.items()}
  row = {
    'case': name,
    'batch': batch,
    'images_per_second': {side: batch / s for side, s in medians.items()},
    'seconds': times,
  }
  own = medians.pop('ganjax')
  row['times_the_speed_of'] = {
    side: other / own for side, other in medians.items()
  }
  words = [f'{name}: {1000 * own:.4g} ms a step'] + [
    f'{side} {1000 * other:.4g} ms: {other / own:.2f} times its speed'
    for side, other in medians.items()
  ]
  return row, ', '.join(words)
