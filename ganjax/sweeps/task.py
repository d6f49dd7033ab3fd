"""Trials: a config's whole training as a `population.Training`.

There are two kinds of configs, trainings on images and protocols of mode
collapse. A `Subject` is what those of a kind train on, so that a sweep need not
know the kind. A member is the run that the config makes by itself with the
member's seed and numbers.
"""

import operator
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ganjax.config import runs
from ganjax.sweeps import image_task, mode_task
from ganjax.training import dispatch, population


class Subject(NamedTuple):
  """What configs of a kind are trained on.

  Attributes:
    data: a tree of arrays that all runs share.
    fitted: `(config, evaluations) -> config` of a run whose steps the
      evaluations divide:
      the config's own, longer by up to `evaluations - 1` steps.
    training: `(config, evaluations) -> population.Training` of the fitted
      config. Numbers are a dict from fields of the config to traced values. An
      evaluation
      records a dict: some `samples`, `[n, ...]`, uint8 where they are images,
      and a `Modes` at `modes` where modes are known.
    images_seen: `(config, evaluations) -> tuple`, how many examples the run
      has seen by each evaluation.
    key: `seed -> key`, of the run with that seed.
    name: of the data, in words.
  """

  data: Any
  fitted: Callable
  training: Callable
  images_seen: Callable
  key: Callable
  name: str


def of_images(config, dataset):
  """The `Subject` of trainings on images.

  Args:
    config: of any of the trainings on this data set.
    dataset: as `runs.dataset` returns.

  Raises:
    ValueError: if the images are streamed; from its functions, if a run has
      fewer steps than evaluations.
  """
  if config.data.loader == 'stream':
    raise ValueError(
      "data.loader is 'stream', but the runs of a population share images that "
      "lie on the device; set it to 'auto', or train the runs one by one."
    )
  shape = dataset.images.shape[1:]

  def fitted(config, evaluations):
    own = config.copy_and_resolve_references()
    phases = runs.phases(own, shape)
    _check(evaluations, _length(phases))
    while _length(phases) % evaluations:
      own.images += phases[-1].rows
      phases = runs.phases(own, shape)
    return own

  def training(config, evaluations):
    return image_task.training(fitted(config, evaluations), shape, evaluations)

  def images_seen(config, evaluations):
    phases = runs.phases(fitted(config, evaluations), shape)
    every = _length(phases) // evaluations
    return tuple(
      dispatch.images_seen(phases, every * evaluation)
      for evaluation in range(1, evaluations + 1)
    )

  return Subject(
    data=dataset.images,
    fitted=fitted,
    training=training,
    images_seen=images_seen,
    key=jax.random.key,
    name=dataset.name,
  )


def of_problem(config, problem):
  """The `Subject` of a protocol of mode collapse and its remedies.

  Args:
    config: of the protocol.
    problem: a `mode_task.Problem` of it.

  Raises:
    ValueError: from its functions, if a run has fewer steps than evaluations.
  """

  def fitted(config, evaluations):
    _check(evaluations, config.steps)
    own = config.copy_and_resolve_references()
    own.steps = -(-config.steps // evaluations) * evaluations
    own.measure.evaluations = evaluations
    return own

  def training(config, evaluations):
    return mode_task.training(fitted(config, evaluations), problem)

  def images_seen(config, evaluations):
    own = fitted(config, evaluations)
    every = own.steps // evaluations * mode_task.rows(own)
    return tuple(every * evaluation for evaluation in range(1, evaluations + 1))

  return Subject(
    data=problem.data,
    fitted=fitted,
    training=training,
    images_seen=images_seen,
    key=lambda seed: jax.random.fold_in(jax.random.key(0), seed),
    name=f'{config.protocol}: {problem.name}',
  )


def _check(evaluations, number):
  if not 1 <= evaluations <= number:
    raise ValueError(
      f'{evaluations} evaluations were asked for at a run of {number} steps; '
      'give a number from 1 to that of the steps.'
    )


def _length(phases):
  return sum(phase.steps for phase in phases)


def watched(training):
  """The `Training` that also notes where a run broke.

  Its state is a dict of the `state`, the `steps` taken, and `broken`, int32:
  the first step, from 0 on, after which a metric was not finite, or -1.
  """

  def init(key, numbers, data):
    return {
      'state': training.init(key, numbers, data),
      'steps': jnp.int32(0),
      'broken': jnp.int32(-1),
    }

  @jax.jit
  def note(steps, broken, metrics):
    finite = jnp.array([jnp.isfinite(value) for value in metrics.values()])
    breaks = (broken < 0) & ~finite.all()
    return {'steps': steps + 1, 'broken': jnp.where(breaks, steps, broken)}

  def noting(step):
    def noted(watch, numbers, data):
      state, metrics = step(watch['state'], numbers, data)
      noted = note(watch['steps'], watch['broken'], metrics)
      return {'state': state, **noted}, metrics

    return step and noted

  def through(evaluation):
    return evaluation and (
      lambda watch, numbers, data: evaluation(watch['state'], numbers, data)
    )

  return training._replace(
    init=init,
    step=noting(training.step),
    evaluate=through(training.evaluate),
    host_evaluate=through(training.host_evaluate),
    host_step=noting(training.host_step),
  )


def traceable(subject, config, fields):
  """The set of those fields whose numbers may be traced, found by tracing.

  A field is one if it is a float other than 0, for what is 0 is left out; if
  the run can be traced with it; and if the run reads it. A number of the data,
  or of a penalty that is left out, is not read.

  Args:
    subject: a `Subject`.
    config: with the values that are to be traced, or others that are not 0.
    fields: dotted names.

  Raises:
    ValueError: if the config makes no training.
  """
  training = subject.training(config, 1)
  key = jax.eval_shape(subject.key, 0)
  data = jax.eval_shape(lambda data: data, subject.data)

  def reads(field):
    def run(number, key, data):
      return population.whole(training)(key, {field: number}, data)

    try:
      jaxpr = jax.make_jaxpr(run)(jnp.float32(0), key, data).jaxpr
    except TypeError:  # What jax raises where a value must be known.
      return False
    return any(jaxpr.invars[0] in made.invars for made in jaxpr.eqns)

  values = {field: operator.attrgetter(field)(config) for field in fields}
  return {
    field
    for field, value in values.items()
    if isinstance(value, float) and value != 0 and reads(field)
  }
