"""Has each row computed by a process of its own, within a time in all."""

import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

from tqdm import tqdm

from experiments.benchmark.accelerator import rows, table
from ganjax import files, locks, paths

_ROOT = pathlib.Path(__file__).resolve().parents[3]
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
      found[row.name] = _computed(folder, row, until, tiny, given)
      tqdm.write(f'{row.name}: {found[row.name]["sentence"]}')
      _write(path, found, tiny)
    _write(path, found, tiny)
    text = table.markdown(found, tiny)
    files.write(folder / 'accelerator.md', text)
  tqdm.write(f'{text}\nWritten to {path} and {path.with_suffix(".md")}.')


def _state(found, row):
  return found.get(row.name, {}).get('state')


def _write(path, found, tiny):
  ordered = {
    row.name: found[row.name] for row in rows.ROWS if row.name in found
  }
  files.write_json(path, files.versioned({'tiny': tiny, 'rows': ordered}))


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
  code = _ended(command, log, seconds)
  taken = time.monotonic() - begun
  row_found = json.loads(part.read_text()) if part.exists() else {}
  row_found |= {'commit': _commit(), 'seconds_taken': taken}
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


def _ended(command, log, seconds):
  """Returns the exit code of a process; None if it ran out of time."""
  # Two libraries share the device, so that neither may take all its memory.
  environment = os.environ | {'XLA_PYTHON_CLIENT_PREALLOCATE': 'false'}
  with open(log, 'wb') as said:
    process = subprocess.Popen(
      command,
      cwd=_ROOT,
      env=environment,
      stdin=subprocess.DEVNULL,
      stdout=said,
      stderr=subprocess.STDOUT,
      # With the compilers that it starts, it is a group.
      start_new_session=True,
    )
    try:
      return process.wait(seconds)
    except subprocess.TimeoutExpired:
      return None
    finally:
      with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
      process.wait()


def _commit():
  """Returns the commit of the code, or None where git does not know it."""
  with contextlib.suppress(OSError):
    said = subprocess.run(
      ['git', '-C', _ROOT, 'describe', '--always', '--dirty', '--abbrev=12'],
      capture_output=True,
      text=True,
      check=False,
    )
    return said.stdout.strip() or None
  return None
