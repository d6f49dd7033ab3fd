"""How long a training takes until its first step is done, from nothing.

Each round of a side is a process of its own, which imports what it needs,
builds the networks of DCGAN at 32 pixels, and takes a step on noise. Beside
them is a whole `experiments.train` on scikit-learn's digits, with all that
comes before its first step: data, the estimate of memory, and samples.

With empty caches our programs are compiled, and so are those of a side of
PyTorch. Its eager one compiles nothing, and is beside both.
"""

import contextlib
import functools
import os
import pathlib
import subprocess
import sys
import tempfile
import time

from experiments.benchmark import rounds
from ganjax.players import PLAYERS

_ROOT = pathlib.Path(__file__).resolve().parents[2]


def measured(keeps, task):
  """Returns the row of starts.

  Args:
    keeps: whether a start finds the caches of the one before.
    task: a `task.Task`.
  """
  batch, width = (4, 4) if task.tiny else (32, 32)
  train = ['experiments.train', '--config=configs/dcgan.py']
  train += ['--config.log.every=1', f'--config.batch_size={batch}']
  train += [f'--config.{player}.width={width}' for player in PLAYERS]
  step = ['experiments.benchmark.first_step']
  step += [f'--batch={batch}', f'--width={width}', '--side']
  commands = {'ganjax': [*step, 'ganjax'], 'ganjax, train': train}
  if task.torch_too:
    commands['torch'] = [*step, 'torch']
  # To compile takes minutes, whatever the sizes.
  if task.torch_too and not (task.tiny or keeps):
    commands['torch, compiled'] = [*step, 'torch', '--compiled']
  with contextlib.ExitStack() as stack:
    makers = {
      name: functools.partial(_side, stack, command, keeps)
      for name, command in commands.items()
    }
    return rounds.compare(task._replace(seconds=0.0), makers, 0, each='start')


def _side(stack, command, keeps):
  """Returns the `Side` of a process until the end of its first step.

  Args:
    stack: which removes the caches in the end.
    command: a module, and its flags.
    keeps: whether a round finds the caches of the round before.
  """
  kept = stack.enter_context(tempfile.TemporaryDirectory())

  def run():
    with tempfile.TemporaryDirectory() as own:
      _first_step(command, pathlib.Path(own), kept if keeps else f'{own}/cache')

  return rounds.Side(run, 1, {})


def _first_step(command, folder, cache):
  """Waits until a process has written metrics, and ends it."""
  metrics = folder / 'run' / 'metrics.jsonl'
  log = folder / 'log'
  with log.open('wb') as said:
    process = subprocess.Popen(
      [sys.executable, '-m', *command, f'--workdir={folder}/run'],
      cwd=_ROOT,
      env=os.environ
      | {'XDG_CACHE_HOME': cache, 'TORCHINDUCTOR_CACHE_DIR': f'{cache}/torch'},
      stdin=subprocess.DEVNULL,
      stdout=said,
      stderr=subprocess.STDOUT,
    )
    try:
      while not (metrics.exists() and metrics.stat().st_size):
        if process.poll() is not None:
          last = log.read_text(errors='replace').splitlines()[-1:]
          raise ChildProcessError(
            f'{command[0]} ended before its first step: {"".join(last)}'
          )
        time.sleep(0.005)
    finally:
      process.kill()
      process.wait()
