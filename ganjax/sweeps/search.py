"""A search that workers share: trials by whole populations, asked and told.

A worker shows that it lives by its beat, a number in the study that a thread
counts up. Others watch whether it moves, by clocks of their own: that holds
for every storage, and for machines whose clocks differ.
"""

import contextlib
import itertools
import math
import os
import platform
import threading
import time
import uuid
from typing import NamedTuple

from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.trial import TrialState
from tqdm import tqdm

from ganjax.sweeps import studies

_FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)


class Best(NamedTuple):
  """The best trial that ran to its end; its number is its `studies.index`."""

  number: int
  value: float
  cell: dict


def run(
  study, folder, spaces, number, at_once, evaluations, race, beat=5, patience=30
):
  """Races trials until the study has enough; False if a race was cut short.

  All workers return at the end of the whole study. Trials whose worker died
  are asked again, with what they were. A trial that diverged counts as
  pruned, so that TPE keeps off; it has the user attribute `diverged`, its
  evaluation. Where this worker is cut short, its trials wait for the next.

  Args:
    study: of `studies.opened`.
    folder: as there.
    spaces: as there.
    number: of trials that finish, pruned ones among them, over all workers.
    at_once: trials that are asked at once, to race in one population.
    evaluations: how often a race yields.
    race: `(cells, numbers) -> generator` of dicts {field: value} and of the
      trials' `studies.index`. It yields after each evaluation a list of
      values, None
      where diverged, for the cells alive; it is sent a list of bools, which of
      them go on. Where none does, as after the last evaluation, it is closed;
      where it returns before that, it was cut short.
    beat: seconds between the signs of life.
    patience: seconds without one, after which a worker is given up.
  """
  worker = f'worker {platform.node()} {os.getpid()} {uuid.uuid4().hex[:8]}'
  watch = _watch(study, patience)
  waiting = False
  with _beating(study, worker, beat):
    while True:
      with studies.turn(folder):
        trials = study.get_trials(deepcopy=False)
        held = [t for t in trials if t.state == TrialState.RUNNING]
        lost, unsure = watch(held)
        for trial in lost:
          _again(study, trial.number)
        finished = sum(trial.state in _FINISHED for trial in trials)
        free = 0 if unsure else number - finished - len(held) + len(lost)
        hand = [_ask(study, spaces, worker) for _ in range(min(at_once, free))]
      if hand:
        if not _raced(study, hand, evaluations, race):
          return False
      elif finished >= number and not held:
        return True
      else:
        if not waiting:
          tqdm.write(f'Waiting for {len(held)} trials of other workers.')
        time.sleep(beat)
      waiting = not hand


def best(study):
  """The `Best` of a study so far, or None."""
  if not study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
    return None
  trial = study.best_trial
  return Best(studies.index(study, trial), trial.value, _cell(trial))


def text(study, objective, command):
  """What a study found so far, in sentences.

  Args:
    study: of `studies.opened`.
    objective: name of what is searched for.
    command: `cell -> str` that trains one.
  """
  trials = study.get_trials(deepcopy=False, states=_FINISHED)
  diverged = sum('diverged' in trial.user_attrs for trial in trials)
  pruned = sum(trial.state == TrialState.PRUNED for trial in trials)
  counted = (
    f'{len(trials)} trials: {len(trials) - pruned} to the end, '
    f'{pruned - diverged} pruned, {diverged} diverged.'
  )
  found = best(study)
  if found is None:
    return f'{counted} None ran to its end.'
  changes = ', '.join(f'{field} {value}' for field, value in found.cell.items())
  return (
    f'{counted}\nThe best is trial {found.number}: {objective} '
    f'{found.value:.5g} by {changes}.\nTo train it: {command(found.cell)}'
  )


def _ask(study, spaces, worker):
  """A trial with its parameters; it is the worker's when it has them all."""
  trial = study.ask(
    {'+'.join(fields): space for fields, space in spaces.items()}
  )
  trial.set_user_attr('worker', worker)
  return trial


def _raced(study, alive, evaluations, race):
  """Races trials to their ends; False if the race was cut short."""
  numbers = [studies.index(study, trial) for trial in alive]
  racing = race([_cell(trial) for trial in alive], numbers)
  keep = None
  try:
    with contextlib.closing(racing):
      for evaluation in range(1, evaluations + 1):
        values = racing.send(keep)
        keep = [
          _goes_on(study, trial, value, evaluation, evaluation == evaluations)
          for trial, value in zip(alive, values, strict=True)
        ]
        alive = [trial for trial, kept in zip(alive, keep, strict=True) if kept]
        if not alive:
          break
  except StopIteration:
    return False
  finally:
    for trial in alive:
      _again(study, trial.number)
  return True


def _goes_on(study, trial, value, evaluation, last):
  """Tells a trial's value at an evaluation; False where the trial ends."""
  state = None
  try:
    if value is None or not math.isfinite(value):
      trial.set_user_attr('diverged', evaluation)
      state = TrialState.PRUNED
    else:
      trial.report(value, evaluation)
      if last:
        state = TrialState.COMPLETE
      elif trial.should_prune():
        state = TrialState.PRUNED
    if state is not None:
      own = value if state == TrialState.COMPLETE else None
      study.tell(trial, own, state, skip_if_finished=True)
  except UpdateFinishedTrialError:
    # Others gave this worker up, and have asked the trial again.
    return False
  return state is None


def _again(study, number):
  """Fails a running trial, and has it asked again with what it was."""
  trials = study.get_trials(deepcopy=False)
  try:
    study.tell(number, state=TrialState.FAIL)
  except (UpdateFinishedTrialError, ValueError):
    return  # It is finished: another worker was faster.
  first = studies.first(trials[number])
  # None where its worker died while asking: they are drawn then.
  params = next(
    (
      trial.params
      for trial in trials
      if studies.first(trial) == first and 'worker' in trial.user_attrs
    ),
    {},
  )
  study.enqueue_trial(params, user_attrs={'first': first})


def _cell(trial):
  """What a trial changes: fields that move together have one parameter."""
  return {
    field: value
    for name, value in trial.params.items()
    for field in name.split('+')
  }


def _watch(study, patience):
  """A function of running trials: those lost, and if others are yet unsure.

  A worker is unsure until its beat has moved or been silent for long.
  """
  seen = {}

  def watch(held):
    now, beats = time.monotonic(), study.user_attrs
    lost, unsure = [], False
    for trial in held:
      owner = trial.user_attrs.get('worker', trial.number)
      before, since, moved = seen.get(owner, (None, now, False))
      beat = beats.get(owner)
      if owner in seen and beat != before:
        since, moved = now, True
      seen[owner] = beat, since, moved
      if now - since > patience:
        lost.append(trial)
      elif not moved:
        unsure = True
    return lost, unsure

  return watch


@contextlib.contextmanager
def _beating(study, worker, every):
  """Counts the beat of a worker up while the body runs."""
  ended = threading.Event()

  def beat():
    for count in itertools.count():
      # The next beat makes up for one that failed.
      with contextlib.suppress(StorageInternalError, OSError):
        study.set_user_attr(worker, count)
      if ended.wait(every):
        return

  thread = threading.Thread(target=beat, daemon=True)
  thread.start()
  try:
    yield
  finally:
    ended.set()
    thread.join()
