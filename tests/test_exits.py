"""How programs end, in processes of their own."""

import os
import pathlib
import signal
import subprocess
import sys

import pytest

from ganjax import exits, launch

ROOT = pathlib.Path(__file__).resolve().parents[1]

START = """
import os, signal, sys, threading, time
from ganjax import launch
sys.argv = ['program']
"""


def ended(body):
  return subprocess.run(
    [sys.executable, '-c', START + body],
    cwd=ROOT,
    env=os.environ | {'JAX_PLATFORMS': 'cpu'},
    capture_output=True,
    text=True,
    timeout=60,
  )


FAILED_SAVE = """
import errno
import jax.numpy as jnp
from ganjax.training import checkpoint

make = os.mkdir

def mkdir(path, *anything, **options):
  if 'orbax-checkpoint-tmp' in str(path):
    raise OSError(errno.ENOSPC, 'No space left on device', str(path))
  make(path, *anything, **options)

def no_thread(self):
  raise RuntimeError("can't start new thread")

def main():
  manager = checkpoint.manager(FOLDER)
  FAULT
  try:
    checkpoint.save(manager, 1, {'a': jnp.zeros(9)}, {})
  finally:
    checkpoint.close(manager)

launch.run(main)
"""


@pytest.mark.parametrize(
  ('fault', 'words'),
  [
    ('os.mkdir = mkdir', ('No space left', 'free space there')),
    ('threading.Thread.start = no_thread', ("can't", 'allow more threads')),
  ],
)
def test_after_a_save_that_failed_a_program_leaves_at_once(
  fault, words, tmp_path
):
  # Threads of orbax would wait for its folder for five minutes.
  body = FAILED_SAVE.replace('FOLDER', repr(f'{tmp_path}'))
  done = ended(body.replace('FAULT', fault))
  assert done.returncode == 1
  [sentence] = done.stderr.splitlines()
  assert sentence.startswith('program: a checkpoint could not be written to ')
  for own in words:
    assert own in sentence


WAITING = 'threading.Thread(target=time.sleep, args=[300]).start()'


@pytest.mark.parametrize(
  ('failure', 'words'),
  [
    ("raise ValueError('no such loss')", 'program: no such loss\n'),
    ('raise KeyError(1)', 'KeyError: 1\n'),
    ('print("x" * 9000); sys.exit(2)', ''),
  ],
)
def test_no_failure_waits_for_threads(failure, words):
  done = ended(f'def main():\n  {WAITING}\n  {failure}\nlaunch.run(main)')
  assert done.returncode == (1 if words else 2)
  assert done.stderr.endswith(words)
  assert words or len(done.stdout) == 9001


def test_a_machine_without_threads_is_no_full_disk():
  failure = 'raise RuntimeError("can\'t start new thread")'
  done = ended(f'def main():\n  {failure}\nlaunch.run(main)')
  assert done.returncode == 1
  assert 'allow more threads' in done.stderr and 'free' not in done.stderr
  assert 'Traceback' not in done.stderr


@pytest.mark.parametrize(
  ('failure', 'words'),
  [
    ('raise MemoryError', 'There is not enough memory: let'),
    ('import numpy; numpy.ones(2**62, "u1")', 'enough memory (Unable to'),
    (
      "raise RuntimeError('RESOURCE_EXHAUSTED: Out of memory.\\na table')",
      'memory (RESOURCE_EXHAUSTED: Out of memory.): let other',
    ),
  ],
)
def test_a_full_memory_is_a_sentence(failure, words):
  done = ended(f'def main():\n  {failure}\nlaunch.run(main)')
  assert done.returncode == 1
  [sentence] = done.stderr.splitlines()
  assert sentence.startswith('program: There is not enough memory')
  assert words in sentence and 'a machine with more memory' in sentence


@pytest.mark.parametrize('number', exits.SIGNALS)
def test_a_signal_ends_a_program_with_a_sentence(number):
  body = f"""
def main():
  {WAITING}
  try:
    signal.raise_signal({int(number)})
  finally:
    print('cleaned')
launch.run(main)
"""
  done = ended(body)
  assert (done.returncode, done.stdout) == (launch.STOPPED, 'cleaned\n')
  assert done.stderr.startswith('program: Stopped by a signal; the same ')
  assert done.stderr.count('\n') == 1


def test_a_second_signal_does_not_wait_for_the_first():
  done = ended("""
def main():
  try:
    signal.raise_signal(signal.SIGTERM)
  finally:
    signal.raise_signal(signal.SIGINT)
    time.sleep(300)
launch.run(main)
""")
  assert done.returncode == launch.STOPPED
  assert done.stderr == '\nprogram: Stopped by a signal, at once.\n'


@pytest.mark.parametrize('name', ['train', 'sweep'])
def test_a_signal_while_modules_are_imported_leaves_no_trace(name):
  child = subprocess.Popen(
    [sys.executable, '-X', 'importtime', '-m', f'experiments.{name}', '--help'],
    cwd=ROOT,
    stdout=subprocess.DEVNULL,
    stderr=subprocess.PIPE,
    text=True,
  )
  lines = []
  for line in child.stderr:
    lines.append(line)
    if line.endswith('| experiments\n'):
      child.send_signal(signal.SIGINT)
  assert child.wait() == -signal.SIGINT
  assert not [line for line in lines if 'import time' not in line]
