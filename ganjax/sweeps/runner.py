"""The programs of a sweep: populations that train from evaluation to
evaluation.

What a program has measured lies in a folder that is named after it:

  program.json      which members there are
  evaluation.json   a row for each run and evaluation
  arrays-N.npz      what the task stores of evaluation N, where it does
  pictures/         a picture for each run and evaluation
  states-N-*/       the states of all runs at evaluation N, while they train

A process that is killed leaves a whole number of evaluations, and the next one
goes on from the newest states that are there.
"""

import math
import pathlib
import shutil
import time
import warnings
import zlib
from typing import NamedTuple

import jax
import numpy as np
from tqdm import tqdm

from ganjax import files, locks, pictures
from ganjax.evaluation import results
from ganjax.sweeps import plan, status
from ganjax.sweeps.programs import Sweep, mapping, member_inputs, place
from ganjax.sweeps.task import Measured, Task
from ganjax.training import mappings, population, signals

_PARTS = 10  # of an evaluation, at most, after which a signal can end it
_SAVE_EVERY = 60.0  # seconds


def run_all(planned, sweep, quiet=False):
  """Runs each program that no other process runs.

  Args:
    planned: `plan.Program`s.
    sweep: a `programs.Sweep`.
    quiet: whether the best settings are not printed after each evaluation.

  Returns:
    False where a signal ended it.
  """
  for number, program in enumerate(planned, 1):
    folder = place(program, sweep)
    folder.mkdir(parents=True, exist_ok=True)
    with locks.attempt(folder / 'lock') as mine:
      if not mine:
        continue
      name = f'program {number} of {len(planned)}'
      for rows in run(program, sweep, name):
        if rows is None:
          return False
        if not quiet:
          status.print_best(sweep.folder)
  return True


class _Running(NamedTuple):
  """A program that runs.

  Attributes:
    program: a `plan.Program`.
    sweep: the `programs.Sweep`.
    task: the `task.Task` of its members.
    folder: where its results are.
    mapping: of its members.
    name: of the progress bar.
  """

  program: plan.Program
  sweep: Sweep
  task: Task
  folder: pathlib.Path
  mapping: str
  name: str


def run(program, sweep, name='runs'):
  """Trains and measures a program: a generator of its evaluations.

  After each evaluation it yields the rows of the runs that are trained on,
  dicts; or None where a signal ended it. It may be sent a list of bools, which
  of these runs go on.

  Args:
    program: a `plan.Program`.
    sweep: a `programs.Sweep`.
    name: of the progress bar.
  """
  own = _running(program, sweep, name)
  last = len(own.task.images_seen)
  own.folder.mkdir(parents=True, exist_ok=True)
  files.write_json(own.folder / 'program.json', program._asdict())
  rows, start = _stored(own.folder, last)
  members, states = np.arange(len(program.seeds)), None
  # How long an evaluation takes is not known yet, so the first is saved.
  saved, spent = time.monotonic(), math.inf
  for evaluation in range(1, last + 1):
    begun, path = time.monotonic(), _states(own.folder, evaluation, members)
    if evaluation == start < last and not path.exists():
      # A pruner decided otherwise than before: these are other members.
      states = _advanced(own, members, start - 1)
    if evaluation > start or evaluation == start < last:
      due = begun - saved + spent > _SAVE_EVERY or path.exists()
      save = due or (evaluation == last and sweep.keep_states)
      found = _trained(own, members, states, evaluation, path if save else None)
      if found is None:
        yield None
        return
      states = found.states
    if evaluation > start:
      fresh = _measured(own, evaluation, members, found, rows)
      if fresh is None:
        yield None
        return
      rows += fresh
      results.write(own.folder / 'evaluation.json', rows, own.task.columns)
      spent = time.monotonic() - begun
      if save:
        _forget(own.folder, before=evaluation)
        saved = time.monotonic()
    if evaluation == last:
      # Also in the next process, if a kill has cut the removal short.
      _forget(own.folder, before=last if sweep.keep_states else math.inf)
    chosen = yield [row for row in rows if row['evaluation'] == evaluation]
    if chosen is not None and not all(chosen):
      indices = np.flatnonzero(chosen)
      members = members[indices]
      if states is not None:
        rest = indices[_filling(own, len(indices))]
        states = jax.tree.map(lambda leaf, rest=rest: leaf[rest], states)


def last_states(program, sweep):
  """Returns the states that stayed of a program that has ended, `[M, ...]`.

  They are those of `task.watched`.
  """
  own, members = _running(program, sweep, 'last states'), program.seeds
  members, last = np.arange(len(members)), len(own.task.images_seen)
  path = _states(own.folder, last, members)
  return _trained(own, members, None, last, path).states


def _running(program, sweep, name):
  return _Running(
    program,
    sweep,
    sweep.task(program.fixed),
    place(program, sweep),
    mapping(program, sweep),
    name,
  )


def _stored(folder, last):
  """Returns the rows that can be gone on from, and their last evaluation."""
  rows = results.read(folder / 'evaluation.json')
  reached = max((row['evaluation'] for row in rows), default=0)
  if reached == last:
    return rows, reached
  # States of a later evaluation may not be whole. Rows after the last states
  # are measured again, to the same values.
  saved = [own for own in _saved(folder).values() if own <= reached]
  start = max(saved, default=0)
  return [row for row in rows if row['evaluation'] <= start], start


def _states(folder, evaluation, members):
  """Returns the folder of the states of these members at an evaluation."""
  return folder / f'states-{evaluation}-{zlib.crc32(members.tobytes()):08x}'


def _saved(folder):
  """Returns the evaluation of each folder of states."""
  return {
    path: int(path.name.split('-')[1]) for path in folder.glob('states-*')
  }


def _forget(folder, before):
  for path, evaluation in _saved(folder).items():
    if evaluation < before:
      shutil.rmtree(path, ignore_errors=True)


def _filling(own, number):
  """Returns which of so many members are trained, some of them repeatedly.

  Where members were dropped, a program of each number of members would have to
  be compiled; so there are programs of powers of two.
  """
  whole = len(own.program.seeds)
  if number == whole or own.mapping == 'steps':
    return np.arange(number)
  size = min(whole, 2 ** math.ceil(math.log2(number)))
  return np.minimum(np.arange(size), number - 1)


def _advanced(own, members, evaluations):
  """Returns the states of members after so many evaluations."""
  states = None
  for evaluation in range(1, evaluations + 1):
    found = _trained(own, members, states, evaluation, None)
    if found is None:
      raise KeyboardInterrupt
    states = found.states
  return states


def _trained(own, members, states, evaluation, folder):
  """Returns the `Population` of an evaluation; None where a signal ended it."""
  steps, last = own.task.training.every, len(own.task.images_seen)
  number = max(part for part in range(1, _PARTS + 1) if steps % part == 0)
  training = mappings.without_evaluations(own.task.training)
  filled = members[_filling(own, len(members))]
  return population.train(
    training._replace(steps=steps, every=steps // number),
    *member_inputs(own.program, own.task, filled),
    own.task.data,
    states=states,
    mapping=own.mapping,
    folder=folder,
    name=f'{own.name}, evaluation {evaluation} of {last}',
  )


def _measured(own, evaluation, members, found, rows):
  """Returns the rows of the members; None where a signal ended it.

  Args:
    own: the `_Running` program.
    evaluation: its number, from 1.
    members: those that are trained on.
    found: the `Population` of them.
    rows: of the evaluations before.
  """
  program, sweep, task, folder, *_ = own
  _, numbers = member_inputs(program, task, members)
  before = {(row['setting'], row['seed']): row['seconds'] for row in rows}
  settings = task.settings()
  shared = {
    'subject': f'samples ({settings["weights"].partition(",")[0]})',
    'evaluation': evaluation,
    'of': len(task.images_seen),
    'step': task.training.every * evaluation,
    'images_seen': task.images_seen[evaluation - 1],
    'number': task.number,
    'settings': settings,
  }
  name = f'{own.name}, evaluation {evaluation} of {len(task.images_seen)}'
  tqdm.write(f'{name}: measuring {len(members)} runs ...')
  fresh, arrays = [], []
  with signals.catch() as stop:
    for row, member in enumerate(members):
      setting, seed = program.settings[member], program.seeds[member]
      watch, given = _one((found.states, numbers), row)
      record = jax.device_get(task.evaluate(watch, given, task.data))
      arrays.append(task.arrays(record))
      metrics = {
        name: np.mean(series[row]) for name, series in found.records[1].items()
      }
      diverged = int(watch['diverged'])
      measured, picture = Measured(dict.fromkeys(task.columns), {}, None), None
      if diverged < 0:
        try:
          measured = task.measure(shared['step'], watch['state'], given, record)
        except FloatingPointError as error:
          # The metrics of a step are those before its update.
          diverged = shared['step'] - 1
          warnings.warn(
            f'Setting {setting}, seed {seed}: {error}', stacklevel=1
          )
      if measured.picture is not None:
        path = folder / 'pictures' / f'{setting:03d}-{seed}-{evaluation}.png'
        path.parent.mkdir(exist_ok=True)
        pictures.save(path, measured.picture)
        picture = path.relative_to(sweep.folder).as_posix()
      fresh.append(
        {
          **shared,
          'setting': setting,
          'changes': sweep.settings[setting],
          'seed': seed,
          'how': measured.how,
          **{name: _finite(value) for name, value in measured.values.items()},
          **{name: _finite(value) for name, value in metrics.items()},
          'diverged': None if diverged < 0 else diverged,
          'seconds': before.get((setting, seed), 0.0) + found.seconds,
          'picture': picture,
          'program': folder.name,
        }
      )
      if stop.is_set():
        return None
  _store(folder / f'arrays-{evaluation}.npz', fresh, arrays)
  return fresh


@jax.jit
def _one(members, row):
  """Returns the tree of one of the members, `[M, ...]`, in one dispatch."""
  return jax.tree.map(lambda leaf: leaf[row], members)


def _store(path, rows, arrays):
  """Writes the arrays of an evaluation, `[M, ...]` each, where it has any."""
  if not arrays[0]:
    return
  which = {name: [row[name] for row in rows] for name in ('setting', 'seed')}
  stacked = {name: [own[name] for own in arrays] for name in arrays[0]}
  with files.whole(path) as unfinished, unfinished.open('wb') as file:
    np.savez_compressed(file, **which, **stacked)


def _finite(value):
  """Returns the value as JSON has it, None for a number that is not finite."""
  if isinstance(value, dict):
    return {name: _finite(own) for name, own in value.items()}
  if value is None or isinstance(value, int):
    return value
  return float(value) if math.isfinite(value) else None
