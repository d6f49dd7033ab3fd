"""Reads tensors from torch's pickles, without torch, and runs no code in them.

Of what `ganjax.weights.unpickle` lets a pickle build, this reader allows plain
containers, a record of a view, and the names of the number types, and refuses
whatever else it asks for. It reads tensors in each of the four forms in which
torch has written them; two of them are of 2017, and torchvision's VGGs have
these.
"""

import io
import math
import mmap
import zipfile
from typing import NamedTuple

import numpy as np

from ganjax.limits import RefusedError, budget, member
from ganjax.weights import unpickle

_MAGIC = 0x1950A86A20F9469CFC6C
_TYPES = {
  'BoolStorage': '?',
  'ByteStorage': 'u1',
  'CharStorage': 'i1',
  'ShortStorage': '<i2',
  'IntStorage': '<i4',
  'LongStorage': '<i8',
  'HalfStorage': '<f2',
  'FloatStorage': '<f4',
  'DoubleStorage': '<f8',
}


# Where checkpoints have the state_dict of a model, in the order of preference.
_WITHIN = ('state_dict', 'model_state_dict', 'model')


class State(NamedTuple):
  """What a file of torch holds under names.

  Attributes:
    arrays: by their names, which are as they are stored; None for what is no
      tensor.
    within: under which names of the file the names lie: ('model',).
  """

  arrays: dict
  within: tuple[str, ...]


def archive(file) -> State:
  """Returns the `State` of a file of `torch.save` since 1.6, which is a zip.

  Args:
    file: an open binary file.

  Raises:
    RefusedError: if the file needs more than tensors, numbers and containers,
      or more memory than any weights.
    Exception: of many kinds, if the file is damaged.
  """
  take = budget()
  with zipfile.ZipFile(file) as members:
    [pickled] = [n for n in members.namelist() if n.endswith('/data.pkl')]
    folder = pickled.removesuffix('data.pkl')
    tree, _ = _load(io.BytesIO(member(members, pickled, take)))
    return _state(
      tree, lambda key: member(members, f'{folder}data/{key}', take)
    )


def stream(file) -> State:
  """Returns the `State` of a file of `torch.save` before 1.6.

  Args:
    file: an open file of the disk.

  Raises:
    RefusedError: as `archive`.
    Exception: of many kinds, if the file is damaged.
  """
  # Mapped: a file would allocate all that a pickle says before it reads it.
  with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
    if _load(mapped)[0] != _MAGIC:
      raise RefusedError('it is a pickle, but not one that torch.save wrote')
    _load(mapped)  # the protocol
    _load(mapped)  # sizes of C types
    tree, storages = _load(mapped)
    stored, take = {}, budget()
    for key in _load(mapped)[0]:
      if not isinstance(key, str):
        raise EOFError('a storage has no name')
      [count] = np.frombuffer(mapped.read(8), '<i8')
      storage = storages[key]
      if count != storage.length:
        raise EOFError(
          f'storage {key} has {count} values, not {storage.length}'
        )
      size = storage.length * np.dtype(storage.type).itemsize
      take(size, f'storage {key}')
      stored[key] = mapped.read(size)
    return _state(tree, stored.__getitem__)


class _Storage(NamedTuple):
  key: str
  type: str
  length: int


class _Tensor:
  """A view of a storage: (storage, offset, size, stride)."""

  def __init__(self, view=None):
    self.view = view


def _tensor(*view_and_more):
  return _Tensor(view_and_more[:4])


def _parameter(tensor=None, *_):
  """Returns the tensor of a parameter; in early 2017 its state brings it."""
  return _Tensor(tensor.view if tensor is not None else None)


def _ordered(pairs=()):
  return unpickle.fill({}, [part for key, own in pairs for part in (key, own)])


_ALLOWED = {
  ('collections', 'OrderedDict'): _ordered,
  ('torch', 'Size'): tuple,
  ('torch._utils', '_rebuild_tensor'): _tensor,
  ('torch._utils', '_rebuild_tensor_v2'): _tensor,
  ('torch._utils', '_rebuild_parameter'): _parameter,
  ('torch.nn.parameter', 'Parameter'): _parameter,
}


def _find(module, name):
  if module == 'torch' and name in _TYPES:
    return name  # a string, which cannot be called
  if module == 'torch' and name.replace('Tensor', 'Storage') in _TYPES:
    return _Tensor
  if (module, name) not in _ALLOWED:
    raise RefusedError(
      f'its pickle asks for {module:.80}.{name:.80}, which no tensor needs and '
      'which could run a program, so nothing was run. Do not trust this file; '
      'if it is your own, save only the state_dict, or write .safetensors'
    )
  return _ALLOWED[module, name]


def _build(value, state):
  if isinstance(value, _Tensor):
    if len(state) == 4:  # a tensor of 2017
      value.view = state
    if len(state) == 5:  # a parameter of 2017: its data come first
      value.view = state[0].view
  elif not isinstance(value, dict):  # whose state has the layers' versions
    raise RefusedError(f'its pickle gives a state to a {type(value).__name__}')


def _load(file):
  """Returns the value of the next pickle of a file, and its storages by key."""
  storages = {}

  def persistent(pid):
    # Old files have a sixth entry, for views of storages.
    kind, name, key, _, count, *view = pid
    words = kind, name, key
    if not all(isinstance(word, str) for word in words) or any(view):
      raise RefusedError('it refers to something that is no plain storage')
    whole = isinstance(count, int) and count >= 0
    if kind != 'storage' or name not in _TYPES or not whole:
      raise RefusedError(f'it refers to a {kind:.20} {name:.80}, no storage')
    storages[key] = _Storage(key, _TYPES[name], count)
    return storages[key]

  return unpickle.load(file, _find, persistent, _build), storages


def _state(tree, read):
  """Returns the `State` in a tree; `read(key)` returns a storage's bytes."""
  within = ()
  while isinstance(tree, dict) and len(within) < 4:
    inner = [name for name in _WITHIN if isinstance(tree.get(name), dict)]
    if not inner:
      break
    within, tree = (*within, inner[0]), tree[inner[0]]
  tree = tree if isinstance(tree, dict) else {}
  arrays, buffers, take = {}, {}, budget()
  for name, value in tree.items():
    arrays[name] = None
    if isinstance(value, _Tensor):
      arrays[name] = _array(value.view, buffers, read)
      # Many names may share the values, which are looked at for each of them.
      take(arrays[name].nbytes, name)
  return State(arrays, within)


def _array(view, buffers, read):
  """Returns the array of a view; `buffers` has what was read, by key."""
  storage, offset, size, stride = view
  if not isinstance(storage, _Storage):
    raise RefusedError('it has a tensor without a storage')
  key, type_, count = storage
  if key not in buffers:
    buffers[key] = np.frombuffer(read(key), type_)
  values = buffers[key]
  if len(values) < count:
    raise EOFError(f'storage {key} has {len(values)} values, not {count}')
  if len(size) > 32 or len(size) != len(stride):
    raise EOFError(f'a tensor has {len(size)} sizes, {len(stride)} strides')
  if not all(0 <= n <= 2**62 for n in (offset, *size, *stride)):
    raise EOFError(f'a tensor has sizes {size}, strides {stride}')
  last = offset + sum(
    (n - 1) * step for n, step in zip(size, stride, strict=True)
  )
  if math.prod(size) > count:
    raise EOFError(f'a tensor of {size} does not fit {count} values')
  if math.prod(size) and last >= count:
    raise EOFError(f'a tensor ends at {last} of {count} values')
  width = values.itemsize
  return np.lib.stride_tricks.as_strided(
    values[offset:], size, [step * width for step in stride], writeable=False
  )
