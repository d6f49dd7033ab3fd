"""The task of a config: what a sweep, a search or a notebook needs to know.

Trainings on images and protocols of mode collapse both become tasks
(`image_task.of`, `mode_task.of`), so that nothing else has to know which of the
two it trains. A member of a population is the run that the config makes by
itself with the member's seed and numbers.
"""

import operator
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ganjax.training import population


class Measured(NamedTuple):
  """What was measured of a run at an evaluation.

  Attributes:
    values: a number, or a dict of numbers, for each of the task's columns.
    how: for each measure a dict of JSON values: how many samples, for example.
    picture: uint8 `[H, W, C]`, what the samples look like.
  """

  values: dict
  how: dict
  picture: np.ndarray


class Task(NamedTuple):
  """What a sweep needs to know of a config.

  Attributes:
    name: of the data, in words.
    data: a tree of arrays that all runs share.
    key: `seed -> key`, of the run with that seed.
    training: the `population.Training` of the config, `watched`. Its numbers
      are a dict from dotted fields of the config to values, which may be
      traced.
    evaluate: `(state, numbers, data) -> record`, a dict of arrays, of one run
      at the step that it is at; compiled.
    images_seen: a tuple, the examples that a run has seen by each evaluation.
    columns: of what is measured, as `measures.columns` returns them.
    number: how many samples are measured.
    settings: `() -> dict` of JSON values: how all of it is measured.
    measure: `(step, state, numbers, record) -> Measured`, of a run: the step
      that it is at, an int; its state, without what `watched` adds; its
      numbers; and what `evaluate` recorded.
    arrays: `record -> dict` of the arrays of a record that are stored beside
      what is measured.
    identity: a text that changes when the data do; empty where they are drawn.
  """

  name: str
  data: Any
  key: Callable
  training: population.Training
  evaluate: Callable
  images_seen: tuple
  columns: dict
  number: int
  settings: Callable
  measure: Callable
  arrays: Callable = lambda record: {}
  identity: str = ''


def check_evaluations(evaluations, steps):
  """Raises ValueError unless a run of so many steps has so many evaluations."""
  if not 1 <= evaluations <= steps:
    raise ValueError(
      f'{evaluations} evaluations were asked for at a run of {steps} steps; '
      'give a number from 1 to that of the steps.'
    )


def watched(training):
  """Returns the `Training` that also notes where a run diverged.

  Its state is a dict of the `state` of the training; `steps`, int32, how many
  were taken; and `diverged`, int32: the first step, counted from 0, after which
  a metric was not finite, or -1.

  Args:
    training: a `population.Training`.
  """

  def init(key, numbers, data):
    return {
      'state': training.init(key, numbers, data),
      'steps': jnp.int32(0),
      'diverged': jnp.int32(-1),
    }

  @jax.jit
  def note(steps, diverged, metrics):
    finite = jnp.array([jnp.isfinite(value) for value in metrics.values()])
    now = (diverged < 0) & ~finite.all()
    return {'steps': steps + 1, 'diverged': jnp.where(now, steps, diverged)}

  def noting(step):
    def noted(watch, numbers, data):
      state, metrics = step(watch['state'], numbers, data)
      return {
        'state': state,
        **note(watch['steps'], watch['diverged'], metrics),
      }, metrics

    return step and noted

  def through(evaluate):
    return evaluate and (
      lambda watch, numbers, data: evaluate(watch['state'], numbers, data)
    )

  return training._replace(
    init=init,
    step=noting(training.step),
    evaluate=through(training.evaluate),
    host_evaluate=through(training.host_evaluate),
    host_step=noting(training.host_step),
  )


def compiled_evaluation(training):
  """Returns the function `evaluate` of a `Task` with that training."""
  return training.host_evaluate or jax.jit(training.evaluate)


def traceable(task, config, fields):
  """Returns the set of those fields whose numbers may be traced.

  It is found by tracing. A field is one of them if it is a float other than 0,
  for what is 0 is left out of a game; if the run can be traced with it; and if
  the run reads it. A number of the data, or of a penalty that is left out, is
  not read.

  Args:
    task: the `Task` of the config.
    config: with the values that are to be traced, or others that are not 0.
    fields: dotted names.
  """
  key = jax.eval_shape(task.key, 0)
  data = jax.eval_shape(lambda data: data, task.data)

  def reads(field):
    def run(number, key, data):
      return population.whole(task.training)(key, {field: number}, data)

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
