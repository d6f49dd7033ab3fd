"""How many images a second come from a folder of pictures, or from memory.

The pictures are squares of scikit-learn's two photographs, in files of JPEG, of
128 pixels or as many as are asked for. Both libraries decode and shrink them
by the same function, on Pillow. Workers are processes that do so; with none,
`DataLoader` does it in its own, and our stream in threads of its own.
"""

import functools
import pathlib
import tempfile

import numpy as np

from experiments.benchmark import loading_torch, rounds
from experiments.benchmark.accelerator import loading
from ganjax import pictures
from ganjax.data import images

_SIDE, _WORKERS = 128, (0, 2)


def decoded(resolution, task):
  """Returns the row of pictures that are read from files.

  Args:
    resolution: in pixels.
    task: a `task.Task`.
  """
  workers = (0,) if task.tiny else _WORKERS

  def makers(folder, number, batch):
    shape = folder, batch, resolution
    whole = functools.partial(_whole, folder, resolution, batch, number)
    stream = {
      f'ganjax, stream, {count} workers': functools.partial(
        loading.side, *shape, 'stream', count
      )
      for count in workers
    }
    torch = {
      f'torch, {count} workers': functools.partial(
        loading_torch.side, *shape, count
      )
      for count in workers
    }
    return (
      stream
      | {'ganjax, all at once': whole}
      | (torch if task.torch_too else {})
    )

  return _measured(task, makers, resolution)


def loaders(resolution, task):
  """Returns the row of our loaders.

  Args:
    resolution: in pixels.
    task: a `task.Task`.
  """

  def makers(folder, number, batch):
    return {
      f'ganjax, {loader}': functools.partial(
        loading.side, folder, batch, resolution, loader
      )
      for loader in ('device', 'host', 'stream')
    }

  return _measured(task, makers, resolution)


def _measured(task, makers, resolution):
  number, batch = (16, 4) if task.tiny else (1024, 64)
  moved = 2 * 4 * batch * resolution**2 * 3  # float32, written and read
  with tempfile.TemporaryDirectory() as folder:
    write(folder, number, max(_SIDE, resolution))
    sides = {
      name: lambda make=make: make()._replace(moved=moved)
      for name, make in makers(folder, number, batch).items()
    }
    return rounds.compare(task, sides, batch, each='batch')


def write(folder, number, side=_SIDE):
  """Writes squares of photographs as files of JPEG.

  Args:
    folder: which exists.
    number: of files.
    side: of a square, in pixels.
  """
  from sklearn import datasets

  photographs = datasets.load_sample_images().images
  drawn = np.random.default_rng(0)
  for index in range(number):
    photograph = photographs[index % len(photographs)]
    top, left = (
      drawn.integers(0, length - side) for length in photograph.shape[:2]
    )
    square = photograph[top : top + side, left : left + side]
    pictures.save(pathlib.Path(folder) / f'{index:05d}.jpg', square)


def _whole(folder, resolution, batch, number):
  """Returns the `Side` of all pictures, decoded into a cache that is empty."""

  def run():
    with tempfile.TemporaryDirectory() as cache:
      images.load('folder', folder, resolution=resolution, cache=cache)

  return rounds.Side(run, number // batch, {})
