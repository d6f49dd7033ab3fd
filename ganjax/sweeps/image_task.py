"""Trainings on images, in one phase or several, as tasks.

Their steps are those of a run by itself, `dispatch.play`: they take the same
images in the same order, mirrored by the same coins.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from ganjax import pictures, steps
from ganjax.config import datasets, games, runs, schedules
from ganjax.data import images
from ganjax.evaluation import (
  critics,
  measures,
  reconstruction,
  results,
  samples,
  trained,
)
from ganjax.sweeps.task import (
  Measured,
  Task,
  check_evaluations,
  compiled_evaluation,
  watched,
)
from ganjax.training import dispatch, population

_SAMPLES = 36  # images that an evaluation records
_SEED = 0  # of the latents, pairs and patches of the measures


def of(config, data, evaluations, metrics=(), number=1000, reals=None):
  """Returns the `Task` of a training on images.

  Args:
    config: of the training. A run has more images than it says, where its
      evaluations would not divide its steps.
    data: the `images.ImageSet`.
    evaluations: how many, at least 1.
    metrics: `measures.Measure`s that are taken of the samples at each of them.
    number: of the samples that are measured.
    reals: `() -> (ImageSet, Features, Samples)` of what samples are compared
      with, as `extractors.reals` returns the last two; needed where there are
      metrics.

  Raises:
    ValueError: if the images are streamed, if the config evaluates by itself or
      begins with another run, or if a run has fewer steps than evaluations.
  """
  if config.data.loader == 'stream':
    raise ValueError(
      "data.loader is 'stream', but the runs of a population share images that "
      "lie on the device; set it to 'auto', or train the runs one by one."
    )
  if config.evaluate.measures:
    raise ValueError(
      f'evaluate.measures is {config.evaluate.measures!r}, but a sweep '
      "measures its runs by --metrics and --evaluations; leave it at ''."
    )
  if config.init_from.run:
    raise ValueError(
      f'init_from.run is {config.init_from.run!r}, but the runs of a '
      'population begin with networks of their own; leave it empty, or train '
      'the runs one by one.'
    )
  config = datasets.with_classes(config, data)
  shape = data.images.shape[1:]
  fitted = _fitted(config, shape, evaluations)
  phases = runs.phases(fitted, shape)
  every = _steps(phases) // evaluations

  def settings():
    compared, extractor, _ = reals()
    about = results.settings(config, compared, extractor, _SEED)
    return about | {'weights': 'ema', 'checkpoint': 'last'}

  training = watched(_training(fitted, shape, phases, every))
  return Task(
    name=data.name,
    data=datasets.stored(data),
    key=jax.random.key,
    training=training,
    evaluate=compiled_evaluation(training),
    images_seen=tuple(
      dispatch.images_seen(phases, every * (evaluation + 1))
      for evaluation in range(evaluations)
    ),
    columns=measures.columns(metrics),
    number=number,
    settings=settings,
    measure=_measure(fitted, data, metrics, number, reals),
    identity=data.identity,
  )


def _fitted(config, shape, evaluations):
  """Returns the config, made longer until evaluations divide its steps."""
  own = config.copy_and_resolve_references()
  phases = runs.phases(own, shape)
  check_evaluations(evaluations, _steps(phases))
  while _steps(phases) % evaluations:
    own.images += phases[-1].counted
    phases = runs.phases(own, shape)
  return own


def _steps(phases):
  return sum(phase.steps for phase in phases)


def _measure(config, data, metrics, number, reals):
  shape = data.images.shape[1:]
  labels = trained.labels(config, data, number, _SEED)
  classes = config.classes if config.labels else 0
  held_out = functools.cache(
    lambda: trained.to_reconstruct(config, data, _SEED)
  )

  @functools.cache
  def sampler(step):
    """Returns what samples and inverts the generator at a step, and judges."""

    def generate(given, latents, key, labels):
      state, numbers = given
      game = runs.game(schedules.with_values(config, numbers), shape, step)
      own = steps.weights(state, 'ema')
      return game.sample(*own, latents, key, labels=labels)

    def judged(given, batch, key):
      state, numbers = given
      game = runs.game(schedules.with_values(config, numbers), shape, step)
      return game.discriminator(state.params, state.buffers, batch, key)[1][1]

    prior = runs.game(config, shape, step).prior
    return (
      samples.sampler(generate),
      reconstruction.reconstructor(generate, prior, shape[0]),
      critics.judge(judged, config),
      prior,
    )

  def measure(step, state, numbers, record):
    _, extractor, real = reals()
    sample, reconstruct, judge, prior = sampler(
      step if 'growth' in config else 0
    )
    given, source = (state, numbers), f'the run at step {step:,}'
    drawn = sample(given, prior, number, _SEED, shape[0], labels, source)
    fake = samples.of(
      drawn,
      extractor,
      labels,
      lambda: reconstruct(given, held_out(), classes, _SEED),
      functools.partial(judge, given),
    )
    values, how = {}, {}
    for own in metrics:
      found, how[own.name] = own.take(real, fake, _SEED)
      values |= found
    picture = pictures.grid(images.scale(record['samples']))
    return Measured(values, how, picture)

  return measure


def _training(config, shape, phases, every):
  """Returns the `population.Training` of a config, on a `Batch` of all images.

  An evaluation records 36 `samples`, uint8, of the same latents at every step.
  """

  def phase(number, numbers):
    return runs.phases(schedules.with_values(config, numbers), shape)[number]

  def init(key, numbers, data):
    own = schedules.with_values(config, numbers)
    game = games.schedule(own, shape)
    return steps.init(game, games.optimizer_pair(own), key)

  def begin(number, state, numbers):
    return phase(number, numbers).begin(state)

  def take(number, state, numbers, data, first, began):
    batch = functools.partial(dispatch.take, data)
    return dispatch.play(phase(number, numbers), state, batch, first, began)

  def sample(number, state, numbers):
    finest = pictures.finest(phase(number, numbers).sample(state, _SAMPLES))
    drawn = pictures.enlarged(finest, shape[0])
    return {'samples': images.quantize(drawn)}

  if len(phases) > 1:
    parts = _in_phases(phases, begin, take, sample)
  else:
    start = np.zeros(2, np.uint32)
    parts = {
      'step': lambda *given: take(0, *given, *start),
      'evaluate': lambda state, numbers, data: sample(0, state, numbers),
    }
  return population.Training(
    init=init, steps=_steps(phases), every=every, **parts
  )


def _in_phases(phases, begin, take, sample):
  """Returns the parts of a `Training` whose step changes from phase to phase.

  The phase is chosen within the program, and on the host where each step is a
  dispatch, for XLA on a CPU is slow at convolutions within branches.
  """
  lengths = [phase.steps for phase in phases]
  firsts = np.cumsum([0, *lengths[:-1]])
  began = [dispatch.rows_taken(phases, first) % 2**32 for first in firsts]
  # Phases with the same step and rows are one program: that of the first.
  steps_of = [(phase.step, phase.rows) for phase in phases]
  programs, which = np.unique(
    [steps_of.index(own) for own in steps_of], return_inverse=True
  )
  every = np.arange(len(phases))

  def phase_of(step):
    """Returns the number of the phase of a step, which counts from 0."""
    return (step >= firsts[1:]).sum()

  def beginning(number):
    """Returns the step and the image that a phase begins with, for `take`."""
    return tuple(
      jnp.array(numbers, jnp.uint32)[number] for numbers in (firsts, began)
    )

  def switched(function, numbers):
    branches = [functools.partial(function, int(number)) for number in numbers]
    return lambda chosen, *given: jax.lax.switch(chosen, branches, *given)

  def step(state, numbers, data):
    number = phase_of(state.step)
    state = jax.lax.cond(
      state.step == jnp.array(firsts)[number],
      functools.partial(switched(begin, every), number),
      lambda state, numbers: state,
      state,
      numbers,
    )
    chosen = jnp.array(which)[number]
    take_any = switched(take, programs)
    return take_any(chosen, state, numbers, data, *beginning(number))

  def evaluate(state, numbers, data):
    chosen = jnp.array(which)[phase_of(state.step - 1)]
    return switched(sample, programs)(chosen, state, numbers)

  compiled = functools.partial(jax.jit, static_argnums=0)
  begin_, take_ = (compiled(part, donate_argnums=1) for part in (begin, take))
  sample_ = compiled(sample)

  def host_step(state, numbers, data):
    number = int(phase_of(int(state.step)))
    if int(state.step) == firsts[number]:
      state = begin_(number, state, numbers)
    own = int(programs[which[number]])
    return take_(own, state, numbers, data, *beginning(number))

  def host_evaluate(state, numbers, data):
    number = int(phase_of(int(state.step) - 1))
    return sample_(int(programs[which[number]]), state, numbers)

  return {
    'step': step,
    'evaluate': evaluate,
    'host_evaluate': host_evaluate,
    'host_step': host_step,
  }
