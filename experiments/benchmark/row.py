"""Computes one row of the benchmark, in a process of its own.

  python -m experiments.benchmark.row --row limits --tiny --output limits.json

`experiments.benchmark` starts it for each row. What is found so far is written
again and again, so that a row that is ended leaves its part.
"""

import signal
import time

from absl import flags

from experiments.benchmark import cases, processes, task
from experiments.benchmark.accelerator import rows
from ganjax import exits, files, launch
from ganjax.training import provenance

_ROW = flags.DEFINE_string('row', None, 'The name of the row to compute.')
_ACCELERATOR = flags.DEFINE_bool('accelerator', False, 'As in the benchmark.')
_TINY = flags.DEFINE_bool('tiny', False, 'Takes the sizes of a rehearsal.')
_SECONDS = flags.DEFINE_float(
  'seconds', 120.0, 'Ends by itself after this time.', lower_bound=1.0
)
_ROUNDS = flags.DEFINE_integer('rounds', 9, 'As in the benchmark.')
_RUNS = flags.DEFINE_integer('runs', 8, 'As in the benchmark.')
_OUTPUT = flags.DEFINE_string('output', None, 'The JSON file that is written.')
_WEIGHTS = flags.DEFINE_string('weights', None, 'As in the benchmark.')
_CONTENT = flags.DEFINE_string('content', None, 'As in the benchmark.')
_STYLE = flags.DEFINE_string('style', None, 'As in the benchmark.')
_DATA_DIR = flags.DEFINE_string('data_dir', '', 'As in the benchmark.')
_MARGIN = 0.6  # of the time: few rounds begin later

flags.mark_flags_as_required(['row', 'output'])


def main():
  """Computes the row, writes what was found, and ends at once."""
  begun = time.monotonic()
  # The default action of the signal ends the process within a compiler, too.
  signal.setitimer(signal.ITIMER_REAL, _SECONDS.value)
  about = provenance.record() | {'versions': processes.versions()}

  def keep(found, whole=False):
    files.write_json(_OUTPUT.value, found | {'whole': whole, 'about': about})

  tiny = _TINY.value
  given = task.Task(
    tiny=tiny,
    until=begun + _MARGIN * _SECONDS.value,
    keep=keep,
    rounds=min(3, _ROUNDS.value) if tiny else _ROUNDS.value,
    seconds=0.01 if tiny else 0.2,
    runs=_RUNS.value,
    style_files=(_WEIGHTS.value, _CONTENT.value, _STYLE.value),
    data_dir=_DATA_DIR.value,
  )
  (row,) = (
    row
    for row in (rows if _ACCELERATOR.value else cases).ROWS
    if row.name == _ROW.value
  )
  keep(row.measured(given), whole=True)
  # Libraries may wait for threads and compilers of theirs.
  exits.leave(0)


if __name__ == '__main__':
  launch.run(main)
