"""Checkpoints that can be trusted: what is restored is what was saved, or none.

Orbax writes in the background and commits a step at once or not at all. By
itself it also restores a flipped bit, casts to another dtype and drops a save
of an older step, each without a word. So beside `state` and `config` a step
holds a `manifest`: shape, dtype and CRC-32 of each leaf, and the versions of
the libraries, under a CRC-32 of its own that covers the config too.
"""

import contextlib
import itertools
import json
import logging
import platform
import sys
import warnings
import zlib
from importlib import metadata

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
from etils import epath
from jax.experimental import multihost_utils
from orbax.checkpoint.checkpoint_managers import LatestN

from ganjax import files


def manager(directory, keep=3):
  """Returns an `ocp.CheckpointManager` that holds the latest `keep` steps.

  It removes what a killed process left half written. From the first call on,
  orbax's own log lines are dropped in this process: whatever concerns the
  caller is raised or warned about by the functions below.

  Args:
    directory: where the steps go; it is made if there is none.
    keep: number of steps to hold, at least 1; the oldest are deleted.

  Raises:
    ValueError: if `keep` is below 1.
  """
  if keep < 1:
    raise ValueError(f'keep is {keep}, but at least 1 checkpoint must be held')
  return _open(
    directory, preservation_policy=LatestN(keep), cleanup_tmp_directories=True
  )


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
  arrays, leaves = _described(state)
  steps = manager.all_steps()
  if steps and max(steps) > step:
    raise ValueError(
      f'{manager.directory} holds step {max(steps)}, which is later than step '
      f'{step}: restore from it first, or save into a new directory'
    )
  if step in steps:
    try:
      stored = _records(manager, step)[1]['leaves']
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
  manifest = files.versioned({'leaves': leaves, 'versions': _versions()})
  manifest['crc32'] = _seal(config, manifest)
  # Orbax refuses arrays without elements; the manifest is enough for them.
  arrays = {path: array for path, array in arrays.items() if array.size}
  with _writing(manager):
    manager.save(
      step,
      args=ocp.args.Composite(
        state=ocp.args.StandardSave(arrays),
        config=ocp.args.JsonSave(config),
        manifest=ocp.args.JsonSave(manifest),
      ),
      force=True,
    )


def restore(manager, abstract, steps=None):
  """Returns the newest state that is bit for bit as saved, or None.

  A step that cannot be read or fails its checksums is renamed, as in
  `7.damaged`, with a warning, and the one before it is tried.

  Args:
    manager: from `manager`.
    abstract: the tree of `jax.eval_shape`, or of `jax.ShapeDtypeStruct` with
      the shardings that the arrays shall have.
    steps: among which to choose; all that are kept, if None.

  Raises:
    OSError: if a save under way fails.
    ValueError: if the newest readable step has other leaves, shapes or dtypes
      than `abstract`: it is a different model, so it stays where it is.
  """
  wait(manager)
  wanted = _by_path(abstract)
  # Read into numpy first: no fault of `abstract` may be taken for damage.
  target = {path: _target(like) for path, like in wanted.items()}
  steps = manager.all_steps() if steps is None else steps
  for step in sorted(steps, reverse=True):
    arrays, misfits, damage = {}, [], None
    try:
      stored = _records(manager, step)[1]['leaves']
      misfits = _misfits(stored, wanted)
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


def _by_path(tree):
  leaves = jax.tree_util.tree_leaves_with_path(tree)
  return {jax.tree_util.keystr(path): leaf for path, leaf in leaves}


def _is_key(leaf):
  return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _crc32(array):
  return zlib.crc32(np.ascontiguousarray(array).reshape(-1).view(np.uint8))


def _seal(config, manifest):
  return zlib.crc32(json.dumps([config, manifest], sort_keys=True).encode())


def _described(state):
  """Returns each leaf's raw values on the host, and its manifest entry."""
  arrays, entries = {}, {}
  for path, leaf in _by_path(state).items():
    if not isinstance(leaf, jax.Array):
      if np.asarray(leaf).dtype.kind in 'OSUMm':
        raise TypeError(
          f'{path} is {leaf!r}, but a state holds arrays and numbers only: '
          'put other values into the config'
        )
      # As eval_shape sees it: a Python int is an int32.
      leaf = np.asarray(leaf, jnp.result_type(leaf))
    entries[path] = {'shape': list(leaf.shape), 'dtype': str(leaf.dtype)}
    if _is_key(leaf):
      entries[path]['key'] = str(jax.random.key_impl(leaf))
      leaf = jax.random.key_data(leaf)
    if isinstance(leaf, jax.Array) and leaf.is_fully_replicated:
      leaf = leaf.addressable_data(0)
    arrays[path] = leaf
  arrays = jax.device_get(arrays)
  for path, array in arrays.items():
    entries[path]['crc32'] = _crc32(array)
  return arrays, entries


def _versions():
  versions = {'python': platform.python_version()}
  for name in 'ganjax', 'jax', 'flax', 'optax', 'orbax-checkpoint':
    with contextlib.suppress(metadata.PackageNotFoundError):
      versions[name] = metadata.version(name)
  return versions


def _records(manager, step):
  item = ocp.args.JsonRestore()
  args = ocp.args.Composite(config=item, manifest=item)
  records = manager.restore(step, args=args)
  config, manifest = records['config'], records['manifest']
  if manifest.pop('crc32') != _seal(config, manifest):
    raise ValueError('its manifest and config are not what was written')
  # Only then: another number might be damage. So the seal must be the same in
  # all formats.
  return config, files.unversioned(manifest, manager.directory / str(step))


def _misfits(stored, wanted):
  stored = {k: f'{tuple(v["shape"])} {v["dtype"]}' for k, v in stored.items()}
  wanted = {k: f'{tuple(v.shape)} {v.dtype}' for k, v in wanted.items()}
  return [
    f'{path.lstrip(".")} stored {stored.get(path, "nothing")}, '
    f'wanted {wanted.get(path, "nothing")}'
    for path in {**wanted, **stored}
    if wanted.get(path) != stored.get(path)
  ]


def _target(like):
  raw = jax.eval_shape(jax.random.key_data, like) if _is_key(like) else like
  return np.broadcast_to(np.zeros((), raw.dtype), raw.shape)


def _read(manager, step, stored, target):
  args = ocp.args.StandardRestore({k: v for k, v in target.items() if v.size})
  arrays = manager.restore(step, args=ocp.args.Composite(state=args))['state']
  arrays = {**target, **arrays}
  for path, array in arrays.items():
    if _crc32(array) != stored[path]['crc32']:
      raise ValueError(f'{path.lstrip(".")} fails its checksum')
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
      f'({_sentence(error)}); the older ones are intact: free space there, or '
      'make it writable, then run the same command again'
    ) from error


def _hush():
  """Keeps orbax's own log, and what its broken-off operations print, quiet."""
  for name in 'absl', 'asyncio':
    logging.getLogger(name).addFilter(_not_from_orbax)
  report = sys.unraisablehook

  # When one array fails, orbax closes the event loop under all the others,
  # and each of them ends, now or later, in a traceback from a C++ thread.
  def report_but_stragglers(unraisable):
    if str(unraisable.exc_value) != 'Event loop is closed':
      report(unraisable)

  if getattr(report, '__name__', '') != report_but_stragglers.__name__:
    sys.unraisablehook = report_but_stragglers


def _not_from_orbax(record):
  return '/orbax/' not in record.pathname + record.getMessage()
