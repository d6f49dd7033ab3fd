"""A folder in which tiny programs are run, disturbed and compared."""

import contextlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
from typing import NamedTuple

import numpy as np
from PIL import Image

from tests.soak import results

ROOT = pathlib.Path(__file__).resolve().parents[2]
_LONGEST = 600  # seconds that a tiny program may take before it counts as hung

_RING = (
  f'--config={ROOT}/configs/mode_collapse.py:ring',
  '--config.generator.widths=(6,)',
  '--config.measure.samples=100',
  '--config.measure.pictures=30',
)
PROGRAMS = {
  'train': (
    f'--config={ROOT}/configs/dcgan.py',
    '--config.generator.width=4',
    '--config.discriminator.width=4',
    '--config.data.resolution=16',
    '--config.batch_size=8',
    '--config.images=96',
    '--config.log.every=8',
    '--config.samples.every=24',
    '--config.checkpoint.every=16',
    '--config.checkpoint.keep=2',
  ),
  'style_network': (
    f'--config={ROOT}/configs/style_network.py',
    '--style=style.png',
    '--data=folder',
    '--data_dir=pictures',
    '--config.features=random',
    '--config.data.resolution=24',
    '--config.data.window=20',
    '--config.network.width=2',
    '--config.network.blocks=1',
    '--config.batch_size=2',
    '--config.images=12',
    '--config.log.every=4',
    '--config.samples.every=4',
    '--config.checkpoint.every=4',
    '--config.checkpoint.keep=2',
  ),
  'sweep': (
    *_RING,
    '--config.steps=8',
    '--evaluations=2',
    '--seeds=2',
    '--mapping=map',
    '--grid=loss=hinge,non_saturating',
  ),
  'mode_collapse': (
    *_RING,
    '--config.prior.size=3',
    '--config.measure.evaluations=2',
    '--config.mapping=map',
    '--remedies=gan,pac2',
    '--images=512',
    '--seeds=2',
  ),
}
"""The flags of each program; data and workdir lie in the working folder."""


class BrokenError(Exception):
  """What a disturbed program did is neither the same results nor a sentence."""


class Ended(NamedTuple):
  """How a process ended, by its code, and what it wrote."""

  code: int
  err: str
  out: str = ''

  @property
  def said(self):
    """Whether it ended in a sentence of its own, and in no trace."""
    lines = self.err.strip().splitlines()
    return (
      'Traceback' not in self.err
      and bool(lines)
      and bool(re.match(r'[a-z_]+: \S', lines[-1]))
    )


class Bench:
  """A folder with data, a cache, and the workdir `run` of the trial.

  Attributes:
    folder: of all that, a `pathlib.Path`.
    undisturbed: the results of each program that nothing disturbs.
    seconds: how long each program takes, by its last whole run.
    kills: which program each SIGKILL has reached, and when, words.
  """

  def __init__(self, folder, undisturbed, server=None):
    self.folder = folder
    self.run = folder / 'run'
    self.cache = folder / 'cache'
    self.undisturbed = undisturbed
    self.server = server
    self.seconds = dict.fromkeys(PROGRAMS, 20.0)
    self.kills = []
    self.number = 0
    folder.mkdir(parents=True, exist_ok=True)
    self.paint()

  def paint(self):
    """Writes the pictures that style networks learn from."""
    random = np.random.default_rng(0)
    shutil.rmtree(self.folder / 'pictures', ignore_errors=True)
    (self.folder / 'pictures').mkdir()
    shapes = {f'pictures/{number}': (24, 24) for number in range(8)}
    for name, shape in (shapes | {'style': (40, 30)}).items():
      pixels = random.integers(0, 256, (*shape, 3), np.uint8)
      Image.fromarray(pixels).save(self.folder / f'{name}.png')

  def clear(self):
    """Makes the folder as it was before a trial."""
    shutil.rmtree(self.run, ignore_errors=True)
    for path in self.folder.glob('*.txt'):
      path.unlink()
    self.paint()
    self.kills, self.number = [], 0

  def command(self, program):
    """Returns the command line of a program."""
    module = f'experiments.{program}'
    return [sys.executable, '-m', module, *PROGRAMS[program], '--workdir=run']

  def start(self, program, command=None, **options):
    """Starts a program in a group of its own; returns the process.

    Where there is a fork server, three of four start from it.
    """
    self.number += 1
    paths = {
      name: self.folder / f'{self.number:03d}-{name}.txt'
      for name in ('stdout', 'stderr')
    }
    environment = {
      # Relative, as XLA's keys have the path of the cache in them.
      'XDG_CACHE_HOME': 'cache',
      'PYTHONPATH': f'{ROOT}',
      'JAX_PLATFORMS': 'cpu',
      'PYTHONUNBUFFERED': '1',
    }
    if self.server and not command and not options and self.number % 4:
      own = self.command(program)[2:]
      process = self.server.start(
        own[0], own[1:], self.folder, environment, **paths
      )
    else:
      with contextlib.ExitStack() as stack:
        process = subprocess.Popen(
          command or self.command(program),
          cwd=self.folder,
          env=os.environ | environment,
          stdin=subprocess.DEVNULL,
          start_new_session=True,
          **{
            name: stack.enter_context(path.open('w'))
            for name, path in paths.items()
          },
          **options,
        )
    process.out, process.err = paths['stdout'], paths['stderr']
    return process

  def kill(self, process, words):
    """Kills a process and its children; returns whether it still ran."""
    if process.poll() is not None:
      return False
    os.killpg(process.pid, 9)
    if process.wait() == -9:
      self.kills.append(words)
    return True

  def wait(self, process, seconds=_LONGEST):
    """Returns how a process ended.

    Raises:
      BrokenError: if it does not end.
    """
    try:
      code = process.wait(seconds)
    except subprocess.TimeoutExpired:
      os.killpg(process.pid, 9)
      process.wait()
      raise BrokenError(f'it did not end within {seconds} seconds') from None
    written = [
      path.read_text(errors='replace') for path in (process.err, process.out)
    ]
    return Ended(code, *written)

  def finish(self, program):
    """Runs a program to its end, which has to be the undisturbed one."""
    began = time.monotonic()
    ended = self.wait(self.start(program))
    if ended.code != 0:
      raise BrokenError(f'the same command ended with {ended}')
    self.seconds[program] = time.monotonic() - began
    self.compare(program)

  def compare(self, program):
    """Raises BrokenError unless the results are the undisturbed ones."""
    try:
      found = results.read(self.run, self.folder)
    except Exception as error:
      raise BrokenError(f'a result cannot be read: {error!r:.300}') from error
    if words := results.differing(self.undisturbed[program], found):
      raise BrokenError(words)
