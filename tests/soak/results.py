"""What a run leaves in its folder, in a form that two runs can be compared in.

Left out are times, which differ, and what is no result: locks, TensorBoard's
files, a report in HTML (its numbers are in the tables beside it), what was set
aside as damaged, and unfinished files of processes that were killed.
"""

import csv
import hashlib
import json
import pathlib
import re

import jax
import numpy as np
import orbax.checkpoint as ocp

_LEFT_OUT = re.compile(
  r'(^|/)(tensorboard|[^/]*\.damaged\d*|[^/]*orbax-checkpoint-tmp[^/]*)(/|$)'
  r'|lock$|\.tmp$|\.html$|\.pdf$'
)
_TIMES = re.compile(r'seconds|per_second|^memory$')
# Tables with a column of seconds, whose numbers are in the JSON and CSV beside.
_DRAWN = re.compile(r'^table\.(md|tex)$')


def read(folder, root):
  """Returns a dict from what is there to a value that equal runs share.

  Args:
    folder: the workdir, a `pathlib.Path`.
    root: a folder whose path the results may name, which is left out of them.
  """
  found = {}
  for path in sorted(folder.rglob('*')):
    name = f'{path.relative_to(folder)}'
    step = next((p for p in path.parents if _is_step(p)), None)
    if _is_step(path):
      found[name] = _checkpoint(path)
    elif path.is_file() and step is None and not _LEFT_OUT.search(name):
      found[name] = _file(path, f'{root}')
  return {name: own for name, own in found.items() if own is not None}


def differing(one, other):
  """Returns a sentence on the first differences, '' if there are none."""
  names = [
    name for name in sorted({*one, *other}) if one.get(name) != other.get(name)
  ]
  if not names:
    return ''
  kinds = [
    'missing' if name not in other else 'new' if name not in one else 'other'
    for name in names
  ]
  listed = [f'{name} ({kind})' for name, kind in zip(names, kinds, strict=True)]
  return f'{len(names)} results differ: {", ".join(listed[:4])}'


def _is_step(path):
  return path.name.isdigit() and (path / '_CHECKPOINT_METADATA').exists()


def _checkpoint(path):
  """Returns the hashes of a step's arrays, read by orbax alone."""
  if _LEFT_OUT.search(f'{path}'):
    return None
  with ocp.CheckpointManager(
    path.parent, options=ocp.CheckpointManagerOptions(read_only=True)
  ) as manager:
    stored = manager.restore(
      int(path.name),
      args=ocp.args.Composite(
        state=ocp.args.StandardRestore(), config=ocp.args.JsonRestore()
      ),
    )
  leaves = jax.tree_util.tree_leaves_with_path(stored['state'])
  hashes = {jax.tree_util.keystr(at): _array(leaf) for at, leaf in leaves}
  return hashes, _untimed(stored['config'])


def _array(leaf):
  leaf = np.asarray(leaf)
  return f'{leaf.dtype}{leaf.shape}', hashlib.sha256(leaf.tobytes()).digest()


def _file(path, root):
  if path.suffix == '.json':
    return _untimed(json.loads(path.read_text().replace(root, '')))
  if path.suffix == '.jsonl':
    lines = path.read_text().splitlines()
    return [_untimed(json.loads(line)) for line in lines]
  if path.suffix == '.csv':
    return _untimed(list(csv.DictReader(path.read_text().splitlines())))
  if _DRAWN.match(path.name):
    return 'drawn'
  return hashlib.sha256(path.read_bytes()).digest()


def _untimed(value):
  if isinstance(value, dict):
    return {
      name: _untimed(own)
      for name, own in value.items()
      if not _TIMES.search(f'{name}')
    }
  return [*map(_untimed, value)] if isinstance(value, list) else value


def under(folder, pattern):
  """Returns the paths in a folder that match, also while it changes."""
  try:
    return [*pathlib.Path(folder).glob(pattern)]
  except OSError:
    return []
