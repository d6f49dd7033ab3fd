"""From a file, a name or nothing at all to an encoder, and the proof of it."""

import math
import pathlib
from typing import NamedTuple

import numpy as np

from ganjax.style import encoders, squeezenet, untrained, vgg
from ganjax.weights import download, formats

# What each asked kind may be found as, the best first, and what is fetched.
_KINDS = {
  'vgg19': ('vgg19', 'vgg19-keras', 'vgg19-pystiche', 'vgg19-johnson'),
  'vgg16': ('vgg16', 'vgg16-keras', 'vgg16-pystiche', 'vgg16-johnson'),
  'squeezenet': ('squeezenet1_1', 'squeezenet', 'squeezenet1_0'),
}
_FETCHED = {
  'vgg19': 'vgg19-keras',
  'vgg16': 'vgg16-keras',
  'squeezenet': 'squeezenet',
}
FEATURES = (*_KINDS, 'random')
_PREPARE = {'torchvision': encoders.torchvision, 'caffe': encoders.caffe}


def load(
  path, as_vgg=vgg.from_weights, as_squeezenet=squeezenet.from_weights
) -> encoders.Encoder:
  """Returns the encoder whose weights are in a file.

  Its preprocessing is that of the published file with the same hash, or else
  what the names in the file tell. The hash is part of the encoder's name.

  Args:
    path: a file that `formats.read` can read.
    as_vgg: (arrays, source, prepare) -> Encoder; give a `functools.partial` of
      `vgg.from_weights` for other pools or borders.
    as_squeezenet: (arrays, source) -> Encoder.

  Raises:
    OSError: if it cannot be opened.
    ValueError: as `formats.read`, and if it holds neither a VGG nor a
      SqueezeNet, or not all of it.
  """
  arrays = formats.read(path)
  source = f'{pathlib.Path(path).name}, sha256 {formats.digest(path)[:8]}'
  if squeezenet.recognises(arrays):
    return as_squeezenet(arrays, source)
  if vgg.recognises(arrays):
    published = download.known(path)
    prepare = published and _PREPARE[download.FILES[published].origin]
    return as_vgg(arrays, source, prepare)
  raise ValueError(
    f'{path} holds {sorted(arrays)[:4]} and so on ({len(arrays)} arrays): '
    'expected VGG-16, VGG-19 or SqueezeNet under the names of torchvision, '
    'Keras, Caffe or Gatys. Their variants with batch normalisation are not '
    'read.'
  )


def choose(
  features=None, path=None, folder=None, report=None, seed=0, load=load
):
  """Returns an encoder, and a sentence on what it is and why.

  With nothing said: a VGG that is in the folder, else SqueezeNet, there or
  fetched (0.66 MB), else random filters. A VGG is fetched only if asked for.

  Args:
    features: one of `FEATURES`, or None.
    path: of a file with weights, or None; it decides alone.
    folder: of kept files; None is `download.cache()`.
    report: as in `download.fetch`.
    seed: draws the random filters.
    load: path -> Encoder.

  Raises:
    OSError: if what was asked for is not there and cannot be fetched.
    ValueError: if `features` is none of `FEATURES`, if a file in the folder is
      not the published one of its name, or as `load`.
  """
  if features not in (None, *FEATURES):
    raise ValueError(
      f"no features '{features}': choose from {', '.join(FEATURES)}."
    )
  if path is not None:
    encoder = load(path)
    return encoder, f'{encoder.name}, as given.'
  if features == 'random':
    return _random(seed, 'as asked')
  folder = pathlib.Path(folder or download.cache()).expanduser()
  for kind in [features] if features else _KINDS:
    for name in _KINDS[kind]:
      if (folder / download.FILES[name].name).exists():
        kept = download.fetch(download.FILES[name], folder)
        encoder = load(kept)
        return encoder, f'{encoder.name}, found in {folder}.'
  wanted = download.FILES[_FETCHED[features or 'squeezenet']]
  try:
    fetched = download.fetch(wanted, folder, report)
  except (OSError, ValueError) as error:
    if features:
      raise
    return _random(seed, f'for want of a trained network: {error}')
  encoder = load(fetched)
  return encoder, f'{encoder.name}, fetched into {folder}.'


def _random(seed, why):
  encoder = untrained.encoder(seed)
  return encoder, f'{encoder.name}; {why}'


class Verdict(NamedTuple):
  """What is known of a file of weights.

  Fields:
    true: whether it is shown to be a published one.
    sentence: that, and how it is known.
    rows: (layer, statistic, expected, found) of each known answer.
  """

  true: bool
  sentence: str
  rows: tuple


# Least, largest and norm of the features of torchvision's networks, without
# preprocessing, in `fixed_input`; from the tests of Meier and Lohweg, pystiche,
# Journal of Open Source Software 2020, to three digits.
ANSWERS = {
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
  """Returns [1, 256, 256, 3] float32: torch.manual_seed(0), then torch.rand.

  Both draw 24 bits of each of MT19937's numbers, seeded alike.
  """
  generator = np.random.MT19937()
  generator._legacy_seeding(0)
  drawn = np.random.RandomState(generator).randint(
    0, 2**32, size=3 * 256 * 256, dtype=np.uint32
  )
  values = (drawn & 0xFFFFFF).astype(np.float32) * np.float32(2**-24)
  return values.reshape(1, 3, 256, 256).transpose(0, 2, 3, 1)


def verify(path, answers=ANSWERS) -> Verdict:
  """Returns whether a file of VGG is the published one, with the evidence.

  Its hash is compared with those of `download.FILES`, and, where it has
  torchvision's weights or might have, its features of a fixed input with known
  answers: the latter prove reading, layout and arithmetic on this machine.

  Args:
    path: of the file.
    answers: {'VGG-19': {layer: (least, largest, norm)}, ...}.

  Raises:
    OSError: if it cannot be opened.
    ValueError: as `load`.
  """
  encoder = load(path)
  published = download.known(path)
  file = download.FILES[published] if published else None
  hashed = (
    f'its {file.algorithm} is that of the published {file.name}'
    if file
    else f'its sha256 {formats.digest(path)} is of no published file we know'
  )
  kind = encoder.name.split(' (')[0]
  expected = answers.get(kind, {})
  if not expected or (file and file.origin != 'torchvision'):
    return Verdict(
      file is not None,
      f'{path}: {kind}; {hashed}. For these weights there are no known answers '
      'to compare with.',
      (),
    )
  found = vgg.activations(encoder.params, fixed_input(), tuple(expected))
  rows = tuple(
    (layer, statistic, value, measured)
    for layer, values in expected.items()
    for statistic, value, measured in zip(
      ('least', 'largest', 'norm'),
      values,
      _statistics(found[layer]),
      strict=True,
    )
  )
  right = sum(agrees(value, measured) for *_, value, measured in rows)
  true = right == len(rows)
  if true:
    conclusion = 'it is the true one.'
  elif file:
    conclusion = 'the file is whole, but this machine computes otherwise.'
  else:
    conclusion = 'these are other weights.'
  return Verdict(
    true,
    f'{path}: {kind}; {hashed}, and {right} of {len(rows)} known answers of '
    f"torchvision's weights agree to three digits: {conclusion}",
    rows,
  )


def agrees(expected, measured):
  """Returns whether a number rounds to another of three digits, or nearly."""
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
