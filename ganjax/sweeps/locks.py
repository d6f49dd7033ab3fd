"""Locks of processes that share a folder, on one machine or on several."""

import contextlib
import fcntl


@contextlib.contextmanager
def wait(path):
  """Waits until no other process holds the lock file, and holds it."""
  with path.open('w') as file:
    fcntl.flock(file, fcntl.LOCK_EX)
    yield


@contextlib.contextmanager
def attempt(path):
  """Yields whether this process holds the lock file; False if another does."""
  with path.open('w') as file:
    try:
      fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
      yield False
    else:
      yield True
