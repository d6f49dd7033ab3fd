"""When the page of a run is written: seldom enough to cost next to nothing."""

import time

_SHARE = 0.02  # of the time, which writing the page may take while training


def writer(write, announce):
  """Returns `(last=False)`, which writes the page of a run.

  While the run trains it does so only where at most a fiftieth of the time went
  into pages so far. What goes wrong is announced once, and stops nothing: all
  that a page says is in the files beside it.

  Args:
    write: `() -> None`.
    announce: is given a sentence.
  """
  began, spent, failed = time.monotonic(), 0.0, False

  def write_if_cheap(last=False):
    nonlocal spent, failed
    start = time.monotonic()
    if failed or not last and spent > _SHARE * (start - began):
      return
    try:
      write()
    except Exception as error:
      failed = True
      announce(f'The page of the run was not written: {error}')
    spent += time.monotonic() - start

  return write_if_cheap
