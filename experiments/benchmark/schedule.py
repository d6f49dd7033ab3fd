"""Has each row computed by a process of its own, within a time in all."""

import json
import re
import sys
import time

from tqdm import tqdm

from experiments.benchmark import comparison, processes, readme, table
from ganjax import files, locks

_LEAST = 15.0  # seconds: with less, a row is not begun
_TAIL = 2000  # characters of what a failed row said
_DONE = 'done'


def run(path, rows, match, minutes, settings, given):
  """Computes the rows that are not done yet, and writes all.

  After each row the JSON file is written, whole or not at all. Rows that were
  never begun come first, then those that failed or ran out of time.

  Args:
    path: of the JSON file; what processes write and say is in a folder beside
      it.
    rows: `task.Row`s.
    match: only rows whose name contains this.
    minutes: after which no row goes on.
    settings: by name, the values of flags that all rows of a file have in
      common: 'tiny', 'accelerator' and 'runs'.
    given: by name, the values of the flags that rows may need; or None.

  Returns:
    The table with a line for each row; that of every side is beside the file.

  Raises:
    ValueError: if no row matches, or the file holds rows of other settings,
      versions or code.
  """
  until = time.monotonic() + 60 * minutes
  chosen = [row for row in rows if match in row.name]
  if not chosen:
    raise ValueError(
      f'No row has {match!r} in its name; the rows are '
      f'{"; ".join(row.name for row in rows)}.'
    )
  folder = path.with_suffix('.rows')
  folder.mkdir(parents=True, exist_ok=True)
  about = settings | {
    'commit': processes.commit(),
    'versions': processes.versions(),
  }
  with locks.alone(folder):
    found = {}
    if path.exists():
      saved = files.read_json(path)
      found = saved.pop('rows')
      files.check_same(path, saved, about, 'benchmark')
    pending = [row for row in chosen if _state(found, row) != _DONE]
    pending.sort(
      key=lambda row: _state(found, row) in ('failed', 'out of time')
    )
    for row in pending:
      now = _computed(folder, row, until, settings, given)
      tqdm.write(f'{row.name}: {now["sentence"]}')
      if now['state'] == 'not begun':
        now = found.get(row.name, now)  # A part from before is worth more.
      found[row.name] = now
      # In the order of the rows.
      found = {row.name: found[row.name] for row in rows if row.name in found}
      files.write_json(path, files.versioned(about | {'rows': found}))
      files.write(path.with_suffix('.md'), table.markdown(found, about))
    table.draw(path.with_suffix('.png'), found)
  return readme.markdown(found, about)


def _state(found, row):
  return found.get(row.name, {}).get('state')


def _computed(folder, row, until, settings, given):
  """Returns the JSON values of a row."""
  missing = [f'--{name}' for name in row.needs if not given[name]]
  if missing:
    sentence = f'It is left out: give {", ".join(missing)}.'
    return {'state': 'left out', 'sentence': sentence}
  left = until - time.monotonic()
  if left < _LEAST:
    sentence = 'It was not begun, for the time of --minutes was over.'
    return {'state': 'not begun', 'sentence': sentence}
  seconds = min(row.seconds, left)
  name = re.sub(r'\W+', '-', row.name)
  part, log = folder / f'{name}.json', folder / f'{name}.log'
  part.unlink(missing_ok=True)
  command = [sys.executable, '-m', 'experiments.benchmark.row']
  command += [f'--row={row.name}', f'--seconds={seconds + 5}', '--traceback']
  command += [f'--output={part.resolve()}']
  command += [
    f'--{key}={str(value).lower()}' for key, value in settings.items()
  ]
  command += [f'--{key}={value}' for key, value in given.items() if value]
  tqdm.write(f'{row.name}: {seconds:.0f} s at most.')
  begun = time.monotonic()
  code = processes.ended(command, log, seconds)
  taken = time.monotonic() - begun
  row_found = json.loads(part.read_text()) if part.exists() else {}
  row_found['seconds_taken'] = taken
  if row_found.pop('whole', False):
    words = [comparison.sentence(row_found), row_found.pop('words', '')]
    sentence = ' '.join([*filter(None, words), f'Done in {taken:.0f} s.'])
    return row_found | {'state': _DONE, 'sentence': sentence}
  error = log.read_text(errors='replace')[-_TAIL:]
  if code is None:
    state = 'out of time'
    sentence = f'It ran out of time after {taken:.0f} s.'
  else:
    state = 'failed'
    last = [line for line in error.splitlines() if line.strip()][-1:]
    sentence = f'It failed (exit code {code}): {"".join(last)}'
  return row_found | {'state': state, 'sentence': sentence, 'error': error}
