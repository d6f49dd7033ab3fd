"""Studies of Optuna that any number of workers open by the same command.

The draws are TPE's: Bergstra, Bardenet, Bengio and Kegl, "Algorithms for
Hyper-Parameter Optimization", 2011. Halving is of Li et al., "A System for
Massively Parallel Hyperparameter Tuning", 2018, arXiv:1810.05934.
"""

import json
import pathlib
import threading
import time
from concurrent import futures

import numpy as np
import optuna
import sqlalchemy
from optuna.exceptions import StorageInternalError
from optuna.storages import journal

from ganjax import files, locks, paths
from ganjax.lookup import choose

PRUNERS = {
  'median': optuna.pruners.MedianPruner,
  # Evaluations are few: half of the trials go on after evaluations 1, 2, 4, ...
  'halving': lambda: optuna.pruners.SuccessiveHalvingPruner(1, 2),
  'none': optuna.pruners.NopPruner,
}
"""Functions `() -> pruner`, by name."""

_ATTEMPTS = 3


class _Sampler(optuna.samplers.TPESampler):
  """TPE whose draws follow from the seed and from the trials before.

  So no two workers draw the same, and a search that was killed goes on as it
  would have, where its trials end in the same order.
  """

  def __init__(self, seed):
    super().__init__(seed=seed, constant_liar=True)
    self._start = seed

  def before_trial(self, study, trial):
    entropy = (self._start, index(study, trial))
    mixed = np.random.SeedSequence(entropy).generate_state(1)
    super().__init__(seed=int(mixed[0]), constant_liar=True)
    super().before_trial(study, trial)


def open_study(
  folder, name, spaces, about, direction, pruner, seed, storage='', seconds=20
):
  """Returns the `optuna.Study` that all workers of one command share.

  It is made by the first of them.

  Args:
    folder: the workdir, which exists; workers that share it wait for another.
    name: of the study in its storage.
    spaces: dict from a tuple of fields, which move together, to the
      distribution of `optuna.distributions` that they are drawn from.
    about: dict of JSON values: all else that its results depend on.
    direction: 'minimize' or 'maximize'.
    pruner: of `PRUNERS`.
    seed: int >= 0.
    storage: a URL of SQLAlchemy, or 'journal:PATH'; `study.db` in the folder,
      if empty.
    seconds: in which the storage has to answer.

  Raises:
    OSError: if the storage does not answer, or cannot be written.
    ImportError: if the package that speaks to it is not installed.
    ValueError: if the URL is none, or if the study there is another one.
  """
  storage = storage or f'sqlite:///{pathlib.Path(folder) / "study.db"}'
  optuna.logging.set_verbosity(optuna.logging.WARNING)
  asked = json.loads(json.dumps(about)) | {'direction': direction}
  asked |= {'+'.join(fields): f'{space}' for fields, space in spaces.items()}

  def create():
    found = optuna.create_study(
      storage=_storage(storage),
      sampler=_Sampler(seed),
      pruner=choose('pruner', PRUNERS, pruner)(),
      study_name=name,
      direction=direction,
      load_if_exists=True,
    )
    if 'about' not in found.user_attrs:
      found.set_user_attr('about', asked)
    return found, found.user_attrs['about']

  with locked(folder):
    found, there = _answered(storage, create, seconds)
  files.check_same(_without_password(storage), there, asked, 'search')
  return found


def check_storage(storage):
  """Raises ValueError if a `storage` of `open_study` is none; it is not opened.

  Args:
    storage: as there.
  """
  scheme, _, rest = storage.partition(':')
  if scheme == 'journal':
    path = paths.check_destination(rest, '--storage')
    if not path.parent.is_dir():
      raise ValueError(f'--storage needs the folder {path.parent}; make it.')
  elif storage:
    try:
      sqlalchemy.make_url(storage)
    except sqlalchemy.exc.ArgumentError:
      raise ValueError(_no_url(storage)) from None


def _no_url(storage):
  return (
    f'The storage {storage} is no URL; give one such as sqlite:///study.db, '
    'postgresql://user@host/database, mysql+pymysql://user@host/database, or '
    'journal:study.log.'
  )


def first(trial):
  """Returns the number that Optuna gave a trial when it was first asked for."""
  return trial.user_attrs.get('first', trial.number)


def index(study, trial):
  """Returns the number of a trial, from 0 without gaps.

  It is the number of trials that were asked for before it; one that is asked
  for again has the number that it had.
  """
  earlier = study.get_trials(deepcopy=False)[: first(trial)]
  return sum('first' not in other.user_attrs for other in earlier)


def locked(folder):
  """Waits until no other process that shares the folder holds its study."""
  return locks.wait(pathlib.Path(folder) / 'study.lock')


def _storage(url):
  scheme, _, rest = url.partition(':')
  if scheme == 'journal':
    backend = journal.JournalFileBackend(rest)
    return optuna.storages.JournalStorage(backend)
  return _tables(url, _ATTEMPTS)


def _tables(url, attempts):
  # Workers wait for one another longer than SQLite's five seconds.
  patient = {'timeout': 60} if url.startswith('sqlite') else {}
  try:
    return optuna.storages.RDBStorage(url, {'connect_args': patient})
  except (sqlalchemy.exc.DBAPIError, StorageInternalError):
    # Workers without a common folder may make the tables at the same time.
    if attempts == 1:
      raise
  time.sleep(1)
  return _tables(url, attempts - 1)


def _answered(url, function, seconds):
  """Returns what a function of a storage does; its errors are sentences."""
  answer = futures.Future()

  def call():
    try:
      answer.set_result(function())
    except Exception as error:
      answer.set_exception(error)

  # A connection may hang for minutes, and hold no thread that is waited for.
  threading.Thread(target=call, daemon=True).start()
  said = f'The storage {_without_password(url)}'
  try:
    return answer.result(seconds)
  except futures.TimeoutError:
    raise TimeoutError(
      f'{said} did not answer within {seconds:g} seconds; start its server, or '
      'give another one.'
    ) from None
  except ImportError as error:
    module = getattr(error.__cause__, 'name', None) or 'of its driver'
    raise ImportError(
      f'{said} needs the Python module {module}, which cannot be imported; '
      'install it, or name another driver, as in postgresql+psycopg2://.'
    ) from None
  except sqlalchemy.exc.ArgumentError:
    raise ValueError(_no_url(url)) from None
  except (OSError, RuntimeError, ValueError, sqlalchemy.exc.DBAPIError) as e:
    reason = ' '.join(f'{getattr(e, "orig", e)}'.split())
    raise OSError(f'{said} cannot be used: {reason}') from None


def _without_password(url):
  """Returns the URL of a storage without its password."""
  try:
    return sqlalchemy.make_url(url).render_as_string()
  except sqlalchemy.exc.ArgumentError:
    return url
