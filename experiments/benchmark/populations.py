"""Populations of small GANs, beside one after another, and beside PyTorch.

Each side is one or several processes of `population_worker`, which wait for
their round. ganjax has a population over a device for each core, or a process
for each core; PyTorch has one process on one thread, one on all threads where
there are convolutions, and one on one thread for each core.
"""

import contextlib
import os
import statistics
import subprocess
import sys
from typing import NamedTuple

from experiments.benchmark import rounds

RING, DCGAN = NAMES = ('ring population', 'population of DCGAN-16, width 32')


class Plan(NamedTuple):
  """The processes of a side.

  Attributes:
    library: 'ganjax' or 'torch'.
    runs: that each process makes in a round.
    processes: how many there are, each on a core of its own if several.
    mapping: of ganjax's runs.
    threads: of an operation; several take all cores as one device.
  """

  library: str
  runs: int
  processes: int = 1
  mapping: str = 'auto'
  threads: int = 1


def rows(name, given):
  """Yields the row of a population, and a sentence about it.

  Args:
    name: of `NAMES`.
    given: a `given.Given`.

  Raises:
    ChildProcessError: if a process ends too early.
  """
  cores = len(os.sched_getaffinity(0))
  plans = (_of_ring if name == RING else _of_dcgan)(given.runs, cores)
  batch, steps, width = (256, 250, 128) if name == RING else (32, 16, 32)
  if given.tiny:
    batch, steps, width = 8, 2, 4
  # A member of the ring is told by its steps, which other pages have as well.
  each = 'step of a run' if name == RING else 'member'
  sizes = [f'--batch={batch}', f'--steps={steps}', f'--width={width}']
  game = f'--game={"ring" if name == RING else "dcgan"}'
  execution = {}
  with contextlib.ExitStack() as stack:
    sides = {
      side: _side(side, plan, [game, *sizes], stack, execution)
      for side, plan in plans.items()
      if given.torch_too or plan.library == 'ganjax'
    }
    if name == RING:
      sides = {
        side: own._replace(steps=steps * own.steps)
        for side, own in sides.items()
      }
    examples = batch if name == RING else batch * steps
    found, words = given.measure(name, examples, sides, each=each)
  first = next(iter(sides))
  pace = 1 / statistics.median(found['seconds'][first])
  what = 'steps' if name == RING else f'members of {steps} steps'
  yield (
    found | {'runs': given.runs, 'execution': execution},
    f'{words}; {given.runs} runs made {pace:.3g} {what} a second in all, '
    f'{execution[first]}',
  )


def _of_ring(runs, cores):
  return {
    'ganjax': Plan('ganjax', runs),
    'torch': Plan('torch', 2),
    f'torch, {cores} processes': Plan('torch', 1, cores),
  }


def _of_dcgan(runs, cores):
  share = max(1, runs // cores)
  return {
    'ganjax, one after another': Plan('ganjax', 1, 1, 'steps', cores),
    'ganjax, steps': Plan('ganjax', runs, 1, 'steps'),
    'ganjax, map': Plan('ganjax', runs, 1, 'map'),
    'ganjax, vmap': Plan('ganjax', runs, 1, 'vmap'),
    f'ganjax, {cores} processes': Plan('ganjax', share, cores, 'steps'),
    'torch': Plan('torch', 1),
    f'torch, {cores} threads': Plan('torch', 1, threads=cores),
    f'torch, {cores} processes': Plan('torch', share, cores),
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

  return rounds.Side(run, plan.processes * plan.runs, {})
