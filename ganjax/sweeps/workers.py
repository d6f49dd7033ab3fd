"""Processes of a sweep side by side on one machine."""

import contextlib
import os
import pathlib
import subprocess
import sys
import time

from ganjax import launch
from ganjax.training import provenance, signals


def run(number, folder, observe=lambda: None):
  """Runs the command of this program in several processes.

  Each has a device to itself, a GPU or its share of the cores, and its output
  goes into `process-N.log`. They are given `--processes=1 --quiet`.

  Args:
    number: of the processes.
    folder: the workdir, which exists.
    observe: called after each evaluation of one of them.

  Returns:
    False where a signal ended them.

  Raises:
    OSError: if one of them failed.
  """
  before = None
  with signals.catch() as stop:
    children = [_child(own, number, folder) for own in range(number)]
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
      if now and now != before:
        before = now
        observe()
  codes = {child.returncode for child in children}
  if codes - {0, launch.STOPPED}:
    failed = [own for own in range(number) if children[own].returncode]
    log = folder / f'process-{failed[0]}.log'
    last = log.read_text().strip().splitlines()[-1:]
    raise OSError(f'A process failed; {log} ends with: {" ".join(last)}')
  return codes == {0}


def _child(own, number, folder):
  """Starts the process with that number on the devices of its own."""
  environment = dict(os.environ)
  gpus = _gpus()
  if gpus:
    environment['CUDA_VISIBLE_DEVICES'] = gpus[own % len(gpus)]
    share = 0.75 / -(-number // len(gpus))
    environment['XLA_PYTHON_CLIENT_MEM_FRACTION'] = f'{share:.2f}'
  program = f'experiments.{provenance.program()}'
  command = [sys.executable, '-m', program, *sys.argv[1:]]
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
  """Gives what is started in its body a share of the cores only."""
  cores = sorted(os.sched_getaffinity(0))
  size = max(1, len(cores) // number)
  first = own * size % len(cores)
  os.sched_setaffinity(0, cores[first : first + size])
  try:
    yield
  finally:
    os.sched_setaffinity(0, cores)


def _gpus():
  """Returns the names of the GPUs that CUDA may use; none without a driver."""
  named = os.environ.get('CUDA_VISIBLE_DEVICES')
  if named is not None:
    return [name for name in named.split(',') if name]
  paths = pathlib.Path('/dev').glob('nvidia[0-9]*')
  return sorted(path.name.removeprefix('nvidia') for path in paths)
