"""What is measured of a set of images beside the reals, by name.

Each measure says with its values how they were taken: how many images, how many
neighbours. Whatever has to be the same for two values to be compared is there.
"""

import contextlib
import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

from ganjax import files, pictures
from ganjax.data import images
from ganjax.evaluation import classifier, features, inception
from ganjax.metrics import diversity, fid, inception_score, prdc, swd
from ganjax.weights import download, formats

_NEAR = 5000  # images at most whose neighbours are looked for
_ALIKE = 1000  # images, and pairs of them, of the measures of diversity
_PART = 256  # images that are drawn at once
LATENTS = 36  # whose images are followed from moment to moment


class Measure(NamedTuple):
  """A measure.

  Attributes:
    columns: names of its values.
    take: `(reals, shown, seed) -> values, how`, of two `Shown`; both are dicts
      of JSON values.
  """

  columns: tuple
  take: Callable


class Shown(NamedTuple):
  """A set of images.

  Attributes:
    images: uint8 `[N, H, W, C]`.
    features: `() -> [N, D]`, which computes them at the first call.
    logits: `() -> [N, K]`, of the classes that the features know.
  """

  images: np.ndarray
  features: Callable
  logits: Callable


def shown(pixels, seen):
  """The `Shown` of images under features.

  Args:
    pixels: uint8 `[N, H, W, C]`.
    seen: the `features.Features`.
  """
  rows = functools.cache(lambda: features.in_batches(seen.apply, pixels))
  return Shown(pixels, rows, lambda: np.asarray(seen.logits(rows())))


def painter(draw):
  """The function `(given, prior, number, seed, side) -> samples` of a game.

  Samples are uint8, as pictures are stored, `[N, side, side, C]`, the same
  latents' for the same seed. It compiles once for all that is given.

  Args:
    draw: `(given, latents, key) -> images` in [-1, 1], or a tree of them, of
      which the finest are taken; `given` is any tree of arrays.
  """

  @jax.jit
  def pixels(given, latents, key):
    return images.quantize(pictures.finest(draw(given, latents, key)))

  def paint(given, prior, number, seed, side):
    key, noise_key = jax.random.split(jax.random.key(seed))
    latents = np.asarray(prior(key, number))
    # The last part is filled up, to compile only once.
    whole = (number + -number % _PART, *latents.shape[1:])
    parts = np.resize(latents, whole).reshape(-1, _PART, *whole[1:])
    drawn = [np.asarray(pixels(given, part, noise_key)) for part in parts]
    return pictures.enlarged(np.concatenate(drawn)[:number], side)

  return paint


def check(metrics, data, which):
  """Raises ValueError where measures cannot be taken of a data set.

  Args:
    metrics: names of `MEASURES`.
    data: an `images.ImageSet`.
    which: as in `features_of`.
  """
  if which == 'classifier' and data.labels is None:
    raise ValueError(
      f'{data.name} has no labels to train a classifier on; use '
      '--features=random, or inception.'
    )
  if 'inception_score' in metrics and _untrained(data, which):
    raise ValueError(
      'The inception score is of the classes that a network tells apart, and '
      f'the features of {data.name} would be untrained; use '
      '--features=inception, or leave this metric out.'
    )


def features_of(data, which='auto'):
  """The `features.Features` that a data set is measured on.

  Args:
    data: an `images.ImageSet`.
    which: 'classifier', of the data, trained once and kept; 'random', of an
      untrained network; 'auto', the first where the data have labels;
      'inception', FID's own, fetched once and kept; or the path of its file.

  Raises:
    OSError: if Inception's file cannot be read or fetched.
    ValueError: if it is not one.
  """
  if which not in ('auto', 'classifier', 'random'):
    return _inception(which)
  if _untrained(data, which):
    return features.random_features()
  with bar('classifier of the data', 'step') as report:
    return classifier.features_for(
      data.images,
      data.labels,
      files.folder() / 'classifiers',
      data.name,
      # Small data sets need more passes for as many steps.
      epochs=int(np.clip(30_000 // len(data.images), 5, 20)),
      report=report,
    )


def _untrained(data, which):
  return which == 'random' or (which == 'auto' and data.labels is None)


def _inception(path):
  """Inception's features, under a name that only the published weights have."""
  if path == 'inception':
    with bar('Inception', 'B') as report:
      path = download.fetch(download.INCEPTION, report=report)
  sha = formats.digest(path)
  published = sha.startswith(download.INCEPTION.digest)
  name = 'Inception-v3' if published else 'other Inception-v3'
  return inception.from_weights(
    formats.read(path),
    f'{name} (pool of 2048, 299 pixels as TensorFlow 1, sha {sha[:8]})',
  )


@contextlib.contextmanager
def bar(title, unit):
  """Yields `(done, total, *others)`, which moves a bar."""
  with tqdm(desc=title, unit=unit, unit_scale=True, disable=None) as shown:

    def report(done, total, *_):
      shown.total = total
      shown.update(done - shown.n)

    yield report


def settings(config, data, seen, seed):
  """What all measures of samples beside a data set have in common: a dict.

  Args:
    config: of the training.
    data: an `images.ImageSet`.
    seen: the `features.Features`.
    seed: of the latents, pairs and patches.
  """
  return {
    'features': seen.name,
    'data': f'{data.name}, {len(data.images)} images',
    'split': config.data.split,
    'resizing': f'{config.data.crop} to {data.images.shape[1]} pixels; what a '
    'stage of growth makes smaller is enlarged by nearest pixels',
    'seed': seed,
  }


def some(array, number, seed):
  """At most so many rows of an array, drawn by the seed, in their order."""
  if len(array) <= number:
    return array
  rows = np.random.default_rng(seed).choice(len(array), number, replace=False)
  return array[np.sort(rows)]


def change(before, now):
  """From resolution to the mean squared change between images of one latent.

  Karnewar and Wang, "MSG-GAN: Multi-Scale Gradients for Generative Adversarial
  Networks", 2020, arXiv:1903.06048, section 4.1, which follows 36 latents.

  Args:
    before: of `levels`.
    now: of `levels`, for the same latents.
  """
  return {
    str(side): float(np.mean(np.square(now[side] - before[side])))
    for side in now
  }


def levels(samples, side):
  """From resolution, in pixels, to the images of it in a tree, `[N, R, R, C]`.

  Args:
    samples: of a generator, in [-1, 1]; where they are one array, it is
      enlarged to `side`, for its resolution may grow from moment to moment.
    side: of the data, in pixels.
  """
  leaves = jax.tree.leaves(samples)
  if len(leaves) == 1:
    leaves = [pictures.enlarged(leaves[0], side)]
  return {leaf.shape[1]: np.asarray(leaf) for leaf in leaves}


def _fid(reals, shown, seed):
  value = fid.fid(reals.features(), shown.features())
  return {'fid': value}, _counts(reals.images, shown.images)


def _kid(reals, shown, seed):
  mean, std = fid.kid(reals.features(), shown.features(), seed=seed)
  return {'kid': mean, 'kid_std': std}, _counts(reals.images, shown.images)


def _inception_score(reals, shown, seed):
  splits = 10
  mean, std = inception_score.inception_score(shown.logits(), splits)
  values = {'inception_score': mean, 'inception_score_std': std}
  return values, {'images': len(shown.images), 'splits': splits}


def _swd(reals, shown, seed):
  number = min(len(reals.images), len(shown.images))
  pair = [some(own.images, number, seed) for own in (reals, shown)]
  how = {'patches': 128, 'size': 7, 'directions': 512}
  found = swd.sliced_wasserstein(*pair, seed=seed, **how)
  by_level = {str(side): value for side, value in found.levels.items()}
  values = {'swd': found.mean, 'swd_levels': by_level}
  return values, {**_counts(*pair), **how}


def _prdc(reals, shown, seed):
  pair = [some(own.features(), _NEAR, seed) for own in (reals, shown)]
  near = {'k_precision_recall': 3, 'k_density_coverage': 5}
  values = {
    **prdc.precision_recall(*pair, near['k_precision_recall'])._asdict(),
    **prdc.density_coverage(*pair, near['k_density_coverage'])._asdict(),
  }
  values = {name: float(value) for name, value in values.items()}
  return values, {**_counts(*pair), **near}


def _ms_ssim(reals, shown, seed):
  few = _few(shown, seed)
  value = diversity.diversity(few, _ALIKE, jax.random.key(seed))
  return {'ms_ssim': float(value)}, {'images': len(few), 'pairs': _ALIKE}


def _distance(reals, shown, seed):
  few = _few(shown, seed)
  value = float(diversity.pairwise_distance(few))
  return {'distance': value}, {'images': len(few)}


def _few(shown, seed):
  return images.scale(jnp.asarray(some(shown.images, _ALIKE, seed)))


def _counts(reals, shown):
  return {'reals': len(reals), 'images': len(shown)}


MEASURES = {
  'fid': Measure(('fid',), _fid),
  'kid': Measure(('kid', 'kid_std'), _kid),
  'inception_score': Measure(
    ('inception_score', 'inception_score_std'), _inception_score
  ),
  'swd': Measure(('swd', 'swd_levels'), _swd),
  'ms_ssim': Measure(('ms_ssim',), _ms_ssim),
  'prdc': Measure(('precision', 'recall', 'density', 'coverage'), _prdc),
  'distance': Measure(('distance',), _distance),
}

COLUMNS = {name: measure.columns for name, measure in MEASURES.items()} | {
  'change': ('change',)
}
"""The values of each measure; 'change' takes two moments of one run."""

ON_FEATURES = ('fid', 'kid', 'inception_score', 'prdc')
"""The measures whose values depend on the features; others see pixels."""
