"""The measures of samples, by name: whatever can be evaluated is here.

A measure is a function with the decorator `measure`, in this file, and nothing
else: `evaluate --metrics`, `evaluate.measures` of configs, `curve`, objectives
of sweeps, tables and figures read its name, its columns and what it needs from
here.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ganjax import metrics
from ganjax.data import images
from ganjax.evaluation import samples
from ganjax.lookup import choose

_NEIGHBOURS = 5000  # images at most among which neighbours are searched
_PAIRS = 1000  # images at most, and pairs of them, of the measures of diversity


class Column(NamedTuple):
  """A value that a measure takes.

  Attributes:
    name: of the value.
    title: over its column in tables.
    direction: 'minimize' or 'maximize'; None where runs are not ranked by it.
    on_features: whether it depends on the features that images are compared on.
  """

  name: str
  title: str
  direction: str | None = None
  on_features: bool = False


class Measure(NamedTuple):
  """A measure.

  Attributes:
    name: as `--metrics` takes it.
    columns: of its values.
    needs: 'images', 'features' or 'logits' of the samples; 'labels', logits and
      the labels of the samples; 'images by class' or 'features by class', those
      and the labels of reals and samples; 'generator' or 'critic', what drew
      the samples and what was trained beside it, so that it cannot be taken of
      reals; or 'tracked', the images of the same
      latents at two checkpoints.
    take: `(reals, fakes, seed) -> values, settings`, of two `samples.Samples`;
      a measure that needs 'tracked' is given `samples.tracked` of an earlier
      checkpoint and of this one instead. `values` is a dict with a number for
      each column, or a dict of numbers by resolution; `settings` is a dict of
      all that has to be the same for two values to be compared, such as the
      number of images.
  """

  name: str
  columns: tuple[Column, ...]
  needs: str
  take: Callable

  @property
  def of_runs(self):
    """Whether it is taken of what a run has trained, and not of images."""
    return self.needs in ('generator', 'critic')


MEASURES: dict[str, Measure] = {}
"""All measures, by name."""


def measure(*columns, needs='images'):
  """Returns a decorator that adds a function to `MEASURES` under its name.

  Args:
    *columns: `Column`s of the values that it takes. Whether they depend on
      features follows from what it needs.
    needs: as in `Measure`.
  """
  on_features = needs in ('features', 'features by class', 'logits', 'labels')
  columns = tuple(own._replace(on_features=on_features) for own in columns)

  def add(take):
    MEASURES[take.__name__] = Measure(take.__name__, columns, needs, take)
    return take

  return add


def chosen(names):
  """Returns the measures of these names, a list.

  Raises:
    ValueError: if there is no measure of a name, with all that there are, or no
      name.
  """
  if not names:
    raise ValueError(
      f'No metric was asked for; choose from {", ".join(sorted(MEASURES))}.'
    )
  return [choose('metric', MEASURES, name) for name in names]


def columns(measures):
  """Returns the columns of measures as JSON values, by name.

  They are written beside what was measured, as `reports.columns` describes
  them, so that whoever reads a file needs to know no measure.
  """
  return {
    column.name: {
      'title': column.title,
      'direction': column.direction,
      'on_features': column.on_features,
      'measure': own.name,
    }
    for own in measures
    for column in own.columns
  }


@measure(Column('fid', 'FID', 'minimize'), needs='features')
def fid(reals, fakes, seed):
  """Frechet inception distance."""
  value = metrics.fid.fid(reals.features(), fakes.features())
  return {'fid': value}, _counts(reals.images, fakes.images)


@measure(
  Column('kid', 'KID', 'minimize'),
  Column('kid_std', 'KID std'),
  needs='features',
)
def kid(reals, fakes, seed):
  """Kernel inception distance, and its standard deviation over subsets."""
  mean, std = metrics.kid.kid(reals.features(), fakes.features(), seed=seed)
  return {'kid': mean, 'kid_std': std}, _counts(reals.images, fakes.images)


@measure(
  Column('inception_score', 'IS', 'maximize'),
  Column('inception_score_std', 'IS std'),
  needs='logits',
)
def inception_score(reals, fakes, seed):
  """Inception score, and its standard deviation over splits."""
  splits = 10
  mean, std = metrics.inception_score.inception_score(fakes.logits(), splits)
  values = {'inception_score': mean, 'inception_score_std': std}
  return values, {'images': len(fakes.images), 'splits': splits}


@measure(Column('accuracy', 'accuracy', 'maximize'), needs='labels')
def accuracy(reals, fakes, seed):
  """Share of the samples whose class the classifier says."""
  right = fakes.logits().argmax(-1) == fakes.labels
  return {'accuracy': float(right.mean())}, {'images': len(fakes.images)}


@measure(
  Column('swd', 'SWD x 1000', 'minimize'),
  Column('swd_levels', 'SWD x 1000'),
)
def swd(reals, fakes, seed):
  """Sliced Wasserstein distance, the mean and at each resolution."""
  number = min(len(reals.images), len(fakes.images))
  pair = [samples.subset(own.images, number, seed) for own in (reals, fakes)]
  settings = {'patches': 128, 'size': 7, 'directions': 512}
  found = metrics.swd.sliced_wasserstein(*pair, seed=seed, **settings)
  by_level = {str(side): value for side, value in found.levels.items()}
  values = {'swd': found.mean, 'swd_levels': by_level}
  return values, {**_counts(*pair), **settings}


@measure(
  Column('precision', 'precision', 'maximize'),
  Column('recall', 'recall', 'maximize'),
  Column('density', 'density', 'maximize'),
  Column('coverage', 'coverage', 'maximize'),
  needs='features',
)
def prdc(reals, fakes, seed):
  """Precision, recall, density and coverage."""
  pair = [
    samples.subset(own.features(), _NEIGHBOURS, seed) for own in (reals, fakes)
  ]
  k = {'k_precision_recall': 3, 'k_density_coverage': 5}
  values = {
    **metrics.prdc.precision_recall(*pair, k['k_precision_recall'])._asdict(),
    **metrics.prdc.density_coverage(*pair, k['k_density_coverage'])._asdict(),
  }
  values = {name: float(value) for name, value in values.items()}
  return values, {**_counts(*pair), **k}


@measure(Column('ms_ssim', 'MS-SSIM', 'minimize'))
def ms_ssim(reals, fakes, seed):
  """Structural similarity of pairs of samples at several scales."""
  own = jnp.asarray(_scaled_subset(fakes, seed))
  value = metrics.diversity.diversity(own, _PAIRS, jax.random.key(seed))
  return {'ms_ssim': float(value)}, {'images': len(own), 'pairs': _PAIRS}


@measure(Column('distance', 'pairwise distance', 'maximize'))
def distance(reals, fakes, seed):
  """Mean distance of the pixels of two samples."""
  own = _scaled_subset(fakes, seed)
  value = metrics.diversity.pairwise_distance(own)
  return {'distance': value}, {'images': len(own)}


@measure(
  Column('reconstruction', 'reconstruction MSE x 1000', 'minimize'),
  Column('reconstruction_worst', 'MSE x 1000 of the worst tenth', 'minimize'),
  needs='generator',
)
def reconstruction(reals, fakes, seed):
  """Mean squared error of held-out images as the generator can make them.

  Latents are searched for as `ganjax.evaluation.reconstruction` says. The worst
  tenth are the images that the generator comes least near to.
  """
  errors, _, settings = fakes.reconstructions()
  settings = {'images': len(errors), **settings}
  if not len(errors):  # No image of this class is held out.
    return {}, settings
  worst = np.sort(errors)[-max(1, len(errors) // 10) :]
  values = {'reconstruction': errors, 'reconstruction_worst': worst}
  return {k: 1000 * float(v.mean()) for k, v in values.items()}, settings


@measure(
  Column('taken_for_real', 'reals that D takes for real'), needs='critic'
)
def critic(reals, fakes, seed):
  """The share of reals that the discriminator takes for real."""
  share = fakes.judge(reals.images, reals.labels, seed)
  return {'taken_for_real': share}, {'reals': len(reals.images)}


@measure(
  Column('coverage_within', 'coverage within a class', 'maximize'),
  needs='features by class',
)
def coverage_within(reals, fakes, seed):
  """Coverage of the reals of a class by its samples, the mean over classes.

  A generator that has one sample for each class may still cover many reals if
  classes are not told apart. Here the balls of a class reach to its own
  neighbours, and hold its own samples.
  """
  found, k = [], 5
  for label in np.unique(reals.labels):
    pair = [
      samples.subset(samples.of_class(own, label).features(), _NEIGHBOURS, seed)
      for own in (reals, fakes)
    ]
    # The images of a class may be as few as two.
    own_k = min(k, len(pair[0]) - 1)
    covered = len(pair[1]) and metrics.prdc.density_coverage(*pair, own_k)[1]
    found.append(float(covered))
  settings = {**_counts(reals.images, fakes.images), 'k_at_most': k}
  return {'coverage_within': float(np.mean(found))}, settings


@measure(
  Column('distance_within', 'distance within a class', 'maximize'),
  needs='images by class',
)
def distance_within(reals, fakes, seed):
  """Mean distance of the pixels of two samples of a class, over classes.

  It is 0 of a generator that has one sample for each class, whatever the
  distance of all its samples is. Classes with fewer than two samples have no
  pairs, and are left out.
  """
  found = [
    metrics.diversity.pairwise_distance(_scaled_subset(own, seed))
    for label in np.unique(fakes.labels)
    if len((own := samples.of_class(fakes, label)).images) > 1
  ]
  settings = {'images': len(fakes.images), 'classes': len(found)}
  # There may be no pair, as of a class with a single image held out.
  values = {'distance_within': float(np.mean(found))} if found else {}
  return values, settings


@measure(Column('change', 'mean squared change'), needs='tracked')
def change(before, now, seed):
  """Mean squared change of the images of one latent between checkpoints.

  Karnewar and Wang, "MSG-GAN: Multi-Scale Gradients for Generative Adversarial
  Networks", 2020, arXiv:1903.06048, section 4.1, which follows 36 latents.
  """
  by_side = {
    str(side): float(np.mean(np.square(now[side] - before[side])))
    for side in now
  }
  return {'change': by_side}, {'latents': samples.TRACKED}


def _scaled_subset(own, seed):
  return images.scale(samples.subset(own.images, _PAIRS, seed))


def _counts(reals, fakes):
  return {'reals': len(reals), 'images': len(fakes)}
