"""Pictures in a parquet file, as Hugging Face's `datasets` writes them.

Its column 'image' holds structures with the bytes of files, and 'label', where
it is there, whole numbers.
"""

import hashlib
import io
import json
import os
import threading

import numpy as np

from ganjax import limits
from ganjax.data.source import Source
from ganjax.paths import printable


def source(path) -> Source:
  """Returns the source of the pictures of a parquet file, in its order.

  A group of rows is read at a time, and stays until another one is asked for:
  in order, this reads the file once.

  Args:
    path: of the file, a `pathlib.Path`.

  Raises:
    ValueError: if the file is damaged, or has no such columns.
  """
  from pyarrow import parquet

  with limits.reading(path, 'Give a parquet file of pictures.'):
    file = parquet.ParquetFile(path)
    schema = file.schema_arrow
  if 'image' not in schema.names or (
    'bytes' not in {field.name for field in schema.field('image').type}
  ):
    raise ValueError(
      f"{path} has no column 'image' with the bytes of pictures; its columns "
      f'are {", ".join(map(printable, schema.names))}.'
    )
  classes = _classes(file)
  columns = ['image', 'label'] if classes else ['image']
  groups = range(file.num_row_groups)
  sizes = [file.metadata.row_group(group).num_rows for group in groups]
  ends = np.cumsum(sizes)
  last: dict[int, list] = {}
  lock = threading.Lock()

  def rows(group):
    with lock:
      if group not in last:
        last.clear()
        with limits.reading(path):
          last[group] = file.read_row_group(group, columns).to_pylist()
      return last[group]

  def read(indices):
    found = []
    for index in indices:
      group = int(np.searchsorted(ends, index, 'right'))
      row = rows(group)[index - int(ends[group]) + sizes[group]]
      found.append((io.BytesIO(row['image']['bytes']), row.get('label')))
    return found

  about = os.stat(path)
  text = f'{path.name}\0{about.st_size}\0{about.st_mtime_ns}'
  return Source(
    f'parquet/{printable(path.stem)}',
    file.metadata.num_rows,
    3,
    read,
    lambda index: f'row {index}',
    hashlib.sha256(os.fsencode(text)).hexdigest(),
    alike=False,
    classes=classes,
  )


def _classes(file):
  """Returns the names that Hugging Face gives the classes, or else numbers.

  There are none where a label is missing, or negative, as in hidden test sets.
  """
  schema = file.schema_arrow
  if 'label' not in schema.names:
    return ()
  stored = json.loads((schema.metadata or {}).get(b'huggingface', b'{}'))
  feature = stored.get('info', {}).get('features', {}).get('label', {})
  labels = file.read(['label'])['label']
  if labels.null_count or np.min(labels) < 0:
    return ()
  names = feature.get('names') or range(int(np.max(labels)) + 1)
  return tuple(printable(name) for name in names)
