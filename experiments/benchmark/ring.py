"""The benchmark of a population on a ring of Gaussians, beside PyTorch.

Each side is one or several processes of `ring_worker`, which wait for their
round: ganjax has a population over all devices; PyTorch has one process on one
thread, and one such process for each core.
"""

import contextlib
import os
import statistics
import subprocess
import sys

from experiments.benchmark import rounds

NAME = 'ring population'
_BATCH, _STEPS = 256, 250


def row(measure, runs, torch_too):
  """Returns the row of the ring, and a sentence about it.

  Args:
    measure: `(name, batch, sides) -> row, sentence`, of `rounds.measure`.
    runs: members of the population.
    torch_too: whether PyTorch is installed.

  Raises:
    ChildProcessError: if a process ends too early.
  """
  cores = len(os.sched_getaffinity(0))
  # By side: the program, its processes, and the runs of each.
  plans = {'ganjax': ('ganjax', 1, runs)}
  if torch_too:
    plans['torch'] = ('torch', 1, 2)
    plans[f'torch, {cores} processes'] = ('torch', cores, 1)
  execution = {}
  with contextlib.ExitStack() as stack:
    sides = {
      name: _side(name, *plan, stack, execution) for name, plan in plans.items()
    }
    found, words = measure(NAME, _BATCH, sides)
  pace = 1 / statistics.median(found['seconds']['ganjax'])
  return found | {'runs': runs, 'execution': execution}, (
    f'{words}; {runs} runs made {pace:.0f} steps a second in all, '
    f'{execution["ganjax"]}'
  )


def _side(name, program, number, runs, stack, execution):
  """Returns a `Side` of processes, which says in `execution` how they ran."""
  command = [sys.executable, '-m', 'experiments.benchmark.ring_worker']
  command += [f'--side={program}', f'--steps={_STEPS}', f'--batch={_BATCH}']
  processes = [
    stack.enter_context(
      subprocess.Popen(
        command,
        # Several processes share a GPU, so that none may take all its memory.
        env=os.environ | {'XLA_PYTHON_CLIENT_PREALLOCATE': 'false'},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
      )
    )
    for _ in range(number)
  ]

  def run():
    with contextlib.suppress(BrokenPipeError):
      for process in processes:
        process.stdin.write(b'%d\n' % runs)
    answers = [process.stdout.readline() for process in processes]
    if not all(answers):
      raise ChildProcessError(
        f'A process of the side {name!r} ended too early; see above what it '
        'said, or run `python -m experiments.benchmark.ring_worker` by itself.'
      )
    execution[name] = answers[0].decode().strip()

  return rounds.Side(run, number * runs * _STEPS, {})
