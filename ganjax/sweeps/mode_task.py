"""The laboratory of mode collapse: from a protocol to runs that are measured.

A protocol is a config: data whose modes are known, players, an order of moves,
a rule for counting. A remedy is what it changes in the config. Both become a
`population.Training`, of which any number of seeds train as one population.
"""

import contextlib
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ganjax import steps
from ganjax.config import games
from ganjax.data import images, order, stacked_mnist, toy
from ganjax.evaluation import classifier, features
from ganjax.lookup import choose
from ganjax.metrics import modes
from ganjax.training import population


class Problem(NamedTuple):
  """Data whose modes are known, and how they are counted.

  Attributes:
    shape: of one example.
    modes: how many there are, K.
    data: a tree of arrays that all runs share.
    tables: `(key, data, pack=1) -> tree`, what a run draws once, such as a pool
      of packs.
    batch: `(tables, key, first, number, data) -> examples`, from example number
      `first` of the run on.
    count: `(samples, data) -> Modes`; traceable.
    host_count: the same in several dispatches, or None where one will do.
    divergence: of the data from the uniform over the modes, in nats.
    name: for records.
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
  """The `Problem` of a protocol.

  Args:
    config: of a protocol.
    cache: folder of decoded digits and of their classifier.
    report: as in `classifier.train`.

  Raises:
    ValueError: if there are no such data or rules.
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
      return sample(jax.random.fold_in(key, first), number)
    _, pooled = toy.pool(sample, data.pool, packing=tables.shape[1])
    return pooled(tables, key, first, number)

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


def _stacked(config, cache, report):
  data, measure = config.data, config.measure
  digits, labels = stacked_mnist.digits(data.dir, data.split, cache)
  shown, back = choose('range', _ranges, data.range)
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
    return count(_in_parts(lambda x: classify(x, shared[1]), samples, 256))

  def host_count(samples, shared):
    logits = features.in_batches(
      lambda part: classify(part, shared[1]), np.asarray(samples)
    )
    return count(logits)

  def batch(tables, key, first, number, shared):
    if data.pool:
      positions = {
        'shuffled': order.indices,
        'sequential': stacked_mnist.sequential,
      }[data.order]
      stacks = stacked_mnist.fixed(
        shared[0], tables, key, first, number, positions
      )
    else:
      key = jax.random.fold_in(key, first)
      stacks = stacked_mnist.draw(shared[0], key, number)
    return shown(stacks)

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


def _in_parts(function, rows, size):
  """The function of all rows, so many at a time, in a loop; traceable."""
  number = len(rows)
  filled = rows[np.arange(number + -number % size) % number]
  parts = filled.reshape(-1, size, *rows.shape[1:])
  done = jax.lax.map(function, parts)
  return done.reshape(-1, *done.shape[2:])[:number]


def remedied(config, name):
  """The protocol's config with what a remedy changes in it.

  Raises:
    ValueError: if the protocol has no such remedy.
  """
  changes = choose('remedy', config.remedies, name)
  config = config.copy_and_resolve_references()
  with config.unlocked():
    for section in ('remedies', 'published', 'seeds', 'mapping'):
      del config[section]
  # A regulariser of one's own is new to the config.
  with contextlib.ExitStack() as stack:
    for section in config.regularizers.values():
      stack.enter_context(section.unlocked())
    config.update(changes)
  return config


def rows(config):
  """How many examples one step of a protocol takes."""
  return config.batch_size * config.critic_steps


def training(config, problem):
  """The `population.Training` of a remedied protocol.

  Numbers are a dict from fields of the config to traced values. Its records are
  a dict of a `Modes` at `modes` and some `samples` of each evaluation.

  Args:
    config: as `remedied` returns.
    problem: a `Problem`.
  """
  measure = config.measure

  def parts(numbers):
    own = games.with_values(config, numbers)
    played = games.schedule(own, problem.shape)
    return played, games.optimizer_pair(own), games.update_step(own, played)

  def init(key, numbers, data):
    played, optimizers, _ = parts(numbers)
    state = steps.init(played, optimizers, key)
    key = jax.random.fold_in(order.data_key(state.key), 0)
    return {'run': state, 'tables': problem.tables(key, data, config.pack)}

  def step(state, numbers, data):
    run = state['run']
    batch = problem.batch(
      state['tables'],
      jax.random.fold_in(order.data_key(run.key), 1),
      run.step * rows(config),
      rows(config),
      data,
    )
    run, metrics = parts(numbers)[-1](run, batch)
    return state | {'run': run}, metrics

  def samples(state, numbers, data):
    """All samples of an evaluation, always of the same latents."""
    run = state['run']
    game = parts(numbers)[0](run.step)
    params = {'raw': run.params.generator, 'ema': run.ema_params}
    key = jax.random.key(measure.seed)
    latents = game.prior(key, measure.samples)

    def draw(latents):
      return game.sample(
        params[measure.weights],
        run.buffers,
        latents,
        key,
        train=measure.batch_statistics,
      )

    if measure.batch >= measure.samples:
      return draw(latents)
    return _in_parts(draw, latents, measure.batch)

  def record(found, drawn):
    pictured = drawn[: measure.pictures]
    if pictured.ndim == 4:
      pictured = images.quantize(pictured)
    return {'modes': found, 'samples': pictured}

  def evaluate(state, numbers, data):
    drawn = samples(state, numbers, data)
    return record(problem.count(drawn, data), drawn)

  jitted = jax.jit(samples)

  def host_evaluate(state, numbers, data):
    drawn = jitted(state, numbers, data)
    return record(problem.host_count(drawn, data), drawn)

  return population.Training(
    init=init,
    step=step,
    evaluate=evaluate,
    steps=config.steps,
    every=math.ceil(config.steps / measure.evaluations),
    host_evaluate=host_evaluate if problem.host_count else None,
  )


def floor(config, problem):
  """Reverse KL that a perfect sampler would be measured to have, in nats."""
  counted = config.measure.samples
  if config.data.name != 'stacked_mnist' and not config.measure.all_counted:
    counted = counted * modes.ceiling(config.measure.within)
  return float(modes.floor(problem.modes, counted, problem.divergence))
