"""The search: what is asked for, pruned, shared, lost, and asked for again."""

import itertools
import os
import pathlib
import subprocess
import sys
import threading
import time

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState

from ganjax.sweeps import search, studies

ROOT = pathlib.Path(__file__).resolve().parents[2]
SPACES = {('x',): FloatDistribution(-1, 1)}
WORKER = """
import pathlib, sys, time
from optuna.distributions import FloatDistribution
from ganjax.sweeps import search, studies

folder, storage, mine = sys.argv[1:]
spaces = {('x',): FloatDistribution(-1, 1)}
study = studies.open_study(
  folder, 'a', spaces, {}, 'minimize', 'none', 0, storage
)

def train(settings, numbers):
  for evaluation in range(2):
    print('has', *numbers, flush=True)
    while not pathlib.Path(mine).exists():
      time.sleep(.02)
    yield [setting['x'] ** 2 for setting in settings]

done = search.run(study, folder, spaces, 12, 2, 2, train, .2, 3)
sys.exit(not done)
"""


@pytest.fixture
def memory(monkeypatch):
  """`(...) -> study` that no other process shares."""
  monkeypatch.setattr(
    studies, '_storage', lambda url: optuna.storages.InMemoryStorage()
  )

  def make(folder, pruner='none', direction='minimize', spaces=SPACES):
    return studies.open_study(folder, 'a', spaces, {}, direction, pruner, 3)

  return make


def opened(folder, storage='', seconds=20, spaces=SPACES, about=()):
  return studies.open_study(
    folder, 'a', spaces, dict(about), 'minimize', 'none', 0, storage, seconds
  )


def run(study, folder, number, at_once, evaluations, train):
  return search.run(
    study, folder, SPACES, number, at_once, evaluations, train, 0.05, 0.3
  )


def square(evaluations, log=None):
  """Trials whose value is x^2, the same at each evaluation."""

  def train(settings, numbers):
    if log is not None:
      log.append((numbers, settings))
    for _ in range(evaluations):
      keep = yield [setting['x'] ** 2 for setting in settings]
      settings = list(itertools.compress(settings, keep))

  return train


def given(values, log):
  """Trials with given values: from a number to those of its evaluations."""

  def train(settings, numbers):
    for evaluation in itertools.count():
      if evaluation == len(values[numbers[0]]):
        return
      log.append(numbers)
      keep = yield [values[number][evaluation] for number in numbers]
      numbers = list(itertools.compress(numbers, keep))

  return train


def states(study):
  return [trial.state.name for trial in study.trials]


def test_populations_are_asked_until_there_are_enough(tmp_path):
  study, log = opened(tmp_path), []
  assert run(study, tmp_path, 7, 3, 2, square(2, log))
  assert [numbers for numbers, _ in log] == [[0, 1, 2], [3, 4, 5], [6]]
  assert states(study) == ['COMPLETE'] * 7
  drawn = [setting['x'] for _, settings in log for setting in settings]
  assert len(set(drawn)) == 7
  found = search.best(study)
  assert found.value == min(x**2 for x in drawn) == found.setting['x'] ** 2
  assert drawn[found.number] == found.setting['x']
  # The same command once more has nothing to do; a larger one goes on.
  assert run(study, tmp_path, 7, 3, 2, square(2, log))
  assert len(log) == 3
  assert run(opened(tmp_path), tmp_path, 9, 3, 2, square(2, log))
  assert log[-1][0] == [7, 8]


def test_the_end_is_told_with_its_command(memory, tmp_path):
  study, log = memory(tmp_path, direction='maximize'), []
  assert search.best(study) is None
  values = {0: [1.0, 2.0], 1: [3.0, None], 2: [2.5, 2.5]}
  assert run(study, tmp_path, 3, 3, 2, given(values, log))
  said = search.text(
    study, 'captured', lambda setting: f'train {sorted(setting)}'
  )
  assert '3 trials: 2 to the end, 0 pruned, 1 diverged.' in said
  assert 'The best is trial 2: captured 2.5 by x ' in said
  assert said.endswith("To train it: train ['x']")


def test_fields_that_move_together_are_drawn_once(memory, tmp_path):
  spaces = {
    ('g.rate', 'd.rate'): FloatDistribution(1e-5, 1e-2, log=True),
    ('loss',): CategoricalDistribution(['hinge', 'wasserstein']),
  }
  study, log = memory(tmp_path, spaces=spaces), []

  def train(settings, numbers):
    log.extend(settings)
    yield [setting['g.rate'] for setting in settings]

  assert search.run(study, tmp_path, spaces, 4, 4, 1, train, 0.05, 0.3)
  for setting in log:
    assert set(setting) == {'g.rate', 'd.rate', 'loss'}
    assert 1e-5 <= setting['g.rate'] == setting['d.rate'] <= 1e-2
  assert search.best(study).setting in log


def test_what_is_above_the_median_of_the_finished_is_dropped(memory, tmp_path):
  study, log = memory(tmp_path, 'median'), []
  values = {number: [number, number, number] for number in range(6)}
  # The median of 0 to 5 is 2.5.
  values |= {6: [2.4, 2.6, 0], 7: [2.6, 0, 0], 8: [2.4, 2.4, 9]}
  train = given(values, log)
  assert run(study, tmp_path, 6, 6, 3, train)
  assert run(study, tmp_path, 9, 3, 3, train)
  assert log[3:] == [[6, 7, 8], [6, 8], [6, 8]]
  assert states(study)[6:] == ['COMPLETE', 'PRUNED', 'COMPLETE']


def test_half_of_those_before_it_must_be_worse(memory, tmp_path):
  study, log = memory(tmp_path, 'halving'), []
  # Each is judged among itself and those before it: 1; 1 2; 1 2 .5; ...
  values = {0: [1, 1, 1], 1: [2, 0, 0], 2: [0.5, 2, 2], 3: [3, 0, 0]}
  assert run(study, tmp_path, 4, 4, 3, given(values, log))
  # After the second evaluation, of 1 and 2 the smaller goes on.
  assert log == [[0, 1, 2, 3], [0, 2], [0]]
  assert states(study) == ['COMPLETE', 'PRUNED', 'PRUNED', 'PRUNED']
  assert study.trials[2].intermediate_values == {1: 0.5, 2: 2.0}


def test_a_training_is_closed_where_no_trial_goes_on(memory, tmp_path):
  study, log, closed = memory(tmp_path), [], []

  def train(settings, numbers):
    try:
      while True:
        log.append(numbers)
        yield [None, float('nan')]
    finally:
      closed.append(True)

  assert run(study, tmp_path, 2, 2, 4, train)
  assert log == [[0, 1]] and closed == [True]
  # Counted, and not asked again.
  assert states(study) == ['PRUNED', 'PRUNED']
  assert [trial.user_attrs['diverged'] for trial in study.trials] == [1, 1]
  assert search.best(study) is None


def test_the_search_keeps_off_what_diverges(memory, tmp_path):
  log = []

  def train(settings, numbers):
    log.extend(setting['x'] for setting in settings)
    # The best that does not diverge is at 0.
    yield [
      setting['x'] ** 2 if setting['x'] < 0.2 else None for setting in settings
    ]

  assert run(memory(tmp_path), tmp_path, 64, 4, 1, train)
  # By chance it would be 40 %; of trials that fail, TPE learns nothing, and
  # nearly all that it asks are such.
  assert sum(x >= 0.2 for x in log[32:]) < 0.3 * 32


def found(study):
  """Parameters and values of the trials that have not failed, by index."""
  return {
    studies.index(study, trial): (trial.params, trial.value)
    for trial in study.trials
    if trial.state != TrialState.FAIL
  }


def broken(settings, numbers):
  raise KeyboardInterrupt
  yield


def test_a_search_that_is_stopped_goes_on_as_it_would_have(memory, tmp_path):
  whole, study, log = memory(tmp_path), memory(tmp_path), []
  assert run(whole, tmp_path, 22, 4, 2, square(2))
  assert run(study, tmp_path, 12, 4, 2, square(2))
  with pytest.raises(KeyboardInterrupt):
    run(study, tmp_path, 22, 4, 2, broken)
  # It yields once where two evaluations are expected.
  assert not run(study, tmp_path, 22, 4, 2, square(1))
  assert states(study).count('FAIL') == 8
  assert run(study, tmp_path, 22, 4, 2, square(2, log))
  assert [numbers[0] for numbers, _ in log] == [12, 16, 20]
  assert found(study) == found(whole)


def test_what_a_worker_asked_while_it_died_is_asked_again(memory, tmp_path):
  whole, study = memory(tmp_path), memory(tmp_path)
  assert run(whole, tmp_path, 5, 5, 1, square(1))
  # Once before it has parameters, and once when it was to be asked again.
  study.ask()
  with pytest.raises(KeyboardInterrupt):
    run(study, tmp_path, 5, 5, 1, broken)
  study.ask()
  assert run(study, tmp_path, 5, 5, 1, square(1))
  assert found(study) == found(whole)
  assert states(study).count('COMPLETE') == 5


@pytest.mark.parametrize('storage', ('', 'journal:{}/study.log'))
def test_trials_of_a_killed_worker_are_asked_again(tmp_path, storage):
  storage = storage.format(tmp_path)
  go = tmp_path / 'go'

  def worker(file):
    return subprocess.Popen(
      [sys.executable, '-c', WORKER, tmp_path, storage, file],
      cwd=ROOT,
      env=os.environ | {'PYTHONPATH': str(ROOT)},
      stdout=subprocess.PIPE,
      stderr=subprocess.PIPE,
      text=True,
    )

  # All three make the study at once, and have trials before the others go on.
  killed, *others = worker(tmp_path / 'never'), worker(go), worker(go)
  try:
    had = next(line for line in killed.stdout if line.startswith('has'))
    killed.kill()
    go.touch()
    for process in others:
      _, err = process.communicate(timeout=120)
      assert process.returncode == 0, err
  finally:
    for process in killed, *others:
      process.kill()
      process.communicate()
  study = opened(tmp_path, storage)
  trials = study.trials
  assert states(study).count('COMPLETE') == 12
  lost = {t.number: t.params for t in trials if t.state == TrialState.FAIL}
  assert len(lost) + 12 == len(trials)
  held = [int(number) for number in had.split()[1:]]
  assert len(held) == 2
  finished = {
    studies.index(study, trial): trial.params
    for trial in trials
    if trial.state == TrialState.COMPLETE
  }
  assert sorted(finished) == list(range(12))
  assert len({params['x'] for params in finished.values()}) == 12
  indices = set()
  for number, params in lost.items():
    index = studies.index(study, trials[number])
    assert finished[index] == params
    indices.add(index)
  assert set(held) <= indices


def test_a_worker_given_up_wrongly_loses_its_trials_only(memory, tmp_path):
  study, log = memory(tmp_path), []

  def train(settings, numbers):
    log.append(numbers)
    if len(log) == 1:
      for trial in study.trials:
        search._ask_again(study, trial.number)
    for _ in range(2):
      yield [0.0 for _ in settings]

  assert run(study, tmp_path, 2, 2, 2, train)
  assert log == [[0, 1], [0, 1]]
  assert states(study) == ['FAIL', 'FAIL', 'COMPLETE', 'COMPLETE']
  assert study.trials[0].params == study.trials[2].params


def test_another_search_in_the_same_place_is_refused(tmp_path):
  for _ in range(2):
    opened(tmp_path, about={'objective': 'fid'})
  with pytest.raises(ValueError, match='objective: "fid" there, "kid" now'):
    opened(tmp_path, about={'objective': 'kid'})
  with pytest.raises(ValueError, match='x: "Float.* there, "Float.* now'):
    opened(tmp_path, spaces={('x',): FloatDistribution(0, 1)})


def refusal(error, *how):
  with pytest.raises(error) as found:
    opened(*how)
  assert '\n' not in f'{found.value}'
  return f'{found.value}'


def test_a_storage_that_cannot_be_used_is_a_sentence(tmp_path, monkeypatch):
  monkeypatch.setattr(studies, '_ATTEMPTS', 1)
  said = refusal(OSError, tmp_path, f'sqlite:///{tmp_path}/none/study.db')
  assert 'unable to open database file' in said
  said = refusal(OSError, tmp_path, f'journal:{tmp_path}/none/study.log')
  assert 'No such file' in said
  said = refusal(ValueError, tmp_path, 'studies.db')
  assert 'The storage studies.db is no URL; give one such as' in said
  assert 'is no URL' in refusal(ValueError, tmp_path, 'oracel://a/b')
  url = 'postgresql+psycopg2://me:secret@localhost:1/studies'
  monkeypatch.setitem(sys.modules, 'psycopg2', None)
  said = refusal(ImportError, tmp_path, url)
  assert 'needs the Python module psycopg2, which cannot be imported' in said
  assert 'me:***@localhost:1' in said and 'secret' not in said
  never = threading.Event()
  monkeypatch.setattr(studies, '_tables', lambda *_: never.wait())
  said = refusal(OSError, tmp_path, url, 0.1)
  assert 'did not answer within 0.1 seconds' in said
  never.set()


def test_tables_that_others_make_at_the_same_time_are_waited_for(
  tmp_path, monkeypatch
):
  init, calls = optuna.storages.RDBStorage.__init__, []

  def late(self, *how):
    calls.append(how)
    if len(calls) < studies._ATTEMPTS:
      raise optuna.exceptions.StorageInternalError
    init(self, *how)

  monkeypatch.setattr(optuna.storages.RDBStorage, '__init__', late)
  monkeypatch.setattr(time, 'sleep', lambda _: None)
  assert not opened(tmp_path).trials
  assert len(calls) == studies._ATTEMPTS
