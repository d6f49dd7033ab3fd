"""The data of protocols of mode collapse, and how their modes are counted."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ganjax.arrays import Batch
from ganjax.data import images, order, stacked_mnist, toy
from ganjax.evaluation import classifier, features
from ganjax.lookup import choose
from ganjax.metrics import modes


class Problem(NamedTuple):
  """Data whose modes are known, and how they are counted.

  Attributes:
    shape: of one example.
    modes: K, how many modes there are.
    data: a tree of arrays that all runs share.
    tables: `(key, data, pack=1) -> tree` of what a run draws once, such as a
      pool of packs.
    batch: `(tables, key, first, number, data) -> Batch`, from the run's example
      number `first` on.
    count: `(samples, data) -> modes.Modes`; traceable.
    host_count: the same in several dispatches, or None where one is enough.
    divergence: the KL divergence of the data from the uniform distribution over
      the modes, in nats.
    name: what the data are called in records.
  """

  shape: tuple
  modes: int
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
    cache: the folder of decoded digits and of their classifier; needed for
      Stacked MNIST only.
    report: `(done, total, *others)`, which is called while the classifier is
      trained; or None.

  Raises:
    ValueError: if there are no data, or no rule for counting, of that name.
  """
  if config.data.name == 'stacked_mnist':
    return _stacked(config, cache, report)
  data = config.data
  centres, std, sample = choose('problem', _mixtures, data.name)(data)
  rules = _rules(config.measure)

  def tables(key, shared, pack=1):
    return toy.pool(sample, data.pool, pack)[0](key) if data.pool else ()

  def batch(tables, key, first, number, shared):
    if not data.pool:
      return Batch(sample(jax.random.fold_in(key, first), number))
    _, pooled = toy.pool(sample, data.pool, packing=tables.shape[1])
    return Batch(pooled(tables, key, first, number))

  return Problem(
    shape=(2,),
    modes=len(centres),
    data=(),
    tables=tables,
    batch=batch,
    count=lambda samples, data: modes.count(samples, centres, std, **rules),
    host_count=None,
    divergence=0.0,
    name=f'{data.name}, {len(centres)} modes',
  )


def _of_centres(centres, std):
  return centres, std, toy.mixture(centres, std)


_mixtures = {
  'ring': lambda data: _of_centres(toy.ring(data.modes, data.radius), data.std),
  'grid': lambda data: _of_centres(toy.grid(data.side, data.spacing), data.std),
  'mixture': lambda data: _of_centres(jnp.asarray(data.centres), data.std),
  'spiral': lambda data: (
    toy.coil(data.modes, data.divisor),
    data.noise / data.divisor,
    toy.spiral(data.noise, data.divisor),
  ),
}

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
    return count(in_parts(lambda x: classify(x, shared[1]), samples, 256))

  def host_count(samples, shared):
    logits = features.in_batches(
      lambda part: classify(part, shared[1]), np.asarray(samples)
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
    data=(stacked_mnist.padded(digits, data.side), judge.params),
    tables=tables,
    batch=batch,
    count=traced,
    host_count=host_count,
    divergence=float(3 * np.sum(share * np.log(10 * share))),
    name=f'stacked MNIST of {len(digits)} digits; modes by {judge.name}',
  )


def _digits(directory, split, cache):
  digits, labels = stacked_mnist.digits(directory, split, cache)
  return digits[..., None], labels


def in_parts(function, rows, size):
  """Returns the function of all rows, computed `size` at a time; traceable."""
  number = len(rows)
  filled = rows[np.arange(number + -number % size) % number]
  parts = filled.reshape(-1, size, *rows.shape[1:])
  done = jax.lax.map(function, parts)
  return done.reshape(-1, *done.shape[2:])[:number]


def floor(config, problem):
  """Returns the reverse KL, in nats, that a perfect sampler would be given.

  Args:
    config: of the protocol.
    problem: the `Problem` of it.
  """
  counted = config.measure.samples
  if config.data.name != 'stacked_mnist' and not config.measure.all_counted:
    counted = counted * modes.ceiling(config.measure.within)
  return float(modes.floor(problem.modes, counted, problem.divergence))


def reals(problem, number):
  """Returns examples of the data `[number, ...]`, the same at each call."""
  key = jax.random.key(0)
  tables = problem.tables(key, problem.data)
  batch = problem.batch(tables, key, 0, number, problem.data)
  return np.asarray(batch.images)
