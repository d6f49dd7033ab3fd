"""Draws pictures of a trained generator: a grid, and ways between latents.

python -m experiments.sample --workdir runs/dcgan --grid 8x8 --interpolate 8
python -m experiments.sample --workdir runs/msg --pyramid --truncation .7
"""

import pathlib
import re

import jax
import numpy as np
from absl import flags
from tqdm import tqdm

from ganjax import launch, pictures
from ganjax.config import restore

_WORKDIR = flags.DEFINE_string('workdir', None, 'Of a training.')
_GRID = flags.DEFINE_string('grid', '8x8', 'Rows x columns of samples.')
_INTERPOLATE = flags.DEFINE_integer(
  'interpolate',
  0,
  'Steps of a second picture, each row of which goes from '
  'one sample to another; 0 for none.',
  lower_bound=0,
)
_PYRAMID = flags.DEFINE_bool(
  'pyramid', False, 'Another picture, of all resolutions of a row of samples.'
)
_TRUNCATION = flags.DEFINE_float(
  'truncation',
  1.0,
  'How far styles lie from their mean: 1 as they are, 0 all at the mean.',
)
_SEED = flags.DEFINE_integer('seed', 0, 'Which latents.')
_WEIGHTS = flags.DEFINE_enum(
  'weights', 'ema', ['ema', 'raw'], 'Moving average, or as trained.'
)
_ZOOM = flags.DEFINE_integer('zoom', 2, 'Width of a pixel.', lower_bound=1)
_OUTPUT = flags.DEFINE_string(
  'output', None, 'File of the grid; grid.png in the workdir if not given.'
)
flags.mark_flag_as_required('workdir')


def main():
  """Writes the pictures."""
  if not (size := re.fullmatch(r'(\d+)x(\d+)', _GRID.value)):
    raise ValueError(
      f'--grid is {_GRID.value!r}; give rows x columns, such as 8x8.'
    )
  if _INTERPOLATE.value == 1:
    raise ValueError('--interpolate is 1; a way has at least 2 steps.')
  rows, columns = map(int, size.groups())
  run = restore.newest(_WORKDIR.value)
  keys = jax.random.split(jax.random.key(_SEED.value), 3)
  draw = jax.jit(
    restore.generator(run, _WEIGHTS.value, truncation=_TRUNCATION.value)
  )

  def write(path, images, columns):
    path.parent.mkdir(parents=True, exist_ok=True)
    pictures.save(path, pictures.grid(images, columns), _ZOOM.value)
    tqdm.write(
      f'{path}: {len(images)} images, {_WEIGHTS.value} weights, '
      f'seed {_SEED.value}, truncation {_TRUNCATION.value:g}'
    )

  path = pathlib.Path(
    _OUTPUT.value or pathlib.Path(_WORKDIR.value) / 'grid.png'
  )
  starts = run.game.prior(keys[0], rows * columns)
  samples = draw(starts, keys[2])
  write(path, pictures.finest(samples), columns)
  if _PYRAMID.value:
    levels = _levels(samples, columns)
    write(path.with_stem(f'{path.stem}-pyramid'), levels, columns)
  if _INTERPOLATE.value:
    ends = run.game.prior(keys[1], rows)
    way = pictures.interpolate(starts[:rows], ends, _INTERPOLATE.value)
    latents = way.swapaxes(0, 1).reshape(-1, way.shape[-1])
    path = path.with_stem(f'{path.stem}-interpolation')
    write(path, pictures.finest(draw(latents, keys[2])), _INTERPOLATE.value)
  return 0


def _levels(samples, number):
  """The first samples at each resolution, as large as the finest."""
  levels = sorted(jax.tree.leaves(samples), key=lambda leaf: leaf.shape[1])
  if len(levels) == 1:
    raise ValueError(
      '--pyramid shows all resolutions of a sample, but this generator makes '
      'one; leave it out, or train configs/msg.py.'
    )
  side = levels[-1].shape[1]
  return np.concatenate(
    [pictures.enlarged(level[:number], side) for level in levels]
  )


if __name__ == '__main__':
  launch.run(main)
