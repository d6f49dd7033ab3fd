"""Locks of processes that share a folder, on one machine or on several.

The system releases them when a process ends, however it ends.
"""

import contextlib
import errno
import fcntl
import os
import platform


@contextlib.contextmanager
def wait(path):
  """Waits until no other process holds the lock file, and holds it."""
  with path.open('a') as file:
    fcntl.flock(file, fcntl.LOCK_EX)
    yield


@contextlib.contextmanager
def attempt(path):
  """Yields whether this process holds the lock file; False if another does."""
  with path.open('a') as file:
    yield _taken(file)


@contextlib.contextmanager
def alone(folder):
  """Holds a folder, in which only one process may write, in its block.

  Args:
    folder: a `pathlib.Path` of one that exists; `lock` is written into it.

  Raises:
    ValueError: if another process holds it.
  """
  with (folder / 'lock').open('a+') as file:
    if not _taken(file):
      file.seek(0)
      holder = file.read().strip() or 'another process'
      raise ValueError(
        f'{folder} is in use: {holder} writes into it. Wait until it ends, or '
        'give another folder.'
      )
    file.truncate(0)
    with contextlib.suppress(OSError):  # Only words, for whoever comes next.
      file.write(f'process {os.getpid()} on {platform.node()}')
      file.flush()
    yield


def _taken(file):
  try:
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
  except BlockingIOError:
    return False
  except OSError as error:
    # Some network disks have no locks: all of their processes go ahead.
    if error.errno not in (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS):
      raise
  return True
