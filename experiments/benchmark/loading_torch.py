"""Pictures of a folder, decoded by PyTorch's `DataLoader`."""

import itertools
import pathlib

import numpy as np

from experiments.benchmark import rounds
from ganjax.data import decode


class Folder:
  """Pictures of a folder, as `DataLoader` takes them."""

  def __init__(self, folder, resolution):
    """Lists the files; they are decoded one by one."""
    self.paths = sorted(pathlib.Path(folder).iterdir())
    self.resolution = resolution

  def __len__(self):
    """Returns how many there are."""
    return len(self.paths)

  def __getitem__(self, index):
    """Returns a picture, float32 `[C, H, W]` in [-1, 1]."""
    pixels = decode.read(self.paths[index], self.resolution, 3, 'center')
    return pixels.transpose(2, 0, 1).astype(np.float32) / 127.5 - 1


def side(folder, batch, resolution, workers):
  """Returns the `Side` of a `DataLoader`, whose images are summed.

  Args:
    folder: of the pictures.
    batch: images in a step.
    resolution: in pixels.
    workers: processes that decode; 0: this one does.
  """
  from torch.utils import data

  loader = data.DataLoader(
    Folder(folder, resolution),
    batch,
    shuffle=True,
    drop_last=True,
    num_workers=workers,
    persistent_workers=workers > 0,
    # Threads of jax do not survive a fork.
    multiprocessing_context='spawn' if workers else None,
  )
  batches = itertools.chain.from_iterable(itertools.repeat(loader))

  def run():
    for _ in range(len(loader)):
      next(batches).mean().item()

  run()
  return rounds.Side(run, len(loader), {})
