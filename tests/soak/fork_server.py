"""Starts programs with their libraries already imported, which saves the most.

A process that has imported them, and nothing of ganjax, forks at each request.
What it forks is handed to whoever asked, as an orphan: Linux gives it to the
nearest "subreaper" above.
"""

import ctypes
import importlib
import json
import os
import runpy
import signal
import subprocess
import sys
import threading
import time

LIBRARIES = (
  *('flax.linen', 'jax', 'jinja2', 'matplotlib.pyplot', 'ml_collections'),
  *('optax', 'optuna', 'orbax.checkpoint', 'sklearn.datasets', 'tensorboardX'),
)
_SET_CHILD_SUBREAPER = 36  # of <sys/prctl.h>


class ForkServer:
  """A process that forks programs, which are children of this one."""

  def __init__(self, folder, libraries=LIBRARIES):
    ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1)
    self._lock = threading.Lock()
    self._process = subprocess.Popen(
      [sys.executable, '-m', 'tests.soak.fork_server', *libraries],
      cwd=folder,
      env=os.environ | {'JAX_PLATFORMS': 'cpu', 'PYTHONUNBUFFERED': '1'},
      stdin=subprocess.PIPE,
      stdout=subprocess.PIPE,
      text=True,
    )

  def start(self, module, arguments, cwd, environment, stdout, stderr):
    """Returns the `Forked` process of `python -m module arguments`."""
    request = {
      'module': module,
      'arguments': arguments,
      'cwd': f'{cwd}',
      'environment': environment,
      'streams': [os.devnull, f'{stdout}', f'{stderr}'],
    }
    with self._lock:
      self._process.stdin.write(json.dumps(request) + '\n')
      self._process.stdin.flush()
      return Forked(int(self._process.stdout.readline()))

  def close(self):
    """Ends the server; what it has started goes on."""
    self._process.stdin.close()
    self._process.wait()


class Forked:
  """A child process that `subprocess` did not start, with part of its `Popen`.

  Attributes:
    pid: of the process, and of its group.
  """

  def __init__(self, pid):
    self.pid, self._code = pid, None

  def poll(self):
    """Returns the exit code, or None while it runs."""
    if self._code is None:
      pid, status = os.waitpid(self.pid, os.WNOHANG)
      if pid:
        self._code = os.waitstatus_to_exitcode(status)
    return self._code

  def wait(self, timeout=float('inf')):
    """Returns the exit code, or raises TimeoutExpired."""
    end = time.monotonic() + timeout
    while self.poll() is None:
      if time.monotonic() > end:
        raise subprocess.TimeoutExpired(f'{self.pid}', timeout)
      time.sleep(0.01)
    return self._code

  def send_signal(self, number):
    """Sends a signal to the process."""
    if self.poll() is None:
      os.kill(self.pid, number)


def _forked():
  """Serves requests; returns only in what it forks, with its module."""
  for line in sys.stdin:
    reading, writing = os.pipe()
    between = os.fork()
    if between:
      os.close(writing)
      os.waitpid(between, 0)
      with os.fdopen(reading) as file:
        print(file.read(), flush=True)
      continue
    os.setsid()
    if child := os.fork():
      os.write(writing, f'{child}'.encode())
      os._exit(0)
    os.setpgid(0, 0)
    os.close(reading)
    os.close(writing)
    request = json.loads(line)
    for number, path in enumerate(request['streams']):
      mode = os.O_WRONLY | os.O_CREAT if number else os.O_RDONLY
      stream = os.open(path, mode, 0o644)
      os.dup2(stream, number)
      os.close(stream)
    os.chdir(request['cwd'])
    os.environ.update(request['environment'])
    sys.argv = [request['module'], *request['arguments']]
    return request['module']
  return None


if __name__ == '__main__':
  for library in sys.argv[1:]:
    importlib.import_module(library)
  signal.signal(signal.SIGINT, signal.default_int_handler)
  if module := _forked():
    runpy.run_module(module, run_name='__main__', alter_sys=True)
