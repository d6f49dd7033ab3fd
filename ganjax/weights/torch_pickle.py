"""Reads tensors from torch's pickles, without torch, and runs no code in them.

A pickle is a program. This reader gives it only a plain record of a view and
the names of the number types, nothing that could do harm, and refuses whatever
else it asks for. It reads tensors in each of the four forms in which torch has
written them; two of them are of 2017, and torchvision's VGGs have these.
"""

import collections
import math
import pickle
import zipfile

import numpy as np

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


class RefusedError(ValueError):
  """The pickle asks for something that no tensor needs."""


def archive(file):
  """Returns the content of a file of `torch.save` since 1.6, which is a zip.

  Args:
    file: an open binary file.

  Raises:
    RefusedError: if the file holds more than tensors, numbers and containers.
    Exception: of many kinds, if the file is damaged.
  """
  with zipfile.ZipFile(file) as members:
    [pickled] = [n for n in members.namelist() if n.endswith('/data.pkl')]
    folder = pickled.removesuffix('data.pkl')
    with members.open(pickled) as stream:
      tree = _Reader(stream).load()
    return _with_arrays(tree, lambda key: members.read(f'{folder}data/{key}'))


def stream(file):
  """Returns the content of a file of `torch.save` before 1.6.

  Args:
    file: an open binary file.

  Raises:
    RefusedError: if the file holds more than tensors, numbers and containers.
    Exception: of many kinds, if the file is damaged.
  """
  if _Reader(file).load() != _MAGIC:
    raise RefusedError('it is a pickle, but not one that torch.save wrote')
  _Reader(file).load()  # the protocol
  _Reader(file).load()  # sizes of C types
  reader = _Reader(file)
  tree = reader.load()
  stored = {}
  for key in _Reader(file).load():
    [count] = np.frombuffer(file.read(8), '<i8')
    type_, expected = reader.storages[key]
    if count != expected:
      raise EOFError(f'storage {key} has {count} values, not {expected}')
    stored[key] = file.read(count * np.dtype(type_).itemsize)
  return _with_arrays(tree, stored.get)


class _Tensor:
  """A view of a storage: (storage, offset, size, stride)."""

  view = None

  def __init__(self, tensor=None, *_):
    if tensor is not None:  # as Parameter(tensor, requires_grad, hooks)
      self.view = tensor.view

  def __setstate__(self, state):
    if len(state) == 4:  # a tensor of 2017
      self.view = state
    if len(state) == 5:  # a parameter of 2017: its data come first
      self.view = state[0].view


def _tensor(*view_and_more):
  tensor = _Tensor()
  tensor.view = view_and_more[:4]
  return tensor


class _Reader(pickle.Unpickler):
  """The unpickler; `storages` is `{key: (type, number of values)}`."""

  def __init__(self, file):
    super().__init__(file, encoding='utf-8')
    self.storages = {}

  def find_class(self, module, name):
    allowed = {
      ('collections', 'OrderedDict'): collections.OrderedDict,
      ('torch', 'Size'): tuple,
      ('torch._utils', '_rebuild_tensor'): _tensor,
      ('torch._utils', '_rebuild_tensor_v2'): _tensor,
      ('torch._utils', '_rebuild_parameter'): _Tensor,
      ('torch.nn.parameter', 'Parameter'): _Tensor,
    }
    if module == 'torch' and name in _TYPES:
      return name  # a string, which cannot be called
    if module == 'torch' and name.replace('Tensor', 'Storage') in _TYPES:
      return _Tensor
    if (module, name) not in allowed:
      raise RefusedError(
        f'its pickle asks for {module}.{name}, which no tensor needs and which '
        'could run a program, so nothing was run. Do not trust this file; if '
        'it is your own, save only the state_dict, or write .safetensors'
      )
    return allowed[module, name]

  def persistent_load(self, pid):
    # Old files have a sixth entry, for views of storages.
    kind, name, key, _, count, *view = pid
    if kind != 'storage' or name not in _TYPES or any(view):
      raise RefusedError(f'it refers to {pid!r}, which is not a plain storage')
    self.storages[key] = _TYPES[name], count
    return key, _TYPES[name], count


def _with_arrays(tree, read):
  """Returns the tree with arrays for tensors; `read(key)` returns bytes."""
  buffers = {}

  def array(tensor):
    (key, type_, count), offset, size, stride = tensor.view
    if key not in buffers:
      buffers[key] = np.frombuffer(read(key), type_)
    values = buffers[key]
    if len(values) < count:
      raise EOFError(f'storage {key} has {len(values)} values, not {count}')
    steps = zip(size, stride, strict=True)
    last = offset + sum((n - 1) * step for n, step in steps)
    if min(offset, *size, *stride, 0) < 0 or math.prod(size) > count:
      raise EOFError(f'a tensor of {size} does not fit {count} values')
    if math.prod(size) and last >= count:
      raise EOFError(f'a tensor ends at {last} of {count} values')
    width = values.itemsize
    return np.lib.stride_tricks.as_strided(
      values[offset:], size, [step * width for step in stride], writeable=False
    )

  def walk(node):
    if isinstance(node, _Tensor):
      return array(node)
    if isinstance(node, dict):
      return {key: walk(value) for key, value in node.items()}
    return node

  return walk(tree)
