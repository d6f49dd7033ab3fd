"""What a file of a stranger may take, however little of it is there.

A few kilobytes can claim terabytes: what a file says of sizes is compared with
these limits, and with what it has, before anything is allocated.
"""

import contextlib

from ganjax import files

LIMIT = 2**32
"""The most bytes that the arrays of a file may have in all."""


class RefusedError(ValueError):
  """The file is refused, whether it is damaged or not; the error says why."""


@contextlib.contextmanager
def reading(path, advice=''):
  """Raises ValueError, which names a file, where reading it in the block fails.

  Errors that do not lie in what the file holds, as of a disk, pass.

  Args:
    path: of the file.
    advice: what to do if it is truncated or damaged, a sentence.
  """
  try:
    yield
  except RefusedError as error:
    raise ValueError(f'{path} was not read: {error}.') from error
  except MemoryError as error:
    raise ValueError(
      f'{path} was not read: it needs more memory than there is.'
    ) from error
  except Exception as error:
    if not files.damaged(error):
      raise
    sentence = f'is truncated or damaged ({type(error).__name__}: {error}).'
    raise ValueError(f'{path} {sentence} {advice}'.rstrip()) from error


def budget():
  """Returns `take(size, what)`, which counts bytes before they are allocated.

  It raises RefusedError when all that was taken is more than `LIMIT`; the size
  is in bytes, and `what` names what is read, for the error.
  """
  left = LIMIT

  def take(size, what):
    nonlocal left
    left -= size
    if left < 0:
      raise RefusedError(
        f'with the {size:,} bytes of {what:.80} it would take more than '
        f'{LIMIT / 2**30:g} GiB, which nothing needs that is read here'
      )

  return take


def member(archive, name, take) -> bytes:
  """Returns the bytes of a member of a zip file.

  Args:
    archive: a `zipfile.ZipFile`.
    name: of the member.
    take: of `budget`, called with the size that it declares.

  Raises:
    Exception: of many kinds, if it is damaged, or larger than it declares.
  """
  size = archive.getinfo(name).file_size
  take(size, name)
  with archive.open(name) as stream:
    # Without a number, `read` would inflate all there is before it looks.
    data = b''.join(iter(lambda: stream.read(2**20), b''))
  if len(data) != size:
    raise EOFError(f'{name} has {len(data)} bytes, not {size}')
  return data
