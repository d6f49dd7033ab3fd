"""The features that a data set is measured on, by name."""

import contextlib
import functools

import numpy as np
from tqdm import tqdm

from ganjax import files, paths
from ganjax.evaluation import classifier, features, inception, samples
from ganjax.weights import download, formats


def check(measures, data, which, labels):
  """Raises an error where measures cannot be taken of a data set.

  Args:
    measures: a list of `measures.Measure`.
    data: an `images.ImageSet`.
    which: as in `extractor`.
    labels: whether the samples have labels, those of a conditional game.

  Raises:
    FileNotFoundError: if the features are a file that is not there.
    ValueError: if they cannot be taken.
  """
  if which not in ('auto', 'classifier', 'random', 'inception'):
    paths.check_file(which)
  if which == 'classifier' and data.labels is None:
    raise ValueError(
      f'{data.name} has no labels to train a classifier on; use '
      'features=random, or inception.'
    )
  for measure in measures:
    by_class = measure.needs.endswith('by class')
    if (by_class or measure.needs == 'labels') and not labels:
      raise ValueError(
        f'{measure.name} compares samples with their labels, but this game is '
        'unconditional; leave this metric out, or train with labels=true.'
      )
    if measure.needs == 'features by class':
      _check_several(measure, data)
    if measure.needs in ('logits', 'labels') and _untrained(data, which):
      raise ValueError(
        f'{measure.name} needs a network that tells classes apart, but the '
        f'features of {data.name} would be untrained; use '
        'features=inception, or leave this metric out.'
      )


def _check_several(measure, data):
  """Raises ValueError if a class has a single image, without a neighbour."""
  numbers = np.bincount(data.labels)
  alone = ', '.join(
    data.classes[label] for label in np.flatnonzero(numbers == 1)
  )
  if alone:
    raise ValueError(
      f'{measure.name} needs two images of a class or more, each a neighbour '
      f'of another, but {data.name} has a single one of {alone}; leave this '
      'metric out, or give these classes more images.'
    )


def extractor(data, which='auto'):
  """Returns the `features.Features` that a data set is measured on.

  Args:
    data: an `images.ImageSet`.
    which: 'classifier', of the data, which is trained once and cached;
      'random', of an untrained network; 'auto', the classifier where the data
      have labels, else random; 'inception', that of FID, which is downloaded
      once and cached; or the path of a file with Inception's weights.

  Raises:
    OSError: if Inception's file cannot be read or downloaded.
    ValueError: if it does not hold Inception's weights.
  """
  if which not in ('auto', 'classifier', 'random'):
    return _inception(which)
  if _untrained(data, which):
    return features.random_features()
  title = f'Training a classifier of {data.name}'
  with progress(title, 'step') as report:
    return classifier.features_for(
      data.images,
      data.labels,
      files.folder() / 'classifiers',
      data.name,
      # Small data sets need more passes for as many steps.
      epochs=int(np.clip(30_000 // len(data.images), 5, 20)),
      report=report,
    )


def reals(data, measures, which='auto'):
  """Returns the `Features` of a data set, and its images as `Samples`.

  Args:
    data: the `images.ImageSet`.
    measures: `measures.Measure`s that are taken beside it. Where none is on
      features, no network is trained or downloaded.
    which: as in `extractor`.

  Raises:
    OSError: as `extractor`.
    ValueError: as `extractor`.
  """
  if any(column.on_features for own in measures for column in own.columns):
    found = extractor(data, which)
  else:
    found = features.Features('none', None)
  return found, samples.of(data.images, found, data.labels)


def _untrained(data, which):
  return which == 'random' or (which == 'auto' and data.labels is None)


def _inception(path):
  """Inception's features, under a name that only the published weights have."""
  if path == 'inception':
    with progress('Downloading Inception', 'B') as report:
      path = download.fetch(download.INCEPTION, report=report)
  sha = formats.digest(path)
  published = sha.startswith(download.INCEPTION.digest)
  name = 'Inception-v3' if published else 'other Inception-v3'
  return inception.from_weights(
    formats.read(path),
    f'{name} (pool of 2048, 299 pixels as TensorFlow 1, sha {sha[:8]})',
  )


@contextlib.contextmanager
def progress(title, unit):
  """Yields `(done, total, *others) -> None`, which moves a progress bar.

  The bar, or a line where there is no terminal, appears with the first call, so
  that nothing is announced that turns out to be cached.

  Args:
    title: of the bar, such as 'Training a classifier'.
    unit: of what is done.
  """
  with contextlib.ExitStack() as stack:

    @functools.cache
    def begun():
      bar = stack.enter_context(
        tqdm(desc=title, unit=unit, unit_scale=True, disable=None)
      )
      if bar.disable:
        tqdm.write(f'{title} ...')
      return bar

    def report(done, total, *_):
      bar = begun()
      bar.total = total
      bar.update(done - bar.n)

    yield report
