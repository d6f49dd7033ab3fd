"""Evaluations while training: what they cost, and the best state so far."""

import contextlib
import math
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jax.experimental import multihost_utils

from ganjax.training import checkpoint


class Evaluation(NamedTuple):
  """What is measured of a state while it is trained.

  Attributes:
    take: `state -> values`, a dict of floats by name. It draws from keys of its
      own, so that a training is the same with it and without.
    best: the name of the value that says which state is the best.
    direction: of that value, 'minimize' or 'maximize'.
    settings: JSON values, which have to be the same for two values to be
      compared.
  """

  take: Callable
  best: str
  direction: str
  settings: Any


@contextlib.contextmanager
def evaluator(evaluation, directory, config, announce):
  """Yields `(state, step, images) -> values`, which evaluates a run.

  The values are those to be logged: what is measured, under `evaluation/`, and
  `evaluation_seconds`. The best state is on the disk when the call returns, so
  that whoever goes on from a later checkpoint finds it. At the end it announces
  what evaluating has cost and which state was the best.

  Args:
    evaluation: an `Evaluation`, or None, of which nothing is written.
    directory: of the best state, a checkpoint with the value beside its config.
    config: JSON values, saved with it.
    announce: is given sentences that a user should read.

  Raises:
    OSError: by the call, if the best state cannot be written.
  """
  if evaluation is None:
    yield lambda state, step, images: {}
    return
  manager = checkpoint.manager(directory, keep=1)
  best = _recorded(manager, evaluation.settings, announce)
  began, spent, last = time.monotonic(), [], None

  def evaluate(state, step, images):
    nonlocal best, last
    if not spent:
      announce(f'Measuring after {images} images, at first with compiling ...')
    before = time.monotonic()
    values = evaluation.take(state)
    last = values[evaluation.best]
    better = _better(last, best, evaluation.direction)
    if better:
      best = {
        'name': evaluation.best,
        'value': last,
        'step': step,
        'images': images,
        'settings': evaluation.settings,
      }
      _keep(manager, state, best, config)
    seconds = time.monotonic() - before
    spent.append(seconds)
    words = ', '.join(f'{name} {value:.4g}' for name, value in values.items())
    end = f'; the best {evaluation.best} so far' if better else ''
    announce(f'After {images} images: {words}{end} ({seconds:.1f} s).')
    logged = {f'evaluation/{name}': value for name, value in values.items()}
    return logged | {'evaluation_seconds': seconds}

  try:
    yield evaluate
  finally:
    checkpoint.close(manager)
  if spent:
    share = sum(spent) / (time.monotonic() - began)
    times = 'once' if len(spent) == 1 else f'{len(spent)} times'
    announce(
      f'Evaluated {times} in {sum(spent):.1f} s, {share:.0%} of the time since '
      'the start.'
    )
  if best:
    end = '' if last is None else f' (at the last evaluation: {last:.4g})'
    announce(
      f'Best {best["name"]} {best["value"]:.4g} after {best["images"]} images, '
      f'kept in {directory}{end}.'
    )


def record(manager):
  """Returns what is known of the best state of a directory, or None.

  That is a dict of the `name` of the value, the `value`, the `step`, the
  `images` seen and the `settings`.

  Args:
    manager: from `checkpoint`, of the directory.
  """
  beside = checkpoint.config(manager)
  return beside and beside['best']


def _recorded(manager, settings, announce):
  """Returns the record of the best state, if its value can be compared."""
  best = record(manager)
  if best and best['settings'] != settings:
    announce(
      f'Warning: the best {best["name"]} so far, {best["value"]:.4g}, was '
      f'measured in another way ({best["settings"]}), so it is compared with '
      'no other; the next evaluation takes its place.'
    )
    return None
  return best


def _better(value, best, direction):
  """Returns whether a value is better than that of a record, which all share.

  A value that is not finite is never better.
  """
  sign = 1 if direction == 'minimize' else -1
  better = math.isfinite(value) and (
    best is None or sign * value < sign * best['value']
  )
  # Processes that round in different ways must save together, or not at all.
  return bool(multihost_utils.broadcast_one_to_all(np.asarray(better)))


def _keep(manager, state, best, config):
  """Writes the best state; the one before it goes once this one is there."""
  # Whoever goes on from an earlier checkpoint repeats the same evaluations, to
  # the bit. So a later step is there only where another machine, which rounds
  # in other ways, has taken over: what it was the best of will not come again.
  for later in manager.all_steps():
    if later >= best['step']:
      manager.delete(later)
  checkpoint.save(
    manager, best['step'], state, {'config': config, 'best': best}
  )
  checkpoint.wait(manager)
