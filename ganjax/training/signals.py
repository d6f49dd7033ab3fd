"""Signals that ask a program to stop: SIGTERM, Ctrl-C and SIGHUP."""

import contextlib
import os
import signal
import threading

import jax
import numpy as np
from jax.experimental import multihost_utils

from ganjax import exits


@contextlib.contextmanager
def catch():
  """Yields a `threading.Event` that each of `exits.SIGNALS` sets.

  The first signal sets it, so that the caller can save and leave, and stderr
  says at once that it has come; a second one acts as it would without this.
  Outside of the main thread, where Python cannot handle signals, the event is
  never set.
  """
  stop = threading.Event()

  def arrive(number, frame):
    stop.set()
    undo()
    # Not by print, in the middle of which the signal may have come.
    text = (
      f'{signal.Signals(number).name} received: finishing what is under way, '
      'and saving it. A second signal ends the program at once.'
    )
    with contextlib.suppress(OSError):
      os.write(2, f'\n{text}\n'.encode())

  undo = exits.handle(arrive)
  try:
    yield stop
  finally:
    undo()


def agreed(stop, ask):
  """Returns whether to stop, which all processes of a run answer alike.

  Several processes must leave at the same step, or the others wait for them in
  the next one.

  Args:
    stop: the event of `catch`, of this process.
    ask: whether to ask the other processes now, which takes time; the same in
      all of them. A process alone needs not ask.
  """
  if jax.process_count() == 1:
    return stop.is_set()
  return ask and bool(
    multihost_utils.process_allgather(np.asarray(stop.is_set())).any()
  )
