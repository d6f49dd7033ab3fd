"""A training on images, in one phase or several, as a `population.Training`.

Its steps are those of a run by itself, `dispatch.play`: they take the same
images in the same order, mirrored by the same coins.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from ganjax import pictures, steps
from ganjax.config import games, runs
from ganjax.data import images
from ganjax.training import dispatch, population

_SAMPLES = 36  # images that an evaluation records


def training(config, shape, evaluations):
  """The `population.Training` of a config, whose data are uint8 pixels.

  Numbers are a dict from fields of the config to traced values. An evaluation
  records a dict of 36 `samples`, uint8, of the same latents at every step.

  Args:
    config: of a training on images.
    shape: of an image.
    evaluations: how many; they divide the steps of the run.
  """

  def phase(number, numbers):
    return runs.phases(games.with_values(config, numbers), shape)[number]

  def init(key, numbers, pixels):
    own = games.with_values(config, numbers)
    played = games.schedule(own, shape)
    return steps.init(played, games.optimizer_pair(own), key)

  def begin(number, state, numbers):
    return phase(number, numbers).begin(state)

  def play(number, state, numbers, pixels, first, began):
    batch = functools.partial(dispatch.take, pixels)
    return dispatch.play(phase(number, numbers), state, batch, first, began)

  def show(number, state, numbers):
    finest = pictures.finest(phase(number, numbers).sample(state, _SAMPLES))
    drawn = pictures.enlarged(finest, shape[0])
    return {'samples': images.quantize(drawn)}

  phases = runs.phases(config, shape)
  length = sum(phase.steps for phase in phases)
  if len(phases) > 1:
    parts = _in_phases(phases, begin, play, show)
  else:
    start = np.zeros(2, np.uint32)
    parts = {
      'step': lambda *given: play(0, *given, *start),
      'evaluate': lambda state, numbers, pixels: show(0, state, numbers),
    }
  return population.Training(
    init=init, steps=length, every=length // evaluations, **parts
  )


def _in_phases(phases, begin, play, show):
  """A dict of the parts of a `Training` whose step changes from time to time.

  The phase is chosen within the program, and for the way of a step a dispatch
  on the host, for XLA on a CPU is slow at convolutions within branches.
  """
  lengths = [phase.steps for phase in phases]
  firsts = np.cumsum([0, *lengths[:-1]])
  began = [dispatch.images_seen(phases, first) % 2**32 for first in firsts]
  # Phases with the same step and rows are one program: that of the first.
  kinds = [(phase.step, phase.rows) for phase in phases]
  programs, which = np.unique(
    [kinds.index(kind) for kind in kinds], return_inverse=True
  )
  every = np.arange(len(phases))

  def reached(step):
    """The number of the phase that a step, from 0 on, belongs to."""
    return (step >= firsts[1:]).sum()

  def when(number):
    """What `play` needs to know of a phase."""
    return tuple(
      jnp.array(numbers, jnp.uint32)[number] for numbers in (firsts, began)
    )

  def switched(function, numbers):
    branches = [functools.partial(function, int(number)) for number in numbers]
    return lambda chosen, *given: jax.lax.switch(chosen, branches, *given)

  def step(state, numbers, pixels):
    number = reached(state.step)
    state = jax.lax.cond(
      state.step == jnp.array(firsts)[number],
      functools.partial(switched(begin, every), number),
      lambda state, numbers: state,
      state,
      numbers,
    )
    take = switched(play, programs)
    chosen = jnp.array(which)[number]
    return take(chosen, state, numbers, pixels, *when(number))

  def evaluate(state, numbers, pixels):
    chosen = jnp.array(which)[reached(state.step - 1)]
    return switched(show, programs)(chosen, state, numbers)

  compiled = functools.partial(jax.jit, static_argnums=0)
  begin_, play_ = (compiled(part, donate_argnums=1) for part in (begin, play))
  show_ = compiled(show)

  def host_step(state, numbers, pixels):
    number = int(reached(int(state.step)))
    if int(state.step) == firsts[number]:
      state = begin_(number, state, numbers)
    own = int(programs[which[number]])
    return play_(own, state, numbers, pixels, *when(number))

  def host_evaluate(state, numbers, pixels):
    number = int(reached(int(state.step) - 1))
    return show_(int(programs[which[number]]), state, numbers)

  return {
    'step': step,
    'evaluate': evaluate,
    'host_evaluate': host_evaluate,
    'host_step': host_step,
  }
