"""Checkpoints that can be trusted: what is restored is what was saved, or none.

Orbax writes in the background and commits a step at once or not at all. By
itself it also restores a flipped bit, casts to another dtype and drops a save
of an older step, each without a word. So beside `state` and `config` a step
holds the `manifest` of `ganjax.training.manifest`, with checksums of both.
"""

import contextlib
import itertools
import json
import logging
import sys
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
from etils import epath
from jax.experimental import multihost_utils
from orbax.checkpoint.checkpoint_managers import LatestN

from ganjax import files, parallel
from ganjax.training import manifest


def manager(directory, keep=3):
  """Returns an `ocp.CheckpointManager` that holds the latest `keep` steps.

  It removes what a killed process left half written or half removed. From the
  first call on, orbax's own log lines are dropped in this process: whatever
  concerns the caller is raised or warned about by the functions below.

  Args:
    directory: where the steps go; it is made if there is none.
    keep: number of steps to hold, at least 1; the oldest are deleted.

  Raises:
    ValueError: if `keep` is below 1.
  """
  if keep < 1:
    raise ValueError(f'keep is {keep}, but at least 1 checkpoint must be held')
  opened = _open(
    directory, preservation_policy=LatestN(keep), cleanup_tmp_directories=True
  )
  # Orbax empties an old step file by file: what is left still counts as one.
  if jax.process_index() == 0:
    for step in sorted(opened.all_steps())[:-keep]:
      (opened.directory / str(step)).rmtree()
  multihost_utils.sync_global_devices('ganjax: old checkpoints are removed')
  opened.reload()
  return opened


def reader(directory):
  """Returns an `ocp.CheckpointManager` to restore from while a run goes on.

  It leaves alone what that run is about to write, and cannot save.

  Args:
    directory: of another manager.
  """
  return _open(directory, read_only=True)


def save(manager, step, state, config):
  """Starts to write `state` and `config` as `step`; returns once it is copied.

  The state's buffers may be donated at once. The write goes on in the
  background: its failure is raised by the next `save`, `wait` or `close`, so
  a program must end with one of the latter. A step that is already there with
  the same leaves is left as it is, and so is the config beside it.

  Args:
    manager: from `manager`.
    step: int, later than all steps that are there.
    state: any tree of arrays, typed keys and numbers. With several processes
      each of them calls, and the leaves are replicated.
    config: a value that JSON can hold.

  Raises:
    OSError: if this or the previous checkpoint cannot be written.
    TypeError: if a leaf is no array or `config` is no JSON.
    ValueError: if the directory holds a later step, or this step with other
      leaves.
  """
  wait(manager)
  step = int(step)
  config = json.loads(json.dumps(config))
  arrays, leaves = manifest.describe(state)
  steps = manager.all_steps()
  if steps and max(steps) > step:
    raise ValueError(
      f'{manager.directory} holds step {max(steps)}, which is later than step '
      f'{step}: restore from it first, or save into a new directory'
    )
  if step in steps:
    try:
      stored = _records(manager, step)[1]
    except files.FormatError:
      raise
    except Exception as error:
      _set_aside(manager, step, error)
    else:
      if stored != leaves:
        raise ValueError(
          f'{manager.directory} already holds another state as step {step}: '
          'restore from it first, or save into a new directory'
        )
      return
  # Orbax refuses arrays without elements; the manifest is enough for them.
  arrays = {path: array for path, array in arrays.items() if array.size}
  with _writing(manager):
    manager.save(
      step,
      args=ocp.args.Composite(
        state=ocp.args.StandardSave(arrays),
        config=ocp.args.JsonSave(config),
        manifest=ocp.args.JsonSave(manifest.seal(config, leaves)),
      ),
      force=True,
    )


def abstract(start, mesh):
  """Returns the tree that `restore` takes, of states that lie on a mesh.

  Args:
    start: `() -> state`; it is only traced.
    mesh: with an axis 'data'; each device holds all of the state.
  """
  return jax.tree.map(
    lambda leaf: jax.ShapeDtypeStruct(
      leaf.shape, leaf.dtype, sharding=parallel.whole(mesh)
    ),
    jax.eval_shape(start),
  )


def restore(manager, abstract, steps=None):
  """Returns the newest state that is bit for bit as saved, or None.

  A step that cannot be read or fails its checksums is renamed, as in
  `7.damaged`, with a warning, and the one before it is tried.

  Args:
    manager: from `manager`.
    abstract: the tree of `jax.eval_shape`, or of `jax.ShapeDtypeStruct` with
      the shardings that the arrays shall have.
    steps: the numbers of those to choose among; all that are there, if None.

  Raises:
    OSError: if a save under way fails.
    ValueError: if the newest readable step has other leaves, shapes or dtypes
      than `abstract`: it is a different model, so it stays where it is.
  """
  wait(manager)
  wanted = manifest.by_path(abstract)
  # Read into numpy first: no fault of `abstract` may be taken for damage.
  target = {path: manifest.blank(like) for path, like in wanted.items()}
  steps = manager.all_steps() if steps is None else steps
  for step in sorted(steps, reverse=True):
    arrays, misfits, damage = {}, [], None
    try:
      stored = _records(manager, step)[1]
      misfits = manifest.misfits(stored, wanted)
      if not misfits:
        arrays = _read(manager, step, stored, target)
    except (MemoryError, PermissionError, files.FormatError):
      raise
    except Exception as error:
      damage = error
    # All processes must take the same step.
    damaged = multihost_utils.process_allgather(np.asarray(damage is not None))
    if np.any(damaged):
      _set_aside(manager, step, damage or OSError('another process failed'))
      continue
    if misfits:
      raise ValueError(
        f'the checkpoint at step {step} does not match the model: {misfits[0]}'
        f' (the first of {len(misfits)} leaves that differ); build the model '
        f'from the config that was saved with it, or use another directory '
        f'than {manager.directory}'
      )
    placed = [
      _placed(arrays[path], like, stored[path].get('key'))
      for path, like in wanted.items()
    ]
    return jax.tree.unflatten(jax.tree.structure(abstract), placed)
  return None


def config(manager):
  """Returns the config of the newest step whose records are sound, or None.

  Raises:
    OSError: if a save under way fails.
  """
  wait(manager)
  for step in sorted(manager.all_steps(), reverse=True):
    try:
      return _records(manager, step)[0]
    except files.FormatError:
      raise
    except Exception:  # It is damaged: `restore` says so.
      continue
  return None


def wait(manager):
  """Returns when the last save is on the disk.

  Raises:
    OSError: if it could not be written.
  """
  with _writing(manager):
    manager.wait_until_finished()


def close(manager):
  """Waits for the last save and ends the manager's threads.

  Raises:
    OSError: if the last save could not be written.
  """
  try:
    wait(manager)
  finally:
    manager.close()


def _open(directory, **options):
  _hush()
  directory = epath.Path().resolve() / epath.Path(directory)
  options = ocp.CheckpointManagerOptions(**options)
  return ocp.CheckpointManager(directory, options=options)


def _records(manager, step):
  """Returns the config of a step, and the leaves of its manifest."""
  item = ocp.args.JsonRestore()
  args = ocp.args.Composite(config=item, manifest=item)
  records = manager.restore(step, args=args)
  place = manager.directory / str(step)
  config = records['config']
  return config, manifest.unseal(config, records['manifest'], place)


def _read(manager, step, stored, target):
  args = ocp.args.StandardRestore({k: v for k, v in target.items() if v.size})
  arrays = manager.restore(step, args=ocp.args.Composite(state=args))['state']
  arrays = {**target, **arrays}
  manifest.check(arrays, stored)
  return arrays


def _placed(array, like, key):
  sharding = getattr(like, 'sharding', None)
  placed = (
    jnp.asarray(array)
    if sharding is None
    else jax.make_array_from_callback(array.shape, sharding, array.__getitem__)
  )
  return jax.random.wrap_key_data(placed, impl=key) if key else placed


def _set_aside(manager, step, reason):
  folder = manager.directory / str(step)
  if jax.process_index() == 0:
    names = (f'{step}.damaged{n or ""}' for n in itertools.count())
    aside = next(p for n in names if not (p := folder.with_name(n)).exists())
    folder.rename(aside)
    warnings.warn(
      f'the checkpoint at step {step} is damaged and set aside as {aside}: '
      f'{_sentence(reason)}',
      stacklevel=3,
    )
  multihost_utils.sync_global_devices('ganjax: a checkpoint is set aside')
  manager.reload()


def _sentence(error):
  return f'{type(error).__name__}: {error}'.splitlines()[0][:300]


@contextlib.contextmanager
def _writing(manager):
  try:
    yield
  except Exception as error:
    raise OSError(
      f'a checkpoint could not be written to {manager.directory} '
      f'({_sentence(error)}); the older ones are intact: '
      f'{files.remedy(error)}, then run the same command again'
    ) from error


def _hush():
  """Silences orbax's own log, and what its interrupted operations print."""
  for name in 'absl', 'asyncio':
    logging.getLogger(name).addFilter(_not_from_orbax)
  # Where no thread can be started, its coroutines are forgotten.
  warnings.filterwarnings(
    'ignore', "coroutine '.*' was never awaited", RuntimeWarning
  )
  report = sys.unraisablehook

  # When one array fails, orbax closes the event loop under all the others,
  # and each of them ends, now or later, in a traceback from a C++ thread.
  def report_but_stragglers(unraisable):
    if str(unraisable.exc_value) != 'Event loop is closed':
      report(unraisable)

  if getattr(report, '__name__', '') != report_but_stragglers.__name__:
    sys.unraisablehook = report_but_stragglers


def _not_from_orbax(record):
  message = record.getMessage()
  # What orbax waits for is also tensorstore's, when several arrays fail.
  return (
    '/orbax/' not in record.pathname + message
    and 'exception was never retrieved' not in message
  )
