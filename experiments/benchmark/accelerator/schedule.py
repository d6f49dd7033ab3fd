"""Has each row computed by a process of its own, within a time in all."""

import json
import pathlib
import re
import sys
import time

from tqdm import tqdm

from experiments.benchmark.accelerator import processes, rows, table
from ganjax import files, locks, paths

_LEAST = 15.0  # seconds: with less, a row is not begun
_TAIL = 2000  # characters of what a failed row said
_DONE = 'done'


def run(workdir, match, minutes, tiny, given):
  """Computes the rows that are not done yet; writes and prints the table.

  After each row `accelerator.json` is written, whole or not at all. Rows that
  were never begun come first, then those that failed or ran out of time.

  Args:
    workdir: path of the folder, made if need be.
    match: only rows whose name contains this.
    minutes: after which no row goes on.
    tiny: whether it is a rehearsal at tiny sizes.
    given: by name, the values of the flags that rows may need; or None.

  Raises:
    ValueError: if no row matches, or the folder holds rows of other sizes.
  """
  until = time.monotonic() + 60 * minutes
  chosen = [row for row in rows.ROWS if match in row.name]
  if not chosen:
    names = '; '.join(row.name for row in rows.ROWS)
    raise ValueError(
      f'No row has {match!r} in its name; the rows with --accelerator are '
      f'{names}.'
    )
  folder = paths.check_folder(workdir, '--workdir')
  folder.mkdir(parents=True, exist_ok=True)
  with locks.alone(folder):
    files.check_free(folder, 'benchmark')
    path, found = folder / 'accelerator.json', {}
    if path.exists():
      saved = files.read_json(path)
      found = saved.pop('rows')
      files.check_same(folder, saved, {'tiny': tiny}, 'benchmark')
    pending = [row for row in chosen if _state(found, row) != _DONE]
    pending.sort(
      key=lambda row: _state(found, row) in ('failed', 'out of time')
    )
    for row in pending:
      now = _computed(folder, row, until, tiny, given)
      tqdm.write(f'{row.name}: {now["sentence"]}')
      if now['state'] == 'not begun':
        now = found.get(row.name, now)  # A part from before is worth more.
      found[row.name] = now
      _write(path, found, tiny)
    text = _write(path, found, tiny)
  tqdm.write(f'{text}\nWritten to {path} and {path.with_suffix(".md")}.')


def _state(found, row):
  return found.get(row.name, {}).get('state')


def _write(path, found, tiny):
  """Writes the rows as JSON and as a table, and returns the table."""
  ordered = {
    row.name: found[row.name] for row in rows.ROWS if row.name in found
  }
  files.write_json(path, files.versioned({'tiny': tiny, 'rows': ordered}))
  text = table.markdown(ordered, tiny)
  files.write(path.with_suffix('.md'), text)
  return text


def _computed(folder, row, until, tiny, given):
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
  command = [sys.executable, '-m', 'experiments.benchmark.accelerator.row']
  command += [f'--row={row.name}', f'--seconds={seconds + 5}', '--traceback']
  command += [f'--output={part.resolve()}', f'--tiny={str(tiny).lower()}']
  command += [
    f'--{key}={pathlib.Path(value).resolve()}'
    for key, value in given.items()
    if value
  ]
  tqdm.write(f'{row.name}: {seconds:.0f} s at most.')
  begun = time.monotonic()
  code = processes.ended(command, log, seconds)
  taken = time.monotonic() - begun
  row_found = json.loads(part.read_text()) if part.exists() else {}
  row_found |= {'commit': processes.commit(), 'seconds_taken': taken}
  if row_found.pop('whole', False):
    sentence = row_found.pop('words', '') or f'Done in {taken:.0f} s.'
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
