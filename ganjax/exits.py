"""How a program ends: at once, with all that it said, also by a signal."""

import contextlib
import os
import signal
import sys
import threading

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""Those that ask a program to end: of a scheduler, Ctrl-C, a closed terminal.
"""


def handle(handler):
  """Has all `SIGNALS` call a handler; returns the function that undoes it.

  Those that this process was started to ignore, as by nohup, stay ignored, and
  outside of the main thread, where Python handles no signals, nothing happens.

  Args:
    handler: as `signal.signal` takes it.
  """
  previous = {}
  if threading.current_thread() is threading.main_thread():
    for number in SIGNALS:
      # None is that of a handler which is not Python's.
      if signal.getsignal(number) not in (signal.SIG_IGN, None):
        previous[number] = signal.signal(number, handler)

  def undo():
    for number, own in previous.items():
      signal.signal(number, own)

  return undo


@contextlib.contextmanager
def interrupted_by_signals(leave_at_once):
  """Lets each of `SIGNALS` raise KeyboardInterrupt in its block.

  So whatever is half written is removed on the way out.

  Args:
    leave_at_once: `() -> None`, which ends the process; called at the next
      signal, while the first one is on its way out.
  """

  def arrive(number, frame):
    handle(lambda number, frame: leave_at_once())
    raise KeyboardInterrupt

  undo = handle(arrive)
  try:
    yield
  finally:
    undo()


def leave(code):
  """Ends the process with an exit code, after flushing what was printed.

  No thread is waited for: those of a save that failed wait for one another for
  five minutes. And XLA may not be torn down in the middle of its work.
  """
  for stream in sys.stdout, sys.stderr:
    # A pipe may be closed, and a signal may come in the middle of a write.
    with contextlib.suppress(OSError, RuntimeError, ValueError):
      stream.flush()
  os._exit(code)
