"""Jobs of a sweep on Slurm, by submitit."""

import concurrent.futures
import contextlib
import shutil
from typing import Any, NamedTuple

from tqdm import tqdm

from ganjax import files
from ganjax.sweeps import processes

_CLUSTER = 'slurm'  # of submitit; tests take its own on this machine, 'local'
_SUBMITTED = 'submitted.json'


class Resources(NamedTuple):
  """What each job of a cluster is given; None leaves it to the cluster.

  Attributes:
    gpus: how many.
    cpus: how many cores.
    memory: of the machine, in GB.
    minutes: after which it is ended.
    further: options of sbatch, {name: value}.
  """

  gpus: int | None = None
  cpus: int | None = None
  memory: float | None = None
  minutes: int | None = None
  further: dict = {}


def check():
  """Raises unless jobs can be submitted from this machine.

  Raises:
    ModuleNotFoundError: without submitit.
    OSError: without Slurm.
  """
  import submitit  # noqa: F401

  if _CLUSTER == 'slurm' and not (
    shutil.which('sbatch') and shutil.which('srun')
  ):
    raise OSError(
      'There is no Slurm here, for the commands sbatch and srun are not found; '
      'give this command on a machine from which jobs are submitted, or write '
      'a script for it with --on=print.'
    )


@contextlib.contextmanager
def jobs(workdir, resources, at_once):
  """Yields the function `{name: command} -> futures`, by which jobs are run.

  They are submitted as an array. Before its time is over, a job saves and is
  queued again. At the end of the block those that run go on; those that were
  submitted before, and have not ended, are only watched.

  Args:
    workdir: of the sweep, from which the jobs have their name in the queue;
      pickles and logs of submitit go to its folder `jobs/submitit`.
    resources: the `Resources` of each job.
    at_once: how many of the array run at once; None leaves it to submitit.
  """
  import submitit

  folder = workdir.resolve() / 'jobs' / 'submitit'
  folder.mkdir(parents=True, exist_ok=True)
  executor = submitit.AutoExecutor(folder, _CLUSTER)
  executor.update_parameters(
    name=workdir.resolve().name,
    # Its own default is five minutes.
    timeout_min=resources.minutes or 240,
    gpus_per_node=resources.gpus,
    cpus_per_task=resources.cpus,
    mem_gb=resources.memory,
    slurm_array_parallelism=at_once,
    slurm_additional_parameters=resources.further or None,
  )
  path = folder.parent / _SUBMITTED
  running = {}

  def submit(commands):
    known = files.read_json(path) if path.exists() else {}
    found = {
      name: _going_on(folder, known[name])
      for name in commands
      if name in known and name not in running
    }
    found = {name: job for name, job in found.items() if job}
    if found:
      tqdm.write(
        f'{len(found)} jobs that were submitted before are watched '
        f'({path} has their numbers).'
      )
    fresh = [name for name in commands if name not in found]
    with executor.batch():
      made = [executor.submit(_Job(commands[name])) for name in fresh]
    found |= dict(zip(fresh, made, strict=True))
    running.update(found)
    numbers = {name: job.job_id for name, job in found.items()}
    files.write_json(path, known | numbers)
    return [_Future(found[name]) for name in commands]

  try:
    yield submit
  finally:
    left = [job.job_id for job in running.values() if not job.done()]
    if left and _CLUSTER == 'slurm':
      tqdm.write(
        f'{len(left)} jobs go on; the same command watches them again, and '
        f'scancel {" ".join(dict.fromkeys(own.split("_")[0] for own in left))} '
        'ends them.'
      )
    elif left:
      for job in running.values():
        job.cancel()


def _going_on(folder, number):
  """Returns the job of that number, or None if it has ended."""
  import submitit

  if _CLUSTER != 'slurm':
    return None
  job = submitit.SlurmJob(folder, number)
  return None if job.done(force_check=True) else job


class _Future(NamedTuple):
  """A job of submitit, whose `result` also tells that it was cancelled."""

  job: Any

  def done(self):
    return self.job.done()

  def result(self):
    if self.job.state.upper().startswith('CANCELLED'):
      raise concurrent.futures.CancelledError
    return self.job.result()


class _Job:
  """A command as submitit calls it, and queues it again."""

  def __init__(self, command):
    self.command, self.child = command, None

  def __call__(self):
    self.child = processes.start(self.command)
    return self.child.wait()

  def checkpoint(self):
    """Ends the command, which saves, before the time of the job is over."""
    import submitit

    processes.end(self.child)
    return submitit.helpers.DelayedSubmission(_Job(self.command))
