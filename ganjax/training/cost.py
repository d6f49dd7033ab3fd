"""What a training costs: its pace, the time that is left, and its memory."""

import math
import resource
import sys
import time

import jax

from ganjax.training.dispatch import images_seen


def announcer(phases, announce):
  """Returns `(phase, metrics, step, apart)`, which announces what stages cost.

  To be called after each dispatch. `apart` are the seconds that the run has
  spent so far on what is no part of its pace, such as evaluations. What is
  measured are the 100 steps, in whole dispatches, after the first dispatch of a
  program in a phase. Phases with the same step are a stage; the pace of the
  stages to come is not known.

  Args:
    phases: a sequence of `dispatch.Phase`.
    announce: is given a sentence on images a second, the time to the end of the
      stage, and the most memory that was held.
  """
  announced, measured, first, since = set(), None, 0, 0.0

  def after_dispatch(phase, metrics, step, apart=0.0):
    nonlocal measured, first, since
    if phase.step in announced:
      return
    program = phase, len(jax.tree.leaves(metrics)[0])
    if program == measured and step < first + 100:
      return
    jax.block_until_ready(metrics)
    now = time.monotonic() - apart
    if program != measured:
      measured, first, since = program, step, now
      return
    announced.add(phase.step)
    images = images_seen(phases, step) - images_seen(phases, first)
    pace = images / (now - since)
    last = max(
      number
      for number, other in enumerate(phases, 1)
      if other.step is phase.step
    )
    left = images_seen(phases[:last], math.inf) - images_seen(phases, step)
    end = 'the end' if last == len(phases) else 'the end of this stage'
    announce(
      f'{pace:,.1f} images a second: {_duration(left / pace)} to {end} at this '
      f'pace, {_peak()} at its peak.'
    )

  return after_dispatch


def _duration(seconds):
  hours = seconds / 3600
  return f'{hours:.1f} hours' if hours > 1.5 else f'{60 * hours:.1f} minutes'


def _peak():
  """Returns the most memory that was held so far, in words."""
  stats = jax.local_devices()[0].memory_stats() or {}
  if 'peak_bytes_in_use' in stats:
    return f'device memory {stats["peak_bytes_in_use"] / 2**30:.2f} GiB'
  # In KiB; on macOS in bytes.
  unit = 1 if sys.platform == 'darwin' else 1024
  most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
  return f'main memory {most / 2**30:.2f} GiB'
