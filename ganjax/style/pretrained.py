"""Encoders from a file or by name, and the verification of their weights."""

import math
import pathlib
from typing import NamedTuple

import numpy as np

from ganjax import lookup
from ganjax.paths import printable
from ganjax.style import encoders, random_filters, squeezenet, vgg
from ganjax.weights import download, formats

# The files of each network in the order of preference, and the file to fetch.
_FILES = {
  'vgg19': ('vgg19', 'vgg19-keras', 'vgg19-pystiche', 'vgg19-johnson'),
  'vgg16': ('vgg16', 'vgg16-keras', 'vgg16-pystiche', 'vgg16-johnson'),
  'squeezenet': ('squeezenet1_1', 'squeezenet', 'squeezenet1_0'),
}
_FETCHED = {
  'vgg19': 'vgg19-keras',
  'vgg16': 'vgg16-keras',
  'squeezenet': 'squeezenet',
}
FEATURES = (*_FILES, 'random')
_PREPARE = {'torchvision': encoders.torchvision, 'caffe': encoders.caffe}


def load(
  path, as_vgg=vgg.from_weights, as_squeezenet=squeezenet.from_weights
) -> encoders.Encoder:
  """Returns the encoder whose weights are in a file.

  The preprocessing is that of the published file with the same hash, or else
  follows from the names in the file. The hash is part of the encoder's name.

  Args:
    path: of a file that `formats.read` can read.
    as_vgg: `(arrays, source, prepare) -> Encoder`; pass a `functools.partial`
      of `vgg.from_weights` for another pooling or border.
    as_squeezenet: `(arrays, source) -> Encoder`.

  Raises:
    OSError: if the file cannot be opened.
    ValueError: as `formats.read`, and if the file holds neither a VGG nor a
      SqueezeNet, or only a part of one.
  """
  arrays = formats.read(path)
  source = (
    f'{printable(pathlib.Path(path).name)}, sha256 {formats.digest(path)[:8]}'
  )
  if squeezenet.recognises(arrays):
    return as_squeezenet(arrays, source)
  if vgg.recognises(arrays):
    published = download.known(path)
    prepare = published and _PREPARE[download.FILES[published].origin]
    return as_vgg(arrays, source, prepare)
  raise ValueError(
    f'{path} holds {sorted(arrays)[:4]} and so on ({len(arrays)} arrays), but '
    'it should hold VGG-16, VGG-19 or SqueezeNet under the names of '
    'torchvision, Keras, Caffe or Gatys. Variants with batch normalisation '
    'cannot be used.'
  )


def choose(features=None, path=None, folder=None, seed=0, load=load):
  """Returns an encoder, and a sentence on what it is and why.

  Without features and path, it is a VGG that is in the folder, or else
  SqueezeNet, which is fetched if needed (0.66 MB), or else random filters. A
  VGG is fetched only if it is asked for; where there is none, the sentence says
  which file to put where, and its hash.

  Args:
    features: one of `FEATURES`, or None.
    path: of a file with weights, which is used whatever `features` is, or None.
    folder: where weights are cached; None is `download.cache()`.
    seed: draws the random filters.
    load: `path -> Encoder`.

  Raises:
    OSError: if the weights asked for are not there and cannot be fetched.
    ValueError: if `features` is none of `FEATURES`, if a file in the folder is
      not the published one of its name, or as `load`.
  """
  if features is not None:
    lookup.choose('network', dict.fromkeys(FEATURES), features)
  if path is not None:
    encoder = load(path)
    return encoder, f'{encoder.name}, as given.'
  if features == 'random':
    return _random(seed, 'as asked.')
  folder = pathlib.Path(folder or download.cache()).expanduser()
  for kind in [features] if features else _FILES:
    for name in _FILES[kind]:
      if (folder / download.FILES[name].name).exists():
        encoder = load(download.fetch(download.FILES[name], folder))
        why = f'{encoder.name}, found in {folder}.'
        absent = features is None and not kind.startswith('vgg')
        return encoder, why + _where_vgg_goes(folder) * absent
  wanted = download.FILES[_FETCHED[features or 'squeezenet']]
  try:
    with download.progress(wanted) as report:
      fetched = download.fetch(wanted, folder, report)
  except (OSError, ValueError) as error:
    if features:
      raise
    why = f'no trained network could be had: {error}'.rstrip('.') + '.'
    return _random(seed, why + _where_vgg_goes(folder))
  encoder = load(fetched)
  why = f'{encoder.name}, fetched into {folder}.'
  return encoder, why + _where_vgg_goes(folder) * (features is None)


def _where_vgg_goes(folder):
  """Returns which file of VGG-19 is not in the folder, with place and hash."""
  file = download.FILES['vgg19']
  return (
    f' No VGG is there: {file.site}{file.name} (whose {file.algorithm} begins '
    f'with {file.digest}) would be used as {folder / file.name}.'
  )


def _random(seed, why):
  encoder = random_filters.encoder(seed)
  return encoder, f'{encoder.name}; {why}'


class Verification(NamedTuple):
  """What is known of a file of weights.

  Attributes:
    authentic: whether the file is shown to be a published one.
    sentence: the result, and how it is known.
    rows: (layer, statistic, expected, found) of each known value of features.
  """

  authentic: bool
  sentence: str
  rows: tuple


# Minimum, maximum and norm of the features of torchvision's networks for
# `fixed_input`, without preprocessing, to three digits; from the tests of Meier
# and Lohweg, pystiche, Journal of Open Source Software 2020.
KNOWN_FEATURES = {
  'VGG-16': {
    'conv1_1': (-2.96, 3.94, 1.46e3),
    'relu1_1': (0, 3.94, 8.66e2),
    'relu2_1': (0, 15.6, 2.14e3),
    'relu3_1': (0, 29.2, 2.68e3),
    'conv4_1': (-35.0, 49.0, 2.97e3),
    'relu4_1': (0, 49.0, 8.87e2),
    'relu4_2': (0, 36.3, 7.16e2),
    'relu5_1': (0, 13.6, 1.92e2),
    'pool5': (0, 4.52, 37.6),
  },
  'VGG-19': {
    'conv1_1': (-3.05, 3.71, 1.42e3),
    'relu1_1': (0, 3.71, 8.96e2),
    'relu2_1': (0, 13.8, 2.11e3),
    'relu3_1': (0, 39.3, 2.45e3),
    'conv4_1': (-20.4, 40.5, 1.99e3),
    'relu4_1': (0, 40.5, 8.65e2),
    'relu4_2': (0, 30.6, 7.92e2),
    'relu5_1': (0, 11.0, 1.67e2),
    'pool5': (0, 5.42, 34.9),
  },
}


def fixed_input():
  """Returns what torch.rand draws after torch.manual_seed(0).

  It is `[1, 256, 256, 3]` float32, channels last. NumPy and torch share the
  seeding of MT19937, and torch takes 24 bits of each of its numbers.
  """
  generator = np.random.MT19937()
  generator._legacy_seeding(0)
  drawn = np.random.RandomState(generator).randint(
    0, 2**32, size=3 * 256 * 256, dtype=np.uint32
  )
  values = (drawn & 0xFFFFFF).astype(np.float32) * np.float32(2**-24)
  return values.reshape(1, 3, 256, 256).transpose(0, 2, 3, 1)


def verify(path, known=KNOWN_FEATURES) -> Verification:
  """Returns whether a file of VGG is the published one, with the evidence.

  Its hash is compared with those of `download.FILES`. Where it has, or may
  have, the weights of torchvision, its features of a fixed input are compared
  with known ones, which proves reading, layout and arithmetic on this machine.

  Args:
    path: of the file.
    known: `{'VGG-19': {layer: (minimum, maximum, norm)}, ...}`.

  Raises:
    OSError: if the file cannot be opened.
    ValueError: as `load`.
  """
  encoder = load(path)
  published = download.known(path)
  file = download.FILES[published] if published else None
  hashed = (
    f'its {file.algorithm} is that of the published {file.name}'
    if file
    else f'its sha256 {formats.digest(path)} is that of no published file known'
  )
  kind = encoder.name.split(' (')[0]
  expected = known.get(kind, {})
  if not expected or (file and file.origin != 'torchvision'):
    return Verification(
      file is not None,
      f'{path} holds {kind}, and {hashed}. There are no known features of '
      'these weights to compare with.',
      (),
    )
  found = vgg.activations(encoder.params, fixed_input(), tuple(expected))
  rows = tuple(
    (layer, statistic, value, measured)
    for layer, values in expected.items()
    for statistic, value, measured in zip(
      ('minimum', 'maximum', 'norm'),
      values,
      _statistics(found[layer]),
      strict=True,
    )
  )
  right = sum(agrees(value, measured) for *_, value, measured in rows)
  authentic = right == len(rows)
  if authentic:
    conclusion = 'The file is authentic.'
  elif file:
    conclusion = 'The file is whole, but this machine computes other features.'
  else:
    conclusion = 'The file holds other weights.'
  return Verification(
    authentic,
    f'{path} holds {kind}, and {hashed}. Of the known features of '
    f"torchvision's weights, {right} of {len(rows)} agree to three digits. "
    f'{conclusion}',
    rows,
  )


def table(verification):
  """Returns the known values and those found, a list of lines."""
  return [
    f'{layer:8} {statistic:8} {expected:12.4g} {found:12.4g}  '
    f'{"agrees" if agrees(expected, found) else "differs"}'
    for layer, statistic, expected, found in verification.rows
  ]


def agrees(expected, measured):
  """Returns whether a number agrees with another one of three digits."""
  if expected == 0:
    return measured == 0
  unit = 10.0 ** (math.floor(math.log10(abs(expected))) - 2)
  return abs(measured - expected) <= 0.6 * unit


def _statistics(features):
  values = np.asarray(features, np.float64)
  return (
    float(values.min()),
    float(values.max()),
    float(np.sqrt((values**2).sum())),
  )
