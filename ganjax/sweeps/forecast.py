"""How long the programs of a sweep take, and what training together saves."""

import statistics
import time

import jax
import numpy as np
from tqdm import tqdm

from ganjax.reports import sweep_results
from ganjax.sweeps.programs import (
  finished,
  mapping,
  member_inputs,
  place,
)
from ganjax.sweeps.status import duration
from ganjax.training import mappings, population

_STEPS = 4  # that are timed at once


def seconds(planned, sweep, devices):
  """Returns the seconds that programs take.

  It takes some steps and an evaluation of the first of them.

  Args:
    planned: `plan.Program`s, at least one.
    sweep: a `programs.Sweep`.
    devices: how many compute side by side.
  """
  first = planned[0]
  task = sweep.task(first.fixed)
  training, data = task.training, task.data
  how = mapping(first, sweep)
  # One after another, each takes as long; in step, they share the work.
  number = -(-len(first.seeds) // devices) if how == 'vmap' else 1
  keys, numbers = member_inputs(first, task, np.arange(number))
  states = mappings.started(training)(keys, numbers, data)
  advance = mappings.MAPPINGS[how](
    mappings.without_evaluations(training), _STEPS
  )
  tqdm.write('Timing a few steps and an evaluation, to forecast the rest ...')
  times = []
  for _ in range(3):
    begun = time.monotonic()
    states, _ = jax.block_until_ready(advance(states, numbers, data))
    times.append(time.monotonic() - begun)
  step = min(times[1:]) / _STEPS / number
  watch, own = jax.tree.map(lambda leaf: leaf[0], (states, numbers))

  def evaluate():
    record = jax.device_get(task.evaluate(watch, own, data))
    task.measure(0, watch['state'], own, record)

  evaluate()  # It compiles.
  begun = time.monotonic()
  evaluate()
  evaluation = time.monotonic() - begun
  runs = sum(len(program.seeds) for program in planned)
  trained = runs * training.steps * step / min(devices, len(first.seeds))
  evaluated = runs * len(task.images_seen) * evaluation
  return len(planned) * times[0] + trained + evaluated


def announce_grid(planned, sweep, devices):
  """Prints how many runs a sweep has, and about how long the rest takes.

  Args:
    planned: `plan.Program`s.
    sweep: a `programs.Sweep`.
    devices: how many compute side by side; None where they are not known.
  """
  left = [own for own in planned if not finished(own, sweep)]
  runs = sum(len(program.seeds) for program in planned)
  sizes = sorted({len(program.seeds) for program in planned})
  members = ' to '.join(
    str(size) for size in dict.fromkeys((sizes[0], sizes[-1]))
  )
  evaluations = len(sweep.task(planned[0].fixed).images_seen)
  rest = f'{len(left)} programs are left' if left else 'all of it is there'
  if left and devices:
    rest = f'about {duration(seconds(left, sweep, devices))}'
  tqdm.write(
    f'{len(planned)} programs x {members} members, {runs} runs of '
    f'{len(sweep.settings)} settings, {evaluations} evaluations each; {rest}.'
  )


def announce_search(planned, sweep, devices, trials, at_once):
  """Prints how many runs a search has, and how long they take at most.

  Args:
    planned: the programs of one trial.
    sweep: a `programs.Sweep`.
    devices: how many compute side by side; None where they are not known.
    trials: how many finish.
    at_once: how many of them train as a population.
  """
  longest = ''
  if devices:
    most = trials / len(planned) * seconds(planned, sweep, devices)
    longest = f'; at most about {duration(most)}'
  evaluations = len(sweep.task(planned[0].fixed).images_seen)
  tqdm.write(
    f'{trials} trials x {len(planned[0].seeds)} seeds, {at_once} trials at '
    f'once; {evaluations} evaluations{longest}.'
  )


def compare_alone(program, sweep, number):
  """Prints how much faster a program was than its runs one after another.

  Args:
    program: a `plan.Program` that is finished.
    sweep: a `programs.Sweep`.
    number: of its runs that are trained again, alone.
  """
  times = _alone(program, sweep, number)
  if None in times:  # A signal ended it.
    return
  folder = place(program, sweep).name
  together = [
    run.rows[-1]['seconds']
    for run in sweep_results.read(sweep.folder).runs
    if run.rows[-1]['program'] == folder
  ]
  alone, member = statistics.median(times), statistics.mean(together)
  tqdm.write(
    f'A run alone takes {alone:.2f} s (median of {len(times)}), as a member of '
    f'{len(together)} {member:.2f} s with compiling: {alone / member:.2f} '
    'times as fast as one after another.'
  )


def _alone(program, sweep, number):
  """Returns the seconds of some runs, one after another, without compiling."""
  task, how = sweep.task(program.fixed), mapping(program, sweep)
  training = task.training

  def one(member):
    found = population.train(
      training._replace(every=training.steps),
      *member_inputs(program, task, np.array([member])),
      task.data,
      mapping='map' if how == 'vmap' else how,
      devices=jax.local_devices()[:1],
      name='alone',
    )
    return found and found.seconds

  one(0)  # It compiles.
  return [one(member % len(program.seeds)) for member in range(number)]
