"""Processes of rows, which are killed when their time is over."""

import contextlib
import os
import pathlib
import signal
import subprocess

_ROOT = pathlib.Path(__file__).resolve().parents[3]


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
  """Returns the commit of the code, or None where git does not know it."""
  with contextlib.suppress(OSError):
    said = subprocess.run(
      ['git', '-C', _ROOT, 'describe', '--always', '--dirty', '--abbrev=12'],
      capture_output=True,
      text=True,
      check=False,
    )
    return said.stdout.strip() or None
  return None
