"""What a training run has left in its folder so far, for its page."""

import json
import math
import pathlib
import re
from typing import NamedTuple

import numpy as np

from ganjax import files, paths
from ganjax.reports.figures import curves

_GRID = re.compile(r'\d{10}\.png')


class RunResults(NamedTuple):
  """A training run.

  Attributes:
    folder: of the run, a `pathlib.Path`.
    config: its config, nested dicts of JSON values.
    about: its `run.json`: the data, the command, the hardware and the versions.
    metrics: the rows of `metrics.jsonl`, dicts of numbers, by images seen.
    grids: from the images seen to a grid of samples, a path in the folder, in
      order.
    measured: the rows of `evaluation.json`, and the columns of their values.
  """

  folder: pathlib.Path
  config: dict
  about: dict
  metrics: list
  grids: dict
  measured: tuple

  @property
  def images(self):
    """How many images it has seen."""
    return self.metrics[-1]['images'] if self.metrics else 0

  @property
  def seconds(self):
    """How long it has trained, compiled and evaluated, without its starts."""
    evaluated = sum(row.get('evaluation_seconds', 0.0) for row in self.metrics)
    return self.trained(self.images) + evaluated

  def trained(self, images):
    """Returns how long it trained and compiled until it had seen so many.

    Args:
      images: seen, a number or an array; between two rows of the log the pace
        is that of the later one.
    """
    seen, seconds = [0], [0.0]
    for row in self.metrics:
      pace = row.get('images_per_second', math.inf)
      steps = (row['images'] - seen[-1]) / pace
      seconds.append(seconds[-1] + steps + row.get('compile_seconds', 0.0))
      seen.append(row['images'])
    return np.interp(images, seen, seconds)


def read(workdir):
  """Returns the `RunResults` of a folder, finished or not.

  Args:
    workdir: the path of the folder.

  Raises:
    FileNotFoundError: if no run was started there.
    ValueError: if a file leads out of the folder, or cannot be read.
  """
  folder = pathlib.Path(workdir)
  if not (folder / 'run.json').exists():
    raise FileNotFoundError(
      f'{folder} holds no run.json, so no run was started there; give the '
      'workdir of a training.'
    )
  measured = {}
  if (folder / 'evaluation.json').exists():
    measured = files.read_inside(folder, 'evaluation.json')
  return RunResults(
    folder,
    files.read_inside(folder, 'config.json'),
    files.read_inside(folder, 'run.json'),
    _metrics(folder),
    _grids(folder),
    (measured.get('measures', []), measured.get('columns', {})),
  )


def _metrics(folder):
  """Returns the rows of `metrics.jsonl`; a damaged line is none."""
  if not (folder / 'metrics.jsonl').exists():
    return []
  rows = []
  path = paths.inside(folder, 'metrics.jsonl')
  for line in path.read_text(errors='replace').splitlines():
    try:
      row = json.loads(line)
      numbers = {name: float(value) for name, value in row.items()}
      rows.append({**numbers, 'images': int(row['images'])})
    except (AttributeError, KeyError, TypeError, ValueError):
      continue
  return rows


def _grids(folder):
  found = sorted(path.name for path in (folder / 'samples').glob('*.png'))
  return {
    int(name.removesuffix('.png')): f'samples/{name}'
    for name in found
    if _GRID.fullmatch(name)
  }


def values(run, name):
  """Returns the images seen `[T]` and a metric `[T]`, where it was logged."""
  found = [(row['images'], row[name]) for row in run.metrics if name in row]
  images, metric = zip(*found, strict=True) if found else ((), ())
  return np.array(images), np.array(metric)


def names(run):
  """Returns the names of all metrics that were logged, but for their times."""
  found = dict.fromkeys(name for row in run.metrics for name in row)
  return [
    name
    for name in found
    if name not in ('images', 'compile_seconds', 'evaluation_seconds')
  ]


def curve(runs, name):
  """Returns the `curves.Curve` of a metric over runs: mean and deviation.

  Args:
    runs: `RunResults` that differ in their seeds.
    name: of the metric.

  Returns:
    A curve over the moments that all of the runs have; None if there are none.
  """
  series = [dict(zip(*values(run, name), strict=True)) for run in runs]
  moments = sorted(set.intersection(*map(set, series)))
  if not moments:
    return None
  return curves.with_deviation(
    moments, [[own[moment] for moment in moments] for own in series]
  )
