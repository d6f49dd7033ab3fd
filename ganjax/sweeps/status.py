"""How a sweep stands while it runs, in this process or in others beside it."""

import contextlib
import os
import pathlib
import subprocess
import sys
import time

import numpy as np
from tqdm import tqdm

from ganjax import launch
from ganjax.reports import results, sweep_figures, tables
from ganjax.training import signals

_SHOWN = 10  # cells


def tell(folder):
  """Prints the best cells so far, by the evaluation that each has reached."""
  found = results.read(folder)
  cells = [cell for cell in found.cells if results.reached(cell)]
  sign = {'minimize': 1, 'maximize': -1}[found.direction]

  def place(cell):
    values = results.final(cell, found.objective)
    some = values[np.isfinite(values)]
    # Those that went further are known better.
    return -results.reached(cell), sign * np.mean(some) if len(some) else np.inf

  shown = sorted(cells, key=place)[:_SHOWN]
  rows = [
    {
      'label': sweep_figures.label(found, cell),
      'values': {key: results.final(cell, key) for key in found.titles},
      'words': {
        'evaluation': f'{results.reached(cell)} of {found.about["evaluations"]}'
      },
    }
    for cell in shown
  ]
  columns = [
    tables.Column(key, title, '.3g') for key, title in found.titles.items()
  ]
  measured = sum(len(run.rows) for run in found.runs)
  diverged = sum(run.state == 'diverged' for run in found.runs)
  said = (
    f'{measured} evaluations at {len(found.runs)} runs; {diverged} diverged.'
  )
  varied = [sweep_figures.name(found, own) for own in results.factors(found)]
  title = f'cell: {", ".join(varied)}' if varied else 'cell'
  tqdm.write(tables.text(rows, columns, (said,), title=title))


def duration(seconds):
  """A time in words."""
  minutes = seconds / 60
  if minutes < 1.5:
    return f'{seconds:.0f} seconds'
  return (
    f'{minutes:.0f} minutes' if minutes < 90 else f'{minutes / 60:.1f} hours'
  )


def side_by_side(number, folder):
  """Runs the command in so many processes; False where a signal ended them.

  Each has a device to itself, a GPU or its share of the cores, and writes what
  it says into `process-N.log`.

  Raises:
    OSError: if one of them failed.
  """
  children = [_child(own, number, folder) for own in range(number)]
  seen = None
  with signals.catch() as stop:
    while any(child.poll() is None for child in children):
      if stop.is_set():
        for child in children:
          child.terminate()
        for child in children:
          child.wait()
        return False
      time.sleep(0.5)
      files = folder.glob('programs/*/evaluation.json')
      now = sorted(path.stat().st_mtime_ns for path in files)
      if now and now != seen:
        seen = now
        tell(folder)
  codes = {child.returncode for child in children}
  if codes - {0, launch.LEFT}:
    failed = [own for own in range(number) if children[own].returncode]
    log = folder / f'process-{failed[0]}.log'
    last = log.read_text().strip().splitlines()[-1:]
    raise OSError(f'A process failed; {log} ends with: {" ".join(last)}')
  return codes == {0}


def _child(own, number, folder):
  """The process with that number, on the devices of its own."""
  environment = dict(os.environ)
  gpus = _gpus()
  if gpus:
    environment['CUDA_VISIBLE_DEVICES'] = gpus[own % len(gpus)]
    share = 0.75 / -(-number // len(gpus))
    environment['XLA_PYTHON_CLIENT_MEM_FRACTION'] = f'{share:.2f}'
  command = [sys.executable, '-m', 'experiments.sweep', *sys.argv[1:]]
  with _cores(own, number), (folder / f'process-{own}.log').open('w') as log:
    return subprocess.Popen(
      [*command, '--processes=1', '--quiet'],
      env=environment,
      stdout=log,
      stderr=log,
      # Ctrl-C is for this process, which then ends its children once.
      start_new_session=True,
    )


@contextlib.contextmanager
def _cores(own, number):
  """Lets what is started within have its share of the cores only."""
  cores = sorted(os.sched_getaffinity(0))
  size = max(1, len(cores) // number)
  first = own * size % len(cores)
  os.sched_setaffinity(0, cores[first : first + size])
  try:
    yield
  finally:
    os.sched_setaffinity(0, cores)


def _gpus():
  """The GPUs that CUDA may see, as it names them; none without a driver."""
  named = os.environ.get('CUDA_VISIBLE_DEVICES')
  if named is not None:
    return [name for name in named.split(',') if name]
  paths = pathlib.Path('/dev').glob('nvidia[0-9]*')
  return sorted(path.name.removeprefix('nvidia') for path in paths)
