"""Rounds of several implementations of one thing, timed in alternation."""

import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

from tqdm import tqdm

MEDIANS = (
  'Medians of alternating rounds, after one that is not counted; from the '
  'fastest round to the slowest.'
)
"""What a table of rounds has to say of its columns."""


class Side(NamedTuple):
  """One implementation of a case.

  Attributes:
    run: makes a round of steps, and waits for the last one.
    steps: in a round.
    seconds: until the first step could run, by stage ('traced', 'compiled').
    precision: of products of float32 or bfloat16 numbers: 'float32', 'tf32',
      'bf16', or '' where it is not known.
    flops: floating-point operations of a step, or None.
  """

  run: Callable
  steps: int
  seconds: dict
  precision: str = ''
  flops: float | None = None


def ready(makers):
  """Returns the sides that can make a round, and why the others cannot.

  Args:
    makers: functions `() -> Side` by name.

  Returns:
    The `Side`s by name, each of which has made one round; and by name a
    sentence on each error.
  """
  sides, failed = {}, {}
  for name, make in makers.items():
    try:
      side = make()
      side.run()
    except Exception as error:  # Of compilers, which raise anything.
      failed[name] = sentence(error)
    else:
      sides[name] = side
  return sides, failed


def sentence(error):
  """Returns the kind of an error and the first line of what it says."""
  lines = [line.strip() for line in f'{error}'.splitlines() if line.strip()]
  return f'{type(error).__name__}: {"".join(lines[:1])[:300]}'


def timed(run, repeats):
  """Returns the seconds in which a function is called some times."""
  begun = time.perf_counter()
  for _ in range(repeats):
    run()
  return time.perf_counter() - begun


def measure(
  name,
  batch,
  sides,
  rounds,
  repeats=1,
  each='step',
  unit='images',
  most=None,
):
  """Returns the row of a case as JSON values, and a sentence about it.

  Rounds of the sides alternate, so that whatever else the machine does slows
  all of them; the first round of each is not counted.

  Args:
    name: of the case.
    batch: examples in a step; 0 where there are none to count.
    sides: a dict of `Side`s by name, of which the first is ours.
    rounds: of each side, that are counted.
    repeats: how often a round makes its steps.
    each: what a step is called.
    unit: what an example is called.
    most: the largest number of rounds, for steps that take long; or None.
  """
  rounds = min(rounds, most or rounds)
  times = {side: [] for side in sides}
  for number in tqdm(range(rounds + 1), name, disable=None):
    for name_of_side, side in sides.items():
      seconds = timed(side.run, repeats)
      if number:  # The first round warms up.
        times[name_of_side].append(seconds / side.steps / repeats)
  medians = {side: statistics.median(series) for side, series in times.items()}
  row = {
    'case': name,
    'batch': batch,
    'each': each,
    'unit': unit,
    'images_per_second': {side: batch / s for side, s in medians.items()},
    'seconds': times,
  }
  own = medians.pop(next(iter(sides)))
  row['times_the_speed_of'] = {
    side: other / own for side, other in medians.items()
  }
  words = [f'{name}: {1000 * own:.4g} ms a {each}'] + [
    f'{side} {1000 * other:.4g} ms: {other / own:.2f} times its speed'
    for side, other in medians.items()
  ]
  return row, ', '.join(words)
