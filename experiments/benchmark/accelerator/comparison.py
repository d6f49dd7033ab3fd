"""Sides of a row, built one after another and timed in alternating rounds."""

import statistics
import traceback

import tqdm

from experiments.benchmark import rounds

_TAIL = 2000  # characters of an error
_FEWEST = 3  # rounds of each side, even where the time is over


def compare(task, makers, examples, unit='images'):
  """Returns what was found about each side, a dict of JSON values.

  A side that raises an error is a sentence. All is kept after each side is
  built, with the seconds of a step in a first trial, and after each round: of
  a row that is killed there is as much as it had.

  Args:
    task: a `Task`.
    makers: functions `() -> rounds.Side` by name, the cheapest first.
    examples: how many a step has: a number, or a dict of them by side.
    unit: what these are.

  Raises:
    RuntimeError: if no side can make a round.
  """
  found = {'unit': unit, 'sides': {}}
  sides, repeats = {}, {}
  for name, make in makers.items():
    number = examples[name] if isinstance(examples, dict) else examples
    about = found['sides'][name] = {'examples': number}
    try:
      side = make()
      first = rounds.timed(side.run, 1)
      once = rounds.timed(side.run, 1)
    except Exception as error:  # Of compilers, which raise anything.
      about['failed'] = rounds.sentence(error)
      about['error'] = traceback.format_exc()[-_TAIL:]
      task.keep(found)
      continue
    sides[name] = side
    repeats[name] = max(1, round(task.seconds / once))
    about |= {
      'precision': side.precision,
      'before': side.seconds | {'first round': first},
      'flops': side.flops,
      'steps': side.steps * repeats[name],
      'trial': once / side.steps,
    }
    task.keep(found)
  if not sides:
    errors = (about['error'] for about in found['sides'].values())
    raise RuntimeError('No side can make a round.\n' + '\n'.join(errors))
  times = {name: [] for name in sides}
  for number in tqdm.tqdm(range(task.rounds + 1), disable=None):
    if task.over and number > _FEWEST:
      break
    for name, side in sides.items():
      seconds = rounds.timed(side.run, repeats[name])
      if number:  # The first round warms up.
        times[name].append(seconds / side.steps / repeats[name])
    if number:
      for name, series in times.items():
        found['sides'][name] |= _summary(series, found['sides'][name])
      task.keep(found)
  return found


def _summary(series, about):
  median = statistics.median(series)
  rate = about['flops'] / median if about['flops'] else None
  return {
    'seconds': series,
    'median': median,
    'spread': [min(series), max(series)],
    'examples_per_second': about['examples'] / median,
    'flops_per_second': rate,
  }
