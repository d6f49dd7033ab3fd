"""Reads arrays by name from the common formats of trained networks.

How a file begins decides what it is, never its name. No file is trusted: a
pickle may not run anything, and a damaged file raises an error that says so.
"""

import hashlib
import os
import pathlib
import zipfile

import numpy as np

from ganjax.weights import deep_compression, torch_pickle


def read(path) -> dict[str, np.ndarray]:
  """Returns the arrays of a file by their names, as they are stored.

  The formats are torch's `.pth` of before and since 1.6 (a state_dict, or a
  checkpoint that holds one under that name), `.safetensors`, Keras' `.h5`,
  NumPy's `.npz`, and the compressed SqueezeNet of 0.66 MB. Names in an `.h5`
  are paths, such as 'block1_conv1/block1_conv1_W_1:0'.

  Args:
    path: of the file.

  Raises:
    OSError: if the file cannot be opened or read from the disk.
    ValueError: if the file has an unknown format, holds no arrays, is truncated
      or damaged, or is a pickle that asks for more than tensors.
  """
  path = pathlib.Path(path).expanduser()
  with open(path, 'rb') as file:
    read_format = _reader(path, file)
    file.seek(0)
    try:
      tree = read_format(file)
    except torch_pickle.RefusedError as error:
      raise ValueError(f'{path} was not read: {error}.') from error
    except MemoryError:
      raise
    except Exception as error:
      # h5py calls a damaged file an OSError, too, but without a number.
      if isinstance(error, OSError) and error.errno is not None:
        raise
      raise ValueError(
        f'{path} is truncated or damaged ({type(error).__name__}: {error}). '
        'Delete it and fetch it again.'
      ) from error
  tree = tree if isinstance(tree, dict) else {}
  if isinstance(tree.get('state_dict'), dict):
    tree = tree['state_dict']
  arrays = {
    str(name): value
    for name, value in tree.items()
    if isinstance(value, np.ndarray) and value.dtype.kind in 'biuf'
  }
  if not arrays:
    raise ValueError(
      f'{path} holds no arrays under names, but {sorted(map(str, tree))[:5]}. '
      'It should hold the weights of a network, such as a state_dict.'
    )
  return arrays


def digest(path, algorithm='sha256') -> str:
  """Returns the hash of a file, in lower-case hexadecimal digits.

  Args:
    path: of the file.
    algorithm: a name that `hashlib` knows.
  """
  with open(pathlib.Path(path).expanduser(), 'rb') as file:
    return hashlib.file_digest(file, algorithm).hexdigest()


def _reader(path, file):
  """Returns the function that reads a file of this format."""
  size = os.fstat(file.fileno()).st_size
  start = file.read(128)
  if start.startswith(b'PK'):
    return _zip
  if start.startswith(b'\x89HDF\r\n\x1a\n'):
    return _hdf5
  if start.startswith(b'\x80'):
    return torch_pickle.stream
  if start[8:9] == b'{':
    return _safetensors
  if deep_compression.fits(start, size):
    return lambda file: deep_compression.decode(file.read())
  if start.lstrip()[:1] == b'<':
    found = 'a web page that was saved in its place'
  else:
    found = f'{size} bytes that begin with {start[:8]!r}'
  raise ValueError(
    f'{path} is {found}, but it should hold weights as .pth, .safetensors, .h5 '
    'or .npz, or the compressed SqueezeNet. Fetch the file again.'
  )


def _zip(file):
  with zipfile.ZipFile(file) as members:
    names = members.namelist()
  file.seek(0)
  if any(name.endswith('/data.pkl') for name in names):
    return torch_pickle.archive(file)
  with np.load(file, allow_pickle=False) as arrays:
    return dict(arrays)


def _safetensors(file):
  from safetensors import numpy as safetensors

  return safetensors.load(file.read())


def _hdf5(file):
  import h5py

  arrays = {}

  def add(name, node):
    if isinstance(node, h5py.Dataset):
      arrays[name] = np.asarray(node[()])

  with h5py.File(file, 'r') as tree:
    tree.visititems(add)
  return arrays
