"""What a run says of its progress where no terminal shows a bar."""

import time

from ganjax.training import cost

_SECONDS = 30  # between two lines


def lines(announce, begun, total):
  """Returns `(done, words)`, which says twice a minute how far a run is.

  To be called after each dispatch. A log of a cluster thus tells when a run was
  last alive, how fast it is and how long it will take, whatever the interval of
  its metrics is.

  Args:
    announce: is given a line with the date and the time.
    begun: images seen before.
    total: images of the whole run.
  """
  start = last = time.monotonic()

  def line(done, words):
    nonlocal last
    now = time.monotonic()
    if now < last + _SECONDS:
      return
    last, pace = now, (done - begun) / (now - start)
    parts = [
      f'{time.strftime("%Y-%m-%d %H:%M:%S")}: {done:,} of {total:,} images',
      f'{pace:,.1f} a second since the start',
      f'{cost.duration((total - done) / pace)} left',
      *filter(None, [words]),
    ]
    announce(', '.join(parts))

  return line
