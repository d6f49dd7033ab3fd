r"""Draws the samples of a trained generator.

  python -m experiments.sample --workdir runs/dcgan --grid 8x8 --interpolate 8
  python -m experiments.sample --workdir runs/msg --pyramid --truncation .7
  python -m experiments.sample --workdir runs/a --labels all --checkpoint best

The grid is written to grid.png in the workdir, or to --output; what else is
asked for goes beside it: grid-pyramid.png and grid-interpolation.png.
"""

import math
import re

import jax
import numpy as np
from absl import flags
from tqdm import tqdm

from ganjax import capacity, launch, picture_files, pictures
from ganjax.config import restore

_WORKDIR = flags.DEFINE_string(
  'workdir', None, 'The folder of the run, as experiments.train wrote it.'
)
_GRID = flags.DEFINE_string('grid', '8x8', 'Rows x columns of the grid.')
_INTERPOLATE = flags.DEFINE_integer(
  'interpolate',
  0,
  'How many images a row of the interpolation has, each from one sample to '
  'another; 0 draws none.',
  lower_bound=0,
)
_LABELS = flags.DEFINE_list(
  'labels',
  [],
  'Of a conditional run: the names or numbers of the classes to draw, one in '
  "each row, or 'all'. With --interpolate, rows go from class to class.",
)
_PYRAMID = flags.DEFINE_bool(
  'pyramid', False, 'Also draw the first samples at each of their resolutions.'
)
_TRUNCATION = flags.DEFINE_float(
  'truncation',
  1.0,
  'The psi of the truncation trick: 1 leaves styles as they are, 0 puts all at '
  'their mean.',
)
_SEED = flags.DEFINE_integer(
  'seed', 0, 'The seed of the latents.', 0, 2**32 - 1
)
_CHECKPOINT = flags.DEFINE_enum(
  'checkpoint',
  'last',
  list(restore.CHECKPOINTS),
  'Which checkpoint: the last, or the best by what config.evaluate measured.',
)
_WEIGHTS = flags.DEFINE_enum(
  'weights',
  'ema',
  list(restore.WEIGHTS),
  'Which weights: '
  + '; '.join(f'{name}, {what}' for name, what in restore.WEIGHTS.items()),
)
_ZOOM = flags.DEFINE_integer(
  'zoom', 2, "The side of a sample's pixel in the pictures.", lower_bound=1
)
_OUTPUT = flags.DEFINE_string(
  'output', None, 'The file of the grid; by default grid.png in the workdir.'
)
flags.mark_flag_as_required('workdir')


def main():
  """Writes the pictures; returns the exit code."""
  if not (size := re.fullmatch(r'([1-9]\d*)x([1-9]\d*)', _GRID.value)):
    raise ValueError(
      f'--grid is {_GRID.value!r}; give rows x columns, such as 8x8.'
    )
  if _INTERPOLATE.value == 1:
    raise ValueError(
      '--interpolate is 1, but a row goes from one sample to another; give at '
      'least 2 images, or 0 for no interpolation.'
    )
  if not math.isfinite(_TRUNCATION.value):
    raise ValueError(f'--truncation is {_TRUNCATION.value}; give a number.')
  rows, columns = map(int, size.groups())
  config, examples = restore.described(_WORKDIR.value)
  path = picture_files.check_destination(
    _OUTPUT.value or f'{_WORKDIR.value}/grid.png', channels=examples.shape[-1]
  )
  asked = restore.labels(config, examples.classes, _LABELS.value)
  rows = len(asked) or rows
  number = rows * max(columns, _INTERPOLATE.value)
  capacity.check(
    {f'{number} samples': 4 * number * math.prod(examples.shape)},
    'ask for fewer of them',
  )
  run = restore.CHECKPOINTS[_CHECKPOINT.value](_WORKDIR.value)
  labels = _of_rows(run, asked, rows)
  keys = jax.random.split(jax.random.key(_SEED.value), 3)
  draw = jax.jit(
    restore.generator(run, _WEIGHTS.value, truncation=_TRUNCATION.value)
  )
  title = restore.title(run, _WEIGHTS.value, _CHECKPOINT.value)
  starts = run.game.prior(keys[0], rows * columns)
  repeated = None if labels is None else labels.repeat(columns, 0)
  tqdm.write(f'Drawing {len(starts)} images, after compiling ...')
  samples = draw(starts, keys[2], repeated)
  _write(path, samples, columns, title)
  if _PYRAMID.value:
    levels = pictures.pyramid(samples, columns)
    _write(path.with_stem(f'{path.stem}-pyramid'), levels, columns, title)
  if number := _INTERPOLATE.value:
    ends = run.game.prior(keys[1], rows)
    between = pictures.interpolate(starts[:rows], ends, number)
    if labels is not None:
      # From class to class, and each row keeps its latents.
      between = np.stack(number * [starts[:rows]])
      share = np.linspace(0, 1, number)[:, None, None]
      labels = (1 - share) * labels + share * np.roll(labels, -1, 0)
      labels = labels.swapaxes(0, 1).reshape(-1, labels.shape[-1])
    latents = between.swapaxes(0, 1).reshape(-1, between.shape[-1])
    path = path.with_stem(f'{path.stem}-interpolation')
    _write(path, draw(latents, keys[2], labels), number, title)
  return 0


def _of_rows(run, asked, rows):
  """Returns the class of each row as weights `[rows, classes]`, or None."""
  if not run.config.labels:
    return None
  asked = asked or range(run.config.classes)
  return np.eye(run.config.classes, dtype=np.float32)[np.resize(asked, rows)]


def _write(path, images, columns, title):
  """Writes the finest of images, a grid, and says so; all have to be finite."""
  pictures.check_finite(pictures.finite(images), title)
  images = pictures.finest(images)
  path.parent.mkdir(parents=True, exist_ok=True)
  pictures.save(path, pictures.grid(images, columns), _ZOOM.value)
  tqdm.write(
    f'{path}: {len(images)} images of {title}, seed {_SEED.value}, truncation '
    f'{_TRUNCATION.value:g}'
  )


if __name__ == '__main__':
  launch.run(main)
