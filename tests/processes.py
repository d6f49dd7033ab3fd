"""What tests of several processes share."""

import socket


def free_port():
  """Returns a port of this machine that nobody listens at."""
  with socket.socket() as free:
    free.bind(('127.0.0.1', 0))
    return free.getsockname()[1]


def ended(workers, timeout=120):
  """Returns the exit codes and outputs of workers; none is left behind.

  Args:
    workers: of `subprocess.Popen`, with pipes.
    timeout: for each of them, in seconds.
  """
  try:
    outputs = [worker.communicate(timeout=timeout) for worker in workers]
  finally:
    for worker in workers:
      worker.kill()
      worker.wait()
  return [worker.returncode for worker in workers], outputs
