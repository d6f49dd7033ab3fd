"""A training that is only begun, to say what all of it would cost."""

import math
import time

import jax

from ganjax import parallel
from ganjax.training import compiled_cost, cost
from ganjax.training.dispatch import dispatches, images_seen

_DISPATCHES = 3  # that are timed, after one that is not


def forecast(run, start):
  """Yields sentences on what a training costs; nothing is written.

  A few steps of each of its programs are compiled and timed. What evaluations,
  samples and checkpoints take comes on top of it.

  Args:
    run: a `loop.Run`.
    start: `() -> state`, the state that the training begins in.

  Raises:
    MemoryError: as `compiled_cost.watched`.
  """
  stages = {(phase.step, phase.rows): phase for phase in run.phases}
  short = tuple(
    phase._replace(steps=(1 + _DISPATCHES) * run.steps_together)
    for phase in stages.values()
  )
  said, times, since = [], {}, [0.0]

  def compiled(phase, steps, seconds, program):
    what = f'{phase.title}: ' if phase.title else ''
    said.append(f'{what}{compiled_cost.in_words(expect(program))}.')

  with compiled_cost.watched(run.memory_advice, said.append) as expect:
    whole = parallel.whole(run.mesh)
    state = jax.jit(start, out_shardings=whole)()
    state = jax.device_put(run.begin(state), whole)
    steps = run.steps_together
    for phase, _, metrics, _ in dispatches(
      short, state, run.loader, run.mesh, steps, compiled
    ):
      jax.block_until_ready(metrics)
      now = time.monotonic()
      times.setdefault((phase.step, phase.rows), []).append(now - since[0])
      since[0] = now
      yield from said
      said.clear()
  yield from said
  # The first dispatch of a program has its compilation in it.
  paces = {own: steps / min(taken[1:]) for own, taken in times.items()}
  seconds = sum(
    phase.steps / paces[phase.step, phase.rows] for phase in run.phases
  )
  images = images_seen(run.phases, math.inf)
  pace, devices = images / seconds, run.mesh.size
  yield (
    f'{images:,} images at {cost.in_words(pace, images, devices)} without '
    'evaluations, samples and checkpoints.'
  )
  if run.paper_images:
    yield cost.of_the_paper(run.phases, pace, devices, run.paper_images)
