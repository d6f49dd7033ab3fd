"""Samples of trained runs, and the classes that they are measured by."""

import functools
import math
import warnings

import numpy as np

from ganjax import capacity
from ganjax.config import datasets, restore, runs, schedules
from ganjax.evaluation import critics, reconstruction
from ganjax.evaluation import samples as of_generators


def sampler(config, data, weights, seed, labels, number):
  """Returns `(TrainedRun, Features) -> Samples`, of a number of samples.

  It compiles once for all checkpoints of a run, unless what its generator is
  changes with the step.

  Args:
    config: of the run.
    data: the `images.ImageSet` that it was trained on.
    weights: as in `restore.generator`.
    seed: of the latents.
    labels: int32 `[number]`, or None.
    number: of the samples.

  Returns:
    A function, which raises FloatingPointError if some are not finite.

  Raises:
    ValueError: if the memory is too small for the samples.
  """
  shape = data.images.shape[1:]
  capacity.check(
    {f'{number} samples': number * math.prod(shape)}, 'take fewer samples'
  )
  changes = 'growth' in config or bool(schedules.sections(config))
  held_out = functools.cache(lambda: to_reconstruct(config, data, seed))

  @functools.cache
  def at(step):
    game = runs.game(config, shape, step)

    def generate(given, latents, key, labels):
      return game.sample(*given, latents, key, labels=labels)

    def judged(state, batch, key):
      return game.discriminator(state.params, state.buffers, batch, key)[1][1]

    return (
      of_generators.sampler(generate),
      reconstruction.reconstructor(generate, game.prior, shape[0]),
      critics.judge(judged, config),
      game.prior,
    )

  def sample(run, extractor):
    draw, reconstruct, judge, prior = at(int(run.state.step) if changes else 0)
    given = restore.generator_weights(run, weights)
    source = restore.title(run, weights)
    drawn = draw(given, prior, number, seed, shape[0], labels, source)
    classes = config.classes if config.labels else 0
    return of_generators.of(
      drawn,
      extractor,
      labels,
      lambda: reconstruct(given, held_out(), classes, seed),
      functools.partial(judge, run.state),
    )

  return sample


def to_reconstruct(config, data, seed):
  """Returns the `images.ImageSet` that reconstructions are measured on.

  They are images of the split 'test', or else, with a warning, some of those
  that the run is trained on, as its name says.

  Args:
    config: of the run.
    data: the `images.ImageSet` that it is trained on.
    seed: that they are drawn with.
  """
  number = reconstruction.IMAGES
  found = held_out(config, 'test', number, seed)
  if found is None:
    name = f'{data.name} ({data.identity}), trained on'
    found = _drawn(data, number, seed)._replace(name=name)
  return found


def tracked(run, weights, seed, labels):
  """Returns `samples.tracked` of a run; for the arguments see `sampler`."""
  generate, prior = restore.generator(run, weights), run.game.prior
  if labels is not None:
    labels = labels[: of_generators.TRACKED]
  return of_generators.tracked(
    generate, prior, seed, run.shape[0], labels, restore.title(run, weights)
  )


def labels(config, data, number, seed):
  """Returns labels int32 `[number]`, as frequent as in the data of a run.

  Args:
    config: of the run.
    data: its `images.ImageSet`.
    number: of the labels.
    seed: that they are drawn with.

  Returns:
    None where the run is unconditional.
  """
  if not config.labels:
    return None
  return np.random.default_rng(seed).choice(data.labels, number)


def classes(config, data):
  """Returns the names of the classes of a conditional run by their labels.

  Args:
    config: of the run.
    data: its `images.ImageSet`.

  Raises:
    ValueError: if the run is unconditional.
  """
  if not config.labels:
    raise ValueError(
      'The samples of each class were to be measured, but this run is '
      'unconditional; leave out --by, or train with --config.labels=true.'
    )
  return dict(enumerate(data.classes))


def held_out(config, split, number, seed):
  """Returns the `images.ImageSet` of another split than a run was trained on.

  It is None, with a warning, where the data has no such split.

  Args:
    config: of the run.
    split: as in `images.load`; '' for none, without a warning.
    number: of the images, at most.
    seed: that they are drawn with.
  """
  if not split:
    return None
  own = config.copy_and_resolve_references()
  own.data.split = split
  try:
    found = datasets.dataset(own)
  except ValueError as error:
    warnings.warn(f'No held-out reals: {error}', stacklevel=2)
    return None
  name = f'{found.name} ({found.identity})'
  return _drawn(found, number, seed)._replace(name=name)


def _drawn(data, number, seed):
  """Returns at most a number of the images of an `images.ImageSet`."""
  images, labels = (
    rows if rows is None else of_generators.subset(rows, number, seed)
    for rows in (data.images, data.labels)
  )
  return data._replace(images=images, labels=labels)
