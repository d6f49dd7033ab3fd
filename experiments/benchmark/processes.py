"""Processes of rows, which end when their time is over, and their code."""

import contextlib
import os
import pathlib
import signal
import subprocess
from importlib import metadata

from ganjax.training import provenance

_ROOT = pathlib.Path(__file__).resolve().parents[2]


def ended(command, log, seconds):
  """Returns the exit code of a process; None if it ran out of time.

  Args:
    command: a list of words.
    log: path of the file that all it says goes to.
    seconds: after which it is killed, with all processes that it started.
  """
  # Two libraries share the device: neither takes its memory before it needs it.
  environment = {
    'XLA_PYTHON_CLIENT_PREALLOCATE': 'false',
    'XLA_PYTHON_CLIENT_MEM_FRACTION': '0.9',
  } | os.environ
  with open(log, 'wb') as said:
    process = subprocess.Popen(
      command,
      cwd=_ROOT,
      env=environment,
      stdin=subprocess.DEVNULL,
      stdout=said,
      stderr=subprocess.STDOUT,
      # With the compilers that it starts, it is a group.
      start_new_session=True,
    )
    try:
      return process.wait(seconds)
    except subprocess.TimeoutExpired:
      return None
    finally:
      with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
      process.wait()


def commit():
  """Returns the last commit of the code, or None where git does not know it.

  It ends with '-dirty' where files differ from it. Pages do not count.
  """
  code = 'ganjax', 'experiments', 'configs'
  with contextlib.suppress(OSError):
    number = _git('log', '-1', '--abbrev=12', '--format=%h', '--', *code)
    if number:
      return f'{number}-dirty' if _git('status', '-s', '--', *code) else number
  return None


def versions():
  """Returns the versions of the libraries, and of PyTorch if it is there."""
  found = provenance.versions()
  with contextlib.suppress(metadata.PackageNotFoundError):
    found['torch'] = metadata.version('torch')
  return found


def _git(*words):
  said = subprocess.run(
    ['git', '-C', _ROOT, *words], capture_output=True, text=True, check=False
  )
  return said.stdout.strip()
