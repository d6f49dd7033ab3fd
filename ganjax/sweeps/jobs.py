"""The jobs of a sweep: the commands that they run, watched until they end."""

import collections
import concurrent.futures
import os
import pathlib
import sys
import time

from tqdm import tqdm

from ganjax import launch
from ganjax.sweeps import job_files, places, processes, ray_cluster, slurm
from ganjax.training import provenance, signals

_TRIES = 3  # of a job whose worker dies


def commands(names, workdir, environment=()):
  """Returns the `processes.Command` of each job, {name: command}.

  It is the command of this program with `--job=NAME --quiet`. Its output goes
  into `jobs/NAME.log` of the workdir.

  Args:
    names: of the jobs, each that of a program or `search-N`.
    workdir: of the sweep, a path that exists.
    environment: the variables that they are given, a dict.
  """
  logs = pathlib.Path(workdir).resolve() / 'jobs'
  logs.mkdir(exist_ok=True)
  module = f'experiments.{provenance.program()}'
  begin = sys.executable, '-m', module, *sys.argv[1:]
  # `ganjax.command_line` sets it, and a node of Ray does not have it.
  path = os.environ.get('PYTHONPATH')
  own = dict(environment) | ({'PYTHONPATH': path} if path else {})
  return {
    name: processes.Command(
      words=(*begin, f'--job={name}', '--quiet'),
      log=f'{logs / name}.log',
      folder=os.getcwd(),
      environment=own,
    )
    for name in names
  }


def run(place, names, workdir, observe=lambda: None):
  """Runs jobs where a `Place` says; returns False where a signal ended it.

  Args:
    place: a `places.Place`, not `here`, and not one that `prints`.
    names: of the jobs, as `commands`.
    workdir: of the sweep.
    observe: called after each evaluation of one of them.

  Raises:
    OSError: if one of them failed, or Ray cannot be used.
  """
  begun, at_once = commands(names, workdir, places.OF_JOBS), place.at_once
  if place.name == 'slurm':
    opened = slurm.jobs(workdir, place.resources, at_once)
    at_once = None  # Slurm's own queue holds the others.
  elif place.name == 'ray':
    opened = ray_cluster.tasks(workdir, place.address, place.resources)
  else:
    opened = processes.pool(at_once)
  return watch(begun, opened, at_once, workdir, observe)


def write(place, names, workdir):
  """Writes jobs as files, as `job_files.write`, and says where they are."""
  if not names:
    tqdm.write('No job is left: all programs are finished, or are being run.')
    return
  script, manifest = job_files.write(
    commands(names, workdir),
    workdir,
    place.resources,
    place.time,
    place.at_once,
  )
  tqdm.write(
    f'{len(names)} jobs are written: an array of Slurm, sbatch {script}; and a '
    f'JobSet of Kubernetes, {manifest}, which begins with what to put into it. '
    'When they have ended, the command without --on=print reports.'
  )


def watch(commands, opened, at_once, workdir, observe=lambda: None):
  """Runs jobs to their ends, again where their workers die.

  Args:
    commands: {name: `processes.Command`}.
    opened: a context manager, of `processes.pool`, `slurm.jobs` or
      `ray_cluster.tasks`. It gives the function `{name: command} -> futures`,
      which have `done()` and `result()`, the exit code.
    at_once: how many are submitted before others end; None for all.
    workdir: of the sweep.
    observe: called after each evaluation of one of them.

  Returns:
    False where a signal ended it.

  Raises:
    OSError: if one of them failed; others go to their ends before.
  """
  waiting, running = dict(commands), {}
  tries, failed, before = collections.Counter(), {}, None
  with opened as submit, signals.catch() as stop:
    while waiting or running:
      if stop.is_set():
        return False
      free = None if at_once is None else at_once - len(running)
      begun = dict(list(waiting.items())[:free])
      if begun:
        waiting = {name: waiting[name] for name in waiting if name not in begun}
        running |= dict(zip(begun, submit(begun), strict=True))
      time.sleep(0.5)
      for name in [name for name, own in running.items() if own.done()]:
        again, why = _ended(running.pop(name))
        tries[name] += 1
        if again and tries[name] < _TRIES:
          tqdm.write(f'The job {name} {why}; it goes on from what it saved.')
          waiting[name] = commands[name]
        elif why:
          failed[name] = why
      files = workdir.glob('programs/*/evaluation.json')
      now = sorted(path.stat().st_mtime_ns for path in files)
      if now and now != before:
        before = now
        observe()
  for name, why in failed.items():
    log = pathlib.Path(commands[name].log)
    last = log.read_text().strip().splitlines()[-1:] if log.exists() else []
    ending = f'; {log} ends with: {last[0]}' if last else f'; see {log.parent}'
    raise OSError(f'The job {name} {why}{ending}')
  return True


def _ended(future):
  """Returns whether a job that is done is to run again, and what happened."""
  try:
    code = future.result()
  except concurrent.futures.CancelledError:
    return False, 'was cancelled'
  except Exception as error:  # Each library has its own for a dead worker.
    lines = f'{error}'.strip().splitlines() or [type(error).__name__]
    return True, f'died ({lines[0]})'
  if code == launch.STOPPED:
    return True, 'was stopped by a signal'
  if code < 0:
    return True, f'died (by signal {-code})'
  return False, f'failed (exit code {code})' if code else ''
