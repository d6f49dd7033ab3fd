"""Weights of strangers: small files that claim much, or lead to other files."""

import io
import os
import pickle
import struct
import time
import tracemalloc
import warnings
import zipfile

import h5py
import numpy as np
import pytest
from safetensors.numpy import save_file

from ganjax.weights import formats, torch_pickle, unpickle


def failure(path, most=2**26, seconds=5):
  """The words of the error; memory and time of reading are bounded."""
  began = time.monotonic()
  tracemalloc.start()
  try:
    with pytest.raises(ValueError) as raised:
      formats.read(path)
    assert tracemalloc.get_traced_memory()[1] < most
  finally:
    tracemalloc.stop()
  assert time.monotonic() - began < seconds
  words = f'{raised.value}'
  assert words.startswith(f'{path} ') and '\n' not in words
  return words


# Pickles: operations are single bytes, as Python's pickletools names them.

MAGIC = pickle.dumps(0x1950A86A20F9469CFC6C, 2)


def archive(path, program):
  with zipfile.ZipFile(path, 'w') as file:
    file.writestr('archive/data.pkl', b'\x80\x02' + program)
    file.writestr('archive/data/0', np.arange(4, dtype='<f4').tobytes())


STORAGE = (
  b'(X\x07\0\0\0storagectorch\nFloatStorage\n'
  b'X\x01\0\0\x000X\x03\0\0\0cpuK\x04tQ'
)
TENSOR = (
  b'ctorch._utils\n_rebuild_tensor\n(' + STORAGE + b'K\x00K\x04\x85K\x01\x85tR'
)
NAME = b'X\x01\0\0\0w'


def doubled(times, wrap=b'\x86'):
  """A value that has itself twice, again and again: 2^times in all."""
  return b'N' + times * (b'q\x00h\x00' + wrap)


def dicts(times):
  """The same of dicts, whose two names share a value."""
  level = b'q\x000}X\x01\0\0\0ah\x00sX\x01\0\0\0bh\x00s'
  return b'}' + times * level


def test_what_is_nested_2_to_the_40_times_takes_no_time(tmp_path):
  path = tmp_path / 'a.pth'
  archive(
    path, b'}' + NAME + TENSOR + b's' + b'X\x01\0\0\0x' + dicts(40) + b's.'
  )
  began = time.monotonic()
  found = formats.read(path)
  assert time.monotonic() - began < 2
  np.testing.assert_array_equal(found['w'], [0, 1, 2, 3])
  archive(path, dicts(40) + b'.')
  assert "holds no arrays under names, but ['a', 'b']" in failure(path)
  archive(path, b'}' + doubled(40) + b'Ns.')  # to hash it takes 2^40 steps
  assert 'has a tuple as a name' in failure(path)
  archive(path, doubled(40) + b'Q.')  # as would an error that shows it
  assert 'was not read' in failure(path) or 'damaged' in failure(path)


@pytest.mark.parametrize(
  ('program', 'words'),
  [
    (b'}r' + struct.pack('<I', 2**28) + b'.', 'holds no arrays'),
    (b'}r' + struct.pack('<I', 2**32 - 1) + b'.', 'holds no arrays'),
    (b'\x8e' + struct.pack('<Q', 2**40) + b'x.', 'damaged'),
    (b'B' + struct.pack('<I', 2**31 + 5) + b'x.', 'damaged'),
    (b'\x8d' + struct.pack('<Q', 2**62) + b'x.', 'damaged'),
    (b'\x8b' + struct.pack('<i', 2**31 - 1) + b'x.', 'damaged'),
    (b'ctorch._utils\n_rebuild_tensor\n}(X\x01\0\0\0aNub.', 'gives a state to'),
    (b'ctorch\nFloatTensor\n}(X\x01\0\0\0aNub.', 'gives a state to a type'),
    (b'\x8f.', 'has a EMPTY_SET'),
    (b'(i__main__\nx\n.', 'has a INST'),
    (b'K\x01K\x02R.', 'calls a int'),
    (b'N' * 600_000 + b'.', 'more operations than weights need'),
    (
      b'ccollections\nOrderedDict\nq\x01]('
      + b'NN\x86' * 1000
      + b'eq\x02'
      # Each of these copies them all.
      + b'h\x01h\x02\x85R0' * 300
      + b'.',
      'copies more than weights need',
    ),
    (b'N' + b'\x85' * 100_000 + b'.', 'holds no arrays'),  # deep
    (b'', 'damaged'),
    (b'R.', 'damaged'),
  ],
  ids=range(16),
)
def test_a_pickle_that_claims_much_is_bounded(tmp_path, program, words):
  path = tmp_path / 'a.pth'
  archive(path, program)
  assert words in failure(path, seconds=30)
  path.write_bytes(MAGIC + b'\x80\x02' + program)
  failure(path, seconds=30)


def test_no_pickle_changes_what_later_ones_get(tmp_path):
  path = tmp_path / 'a.pth'
  for name in ('ctorch\nFloatTensor\n', 'ccollections\nOrderedDict\n'):
    archive(path, name.encode() + b'N}X\x04\0\0\0viewK\x01s\x86b.')
    failure(path)
  archive(path, b'}' + NAME + TENSOR + b's.')
  assert formats.read(path)['w'].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize('protocol', range(5))
def test_the_machine_agrees_with_pythons(protocol):
  shared = [1]
  value = {
    'plain': [1, -2, 300, 2**20, 2**70, 3.5, None, True, False],
    'text': ('x', 'ü' * 300, ''),
    'few': [[], {}, (), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)],
    'many': list(range(2000)),
    'names': {str(n): n for n in range(3000)},
    'shared': [shared, shared, {'k': shared}],
    # Before protocol 3, bytes are pickled as a call.
    'bytes': [b'y', b'z' * 300] if protocol > 2 else [],
  }
  text = io.BytesIO(pickle.dumps(value, protocol) + b'more')
  read = unpickle.load(text, _no_find, _no_find, _no_find)
  assert read == value and text.read() == b'more'
  assert read['shared'][0] is read['shared'][1] is read['shared'][2]['k']


def _no_find(*arguments):
  raise AssertionError(arguments)


# Archives.


def test_members_larger_than_they_say_are_not_inflated(tmp_path):
  for name in ('archive/data.pkl', 'a.npy'):
    path = tmp_path / 'a'
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as file:
      file.writestr(name, bytes(2**27))
    whole = bytearray(path.read_bytes())
    for at in (
      whole.index(b'PK\x03\x04') + 22,
      whole.rindex(b'PK\x01\x02') + 24,
    ):
      assert whole[at : at + 4] == struct.pack('<I', 2**27)
      whole[at : at + 4] = struct.pack('<I', 100)
    path.write_bytes(whole)
    assert 'damaged' in failure(path, most=2**23)


def test_members_that_say_they_are_huge_are_refused(tmp_path):
  for name in ('archive/data.pkl', 'a.npy'):
    path = tmp_path / 'a'
    with zipfile.ZipFile(path, 'w') as file:
      file.writestr(name, bytes(100))
    whole = bytearray(path.read_bytes())
    for at in (
      whole.index(b'PK\x03\x04') + 22,
      whole.rindex(b'PK\x01\x02') + 24,
    ):
      whole[at : at + 4] = struct.pack('<I', 2**32 - 2)
    path.write_bytes(whole)
    assert 'damaged' in failure(path, most=2**23)
    with zipfile.ZipFile(path, 'w') as file:
      file.writestr(name, bytes(100))
      file.filelist[0].file_size = 2**33  # in the directory at its end
    assert 'more than 4 GiB' in failure(path, most=2**23)


def test_an_array_that_says_it_is_huge_is_damaged(tmp_path):
  header = io.BytesIO()
  np.lib.format.write_array_header_1_0(
    header, {'descr': '<f4', 'fortran_order': False, 'shape': (2**40,)}
  )
  with zipfile.ZipFile(tmp_path / 'a', 'w') as file:
    file.writestr('a.npy', header.getvalue() + bytes(16))
  assert 'an array of (1099511627776,) float32 has 16 bytes' in failure(
    tmp_path / 'a'
  )


def test_arrays_of_numpy_are_read_in_any_order_and_no_objects(tmp_path):
  columns = np.asfortranarray(np.arange(6.0).reshape(2, 3))
  np.savez_compressed(tmp_path / 'a.npz', a=columns, b=np.float32(7), c=[[]])
  found = formats.read(tmp_path / 'a.npz')
  np.testing.assert_array_equal(found['a'], columns)
  assert found['b'].shape == () and found['c'].shape == (1, 0)
  np.savez(tmp_path / 'b.npz', a=np.array([{}]))
  assert 'could run a program' in failure(tmp_path / 'b.npz')


# HDF5.


def test_hdf5_leads_to_no_other_file(tmp_path):
  secret = tmp_path / 'secret'
  secret.write_bytes(b'password' * 8)
  with h5py.File(tmp_path / 'other.h5', 'w') as file:
    file['x'] = np.zeros(4)

  def virtual(file):
    layout = h5py.VirtualLayout((4,), 'f8')
    layout[:] = h5py.VirtualSource(tmp_path / 'other.h5', 'x', shape=(4,))
    file.create_virtual_dataset('v', layout)

  def external(file):
    file.create_dataset('e', (64,), 'u1', external=[(secret, 0, 64)])

  def link(file):
    file['l'] = h5py.ExternalLink(str(tmp_path / 'other.h5'), 'x')

  for write, words in {
    virtual: 'v in it lie in other files',
    external: 'e in it lie in other files',
    link: 'l in it is a link to another file',
  }.items():
    with h5py.File(tmp_path / 'a.h5', 'w') as file:
      file['good'] = np.zeros(3)
      write(file.create_group('deep'))
    assert f'deep/{words}' in failure(tmp_path / 'a.h5')
  with h5py.File(tmp_path / 'a.h5', 'w') as file:
    file['good'] = np.zeros(3)
    file['soft'] = h5py.SoftLink('/good')
    file.create_group('group')['again'] = file['/']  # a cycle
  assert list(formats.read(tmp_path / 'a.h5')) == ['good']


def test_hdf5_that_says_it_is_huge_is_refused(tmp_path):
  for shape, words in {
    (2**40,): 'more than 4 GiB',
    (2**20,): 'has no values',
  }.items():
    with h5py.File(tmp_path / 'a.h5', 'w') as file:
      file.create_dataset('a', shape, 'f4', chunks=(2**10,))
    assert words in failure(tmp_path / 'a.h5')


# What is found in whole files.


@pytest.mark.parametrize('value', [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_refused(tmp_path, value):
  good, bad = np.zeros(3, 'f4'), np.float32([0, value, 1])
  save_file({'good': good, 'bad': bad}, tmp_path / 'a')
  assert '1 of the 3 values of bad are not finite' in failure(tmp_path / 'a')


@pytest.mark.parametrize(
  ('prefix', 'said'),
  [('module.', 'module.'), ('module._orig_mod.', 'module._orig_mod.')],
)
def test_a_prefix_of_all_names_is_left_out_and_said(tmp_path, prefix, said):
  arrays = {f'{prefix}{name}': np.zeros(2) for name in 'ab'}
  save_file(arrays, tmp_path / 'a')
  with pytest.warns(
    UserWarning, match=f"begin with '{said}', which is left out"
  ):
    assert set(formats.read(tmp_path / 'a')) == {'a', 'b'}
  save_file(arrays | {'c': np.zeros(2)}, tmp_path / 'a')
  with warnings.catch_warnings():
    warnings.simplefilter('error')
    assert 'c' in formats.read(tmp_path / 'a')


def test_weights_are_found_within_a_checkpoint(tmp_path):
  inner = b'}X\x08\0\0\0module.w' + TENSOR + b's'
  program = b'}X\x05\0\0\0epochK\x07sX\x05\0\0\0model' + inner + b's.'
  archive(tmp_path / 'a', program)
  with pytest.warns(
    UserWarning, match="under 'model', and begin with 'module.'"
  ):
    assert set(formats.read(tmp_path / 'a')) == {'w'}


def test_pipes_are_not_opened(tmp_path):
  os.mkfifo(tmp_path / 'a')
  for read in formats.read, formats.digest:
    with pytest.raises(ValueError, match='is a pipe or a device'):
      read(tmp_path / 'a')


def test_a_full_memory_is_a_sentence(tmp_path, monkeypatch):
  def full(file):
    raise MemoryError

  monkeypatch.setattr(torch_pickle, 'archive', full)
  archive(tmp_path / 'a', b'}.')
  assert 'needs more memory than there is' in failure(tmp_path / 'a')


@pytest.mark.slow
def test_damaged_weights_are_read_or_end_in_a_sentence(tmp_path):
  rng = np.random.default_rng(0)
  arrays = {f'{n}.weight': rng.normal(size=(4, 3)).astype('f4') for n in 'abc'}
  archive(tmp_path / 'torch', b'}' + NAME + TENSOR + b's.')
  stream = [MAGIC, pickle.dumps(1001, 2), pickle.dumps({}, 2)]
  stream += [b'\x80\x02}' + NAME + TENSOR + b's.', pickle.dumps(['0'], 2)]
  stream += [struct.pack('<q', 4), np.arange(4, dtype='<f4').tobytes()]
  (tmp_path / 'stream').write_bytes(b''.join(stream))
  save_file(arrays, tmp_path / 'safetensors')
  with open(tmp_path / 'npz', 'wb') as file:
    np.savez_compressed(file, **arrays)
  with h5py.File(tmp_path / 'hdf5', 'w') as file:
    for name, values in arrays.items():
      file.create_dataset(name, data=values, chunks=True, compression='gzip')
  sources = sorted(tmp_path.iterdir())
  for path in sources:
    formats.read(path)
  read = 0
  for trial in range(1000):
    path = sources[trial % len(sources)]
    damaged = bytearray(path.read_bytes())
    for at in rng.integers(0, len(damaged), rng.integers(1, 9)):
      damaged[at] = rng.integers(256)
    if trial % 4 == 0:
      del damaged[rng.integers(len(damaged)) :]
    (tmp_path / 'damaged').write_bytes(damaged)
    began = time.monotonic()
    with warnings.catch_warnings():
      warnings.simplefilter('ignore')
      try:
        found = formats.read(tmp_path / 'damaged')
      except ValueError as error:
        assert f'{error}'.startswith(f'{tmp_path / "damaged"} ')
      else:
        read += 1
        assert all(np.isfinite(values).all() for values in found.values())
    assert time.monotonic() - began < 5
  assert 0 < read < 500
