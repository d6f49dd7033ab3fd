"""The log of a run: `metrics.jsonl`, and the events that TensorBoard reads."""

import contextlib
import json
import pathlib
import time
import warnings
from collections.abc import Callable
from typing import NamedTuple

from tensorboardX import summary
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event, SessionLog

from ganjax import files


class Log(NamedTuple):
  """Functions that write measurements, by the number of images seen.

  Attributes:
    scalars: `(images, {name: float})`.
    picture: `(images, name, [H, W, C] uint8)`.
    close: `()`, to be called once at the end.
  """

  scalars: Callable
  picture: Callable
  close: Callable


def silent():
  """Returns the `Log` that writes nothing, for all processes but the first."""
  return Log(*3 * [lambda *anything: None])


def start(workdir, images_seen):
  """Returns the `Log` of a workdir: `metrics.jsonl` and TensorBoard's events.

  A run that went further than its last checkpoint will go there again: what it
  wrote about more images than it now begins with is removed first.

  Args:
    workdir: an existing folder.
    images_seen: how many images the state has seen that the run begins with, 0
      for a new run.

  Raises:
    OSError: by each function of the `Log`, if it cannot write.
  """
  path = pathlib.Path(workdir) / 'metrics.jsonl'
  folder = pathlib.Path(workdir) / 'tensorboard'
  files.write(path, ''.join(_valid(path, images_seen)))

  def add(images, **content):
    board.write_event(Event(wall_time=time.time(), step=images, **content))

  with _writing(workdir):
    file = path.open('a', buffering=1)
    folder.mkdir(exist_ok=True)
    # Not SummaryWriter: its thread ends when the disk is full, and whoever
    # feeds that thread then waits for ever.
    board = EventsWriter(f'{folder}/events', f'.{images_seen}')
    # TensorBoard hides what earlier starts wrote at this step or later.
    add(images_seen + 1, session_log=SessionLog(status=SessionLog.START))

  def scalars(images, values):
    with _writing(workdir):
      file.write(json.dumps({'images': images, **values}) + '\n')
      for name, value in values.items():
        add(images, summary=summary.scalar(name, value))
      board.flush()

  def picture(images, name, pixels):
    with _writing(workdir):
      content = summary.image(name, pixels, dataformats='HWC')
      add(images, summary=content)
      board.flush()

  def close():
    with _writing(workdir):
      file.close()
      board.close()

  return Log(scalars, picture, close)


def _valid(path, images_seen):
  """Returns the lines of a file about at most so many images, a list."""
  valid, damaged = [], []
  lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
  for number, line in enumerate(lines, 1):
    try:
      if json.loads(line)['images'] <= images_seen:
        valid.append(line.decode())
    except (ValueError, TypeError, KeyError):
      # A killed process may leave half a line at the end.
      if line.endswith(b'\n'):
        damaged.append(number)
  if damaged:
    warnings.warn(
      f'{path} has damaged lines, which are left out: '
      f'{", ".join(map(str, damaged[:5]))}{", ..." if damaged[5:] else ""}.',
      stacklevel=3,
    )
  return [line if line.endswith('\n') else f'{line}\n' for line in valid]


@contextlib.contextmanager
def _writing(workdir):
  try:
    yield
  except OSError as error:
    raise OSError(
      f'measurements could not be written to {workdir} ({error}); free space '
      'there, then run the same command again'
    ) from error
