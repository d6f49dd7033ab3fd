"""What a run writes about itself: lines of JSON, and TensorBoard's events."""

import json
import os
import pathlib
from collections.abc import Callable
from typing import NamedTuple

from tensorboardX import SummaryWriter


class Record(NamedTuple):
  """Where measurements go.

  Attributes:
    scalars: `(images, {name: float})`, by the number of images shown.
    picture: `(images, name, [H, W, C] uint8)`.
    close: `()`.
  """

  scalars: Callable
  picture: Callable
  close: Callable


def silent():
  """The `Record` that keeps nothing, for all processes but the first."""
  return Record(*3 * [lambda *anything: None])


def start(workdir, shown):
  """The `Record` under `workdir`: `metrics.jsonl` and TensorBoard's events.

  A run that went further than its last checkpoint will go there again: what
  was written beyond `shown` images is taken back first.

  Args:
    workdir: an existing folder.
    shown: images that the restored state has seen, 0 for a new run.
  """
  path = pathlib.Path(workdir) / 'metrics.jsonl'
  kept = []
  if path.exists():
    lines = path.read_text().splitlines(keepends=True)
    # A killed process may leave half a line at the end.
    lines = [line for line in lines if line.endswith('\n')]
    kept = [line for line in lines if json.loads(line)['images'] <= shown]
  unfinished = path.with_suffix('.tmp')
  unfinished.write_text(''.join(kept))
  os.replace(unfinished, path)
  file = path.open('a', buffering=1)
  # TensorBoard hides what was written at the step to purge, too.
  board = SummaryWriter(
    str(pathlib.Path(workdir) / 'tensorboard'), purge_step=shown + 1
  )

  def scalars(images, values):
    file.write(json.dumps({'images': images, **values}) + '\n')
    for name, value in values.items():
      board.add_scalar(name, value, images)

  def picture(images, name, pixels):
    board.add_image(name, pixels, images, dataformats='HWC')

  def close():
    file.close()
    board.close()

  return Record(scalars, picture, close)
