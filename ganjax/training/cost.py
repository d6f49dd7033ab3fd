"""What a training costs: its pace, the time that is left, and its memory."""

import math
import resource
import sys
import time

import jax

from ganjax.training.dispatch import images_seen


def announcer(phases, announce, devices=1, paper_images=0):
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
    devices: how many share the run.
    paper_images: the images of the run in the paper; 0 where that is not known.
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
    kind, most = peak()
    announce(
      f'{in_words(pace, left, devices)} to {end} at this pace, {kind} '
      f'{most / 2**30:.2f} GiB at its peak.'
    )
    if last == len(phases) and paper_images:
      announce(of_the_paper(phases, pace, devices, paper_images))

  return after_dispatch


def in_words(pace, images, devices):
  """Returns what images cost: '20.0 images a second (72,000 an hour): ...'.

  Args:
    pace: images a second.
    images: their number.
    devices: how many share the run.
  """
  seconds = images / pace
  hours = seconds * devices / 3600
  return (
    f'{pace:,.1f} images a second ({3600 * pace:,.0f} an hour): '
    f'{duration(seconds)}, or {hours:,.2f} device-hours,'
  )


def of_the_paper(phases, pace, devices, images):
  """Returns a sentence on how long the run is beside that of the paper.

  Args:
    phases: as in `announcer`.
    pace: images a second.
    devices: how many share the run.
    images: of the run in the paper.
  """
  own = images_seen(phases, math.inf)
  if own == images:
    return f'The run has {images:,} images, as many as that of the paper.'
  seconds = images / pace
  return (
    f'The run of the paper has {images:,} images; this one has {own:,}, '
    f'{100 * own / images:.3g} % of them. At this pace the whole would take '
    f'{duration(seconds)}, or {seconds * devices / 3600:,.2f} device-hours.'
  )


def duration(seconds):
  """Returns seconds in words, as minutes or hours."""
  hours = seconds / 3600
  return f'{hours:,.1f} hours' if hours > 1.5 else f'{60 * hours:.1f} minutes'


def peak():
  """Returns which memory is meant, in words, and the most bytes held so far.

  The memory of a process has Python and its libraries in it.
  """
  stats = jax.local_devices()[0].memory_stats() or {}
  if 'peak_bytes_in_use' in stats:
    return 'device memory', stats['peak_bytes_in_use']
  # In KiB; on macOS in bytes.
  unit = 1 if sys.platform == 'darwin' else 1024
  most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
  return 'main memory', most
