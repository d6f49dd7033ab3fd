"""How many images a second come from a folder of pictures, or from memory.

The pictures are squares of 128 pixels out of scikit-learn's two photographs, in
files of JPEG. Both libraries decode and shrink them by the same function, on
Pillow; PyTorch's `DataLoader` does so in its own process or in two others.
"""

import contextlib
import functools
import itertools
import pathlib
import tempfile

import numpy as np

from experiments.benchmark import rounds
from experiments.benchmark.accelerator import loading
from ganjax import pictures
from ganjax.data import decode, images

_RESOLUTIONS = 32, 64
_DECODED = {f'input, decoded at {side} pixels': side for side in _RESOLUTIONS}
_LOADED = {f'input, loaders at {side} pixels': side for side in _RESOLUTIONS}
NAMES = (*_DECODED, *_LOADED)
_SIDE, _WORKERS = 128, (0, 2)


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


def rows(name, given):
  """Yields the row of a case, and a sentence about it.

  Args:
    name: of `NAMES`.
    given: a `given.Given`.
  """
  number, batch = (16, 4) if given.tiny else (1024, 64)
  decoded = name in _DECODED
  resolution = (_DECODED | _LOADED)[name]
  with contextlib.ExitStack() as stack:
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    write(folder, number)
    ours = functools.partial(loading.side, folder, batch, resolution)
    if decoded:
      sides = {
        'ganjax, stream': ours('stream'),
        'ganjax, all at once': _whole(folder, resolution, batch, number),
      }
      if given.torch_too:
        for workers in _WORKERS:
          sides[f'torch, {workers} workers'] = torch_side(
            folder, batch, resolution, workers
          )
    else:
      sides = {
        f'ganjax, {loader}': ours(loader)
        for loader in ('device', 'host', 'stream')
      }
    found, words = given.measure(name, batch, sides, each='batch')
  # Each number of a batch in float32 is written, and read.
  moved = 2 * 4 * batch * resolution**2 * 3
  yield found | {'moved': moved}, words


def write(folder, number):
  """Writes squares of photographs as files of JPEG.

  Args:
    folder: which exists.
    number: of files.
  """
  from sklearn import datasets

  photographs = datasets.load_sample_images().images
  drawn = np.random.default_rng(0)
  for index in range(number):
    photograph = photographs[index % len(photographs)]
    top, left = (
      drawn.integers(0, side - _SIDE) for side in photograph.shape[:2]
    )
    square = photograph[top : top + _SIDE, left : left + _SIDE]
    pictures.save(pathlib.Path(folder) / f'{index:05d}.jpg', square)


def _whole(folder, resolution, batch, number):
  """Returns the `Side` of all pictures, decoded into a cache that is empty."""

  def run():
    with tempfile.TemporaryDirectory() as cache:
      images.load('folder', folder, resolution=resolution, cache=cache)

  return rounds.Side(run, number // batch, {})


def torch_side(folder, batch, resolution, workers):
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
