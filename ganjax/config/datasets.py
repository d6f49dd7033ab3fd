"""From a config to its data set, and to the batches that steps are given."""

import contextlib
import functools
import zlib

import jax
from tqdm import tqdm

from ganjax.arrays import Batch
from ganjax.data import image_cache, images, loaders, order, sources
from ganjax.lookup import choose
from ganjax.training import dispatch

MEASURED = 100_000
"""How many streamed images are decoded to be measured, at most."""


def dataset(config):
  """Returns the `ImageSet` of a config; 256 of its images where it streams."""
  if config.data.loader != 'stream':
    return images.load(**_source(config), announce=_announce)
  name = f'{config.data.name}/{config.data.split}, streamed'
  with contextlib.closing(_stream(config)(jax.random.key(0), 0, 256)) as parts:
    _announce(f'Decoding 256 pictures of {name} ...')
    part = next(parts)
  source = sources.find(**_places(config))
  # Of all pictures the names, if not what is in them, and of these the pixels.
  content = source.content or '\n'.join(map(source.title, range(source.size)))
  own = image_cache.identity(part.images, part.labels)
  identity = f'{own}-{zlib.crc32(content.encode()):08x}'
  return images.ImageSet(
    part.images, part.labels, name, source.classes, identity
  )


def reals(config):
  """Returns the `ImageSet` that a run is measured by, decoded.

  These are all images that it is trained on, unless more than `MEASURED` are
  streamed: then that many of them are drawn, the same ones each time.
  """
  streamed = config.data.loader == 'stream'
  most = MEASURED if streamed else None
  return images.load(**_source(config), most=most, announce=_announce)


def _announce(sentence):
  """Prints a sentence: of several processes the first one speaks for all."""
  if jax.process_index() == 0:
    tqdm.write(sentence)


def with_classes(config, data):
  """Returns the config with the number of classes that its game is played with.

  Args:
    config: of a training on images.
    data: the `ImageSet` that `dataset` returns.

  Returns:
    The config itself where it asks for no labels.

  Raises:
    ValueError: if it asks for labels and the data has none, or fewer classes
      than the config says, or a class without pictures.
  """
  if not config.labels:
    return config
  if data.labels is None:
    raise ValueError(
      f'labels is true, but {data.name} has no classes; set labels to false, '
      'choose a labelled data set, or put the pictures of each class into a '
      'folder of its own.'
    )
  own, names = config.copy_and_resolve_references(), data.classes
  own.classes = config.classes or len(names)
  low, high = int(data.labels.min()), int(data.labels.max())
  if low < 0 or high >= own.classes:
    raise ValueError(
      f'The labels of {data.name} lie from {low} to {high}, but with classes '
      f'set to {own.classes} they have to lie from 0 to {own.classes - 1}; '
      'leave classes at 0, or choose another split.'
    )
  missing = sorted(set(range(own.classes)) - set(data.labels.tolist()))
  if missing and config.data.loader != 'stream':
    words = ', '.join(
      f'{label} ({names[label]})' if label < len(names) else str(label)
      for label in missing[:10]
    )
    raise ValueError(
      f'{data.name} has no pictures of {len(missing)} of its {own.classes} '
      f'classes: {words}; choose a larger split, or set labels to false.'
    )
  return own


def _source(config):
  data = config.data
  return _places(config) | {
    'resolution': data.resolution,
    'channels': data.channels,
    'crop': data.crop,
  }


def _places(config):
  data = config.data
  return {
    'name': data.name,
    'directory': data.dir or None,
    'split': data.split,
  }


def _stream(config, processes=0):
  """Returns the batches that `dispatch.from_host` takes, decoded on the way."""

  def batches(key, first, number, rows=slice(None)):
    return loaders.stream(
      **_source(config),
      key=key,
      first=first,
      number=number,
      rows=rows,
      processes=processes,
    )

  return batches


def preprocess(config):
  """Returns `dispatch.Phase.preprocess`, which drops labels not asked for."""

  def prepared(batch, key, first):
    pixels = batch.images
    if config.data.mirror:
      coins = order.coins(key, first, len(pixels))
      pixels = images.mirrored(pixels, coins)
    return Batch(images.scale(pixels), batch.labels if config.labels else None)

  return prepared


def stored(data):
  """Returns an `ImageSet` as the `Batch` of all its images, uint8."""
  return Batch(data.images, data.labels)


def loader(config, data, mesh, processes=0):
  """Returns the `dispatch.Loader` that a config names, of an `ImageSet`.

  Args:
    config: of a training on images.
    data: the `ImageSet` that `dataset` returns.
    mesh: with an axis 'data'.
    processes: as in `loaders.stream`.

  Raises:
    ValueError: if there are processes to decode images that are not streamed.
  """
  if processes and config.data.loader != 'stream':
    raise ValueError(
      f'There are to be {processes} processes that decode, but data.loader is '
      f"'{config.data.loader}', which decodes once; leave out "
      "--loader_processes, or set data.loader to 'stream'."
    )
  built = {
    'device': lambda: dispatch.from_device(stored(data), mesh),
    'host': lambda: dispatch.from_host(
      functools.partial(loaders.batches, data), mesh
    ),
    'stream': lambda: dispatch.from_host(_stream(config, processes), mesh),
  }
  fits = data.images.nbytes <= _memory() // 4
  built['auto'] = built['device' if fits else 'host']
  return choose('loader', built, config.data.loader)()


def _memory():
  """Returns the memory of a device in bytes; 8 GiB where it is unknown."""
  return (jax.local_devices()[0].memory_stats() or {}).get('bytes_limit', 2**33)
