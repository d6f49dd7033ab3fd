"""Reads arrays by name from the common formats of trained networks.

How a file begins decides what it is, never its name. No file is trusted: a
pickle may not run anything, no file may claim more memory than weights need, or
lead to other files, and a damaged file raises an error that says so.
"""

import hashlib
import os
import warnings
import zipfile

import numpy as np

from ganjax import npz, paths
from ganjax.limits import RefusedError, budget, reading
from ganjax.weights import deep_compression, hdf5, torch_pickle

# What torch puts before the names in a model that is wrapped: by DataParallel
# and its like, and by torch.compile.
_PREFIXES = ('module.', '_orig_mod.')


def read(path) -> dict[str, np.ndarray]:
  """Returns the arrays of a file by their names, as they are stored.

  The formats are torch's `.pth` of before and since 1.6 (a state_dict, or a
  checkpoint that holds one as 'state_dict', 'model_state_dict' or 'model'),
  `.safetensors`, Keras' `.h5`, NumPy's `.npz`, and the compressed SqueezeNet of
  0.66 MB. Names in an `.h5` are paths, such as
  'block1_conv1/block1_conv1_W_1:0'. Where all names begin with 'module.', as
  torch's DataParallel has it, or with '_orig_mod.', that is left out; a warning
  says so, and where in the file the names were found.

  Args:
    path: of the file.

  Raises:
    OSError: if the file cannot be opened or read from the disk.
    ValueError: if the file has an unknown format, holds no arrays, is truncated
      or damaged, has numbers that are not finite, claims more than
      `limits.LIMIT` bytes or the memory that there is, leads to other files, or
      is a pickle that asks for more than tensors.
  """
  path = paths.check_file(path)
  with open(path, 'rb') as file:
    read_format = _reader(path, file)
    file.seek(0)
    with reading(path, 'Delete it and fetch it again.'):
      tree, within = read_format(file)
      arrays = {
        str(name): value
        for name, value in tree.items()
        if isinstance(value, np.ndarray) and value.dtype.kind in 'biuf'
      }
      _check_finite(arrays)
  if not arrays:
    names = sorted(f'{name:.40}' for name in map(str, tree))[:5]
    raise ValueError(
      f'{path} holds no arrays under names, but {names}. '
      'It should hold the weights of a network, such as a state_dict.'
    )
  prefix, arrays = _without_prefix(arrays)
  words = [f'are found under {name!r}' for name in within]
  words += [f'begin with {prefix!r}, which is left out'] if prefix else []
  if words:
    warnings.warn(
      f'The names of the weights in {path} {", and ".join(words)}.',
      stacklevel=2,
    )
  return arrays


def _without_prefix(arrays):
  """Returns what all names began with, and the arrays without it."""
  whole = ''
  while any(all(name.startswith(p) for name in arrays) for p in _PREFIXES):
    prefix = next(p for p in _PREFIXES if next(iter(arrays)).startswith(p))
    whole += prefix
    arrays = {name.removeprefix(prefix): own for name, own in arrays.items()}
  return whole, arrays


def _check_finite(arrays):
  for name, values in arrays.items():
    if values.dtype.kind == 'f' and not np.isfinite(values).all():
      wrong = values.size - np.count_nonzero(np.isfinite(values))
      raise RefusedError(
        f'{wrong} of the {values.size} values of {name:.80} are not finite; '
        'fetch it again, or save the weights of a training before it diverged'
      )


def digest(path, algorithm='sha256') -> str:
  """Returns the hash of a file, in lower-case hexadecimal digits.

  Args:
    path: of the file.
    algorithm: a name that `hashlib` knows.
  """
  with open(paths.check_file(path), 'rb') as file:
    return hashlib.file_digest(file, algorithm).hexdigest()


def _reader(path, file):
  """Returns the function that reads a file of this format."""
  size = os.fstat(file.fileno()).st_size
  start = file.read(128)
  if start.startswith(b'PK'):
    return _zip
  if start.startswith(b'\x89HDF\r\n\x1a\n'):
    return lambda file: (hdf5.arrays(file), ())
  # Before pickles: the length that it begins with may look like one.
  if start[8:9] == b'{':
    return _safetensors
  if start.startswith(b'\x80'):
    return torch_pickle.stream
  if deep_compression.fits(start, size):
    return lambda file: (deep_compression.decode(file.read()), ())
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
    if not any(name.endswith('/data.pkl') for name in members.namelist()):
      return npz.arrays(members), ()
  file.seek(0)
  return torch_pickle.archive(file)


def _safetensors(file):
  from safetensors import numpy as safetensors

  budget()(os.fstat(file.fileno()).st_size, 'the file')
  return safetensors.load(file.read()), ()
