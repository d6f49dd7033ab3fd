"""The data of protocols of mode collapse, and how their modes are counted."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ganjax.arrays import Batch
from ganjax.data import images, order, stacked_mnist, toy
from ganjax.evaluation import classifier, features
from ganjax.labels import in_turn
from ganjax.lookup import choose
from ganjax.metrics import few_images, modes
from ganjax.sweeps import mixtures


class Problem(NamedTuple):
  """Data whose modes are known, and how they are counted.

  Attributes:
    shape: of one example.
    modes: K, how many modes there are.
    classes: how many labels there are; 0 where batches have none. Of samples
      that are counted, the one of number i has the label i mod classes.
    data: a tree of arrays that all runs share.
    tables: `(key, data, pack=1) -> tree` of what a run draws once, such as a
      pool of packs.
    batch: `(tables, key, first, number, data) -> Batch`, from the run's example
      number `first` on.
    count: `(samples, data) -> modes.Modes` of a `Batch` of samples, or
      `modes.LabelledModes` where they have labels; traceable.
    host_count: the same in several dispatches, or None where one is enough.
    divergence: the KL divergence of the data from the uniform distribution over
      the modes, in nats.
    name: what the data are called in records.
  """

  shape: tuple
  modes: int
  classes: int
  data: Any
  tables: Callable
  batch: Callable
  count: Callable
  host_count: Callable | None
  divergence: float
  name: str


def problem(config, cache=None, report=None):
  """Returns the `Problem` of a protocol.

  Args:
    config: of a protocol.
    cache: the folder of decoded images and of the classifier of digits; needed
      where the data are images.
    report: `(done, total, *others)`, which is called while the classifier is
      trained; or None.

  Raises:
    ValueError: if there are no data, or no rule for counting, of that name.
  """
  if config.data.name == 'stacked_mnist':
    return _stacked(config, cache, report)
  if config.data.name == 'few_images':
    return _few(config, cache)
  data = config.data
  mixture = mixtures.mixture(data)
  rules = _rules(config.measure)

  def tables(key, shared, pack=1):
    if not data.pool:
      return ()
    return toy.pool(mixture.sample, data.pool, pack)[0](key)

  def batch(tables, key, first, number, shared):
    if not data.pool:
      drawn = mixture.sample(jax.random.fold_in(key, first), number)
    else:
      pack = jax.tree.leaves(tables)[0].shape[1]
      _, pooled = toy.pool(mixture.sample, data.pool, pack)
      drawn = pooled(tables, key, first, number)
    return Batch(*drawn) if mixture.classes else Batch(drawn)

  labelled = f' of {mixture.classes} labels' if mixture.classes else ''
  return Problem(
    shape=(2,),
    modes=len(mixture.centres),
    classes=mixture.classes,
    data=(),
    tables=tables,
    batch=batch,
    count=lambda samples, data: mixture.count(samples, **rules),
    host_count=None,
    divergence=0.0,
    name=f'{data.name}, {len(mixture.centres)} modes{labelled}',
  )


def with_classes(config, problem):
  """Returns the config with the number of labels that its game is played with.

  Args:
    config: of a protocol.
    problem: the `Problem` of it.

  Returns:
    The config itself where there are no labels.

  Raises:
    ValueError: if the config asks for labels and the problem has none, or the
      other way round, or if they differ in their number.
  """
  if bool(config.labels) != bool(problem.classes):
    raise ValueError(
      f'labels is {str(config.labels).lower()}, but the data are '
      f'{problem.name}; set labels to {str(bool(problem.classes)).lower()}, or '
      'choose other data.'
    )
  if not config.labels:
    return config
  if config.classes not in (0, problem.classes):
    raise ValueError(
      f'classes is {config.classes}, but the data are {problem.name}; leave '
      'classes at 0.'
    )
  own = config.copy_and_resolve_references()
  own.classes = problem.classes
  return own


def labels(problem, number):
  """Returns the labels of samples that are counted, or None without labels."""
  return in_turn(number, problem.classes)


_comparisons = {'less': jnp.less, 'less_equal': jnp.less_equal}


def _rules(measure):
  return {
    'within': measure.within,
    'closer': choose('comparison', _comparisons, measure.closer),
    'minimum': measure.minimum,
    'smoothing': measure.smoothing,
    # Beyond any distance: the divergence counts all samples.
    'reach': jnp.inf if measure.all_counted else None,
  }


_ranges = {
  'signed': (images.scale, lambda samples: samples),
  'unit': (stacked_mnist.unit, lambda samples: 2 * samples - 1),
}

_orders = {
  'shuffled': order.indices,
  'sequential': stacked_mnist.sequential,
}


def _stacked(config, cache, report):
  data, measure = config.data, config.measure
  digits, labels = stacked_mnist.digits(data.dir, data.split, cache)
  scaled, back = choose('range', _ranges, data.range)
  judge = classifier.trained_for(
    *_digits(data.dir, 'train', cache),
    cache_directory=cache / 'classifiers',
    name='mnist/train 28x28x1',
    epochs=measure.classifier_epochs,
    test=('mnist/test', *_digits(data.dir, 'test', cache)),
    report=report,
  )
  border = (data.side - 28) // 2

  def classify(samples, params):
    inner = samples[:, border : border + 28, border : border + 28]
    return classifier.by_channel(params, back(inner))

  def count(logits):
    return modes.stacked(
      logits, confidence=measure.confidence, minimum=measure.minimum
    )

  def traced(samples, shared):
    images = samples.images
    return count(in_parts(lambda x: classify(x, shared[1]), images, 256))

  def host_count(samples, shared):
    logits = features.in_batches(
      lambda part: classify(part, shared[1]), np.asarray(samples.images)
    )
    return count(logits)

  def batch(tables, key, first, number, shared):
    if data.pool:
      indices = choose('order', _orders, data.order)
      stacks = stacked_mnist.fixed(
        shared[0], tables, key, first, number, indices
      )
    else:
      key = jax.random.fold_in(key, first)
      stacks = stacked_mnist.draw(shared[0], key, number)
    return Batch(scaled(stacks))

  def tables(key, shared, pack=1):
    if not data.pool:
      return ()
    table_key, pack_key = jax.random.split(key)
    table = stacked_mnist.table(table_key, data.pool, len(digits))
    if pack > 1:
      table = stacked_mnist.repacked(pack_key, table, pack)
    return table

  share = np.bincount(labels, minlength=10) / len(labels)
  return Problem(
    shape=(data.side, data.side, 3),
    modes=1000,
    classes=0,
    data=(stacked_mnist.padded(digits, data.side), judge.params),
    tables=tables,
    batch=batch,
    count=traced,
    host_count=host_count,
    divergence=float(3 * np.sum(share * np.log(10 * share))),
    name=f'stacked MNIST of {len(digits)} digits; modes by {judge.name}',
  )


def _few(config, cache):
  """Returns the `Problem` of some images of each class, each of them a mode."""
  data = config.data
  stored = images.load(
    data.source, data.dir or None, data.split, data.resolution, cache=cache
  )
  if stored.labels is None:
    raise ValueError(
      f'{stored.name} has no classes, of which data.number images would be '
      'taken; choose other data as data.source.'
    )
  classes = len(stored.classes)
  rows = [
    np.flatnonzero(stored.labels == label)[: data.number]
    for label in range(classes)
  ]
  for name, own in zip(stored.classes, rows, strict=True):
    if len(own) < data.number:
      raise ValueError(
        f'The class {name} of {stored.name} has {len(own)} images, but '
        f'data.number is {data.number}; choose a smaller number.'
      )
  chosen = np.concatenate(rows)
  neighbours = min(data.neighbours, data.number - 1)

  def batch(tables, key, first, number, shared):
    own = order.indices(key, first, number, len(chosen))
    return Batch(shared.images[own], shared.labels[own])

  return Problem(
    shape=stored.images.shape[1:],
    modes=len(chosen),
    classes=classes,
    data=Batch(
      jnp.asarray(images.scale(stored.images[chosen])),
      jnp.asarray(stored.labels[chosen]),
    ),
    tables=lambda key, shared, pack=1: (),
    batch=batch,
    count=lambda samples, shared: few_images.count_by_class(
      *samples, *shared, classes, neighbours
    ),
    host_count=None,
    divergence=0.0,
    name=f'{data.number} images of each of {classes} classes of {stored.name} '
    f'({stored.identity[:8]}), each a mode',
  )


def _digits(directory, split, cache):
  digits, labels = stacked_mnist.digits(directory, split, cache)
  return digits[..., None], labels


def in_parts(function, rows, size):
  """Returns the function of all rows, computed `size` at a time; traceable.

  Rows are an array `[number, ...]`, or a tree of them.
  """
  number = jax.tree.leaves(rows)[0].shape[0]
  filled = np.arange(number + -number % size) % number
  parts = jax.tree.map(
    lambda leaf: leaf[filled].reshape(-1, size, *leaf.shape[1:]), rows
  )
  done = jax.lax.map(function, parts)
  return done.reshape(-1, *done.shape[2:])[:number]


def floor(config, problem):
  """Returns the reverse KL, in nats, that a perfect sampler would be given.

  Samples with labels have as many of each, so that only which of them are good
  is left to chance in how many of a label are counted. This takes the place of
  a variable for each label but one.

  Args:
    config: of the protocol.
    problem: the `Problem` of it.
  """
  counted, share = config.measure.samples, 1.0
  points = len(problem.shape) == 1
  if points and not config.measure.all_counted:
    share = modes.ceiling(config.measure.within)
  free = problem.modes - share * max(problem.classes - 1, 0)
  return float(modes.floor(free, share * counted, problem.divergence))


def reals(problem, number):
  """Returns examples of the data `[number, ...]`, the same at each call."""
  key = jax.random.key(0)
  tables = problem.tables(key, problem.data)
  batch = problem.batch(tables, key, 0, number, problem.data)
  return np.asarray(batch.images)
