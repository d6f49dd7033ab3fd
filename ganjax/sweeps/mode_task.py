"""Protocols of mode collapse, and their remedies, as tasks.

A protocol is a config: data whose modes are known, players, an update rule, and
how modes are counted. A remedy is what it changes in the config.
"""

import contextlib
import functools
import math
import warnings

import jax
import numpy as np

from ganjax import capacity, pictures, steps
from ganjax.arrays import Batch
from ganjax.config import games, schedules
from ganjax.data import images, order
from ganjax.evaluation import measures
from ganjax.evaluation import samples as image_samples
from ganjax.evaluation.measures import Column
from ganjax.labels import in_turn
from ganjax.lookup import choose
from ganjax.sweeps.mode_problems import in_parts, labels, reals, with_classes
from ganjax.sweeps.task import (
  Measured,
  Task,
  check_evaluations,
  compiled_evaluation,
  watched,
)
from ganjax.training import population


def _take(modes, settings, seed):
  divergence, bound = float(modes.divergence), math.log(len(modes.occupancy))
  values = {
    'captured': int(modes.captured),
    'quality': float(modes.quality),
    # Left out, a run without a good sample would better the mean of its seeds.
    'reverse_kl': divergence if math.isfinite(divergence) else bound,
  }
  said = f'counted as {bound:.3f}, that of a single mode'
  return values, {**settings, 'undefined_reverse_kl': said}


def _take_labelled(modes, settings, seed):
  return {'fewest': int(modes.captured_by_label.min())}, settings


MODES = measures.Measure(
  'modes',
  (
    Column('captured', 'modes captured', 'maximize'),
    Column('quality', 'high quality', 'maximize'),
    Column('reverse_kl', 'reverse KL', 'minimize'),
  ),
  'modes',
  _take,
)
"""What is measured of the `Modes` of a run's samples."""

LABELLED_MODES = measures.Measure(
  'modes_by_label',
  (Column('fewest', 'fewest modes of a label', 'maximize'),),
  'modes',
  _take_labelled,
)
"""What is measured of `LabelledModes` besides."""


def taken(config):
  """Returns the measures of a protocol, a list."""
  if config.data.name == 'few_images':
    within = measures.MEASURES['distance_within']
    return [MODES, LABELLED_MODES, within]
  return [MODES, LABELLED_MODES] if config.labels else [MODES]


def remedied(config, name):
  """Returns a copy of the protocol with what a remedy changes in it.

  Args:
    config: of the protocol.
    name: of the remedy.

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


def of(config, problem, evaluations=None):
  """Returns the `Task` of a remedied protocol.

  Args:
    config: as `remedied` returns it. A run is longer than `config.steps` by up
      to `evaluations - 1` steps, so that its evaluations divide it.
    problem: the `mode_problems.Problem` of the protocol.
    evaluations: how many; `config.measure.evaluations` if None.

  Raises:
    ValueError: if the run has fewer steps than evaluations, or as
      `mode_problems.with_classes`.
  """
  config = with_classes(config, problem)
  evaluations = evaluations or config.measure.evaluations
  check_evaluations(evaluations, config.steps)
  _check(config, problem)
  every = -(-config.steps // evaluations)
  training = watched(_training(config, problem, every, evaluations))
  return Task(
    name=f'{config.protocol}: {problem.name}',
    data=problem.data,
    key=lambda seed: jax.random.fold_in(jax.random.key(0), seed),
    training=training,
    evaluate=compiled_evaluation(training),
    images_seen=tuple(
      every * rows(config) * (evaluation + 1)
      for evaluation in range(evaluations)
    ),
    columns=measures.columns(taken(config)),
    number=config.measure.samples,
    settings=lambda: {
      'features': 'none; modes are known',
      'data': problem.name,
      'split': config.data.get('split', 'none; drawn anew'),
      'resizing': 'none',
      'seed': config.measure.seed,
      'weights': config.measure.weights,
      'checkpoint': 'last',
    },
    measure=_measure(config, problem),
    arrays=lambda record: {
      'samples': record['samples'],
      **record['modes']._asdict(),
    },
  )


def _check(config, problem):
  """Raises ValueError for unknown names, and if the memory is too small."""
  measure = config.measure
  choose('weights', dict.fromkeys(('raw', 'ema')), measure.weights)
  game = games.schedule(config, problem.shape)
  with warnings.catch_warnings():
    warnings.simplefilter('ignore')  # They come when it is trained.
    games.update_step(config, game)
  each = 4 * math.prod(problem.shape)
  capacity.check(
    {
      f'a batch of {rows(config)} examples': each * rows(config),
      f'{measure.samples} samples': each * measure.samples,
    },
    'choose a smaller batch_size or measure.samples',
  )


def rows(config):
  """Returns how many examples a step of a protocol takes."""
  return config.batch_size * config.critic_steps


def _training(config, problem, every, evaluations):
  """Returns the `population.Training` of a remedied protocol.

  Its records are a dict of the `Modes` at `modes` and some `samples`.
  """
  measure = config.measure

  def parts(numbers):
    own = schedules.with_values(config, numbers)
    game = games.schedule(own, problem.shape)
    return game, games.optimizer_pair(own), games.update_step(own, game)

  def init(key, numbers, data):
    game, optimizers, _ = parts(numbers)
    state = steps.init(game, optimizers, key)
    key = jax.random.fold_in(order.data_key(state.key), 0)
    return {'run': state, 'tables': problem.tables(key, data, config.pack)}

  def step(state, numbers, data):
    run = state['run']
    batch = problem.batch(
      state['tables'],
      jax.random.fold_in(order.data_key(run.key), 1),
      run.step * schedules.rows_taken(config),
      schedules.rows_taken(config),
      data,
    )
    run, metrics = parts(numbers)[-1](run, batch)
    return state | {'run': run}, metrics

  def samples(state, numbers):
    """Returns the `Batch` of an evaluation, always of the same latents."""
    run = state['run']
    game = parts(numbers)[0](run.step)
    own = steps.weights(run, measure.weights)
    key = jax.random.key(measure.seed)
    classes = labels(problem, measure.samples)
    given = (
      game.prior(key, measure.samples),
      image_samples.keys(key, measure.samples),
      classes,
    )

    def draw(latents, key, labels):
      train = measure.batch_statistics
      return game.sample(*own, latents, key, train=train, labels=labels)

    def draw_part(given):
      if not measure.batch_statistics:
        return image_samples.by_image(draw)(*given)
      # The key of the part's first sample is that of the part.
      latents, keys, labels = given
      return draw(latents, keys[0], labels)

    if measure.batch >= measure.samples:
      return Batch(draw_part(given), classes)
    return Batch(in_parts(draw_part, given, measure.batch), classes)

  def record(modes, drawn):
    pictured = drawn.images[: measure.pictures]
    if pictured.ndim == 4:
      pictured = images.quantize(pictured)
    return {'modes': modes, 'samples': pictured}

  def evaluate(state, numbers, data):
    drawn = samples(state, numbers)
    return record(problem.count(drawn, data), drawn)

  jitted = jax.jit(samples)

  def host_evaluate(state, numbers, data):
    drawn = jitted(state, numbers)
    return record(problem.host_count(drawn, data), drawn)

  return population.Training(
    init=init,
    step=step,
    evaluate=evaluate,
    steps=every * evaluations,
    every=every,
    host_evaluate=host_evaluate if problem.host_count else None,
  )


def _measure(config, problem):
  settings = {
    'samples': config.measure.samples,
    'within': config.measure.within,
  }

  # To draw reals outside of a program compiles its loop at every call.
  @functools.cache
  def drawn(number):
    return reals(problem, number)

  def measure(step, state, numbers, record):
    samples, values, how = record['samples'], {}, {}
    pictured = image_samples.Samples(
      samples, None, None, in_turn(len(samples), problem.classes)
    )
    for own in taken(config):
      given = record['modes'], settings
      if own.needs != 'modes':
        given = None, pictured
      found, how[own.name] = own.take(*given, config.measure.seed)
      values |= found
    if samples.ndim == 2:
      picture = scatter(samples, drawn(len(samples)))
    else:
      picture = pictures.grid(images.scale(samples[:36]))
    return Measured(values, how, picture)

  return measure


def scatter(samples, reals, side=200):
  """Returns a picture of points in the plane, over reals in a paler colour.

  Args:
    samples: `[N, 2]`; those that are not finite are left out.
    reals: `[M, 2]`, which set the limits.
    side: of the picture, in pixels.

  Returns:
    uint8 `[side, side, 3]`.
  """
  picture = np.full((side, side, 3), 255, np.uint8)
  middle = (reals.min(0) + reals.max(0)) / 2
  half = 0.65 * (reals.max(0) - reals.min(0)).max()
  for points, colour in ((reals, (205, 205, 205)), (samples, (31, 90, 160))):
    places = np.floor((np.asarray(points) - middle) / half * side / 2)
    places = places[np.isfinite(places).all(1)].astype(int) + side // 2
    places = places[((places >= 1) & (places < side - 1)).all(1)]
    for column, row in ((0, 0), (1, 0), (0, 1), (1, 1)):
      picture[side - 1 - places[:, 1] + row, places[:, 0] + column] = colour
  return picture
