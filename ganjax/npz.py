"""Arrays by name from NumPy's `.npz`, of which no claimed size is believed."""

import io
import math
import zipfile

import numpy as np

from ganjax import paths
from ganjax.limits import RefusedError, budget, member, reading


def read(path, names=None) -> dict[str, np.ndarray]:
  """Returns the arrays of a file by their names.

  `np.load` would allocate whatever the file claims.

  Args:
    path: of the file.
    names: of the arrays to read; None is all of them.

  Raises:
    OSError: if the file cannot be opened or read from the disk.
    ValueError: if the file is truncated or damaged, lacks one of the names,
      holds Python objects, or claims more than `limits.LIMIT` bytes or the
      memory that there is.
  """
  path = paths.check_file(path)
  with reading(path), zipfile.ZipFile(path) as members:
    return arrays(members, names)


def arrays(members, names=None) -> dict[str, np.ndarray]:
  """Returns the arrays of an open zip file by their names.

  Args:
    members: a `zipfile.ZipFile`.
    names: as in `read`.

  Raises:
    RefusedError: if it claims too much, or holds Python objects.
    Exception: of many kinds, if it is damaged or lacks one of the names.
  """
  if names is None:
    ending = '.npy'
    found = [name for name in members.namelist() if name.endswith(ending)]
    names = [name.removesuffix(ending) for name in found]
  take = budget()
  return {name: _npy(member(members, f'{name}.npy', take)) for name in names}


def _npy(data):
  """Returns the array of the bytes of an `.npy`, whose sizes have to agree."""
  stream = io.BytesIO(data)
  version, _ = np.lib.format.read_magic(stream)
  read_header = (
    np.lib.format.read_array_header_1_0
    if version == 1
    else np.lib.format.read_array_header_2_0
  )
  shape, columns_first, dtype = read_header(stream)
  if dtype.hasobject:
    raise RefusedError('it holds Python objects, which could run a program')
  found = len(data) - stream.tell()
  if math.prod(shape) * dtype.itemsize != found:
    raise EOFError(f'an array of {shape} {dtype} has {found} bytes')
  values = np.frombuffer(data, dtype, offset=stream.tell())
  return values.reshape(shape, order='F' if columns_first else 'C')
