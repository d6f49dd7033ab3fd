"""Files of weights: what an independent writer writes is what is read."""

import collections
import hashlib
import io
import pathlib
import pickle
import sys
import types
import zipfile

import h5py
import numpy as np
import pytest
from safetensors.numpy import save_file

from ganjax.weights import deep_compression, formats

SHARED = pathlib.Path(__file__).resolve().parents[3] / 'shared'
SQUEEZENET = SHARED / 'weights' / 'compressed_SqueezeNet.net'
needs_squeezenet = pytest.mark.skipif(
  not SQUEEZENET.exists(), reason=f'no {SQUEEZENET}'
)


class Storage:
  """A run of values, pickled as a reference to its place in the file."""

  def __init__(self, key, values):
    self.key, self.values = key, np.asarray(values)


class Call:
  """Pickled as a call of a function, and a state if there is one."""

  def __init__(self, function, arguments, *state):
    self.parts = function, arguments, *state

  def __reduce__(self):
    return self.parts


class Pickler(pickle.Pickler):
  def __init__(self, file, legacy):
    super().__init__(file, 2)
    self.legacy = legacy

  def persistent_id(self, value):
    if not isinstance(value, Storage):
      return None
    torch = sys.modules['torch']
    kind = {'<f4': torch.FloatStorage, '<i8': torch.LongStorage}
    size = len(value.values)
    pid = 'storage', kind[value.values.dtype.str], value.key, 'cpu', size
    return (*pid, None) if self.legacy else pid


@pytest.fixture
def torch(monkeypatch):
  """Names to pickle by, of functions that nobody can call."""
  modules = {}
  for name in 'torch', 'torch._utils', 'torch.nn', 'torch.nn.parameter':
    modules[name] = types.ModuleType(name)
    monkeypatch.setitem(sys.modules, name, modules[name])

  def add(module, name):
    made = type(name, (), {'__module__': module})
    setattr(modules[module], name, made)
    return made

  for name in 'FloatStorage', 'LongStorage', 'FloatTensor', 'Size':
    add('torch', name)
  for name in '_rebuild_tensor', '_rebuild_tensor_v2', '_rebuild_parameter':
    add('torch._utils', name)
  add('torch.nn.parameter', 'Parameter')
  modules['torch']._utils = modules['torch._utils']
  modules['torch'].nn = modules['torch.nn']
  modules['torch.nn'].parameter = modules['torch.nn.parameter']
  return modules['torch']


def views():
  """Four tensors of two storages, and what they hold."""
  one = Storage('0', np.arange(24, dtype='<f4') / 7)
  two = Storage('1', np.array([3, -4], '<i8'))
  return {
    'whole': ((one, 0, (2, 3, 4), (12, 4, 1)), one.values.reshape(2, 3, 4)),
    'transposed': ((one, 2, (3, 2), (1, 4)), one.values[2:10].reshape(2, 4)),
    'scalar': ((two, 1, (), ()), np.int64(-4)),
    'empty': ((two, 0, (0, 5), (5, 1)), np.zeros((0, 5), '<i8')),
  }


def expected():
  return {
    name: array[:, :3].T if name == 'transposed' else array
    for name, (_, array) in views().items()
  }


def state(torch, manner):
  """A state_dict whose tensors are pickled in a manner of torch's history."""
  tensors = collections.OrderedDict()
  for name, (view, _) in views().items():
    hooks = collections.OrderedDict()
    if manner == '2018':
      rebuild = torch._utils._rebuild_tensor_v2
      tensors[name] = Call(rebuild, (*view, False, hooks))
      continue
    tensors[name] = Call(torch._utils._rebuild_tensor, view)
    if manner == '2017, parameters':
      tensors[name] = Call(
        torch.nn.parameter.Parameter,
        (tensors[name], True),
        (True, False, hooks),
      )
    if manner == 'rebuilt parameters':
      tensors[name] = Call(
        torch._utils._rebuild_parameter, (tensors[name], True, hooks)
      )
    if manner == 'early 2017':
      tensor = Call(torch.FloatTensor, (), view)
      data = (tensor, None, hooks, True, False)
      tensors[name] = Call(torch.nn.parameter.Parameter, (), data)
  tensors._metadata = collections.OrderedDict(version=1)
  return tensors


def stored(views):
  return {view[0].key: view[0].values for view, _ in views.values()}


def write_stream(path, tree):
  with open(path, 'wb') as file:
    pickle.dump(0x1950A86A20F9469CFC6C, file, 2)
    pickle.dump(1001, file, 2)
    pickle.dump({'little_endian': True}, file, 2)
    Pickler(file, legacy=True).dump(tree)
    storages = stored(views())
    pickle.dump(sorted(storages), file, 2)
    for _, values in sorted(storages.items()):
      file.write(len(values).to_bytes(8, 'little') + values.tobytes())


def write_archive(path, tree):
  pickled = io.BytesIO()
  Pickler(pickled, legacy=False).dump(tree)
  with zipfile.ZipFile(path, 'w') as file:
    file.writestr('archive/data.pkl', pickled.getvalue())
    for key, values in stored(views()).items():
      file.writestr(f'archive/data/{key}', values.tobytes())
    file.writestr('archive/version', '3\n')


def assert_read(path, arrays):
  found = formats.read(path)
  assert found.keys() == arrays.keys()
  for name, array in arrays.items():
    assert found[name].dtype == array.dtype
    np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize(
  'manner',
  [
    '2018',
    '2017',
    '2017, parameters',
    'early 2017',
    'rebuilt parameters',
  ],
)
@pytest.mark.parametrize('write', [write_stream, write_archive])
def test_torch_files_of_all_ages_are_read(tmp_path, torch, write, manner):
  write(tmp_path / 'a.dat', state(torch, manner))
  assert_read(tmp_path / 'a.dat', expected())
  write(tmp_path / 'b.dat', {'epoch': 3, 'state_dict': state(torch, manner)})
  with pytest.warns(UserWarning, match="found under 'state_dict'"):
    assert_read(tmp_path / 'b.dat', expected())


def test_other_files_are_known_by_their_content(tmp_path):
  random = np.random.default_rng(0)
  arrays = {
    'block1_conv1/block1_conv1_W_1:0': random.normal(size=(3, 3, 3, 4)),
    'block1_conv1/block1_conv1_b_1:0': random.normal(size=4),
  }
  arrays = {name: array.astype('f4') for name, array in arrays.items()}
  with h5py.File(tmp_path / 'a', 'w') as file:
    for name, array in arrays.items():
      file[name] = array
    file['note'] = 'text is left out'
  save_file(arrays, tmp_path / 'b')
  with open(tmp_path / 'c', 'wb') as file:
    np.savez(file, **arrays)
  for name in 'abc':
    assert_read(tmp_path / name, arrays)


@pytest.mark.parametrize('write', [write_stream, write_archive])
@pytest.mark.parametrize('call', [eval, sys.exit, collections.Counter])
def test_a_pickle_that_would_act_is_refused_by_name(
  tmp_path, torch, write, call
):
  (tmp_path / 'canary').write_text('alive')
  order = f'__import__("os").remove({str(tmp_path / "canary")!r})'
  write(tmp_path / 'evil.pth', {'weight': Call(call, (order,))})
  name = f'{call.__module__}.{call.__name__}'
  name = name.replace('builtins.', '(__builtin__|builtins).')
  with pytest.raises(ValueError, match=rf'evil\.pth was not read: .*{name}'):
    formats.read(tmp_path / 'evil.pth')
  assert (tmp_path / 'canary').exists()


def test_other_pickles_and_foreign_storages_are_refused(tmp_path, torch):
  (tmp_path / 'a').write_bytes(pickle.dumps([1, 2], 2))
  with pytest.raises(ValueError, match='not one that torch.save wrote'):
    formats.read(tmp_path / 'a')
  protocol_0 = pickle.dumps(eval, 0)  # text: nothing to know it by
  (tmp_path / 'b').write_bytes(protocol_0)
  with pytest.raises(ValueError, match='begin with'):
    formats.read(tmp_path / 'b')
  views = [
    (Storage('0', np.zeros(4, '<f4')), 0, (5,), (1,)),
    (Storage('0', np.zeros(4, '<f4')), 1, (4,), (1,)),
    (Storage('0', np.zeros(4, '<f4')), 2, (2,), (-1,)),
    (Storage('0', np.zeros(4, '<f4')), -1, (1,), (1,)),
    (Storage('0', np.zeros(4, '<f4')), 0, (10**12,), (0,)),
  ]
  for view in views:
    tensor = Call(torch._utils._rebuild_tensor, view)
    write_archive(tmp_path / 'c', {'weight': tensor})
    with pytest.raises(ValueError, match='damaged .*tensor'):
      formats.read(tmp_path / 'c')


def test_truncated_files_are_said_to_be(tmp_path, torch):
  write_stream(tmp_path / 'stream', state(torch, '2018'))
  write_archive(tmp_path / 'archive', state(torch, '2018'))
  save_file({'a': np.zeros(9, 'f4')}, tmp_path / 'safetensors')
  with h5py.File(tmp_path / 'hdf5', 'w') as file:
    file['a'] = np.zeros(9)
  np.savez(tmp_path / 'npz', a=np.zeros(9))
  (tmp_path / 'npz.npz').rename(tmp_path / 'npz')
  for path in list(tmp_path.iterdir()):
    whole = path.read_bytes()
    for size in (len(whole) - 1, len(whole) // 2, 40):
      path.write_bytes(whole[:size])
      with pytest.raises(ValueError, match=f'{path.name} is truncated or dama'):
        formats.read(path)


def test_a_flipped_bit_in_an_archive_is_found(tmp_path, torch):
  write_archive(tmp_path / 'a', state(torch, '2018'))
  whole = bytearray((tmp_path / 'a').read_bytes())
  values = (np.arange(24, dtype='<f4') / 7).tobytes()
  whole[whole.index(values) + 20] ^= 1
  (tmp_path / 'a').write_bytes(whole)
  with pytest.raises(ValueError, match='CRC'):
    formats.read(tmp_path / 'a')


def test_what_is_no_file_of_weights(tmp_path):
  path = tmp_path / 'a.pth'
  for content, words in [
    (b'<!DOCTYPE html><html>', 'a web page that was saved in its place'),
    (b'', '0 bytes that begin with'),
    (b'\xff' * 5000, '5000 bytes that begin with'),
  ]:
    path.write_bytes(content)
    with pytest.raises(ValueError, match=words):
      formats.read(path)
  with zipfile.ZipFile(tmp_path / 'list', 'w') as file:
    file.writestr('archive/data.pkl', pickle.dumps([1, 2], 2))
  with pytest.raises(ValueError, match='holds no arrays'):
    formats.read(tmp_path / 'list')
  np.savez(tmp_path / 'b.npz', a=np.array(['text']))
  with pytest.raises(ValueError, match='holds no arrays'):
    formats.read(tmp_path / 'b.npz')
  with pytest.raises(FileNotFoundError):
    formats.read(tmp_path / 'c')


def test_digest_is_that_of_the_bytes(tmp_path):
  (tmp_path / 'a').write_bytes(b'weights')
  assert (
    formats.digest(tmp_path / 'a') == hashlib.sha256(b'weights').hexdigest()
  )
  assert (
    formats.digest(tmp_path / 'a', 'md5') == hashlib.md5(b'weights').hexdigest()
  )


# The compressed SqueezeNet.


def encode(arrays):
  """The compressed file of sparse arrays of few values, byte by byte."""
  counts, parts = [], []
  for name, shape in deep_compression.LAYERS:
    dense = arrays[f'{name}/weight'].reshape(-1)
    assert arrays[f'{name}/weight'].shape == shape
    book = np.unique(np.append(dense, 0))
    codes, gaps, last = [], [], -1
    for place in np.flatnonzero(dense):
      while place - last > 16:  # a zero stands in where a gap is too long
        last += 16
        codes.append(int(np.flatnonzero(book == 0)[0]))
        gaps.append(15)
      codes.append(int(np.flatnonzero(book == dense[place])[0]))
      gaps.append(int(place - last - 1))
      last = place
    counts.append(len(codes))
    book = np.append(book, np.zeros(256 - len(book)))
    if len(gaps) % 2:
      gaps.append(0)
    nibbles = bytes(
      a | b << 4 for a, b in zip(gaps[::2], gaps[1::2], strict=True)
    )
    parts += [book.astype('<f4').tobytes()]
    parts += [arrays[f'{name}/bias'].astype('<f4').tobytes()]
    parts += [bytes(codes), nibbles]
  return np.array(counts, '<u4').tobytes() + b''.join(parts)


def test_the_compressed_file_is_decoded(tmp_path):
  random = np.random.default_rng(0)
  arrays = {}
  for name, shape in deep_compression.LAYERS:
    values = random.choice([-0.5, 0.25, 2], size=shape)
    # Sparse enough for gaps of more than 16.
    arrays[f'{name}/weight'] = np.where(
      random.random(shape) < 0.03, values, 0
    ).astype('f4')
    arrays[f'{name}/bias'] = random.normal(size=shape[0]).astype('f4')
  whole = encode(arrays)
  (tmp_path / 'a').write_bytes(whole)
  assert_read(
    tmp_path / 'a', {n: arrays[n] for n in formats.read(tmp_path / 'a')}
  )
  assert formats.read(tmp_path / 'a').keys() == arrays.keys()
  (tmp_path / 'a').write_bytes(whole[:-1])
  with pytest.raises(ValueError, match='bytes that begin with'):
    formats.read(tmp_path / 'a')
  # Gaps that lead beyond the layer.
  [count] = np.frombuffer(whole[:4], '<u4')
  start = 104 + 1024 + 4 * 96 + count
  broken = bytearray(whole)
  broken[start : start + count // 2] = b'\xff' * (count // 2)
  (tmp_path / 'a').write_bytes(broken)
  with pytest.raises(ValueError, match='conv1 has a weight at'):
    formats.read(tmp_path / 'a')


@needs_squeezenet
def test_the_real_compressed_file_is_decoded_to_its_last_byte():
  found = formats.read(SQUEEZENET)
  with np.load(SHARED / 'weights' / 'squeezenet1_0.npz') as reference:
    assert found.keys() == set(reference)
    for name, array in reference.items():
      np.testing.assert_array_equal(found[name], array)
  data = SQUEEZENET.read_bytes()
  assert deep_compression.fits(data[:104], len(data))
  assert not deep_compression.fits(data[:104], len(data) + 1)
