"""What a file of a stranger may take, however little of it is there.

A few kilobytes can claim terabytes: what a file says of sizes is compared with
these limits, and with what it has, before anything is allocated.
"""

LIMIT = 2**32
"""The most bytes that the arrays of a file may have in all."""


class RefusedError(ValueError):
  """The file is refused, whether it is damaged or not; the error says why."""


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
