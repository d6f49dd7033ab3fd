"""Rounds of several implementations of one thing, timed in alternation."""

import statistics
import time
import traceback
from collections.abc import Callable
from typing import NamedTuple

from tqdm import tqdm

_TAIL = 2000  # characters of an error
_FEWEST = 3  # rounds of each side, even where the time is over


class Side(NamedTuple):
  """One implementation of a row.

  Attributes:
    run: makes a round of steps, and waits for the last one.
    steps: in a round.
    seconds: until the first step could run, by stage ('traced', 'compiled').
    precision: of products of float32 or bfloat16 numbers: 'float32', 'tf32',
      'bf16', or '' where it is not known.
    flops: floating-point operations of a step, or None.
    moved: bytes that a step reads and writes, where it does little else.
  """

  run: Callable
  steps: int
  seconds: dict
  precision: str = ''
  flops: float | None = None
  moved: float | None = None


def timed(run, repeats=1):
  """Returns the seconds in which a function is called some times."""
  begun = time.perf_counter()
  for _ in range(repeats):
    run()
  return time.perf_counter() - begun


def compare(task, makers, examples, unit='images', each='step'):
  """Returns what was found about each side, a dict of JSON values.

  Rounds of the sides alternate, so that whatever else the machine does slows
  all of them. A side that raises an error is a sentence. All is kept after each
  side is built, with the seconds of a step in a first trial, and after each
  round: of a row that is killed there is as much as it had.

  Args:
    task: a `task.Task`.
    makers: functions `() -> Side` by name, ours first.
    examples: how many a step has: a number, or a dict of them by side; 0 where
      there are none to count.
    unit: what these are.
    each: what a step is called.

  Raises:
    RuntimeError: if no side can make a round.
  """
  found = {'unit': unit, 'each': each, 'sides': {}}
  sides, repeats = {}, {}
  for name, make in makers.items():
    number = examples[name] if isinstance(examples, dict) else examples
    about = found['sides'][name] = {'examples': number}
    try:
      side = make()
      first = once = timed(side.run)
      if task.seconds:
        once = timed(side.run)
    except Exception as error:  # Of compilers, which raise anything.
      about['failed'] = _sentence(error)
      about['error'] = traceback.format_exc()[-_TAIL:]
      task.keep(found)
      continue
    sides[name] = side
    repeats[name] = max(1, round(task.seconds / once))
    about |= {
      'precision': side.precision,
      'before': side.seconds | {'first round': first},
      'flops': side.flops,
      'moved': side.moved,
      'steps': side.steps * repeats[name],
      'trial': once / side.steps,
    }
    task.keep(found)
  if not sides:
    errors = (about['error'] for about in found['sides'].values())
    raise RuntimeError('No side can make a round.\n' + '\n'.join(errors))
  times = {name: [] for name in sides}
  for number in tqdm(range(task.rounds), disable=None):
    if task.over and number >= _FEWEST:
      break
    for name, side in sides.items():
      seconds = timed(side.run, repeats[name])
      times[name].append(seconds / side.steps / repeats[name])
    for name, series in times.items():
      found['sides'][name] |= summary(series, found['sides'][name])
    task.keep(found)
  return found


def _sentence(error):
  """Returns the kind of an error and the first line of what it says."""
  lines = [line.strip() for line in f'{error}'.splitlines() if line.strip()]
  return f'{type(error).__name__}: {"".join(lines[:1])[:300]}'


def summary(series, about):
  """Returns what a series of times says of a side, a dict of JSON values.

  Args:
    series: seconds of a step, of each round.
    about: a dict of the side, with the 'examples' and 'flops' of a step if
      these are known.
  """
  median = statistics.median(series)
  return {
    'seconds': series,
    'median': median,
    'spread': [min(series), max(series)],
    'examples_per_second': about.get('examples', 0) / median,
    'flops_per_second': (about.get('flops') or 0) / median or None,
  }
