"""Populations of small GANs, beside one after another, and beside PyTorch.

Each side is one or several processes of `population_worker`, which wait for
their round. ganjax has a population over a device for each core, or a process
for each core; PyTorch has one process on one thread, one on all threads where
there are convolutions, and one on one thread for each core.
"""

import contextlib
import functools
import os
import subprocess
import sys
from typing import NamedTuple

from experiments.benchmark import rounds


class Plan(NamedTuple):
  """The processes of a side.

  Attributes:
    library: 'ganjax' or 'torch'.
    runs: that each process makes in a round.
    steps: of a run, where these are counted and not runs.
    processes: how many there are, each on a core of its own if several.
    mapping: of ganjax's runs.
    threads: of an operation; several take all cores as one device.
  """

  library: str
  runs: int
  steps: int = 1
  processes: int = 1
  mapping: str = 'auto'
  threads: int = 1


def of_ring(task):
  """Returns the row of runs on the ring; a member is told by its steps."""
  batch, steps, width = (8, 2, 4) if task.tiny else (256, 250, 128)
  sizes = ['--game=ring', f'--batch={batch}', f'--steps={steps}']
  sizes += [f'--width={width}']
  cores = len(os.sched_getaffinity(0))
  plans = {
    'ganjax': Plan('ganjax', task.runs, steps),
    'torch': Plan('torch', 2, steps),
    f'torch, {cores} processes': Plan('torch', 1, steps, cores),
  }
  return _measured(task, plans, sizes, batch, 'step of a run')


def of_dcgan(task):
  """Returns the row of whole runs of DCGAN at 16 pixels, by each mapping."""
  batch, steps, width = (8, 2, 4) if task.tiny else (32, 16, 32)
  sizes = ['--game=dcgan', f'--batch={batch}', f'--steps={steps}']
  sizes += [f'--width={width}']
  cores, runs = len(os.sched_getaffinity(0)), task.runs
  share = max(1, runs // cores)
  ours = functools.partial(Plan, 'ganjax', runs)
  plans = {
    'ganjax, one after another': Plan(
      'ganjax', 1, mapping='steps', threads=cores
    ),
    **{
      f'ganjax, {mapping}': ours(mapping=mapping)
      for mapping in ('steps', 'map', 'vmap')
    },
    f'ganjax, {cores} processes': Plan(
      'ganjax', share, processes=cores, mapping='steps'
    ),
    'torch': Plan('torch', 1),
    f'torch, {cores} threads': Plan('torch', 1, threads=cores),
    f'torch, {cores} processes': Plan('torch', share, processes=cores),
  }
  return _measured(task, plans, sizes, batch * steps, 'member')


def _measured(task, plans, sizes, examples, each):
  execution = {}
  with contextlib.ExitStack() as stack:
    makers = {
      name: functools.partial(_side, name, plan, sizes, stack, execution)
      for name, plan in plans.items()
      if task.torch_too or plan.library == 'ganjax'
    }
    found = rounds.compare(task, makers, examples, each=each)
  first = next(iter(plans))
  return found | {
    'runs': task.runs,
    'execution': execution,
    'words': f'{task.runs} runs, {execution.get(first, "")}.',
  }


def _side(name, plan, sizes, stack, execution):
  """Returns a `Side` of processes, which says in `execution` how they ran."""
  command = [sys.executable, '-m', 'experiments.benchmark.population_worker']
  command += [f'--side={plan.library}', f'--mapping={plan.mapping}']
  command += [f'--threads={plan.threads}', *sizes]
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
    for _ in range(plan.processes)
  ]
  if plan.processes > 1:
    # Long before the libraries count their cores.
    for process, core in zip(
      processes, sorted(os.sched_getaffinity(0)), strict=True
    ):
      with contextlib.suppress(ProcessLookupError):
        os.sched_setaffinity(process.pid, {core})

  def run():
    with contextlib.suppress(BrokenPipeError):
      for process in processes:
        process.stdin.write(b'%d\n' % plan.runs)
    answers = [process.stdout.readline() for process in processes]
    if not all(answers):
      raise ChildProcessError(
        f'A process of the side {name!r} ended too early; see above what it '
        f'said, or run `python {" ".join(command[1:])}` by itself.'
      )
    execution[name] = answers[0].decode().strip()

  return rounds.Side(run, plan.processes * plan.runs * plan.steps, {})
