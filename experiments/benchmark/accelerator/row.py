"""Computes one row of the benchmark on an accelerator.

  python -m experiments.benchmark.accelerator.row --row limits --tiny \
    --output limits.json

`experiments.benchmark --accelerator` starts it for each row. What is found so
far is written again and again, so that a row that is ended leaves its part.
"""

import contextlib
import signal
import time
from importlib import metadata

from absl import flags

from experiments.benchmark.accelerator import rows, task
from ganjax import exits, files, launch
from ganjax.training import provenance

_ROW = flags.DEFINE_enum(
  'row', rows.LIMITS, [row.name for row in rows.ROWS], 'The row to compute.'
)
_TINY = flags.DEFINE_bool('tiny', False, 'Takes the sizes of a rehearsal.')
_SECONDS = flags.DEFINE_float(
  'seconds', 120.0, 'Ends by itself after this time.', lower_bound=1.0
)
_OUTPUT = flags.DEFINE_string('output', None, 'The JSON file that is written.')
_WEIGHTS = flags.DEFINE_string('weights', None, 'As in the benchmark.')
_CONTENT = flags.DEFINE_string('content', None, 'As in the benchmark.')
_STYLE = flags.DEFINE_string('style', None, 'As in the benchmark.')
_DATA_DIR = flags.DEFINE_string('data_dir', '', 'As in the benchmark.')
_MARGIN = 0.9  # of the time: no round begins later

flags.mark_flag_as_required('output')


def main():
  """Computes the row, writes what was found, and ends at once."""
  begun = time.monotonic()
  # The default action of the signal ends the process within a compiler, too.
  signal.setitimer(signal.ITIMER_REAL, _SECONDS.value)
  about = provenance.record()
  with contextlib.suppress(metadata.PackageNotFoundError):
    about['versions']['torch'] = metadata.version('torch')

  def keep(found, whole=False):
    files.write_json(_OUTPUT.value, found | {'whole': whole, 'about': about})

  given = task.Task(
    tiny=_TINY.value,
    until=begun + _MARGIN * _SECONDS.value,
    keep=keep,
    style_files=(_WEIGHTS.value, _CONTENT.value, _STYLE.value),
    data_dir=_DATA_DIR.value,
  )
  keep(rows.named(_ROW.value).measured(given), whole=True)
  # Libraries may wait for threads and compilers of theirs.
  exits.leave(0)


if __name__ == '__main__':
  launch.run(main)
