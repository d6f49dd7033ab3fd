"""Where the jobs of a sweep run: the flags of programs, and what they mean.

It loads no jax, which a program that only reports does without.
"""

import os
import re
from typing import NamedTuple

from absl import flags

from ganjax.lookup import choose
from ganjax.sweeps import ray_cluster, slurm
from ganjax.sweeps.slurm import Resources

_KNOWN = 'local', 'slurm', 'ray', 'print'
_PREALLOCATE = 'XLA_PYTHON_CLIENT_PREALLOCATE'
OF_JOBS = {_PREALLOCATE: os.environ.get(_PREALLOCATE, 'true')}
"""What the environment of jobs has, where that of this process may differ."""

# Which flags mean something where, besides --on.
_READ = {
  'local': (),
  'slurm': ('gpus', 'cpus', 'memory', 'time', 'slurm'),
  'ray': ('gpus', 'cpus', 'memory', 'address'),
  'print': ('gpus', 'cpus', 'memory', 'time', 'slurm'),
}


class Place(NamedTuple):
  """Where the jobs of a sweep run.

  Attributes:
    name: local, slurm, ray or print.
    at_once: how many jobs run at once; None for as many as there is room for.
    resources: the `slurm.Resources` of each job.
    time: that of the resources, as Slurm writes it; or None.
    address: of Ray, or None.
    job: the one that this process is to run by itself, or None.
  """

  name: str
  at_once: int | None
  resources: Resources
  time: str | None
  address: str | None
  job: str | None


def define():
  """Defines the flags that say where jobs run."""
  flags.DEFINE_string(
    'on',
    'local',
    'Where programs run: local, one after another; local:N, N side by side, on '
    'a GPU or a share of the cores each; slurm, ray; or print, which writes '
    'scripts for Slurm and Kubernetes instead. slurm:N and the like run at '
    'most N at once, and a search by N workers.',
  )
  flags.DEFINE_integer('gpus', None, 'GPUs of each job of a cluster.', 0)
  flags.DEFINE_integer('cpus', None, 'Cores of each job of a cluster.', 1)
  flags.DEFINE_float('memory', None, 'GB of memory of each job.', 0)
  flags.DEFINE_string(
    'time',
    None,
    'How long a job may run, as H:MM:SS or D-HH:MM:SS; four hours if not '
    'given. One that takes longer is queued again.',
  )
  flags.DEFINE_multi_string(
    'slurm', [], 'A further option of sbatch, as NAME=VALUE: partition=gpu.'
  )
  flags.DEFINE_string(
    'address',
    None,
    'HOST:PORT of Ray, or auto for the one that runs here; that of RAY_ADDRESS '
    'if not given, or a Ray that is started here.',
  )
  flags.DEFINE_string(
    'job',
    None,
    'Only run this job, as the jobs of --on do: a name in programs/, or '
    'search-N for a worker of a search.',
  )


def asked():
  """Returns the `Place` that the flags ask for.

  Raises:
    ValueError: if there is no such place, or a flag makes no sense there.
    ModuleNotFoundError: if its library is missing.
    OSError: if there is no Slurm on this machine, or Ray does not answer.
  """
  given = flags.FLAGS
  name, colon, number = given['on'].value.partition(':')
  choose('place to run on', dict.fromkeys(_KNOWN), name)
  if colon and not (number.isdecimal() and int(number)):
    raise ValueError(
      f'--on is {given["on"].value}, where {number!r} is no number of jobs; '
      f'give a whole number above 0, as in {name}:2.'
    )
  at_once = int(number) if colon else 1 if name == 'local' else None
  if given['job'].value is None:
    _check(name, given)
    if name == 'slurm':
      slurm.check()
    if name == 'ray':
      ray_cluster.check(given['address'].value)
  time = given['time'].value
  if given['job'].value is None and (name, at_once) != ('local', 1):
    # The memory of GPUs is for the jobs; jax has not begun yet.
    os.environ.setdefault(_PREALLOCATE, 'false')
  resources = Resources(
    given['gpus'].value,
    given['cpus'].value,
    given['memory'].value,
    time and _minutes(time),
    dict(map(_option, given['slurm'].value)),
  )
  return Place(
    name,
    at_once,
    resources,
    time,
    given['address'].value,
    given['job'].value,
  )


def _check(name, given):
  """Raises ValueError where a flag is given that means nothing there."""
  for flag in ('gpus', 'cpus', 'memory', 'time', 'slurm', 'address'):
    if flag in _READ[name] or not given[flag].present:
      continue
    able = [own for own in _KNOWN if flag in _READ[own]]
    why = (
      'whose jobs share the GPUs and the cores of this machine'
      if name == 'local'
      else 'which does not know it'
    )
    raise ValueError(
      f'--{flag} is given with --on={name}, {why}; leave it out, or give '
      f'--on={" or ".join(able)}.'
    )


def _minutes(time):
  """Returns the whole minutes of a time such as 4:00:00 or 1-12:00:00."""
  found = re.fullmatch(r'(?:(\d+)-)?(\d+):([0-5]\d):([0-5]\d)', time)
  days, hours, minutes, seconds = (
    map(int, (own or 0 for own in found.groups())) if found else (0, 0, 0, 0)
  )
  whole = -(-seconds // 60) + minutes + 60 * (hours + 24 * days)
  if not whole:
    raise ValueError(
      f'--time is {time!r}, which is no time; give hours, minutes and seconds '
      'as 4:00:00, or days before them as 1-12:00:00.'
    )
  return whole


def _option(text):
  name, equals, value = text.partition('=')
  if not (re.fullmatch(r'[a-z][a-z0-9_-]*', name) and equals and value):
    raise ValueError(
      f'--slurm is {text!r}, which is no NAME=VALUE; give an option of sbatch '
      'as partition=gpu.'
    )
  return name.replace('_', '-'), value


def here(place):
  """Returns whether programs run in this process, one after another."""
  return place.job is not None or (place.name, place.at_once) == ('local', 1)


def prints(place):
  """Returns whether jobs are written as files instead of being run."""
  return place.job is None and place.name == 'print'
