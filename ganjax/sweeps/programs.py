"""The programs of a sweep: where each lies, and what it trains."""

import hashlib
import json
import pathlib
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ganjax import capacity, locks
from ganjax.evaluation import results
from ganjax.lookup import choose
from ganjax.training import calibration, compilation


class Sweep(NamedTuple):
  """What the programs of a sweep share.

  Attributes:
    folder: the workdir.
    task: `changes -> task.Task` of a setting.
    settings: from the number of a setting to its changes.
    mapping: of `mappings.MAPPINGS`; None chooses by the network and the
      backend.
    keep_states: whether the states of runs that have ended stay on the disk.
  """

  folder: pathlib.Path
  task: Callable
  settings: Any
  mapping: str | None = None
  keep_states: bool = False


def place(program, sweep):
  """Returns the folder of a `plan.Program`."""
  text = json.dumps(program._asdict(), sort_keys=True)
  name = hashlib.sha256(text.encode()).hexdigest()[:12]
  return sweep.folder / 'programs' / name


def finished(program, sweep):
  """Returns whether all that a program is to measure is measured."""
  last = len(sweep.task(program.fixed).images_seen)
  rows = results.read(place(program, sweep) / 'evaluation.json')
  return any(row['evaluation'] == last for row in rows)


def left(planned, sweep):
  """Returns the names of programs that are neither finished nor being run.

  Args:
    planned: `plan.Program`s.
    sweep: a `Sweep`.
  """
  return [
    place(program, sweep).name
    for program in planned
    if not finished(program, sweep) and not _held(place(program, sweep))
  ]


def _held(folder):
  """Returns whether a process runs the program of a folder."""
  if not folder.exists():
    return False
  with locks.attempt(folder / 'lock') as free:
    return not free


def named(name, planned, sweep):
  """Returns the programs with a name, a list of one.

  Raises:
    ValueError: if there is none.
  """
  by_name = {place(program, sweep).name: program for program in planned}
  return [choose('program in this sweep', by_name, name)]


def mapping(program, sweep):
  """Returns how the members of a program are mapped, of `mappings.MAPPINGS`.

  It follows from what is trained, not from a measurement of time, so that all
  processes of a sweep, and the next ones, map them in the same way.
  """
  if sweep.mapping:
    return sweep.mapping
  training, given, data = parts(program, sweep)
  state = jax.eval_shape(training.init, *given, data)
  return calibration.by_rule(compilation.convolutional(state))


def check(program, sweep):
  """Returns the names of the metrics that the runs of a program record.

  Raises:
    ValueError: if its config makes no training, or too large a one.
  """
  training, given, data = parts(program, sweep)
  state = jax.eval_shape(training.init, *given, data)
  capacity.check(
    {'the parameters of a run, and what belongs to them': capacity.size(state)},
    'choose narrower networks, a smaller resolution or prior.size',
  )
  return set(jax.eval_shape(training.step, state, given[1], data)[1])


def parts(program, sweep):
  """Returns a program's training, a member's key and numbers, and the data."""
  task = sweep.task(program.fixed)
  one = jax.tree.map(
    lambda leaf: leaf[0], member_inputs(program, task, np.arange(1))
  )
  return task.training, one, task.data


def member_inputs(program, task, members):
  """Returns the keys and the numbers of some members, `[M, ...]`."""
  keys = jax.vmap(task.key)(jnp.array(program.seeds)[members])
  return keys, {
    field: jnp.array(values, jnp.float32)[members]
    for field, values in program.numbers.items()
  }
