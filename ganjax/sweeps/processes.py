"""Commands as processes of their own, and those of a sweep side by side.

This module imports nothing but the standard library, so that a machine of a
cluster begins a command without loading any other.
"""

import concurrent.futures
import contextlib
import os
import pathlib
import subprocess
import sys
import threading
import time
from typing import NamedTuple

# Has Linux kill what it then becomes when the thread that started it ends. Else
# a worker of Ray that is killed leaves a child that still holds the lock of its
# program, and the next worker finds the program taken. (A preexec_fn would fork
# a process in which JAX has threads.) 1 is PR_SET_PDEATHSIG, and 9 SIGKILL.
_DIE_WITH_PARENT = """
import ctypes, os, sys
if sys.platform == 'linux':
  ctypes.CDLL(None).prctl(1, 9)
os.execvp(sys.argv[1], sys.argv[1:])
"""


class Command(NamedTuple):
  """What is run, where.

  Attributes:
    words: the program and its arguments, a tuple.
    log: the path of the file that its output is added to.
    folder: the path that it is run in.
    environment: the variables that it is given besides those of the process
      that starts it, a dict.
  """

  words: tuple
  log: str
  folder: str
  environment: dict


def run(command, stop=None):
  """Runs a `Command` to its end, and returns its exit code.

  If this process dies or is interrupted, so does the command: by SIGKILL, and
  by SIGTERM, at which the programs of ganjax save.

  Args:
    command: a `Command`.
    stop: a `threading.Event` that ends it, too; or None.
  """
  child = start(command)
  try:
    # Ray interrupts only what returns to the interpreter now and then.
    while child.poll() is None:
      if stop is not None and stop.is_set():
        break
      time.sleep(0.2)
  finally:
    end(child)
  return child.returncode


def start(command):
  """Starts a `Command`, and returns its `subprocess.Popen`."""
  with open(command.log, 'a') as log:
    return subprocess.Popen(
      (sys.executable, '-ISc', _DIE_WITH_PARENT, *command.words),
      cwd=command.folder,
      env=os.environ | command.environment,
      stdin=subprocess.DEVNULL,
      stdout=log,
      stderr=log,
      # Ctrl-C, and what Slurm signals, is for this process, which then ends the
      # child once.
      start_new_session=True,
    )


def end(child):
  """Ends what `start` returned, if it still runs, and waits for it."""
  if child.poll() is None:
    child.terminate()
  child.wait()


@contextlib.contextmanager
def pool(number):
  """Yields the function `{name: command} -> futures` of exit codes.

  So many commands run side by side on this machine, each on a device of its
  own: a GPU, or its share of the cores. At the end of the block those that run
  are ended.

  Args:
    number: of commands that run at once.
  """
  stop, numbers, gpus = threading.Event(), iter(range(number)), _gpus()
  here, cores = threading.local(), sorted(os.sched_getaffinity(0))

  def take_devices():
    own = next(numbers)
    size = max(1, len(cores) // number)
    first = own * size % len(cores)
    # Of this thread alone, from which the processes that it starts inherit it.
    os.sched_setaffinity(0, cores[first : first + size])
    here.environment = {}
    if gpus:
      share = 0.75 / -(-number // len(gpus))
      here.environment = {
        'CUDA_VISIBLE_DEVICES': gpus[own % len(gpus)],
        'XLA_PYTHON_CLIENT_MEM_FRACTION': f'{share:.2f}',
      }

  def run_here(command):
    environment = command.environment | here.environment
    return run(command._replace(environment=environment), stop)

  threads = concurrent.futures.ThreadPoolExecutor(
    number, initializer=take_devices
  )
  try:
    yield lambda commands: [
      threads.submit(run_here, command) for command in commands.values()
    ]
  finally:
    stop.set()
    threads.shutdown(cancel_futures=True)


def _gpus():
  """Returns the names of the GPUs that CUDA may use; none without a driver."""
  named = os.environ.get('CUDA_VISIBLE_DEVICES')
  if named is not None:
    return [name for name in named.split(',') if name]
  paths = pathlib.Path('/dev').glob('nvidia[0-9]*')
  return sorted(path.name.removeprefix('nvidia') for path in paths)
