"""A search that workers share, whose trials train as populations.

A worker that is alive counts a number in the study up, its heartbeat, in a
thread. The others watch whether it changes, by clocks of their own; so that
works with every storage, and with machines whose clocks differ.
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
  """The best trial that ran to its end.

  Attributes:
    number: its `studies.index`.
    value: of the objective.
    setting: the changes to the config.
  """

  number: int
  value: float
  setting: dict


def run(
  study,
  folder,
  spaces,
  number,
  at_once,
  evaluations,
  train,
  heartbeat=5,
  patience=30,
):
  """Trains trials until the study has enough of them.

  All workers return at the end of the whole study. Trials whose worker died
  are asked for again, with the same parameters. A trial that diverged counts as
  pruned, so that TPE avoids such parameters; its user attribute `diverged` is
  the evaluation. Where a signal ends this worker, its trials wait for the next.

  Args:
    study: of `studies.open_study`.
    folder: as there.
    spaces: as there.
    number: of trials that finish, pruned ones among them, over all workers.
    at_once: how many trials are asked for at once, to train as a population.
    evaluations: how often a trial is evaluated.
    train: `(settings, numbers) -> generator`, for the trials' settings, dicts
      {field: value}, and their `studies.index`. After each evaluation it yields
      a list with the value of each trial that is trained on, None where it
      diverged; it is sent a list of bools, which of these go on. It is closed
      where none does, as after the last evaluation; if it returns before that,
      a signal ended it.
    heartbeat: seconds between two heartbeats.
    patience: seconds without one, after which a worker counts as dead.

  Returns:
    False where a signal ended the training.
  """
  worker = f'worker {platform.node()} {os.getpid()} {uuid.uuid4().hex[:8]}'
  watch = _watch(study, patience)
  waiting = False
  with _heartbeat(study, worker, heartbeat):
    while True:
      with studies.locked(folder):
        trials = study.get_trials(deepcopy=False)
        running = [t for t in trials if t.state == TrialState.RUNNING]
        lost, unsure = watch(running)
        for trial in lost:
          _ask_again(study, trial.number)
        finished = sum(trial.state in _FINISHED for trial in trials)
        missing = number - finished - len(running) + len(lost)
        free = 0 if unsure else min(at_once, missing)
        own = [_ask(study, spaces, worker) for _ in range(free)]
      if own:
        if not _train(study, own, evaluations, train):
          return False
      elif finished >= number and not running:
        return True
      else:
        if not waiting:
          tqdm.write(f'Waiting for {len(running)} trials of other workers.')
        time.sleep(heartbeat)
      waiting = not own


def best(study):
  """Returns the `Best` trial of a study so far, or None."""
  if not study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
    return None
  trial = study.best_trial
  return Best(studies.index(study, trial), trial.value, _setting(trial))


def text(study, objective, command):
  """Returns what a study has found so far, in sentences.

  Args:
    study: of `studies.open_study`.
    objective: the name of what is optimised.
    command: `setting -> str`, the command that trains a setting.
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
  changes = ', '.join(
    f'{field} {value}' for field, value in found.setting.items()
  )
  return (
    f'{counted}\nThe best is trial {found.number}: {objective} '
    f'{found.value:.5g} by {changes}.\nTo train it: {command(found.setting)}'
  )


def _ask(study, spaces, worker):
  """Returns a new trial; it is the worker's when it has all parameters."""
  trial = study.ask(
    {'+'.join(fields): space for fields, space in spaces.items()}
  )
  trial.set_user_attr('worker', worker)
  return trial


def _train(study, trials, evaluations, train):
  """Trains trials to their ends; returns False where a signal ended it."""
  numbers = [studies.index(study, trial) for trial in trials]
  training = train([_setting(trial) for trial in trials], numbers)
  going_on = None
  try:
    with contextlib.closing(training):
      for evaluation in range(1, evaluations + 1):
        values = training.send(going_on)
        going_on = [
          _report(study, trial, value, evaluation, evaluation == evaluations)
          for trial, value in zip(trials, values, strict=True)
        ]
        trials = list(itertools.compress(trials, going_on))
        if not trials:
          break
  except StopIteration:
    return False
  finally:
    for trial in trials:
      _ask_again(study, trial.number)
  return True


def _report(study, trial, value, evaluation, last):
  """Reports the value of a trial; returns whether the trial goes on."""
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
    # Others took this worker for dead, and have asked for the trial again.
    return False
  return state is None


def _ask_again(study, number):
  """Fails a running trial, and has its parameters asked for again."""
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


def _setting(trial):
  """Returns what a trial changes; fields that move together are a parameter."""
  return {
    field: value
    for name, value in trial.params.items()
    for field in name.split('+')
  }


def _watch(study, patience):
  """Returns the function `running trials -> (lost, unsure)`.

  Lost are the trials of dead workers. It is unsure while there is a worker
  whose heartbeat has neither changed yet nor stopped for long enough.
  """
  known = {}

  def watch(running):
    now, heartbeats = time.monotonic(), study.user_attrs
    lost, unsure = [], False
    for trial in running:
      owner = trial.user_attrs.get('worker', trial.number)
      before, since, moved = known.get(owner, (None, now, False))
      count = heartbeats.get(owner)
      if owner in known and count != before:
        since, moved = now, True
      known[owner] = count, since, moved
      if now - since > patience:
        lost.append(trial)
      elif not moved:
        unsure = True
    return lost, unsure

  return watch


@contextlib.contextmanager
def _heartbeat(study, worker, every):
  """Counts the heartbeat of a worker up while the body runs."""
  ended = threading.Event()

  def beat():
    for count in itertools.count():
      # The next count makes up for one that failed.
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
