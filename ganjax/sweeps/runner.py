"""The programs of a sweep: populations that train from evaluation to
evaluation.

What a program has measured lies in a folder of its own, named by what it is. A
evaluation that is measured is never computed again, and one that was begun
goes on.
"""

import contextlib
import fcntl
import functools
import hashlib
import json
import math
import pathlib
import shutil
import time
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ganjax import pictures
from ganjax.evaluation import results
from ganjax.files import write_json
from ganjax.sweeps.kinds import Kind
from ganjax.training import compilation, mappings, population, signals

_PARTS = 10  # of an evaluation, at most, after which a signal can end it


class Sweep(NamedTuple):
  """What the programs of a sweep share.

  Attributes:
    folder: the workdir.
    kind: a `kinds.Kind`.
    cells: from the number of a cell to its changes.
    evaluations: how many each run has, T.
    mapping: of `mappings.MAPPINGS`; None chooses by the network and the
      backend.
  """

  folder: pathlib.Path
  kind: Kind
  cells: Any
  evaluations: int
  mapping: str | None


def place(program, sweep):
  """The folder of a `plan.Program`."""
  told = json.dumps(program._asdict(), sort_keys=True)
  name = hashlib.sha256(told.encode()).hexdigest()[:12]
  return sweep.folder / 'programs' / name


@contextlib.contextmanager
def taken(folder):
  """Whether this process alone may run the program of a folder now."""
  folder.mkdir(parents=True, exist_ok=True)
  with (folder / 'lock').open('w') as file:
    try:
      fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
      yield False
    else:
      yield True


def finished(program, sweep):
  """Whether all that a program is to measure is measured."""
  rows = results.read(place(program, sweep) / 'evaluation.json')
  return any(row['evaluation'] == sweep.evaluations for row in rows)


def run(program, sweep, name='runs'):
  """Trains and measures a program: a generator of T evaluations.

  It yields after each evaluation the rows of the runs alive, dicts; None where
  a signal ended it. It may be sent a list of bools, which of them go on.

  Args:
    program: a `plan.Program`.
    sweep: a `Sweep`.
    name: of the progress bar.
  """
  folder = place(program, sweep)
  folder.mkdir(parents=True, exist_ok=True)
  write_json(folder / 'program.json', program._asdict())
  rows = results.read(folder / 'evaluation.json')
  reached = max((row['evaluation'] for row in rows), default=0)
  if reached < sweep.evaluations and not _states(folder, reached).exists():
    # Without the states of the last evaluation there is no going on.
    rows, reached = [], 0
  alive, states = np.arange(len(program.seeds)), None
  for evaluation in range(1, sweep.evaluations + 1):
    if evaluation > reached or evaluation == reached < sweep.evaluations:
      filled = _filled(alive, program, sweep)
      at = f'{name}, evaluation {evaluation} of {sweep.evaluations}'
      found = _trained(program, sweep, folder, evaluation, filled, states, at)
      if found is None:
        yield None
        return
      states = found.states
    if evaluation > reached:
      fresh = _measured(program, sweep, folder, evaluation, alive, found, rows)
      if fresh is None:
        yield None
        return
      rows += fresh
      results.write(folder / 'evaluation.json', rows, sweep.kind.columns)
    _forget(folder, evaluation - 1)
    if evaluation == sweep.evaluations:
      _forget(folder, evaluation)
    keep = yield [row for row in rows if row['evaluation'] == evaluation]
    if keep is not None and not all(keep):
      kept = np.flatnonzero(keep)
      alive = alive[kept]
      if states is not None:
        rest = kept[_filling(len(kept), _filled(alive, program, sweep))]
        states = jax.tree.map(lambda leaf, rest=rest: leaf[rest], states)


def mapping(program, sweep):
  """How the members of a program are mapped, a name of `mappings.MAPPINGS`.

  It follows from what is trained, not from a measurement: a sweep that is
  killed, or shared by several processes, goes the same mapping all along.
  """
  if sweep.mapping:
    return sweep.mapping
  training, given, data = _parts(program, sweep)
  if not compilation.convolutional(jax.eval_shape(training.init, *given, data)):
    return 'vmap'
  return 'steps' if jax.default_backend() == 'cpu' else 'map'


def check(program, sweep):
  """The names of the metrics that the runs of a program record.

  Raises:
    ValueError: if its config makes no training.
  """
  training, given, data = _parts(program, sweep)
  state = jax.eval_shape(training.init, *given, data)
  return set(jax.eval_shape(training.step, state, given[1], data)[1])


def forecast(planned, sweep, devices):
  """The seconds that programs take, from some steps and an evaluation of the
  first.

  Args:
    planned: `plan.Program`s, at least one.
    sweep: a `Sweep`.
    devices: that compute side by side.
  """
  first = planned[0]
  training, _, data = _parts(first, sweep)
  how = mapping(first, sweep)
  # One after another, each takes as long; in step, they share the work.
  number = -(-len(first.seeds) // devices) if how == 'vmap' else 1
  keys, numbers = _members(first, sweep, np.arange(number))
  states = mappings.started(training)(keys, numbers, data)
  advance = mappings.MAPPINGS[how](mappings.without_evaluations(training), 4)
  times = []
  for _ in range(3):
    begun = time.monotonic()
    states, _ = jax.block_until_ready(advance(states, numbers, data))
    times.append(time.monotonic() - begun)
  step = min(times[1:]) / 4 / number
  measure = sweep.kind.evaluate(_config(first, sweep), 0)
  state, own = jax.tree.map(lambda leaf: leaf[0], (states, numbers))
  record = _looking(training)(state, own, data)
  measure(state['state'], own, record)
  begun = time.monotonic()
  measure(state['state'], own, record)
  evaluation = time.monotonic() - begun
  runs = sum(len(program.seeds) for program in planned)
  trained = runs * training.steps * step / min(devices, len(first.seeds))
  return (
    len(planned) * times[0] + trained + runs * sweep.evaluations * evaluation
  )


def alone(program, sweep, number):
  """The seconds of each of some runs, one after another, without compiling.

  Args:
    program: a `plan.Program`, whose first members run.
    sweep: a `Sweep`.
    number: of the runs.
  """
  training, _, data = _parts(program, sweep)
  how = mapping(program, sweep)

  def seconds(row):
    found = population.train(
      training._replace(every=training.steps),
      *_members(program, sweep, np.array([row])),
      data,
      mapping='map' if how == 'vmap' else how,
      devices=jax.local_devices()[:1],
      name='alone',
    )
    return found and found.seconds

  seconds(0)  # It compiles.
  return [seconds(row % len(program.seeds)) for row in range(number)]


@functools.lru_cache(maxsize=8)
def _looking(training):
  """The compiled evaluation of one member at where it is."""
  return training.host_evaluate or jax.jit(training.evaluate)


def _config(program, sweep):
  return sweep.kind.config(program.fixed)


def _parts(program, sweep):
  """A program's training, one member's key and numbers, and the data."""
  config = _config(program, sweep)
  training = sweep.kind.training(config, sweep.evaluations)
  given = jax.tree.map(
    lambda leaf: leaf[0], _members(program, sweep, np.arange(1))
  )
  return training, given, sweep.kind.subject(config).data


def _members(program, sweep, rows):
  """The keys and the numbers of some members, `[M, ...]`."""
  subject = sweep.kind.subject(_config(program, sweep))
  keys = jax.vmap(subject.key)(jnp.array(program.seeds)[rows])
  return keys, {
    field: jnp.array(values, jnp.float32)[rows]
    for field, values in program.numbers.items()
  }


def _filled(alive, program, sweep):
  """The members alive, some more than once where others were dropped.

  A program of each number of members would have to be compiled; so there are
  programs of powers of two.
  """
  whole = len(program.seeds)
  if len(alive) == whole or mapping(program, sweep) == 'steps':
    return alive
  size = min(whole, 2 ** math.ceil(math.log2(len(alive))))
  return alive[_filling(len(alive), range(size))]


def _filling(number, filled):
  return np.minimum(np.arange(len(filled)), number - 1)


def _states(folder, evaluation):
  return folder / f'evaluation-{evaluation}'


def _forget(folder, evaluation):
  shutil.rmtree(_states(folder, evaluation), ignore_errors=True)


def _trained(program, sweep, folder, evaluation, members, states, name):
  """Returns the `population.Population`, or None where a signal ended it."""
  training, _, data = _parts(program, sweep)
  steps = training.every
  parts = max(part for part in range(1, _PARTS + 1) if steps % part == 0)
  return population.train(
    mappings.without_evaluations(training)._replace(
      steps=steps, every=steps // parts
    ),
    *_members(program, sweep, members),
    data,
    states=states,
    mapping=mapping(program, sweep),
    folder=_states(folder, evaluation),
    name=name,
  )


def _measured(program, sweep, folder, evaluation, alive, found, rows):
  """Returns the rows of the members alive, or None where a signal ended it."""
  kind, config = sweep.kind, _config(program, sweep)
  subject = kind.subject(config)
  training = kind.training(config, sweep.evaluations)
  step = training.every * evaluation
  measure, look_at = kind.evaluate(config, step), _looking(training)
  _, numbers = _members(program, sweep, alive)
  spent = {(row['cell'], row['seed']): row['seconds'] for row in rows}
  settings = kind.settings(config)
  shared = {
    'subject': f'samples ({settings["weights"].partition(",")[0]})',
    'evaluation': evaluation,
    'of': sweep.evaluations,
    'step': step,
    'images_seen': subject.images_seen(config, sweep.evaluations)[
      evaluation - 1
    ],
    'number': kind.number(config),
    'settings': settings,
  }
  fresh = []
  with signals.catch() as stop:
    for row, member in enumerate(alive):
      cell, seed = program.cells[member], program.seeds[member]
      state, own = jax.tree.map(
        lambda leaf, row=row: leaf[row], (found.states, numbers)
      )
      metrics = {name: part[row] for name, part in found.records[1].items()}
      broken = int(state['broken'])
      values, how, picture = dict.fromkeys(kind.columns), {}, None
      if broken < 0:
        record = look_at(state, own, subject.data)
        values, how, drawn = measure(state['state'], own, record)
        picture = folder / 'pictures' / f'{cell:03d}-{seed}-{evaluation}.png'
        picture.parent.mkdir(exist_ok=True)
        pictures.save(picture, drawn)
        picture = picture.relative_to(sweep.folder).as_posix()
      fresh.append(
        {
          **shared,
          'cell': cell,
          'changes': sweep.cells[cell],
          'seed': seed,
          'how': how,
          **{name: _finite(value) for name, value in values.items()},
          **{
            name: _finite(np.mean(series)) for name, series in metrics.items()
          },
          'diverged': None if broken < 0 else broken,
          'seconds': spent.get((cell, seed), 0.0) + found.seconds,
          'picture': picture,
          'program': folder.name,
        }
      )
      if stop.is_set():
        return None
  return fresh


def _finite(value):
  """The value as JSON has it, None for a number that is not finite."""
  if isinstance(value, dict):
    return {name: _finite(own) for name, own in value.items()}
  if value is None or isinstance(value, int):
    return value
  return float(value) if math.isfinite(value) else None
