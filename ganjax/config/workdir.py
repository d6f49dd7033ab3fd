"""The folder of a run: `config.json`, `run.json` and `reals.png` on its data.

They say what the run is, for its readers. What a training goes on with is
its newest checkpoint, which was saved with the same records: without one there
is nothing to lose, and the folder may be claimed anew.
"""

import contextlib
import json
import pathlib
import warnings
from typing import NamedTuple

import jax
import numpy as np
from jax.experimental import multihost_utils
from ml_collections import ConfigDict

from ganjax import files, locks, paths, pictures
from ganjax.config import runs
from ganjax.data import images
from ganjax.training import checkpoint, provenance

_FOLDERS = 'checkpoints', 'samples', 'tensorboard'
_FILES = (
  'config.json',
  'run.json',
  'reals.png',
  'metrics.jsonl',
  'samples.png',
  'lock',
)
_REALS = 64  # images of the data in reals.png, as many as in a grid of samples


@contextlib.contextmanager
def claimed(workdir, config, data, history=(), **inputs):
  """Yields the folder of a run and the records that its checkpoints carry.

  No other process may train there until the block ends. `config.json`,
  `run.json` and `reals.png` are written. A run whose `images` were raised goes
  on, and says so in its `history`.

  Args:
    workdir: the path of the folder, which is made if need be.
    config: a `ConfigDict`.
    data: the `ImageSet` that is trained on.
    history: sentences on how a new run begins.
    **inputs: JSON values that change when anything else does that the run is
      computed from.

  Raises:
    ValueError: if another process trains there, a file is in the way of a
      folder or a folder in that of a file, or a checkpoint lies there with
      another config or of other data; what differs is named.
  """
  folder = pathlib.Path(workdir)
  files.check_free(folder, 'run')
  for name in _FOLDERS:
    paths.check_folder(folder / name, 'The run')
  for name in _FILES:
    paths.check_destination(folder / name, 'A file of the run')
  records = {
    'config': json.loads(config.to_json()),
    'data': {
      'name': data.name,
      'shape': list(data.images.shape[1:]),
      'classes': list(data.classes),
      'images': len(data.images),
      'identity': data.identity,
      **inputs,
    },
    'history': list(history),
  }
  with contextlib.ExitStack() as stack:
    if jax.process_index() == 0:
      folder.mkdir(parents=True, exist_ok=True)
      stack.enter_context(locks.alone(folder))
    saved = _saved(folder)
    if saved:
      _check(folder, saved, records)
      records['history'] = _history(saved, config)
    if jax.process_index() == 0:
      _write(folder, records, saved)
      _write_reals(folder, data)
    # All processes have looked for checkpoints before the first of them trains.
    multihost_utils.sync_global_devices('ganjax: a folder is claimed')
    yield folder, records


def _saved(folder):
  """Returns the records of the newest sound checkpoint, or None."""
  place = folder / 'checkpoints'
  for directory, name in (place, None), (place / 'best', 'config'):
    if directory.is_dir():
      with contextlib.closing(checkpoint.reader(directory)) as manager:
        if found := checkpoint.config(manager):
          return found[name] if name else found
  return None


def started(workdir):
  """Returns whether a folder has a checkpoint that a run goes on from."""
  return _saved(pathlib.Path(workdir)) is not None


def _history(saved, config):
  """Returns the sentences of a checkpoint, and one more on a longer run."""
  history = saved.get('history', [])
  before = saved['config'].get('images', 0)
  if config.get('images', 0) > before:
    return [*history, f'images was raised from {before} to {config.images}.']
  return history


def _check(folder, saved, records):
  now, there = records['config'], saved['config']
  longer = now.get('images', 0) > there.get('images', 0)
  files.check_same(folder, there, now, ignore=['images'] if longer else ())
  if longer:
    runs.check_longer(there, now, records['data']['shape'])
  changed = files.differences(saved['data'], records['data'])
  if changed:
    raise ValueError(
      f'The data of the run in {folder} changed since its last checkpoint: '
      f'{"; ".join(changed)}. Give back what it was trained on to go on, or '
      'another workdir to start anew.'
    )


def _write(folder, records, saved):
  path = folder / 'config.json'
  if saved:
    try:
      # It was written when `images` was raised, before any checkpoint.
      differing = files.differences(
        saved['config'], files.read_json(path), ignore=['images']
      )
      fault = differing and 'says otherwise'
    except files.FormatError:
      raise
    except (OSError, ValueError) as error:
      fault = f'cannot be read ({error.__cause__ or error})'
    if fault:
      _warn_of_record(path, fault)
  files.write_json(path, files.versioned(records['config']))
  about = records['data'] | provenance.record()
  about['history'] = records['history']
  if saved:  # What is expected again replaces it.
    with contextlib.suppress(OSError, ValueError, KeyError):
      about['memory'] = files.read_json(folder / 'run.json')['memory']
  files.write_json(folder / 'run.json', files.versioned(about))


def _write_reals(folder, data):
  """Writes a grid of images from all over the data, to see samples beside."""
  number = min(_REALS, len(data.images))
  rows = np.linspace(0, len(data.images) - 1, number).astype(int)
  picture = pictures.grid(images.scale(data.images[rows]))
  pictures.save(folder / 'reals.png', picture)


def _warn_of_record(path, fault):
  warnings.warn(
    f'{path} {fault}; what the last checkpoint was saved with is taken.',
    stacklevel=4,
  )


def note(workdir, values):
  """Adds JSON values by name to the `run.json` of a run that is claimed."""
  path = pathlib.Path(workdir) / 'run.json'
  about = files.read_json(path) | values
  files.write_json(path, files.versioned(about))


class Examples(NamedTuple):
  """What the examples of a run are.

  Attributes:
    shape: of one of them, such as (32, 32, 3).
    classes: the names of their classes; empty where they have none.
  """

  shape: tuple[int, ...]
  classes: tuple[str, ...]


def read(workdir):
  """Returns the `ConfigDict` of a run, and the `Examples` of its data.

  Args:
    workdir: the path of the folder.

  Raises:
    FileNotFoundError: if no run was started there.
    ValueError: if its records are damaged, and it has no checkpoint.
  """
  folder = pathlib.Path(workdir)
  if not (folder / 'run.json').exists():
    raise FileNotFoundError(
      f'{folder} holds no run.json, so no run was started there; give the '
      'workdir of a training.'
    )
  config = _record(folder, 'config.json', 'config')
  about = _record(folder, 'run.json', 'data')
  examples = Examples(tuple(about['shape']), tuple(about['classes']))
  return ConfigDict(config), examples


def _record(folder, name, part):
  """Returns the JSON values of a file, or else those of the checkpoint."""
  path = folder / name
  try:
    return files.read_json(path)
  except files.FormatError:
    raise
  except (FileNotFoundError, ValueError) as error:
    fault = f'cannot be read ({error.__cause__ or error})'
    saved = _saved(folder)
    if saved is None:
      raise ValueError(
        f'{path} {fault}, and no checkpoint is there that says the same; start '
        'the training again.'
      ) from error
    _warn_of_record(path, fault)
    return saved[part]
