"""Reads the arrays of an HDF5 file, and of no other file that it names."""

import numpy as np

from ganjax.limits import RefusedError, budget


def arrays(file) -> dict[str, np.ndarray]:
  """Returns the numeric arrays of an HDF5 file by their paths in it.

  HDF5 can put values into other files: by external links, by external storage,
  which may be any file of the machine, and by virtual datasets, which have
  crashed the interpreter.

  Args:
    file: an open binary file.

  Raises:
    RefusedError: if the file leads to others, or claims more than weights need.
    Exception: of many kinds, if the file is damaged.
  """
  import h5py

  found, take = {}, budget()

  def external(name, link):
    # Returned, which ends the walk: h5py does not take an error well here.
    return name if isinstance(link, h5py.ExternalLink) else None

  def add(name, node):
    if not isinstance(node, h5py.Dataset) or node.dtype.kind not in 'biuf':
      return
    layout = node.id.get_create_plist()
    if layout.get_layout() == h5py.h5d.VIRTUAL or layout.get_external_count():
      raise RefusedError(f'the values of {name:.80} in it lie in other files')
    take(node.size * node.dtype.itemsize, name)
    if node.size and not node.id.get_storage_size():
      raise EOFError(f'{name} has no values for {node.shape}')
    found[name] = np.asarray(node[()])

  with h5py.File(file, 'r') as tree:
    if name := tree.visititems_links(external):
      raise RefusedError(f'{name:.80} in it is a link to another file')
    tree.visititems(add)
  return found
