r"""Trains a network to paint in one style, or paints with a trained one.

  python -m experiments.style_network --style marc.jpg --data folder \
    --data_dir photographs --workdir runs/marc
  python -m experiments.style_network --workdir runs/marc --content cat.jpg

A training writes checkpoints, samples, config.json, metrics.jsonl and
TensorBoard's files into --workdir, and the same command goes on with it if it
was stopped. A painting is written to --output, at any size. Presets are
`--config configs/style_network.py:NAME`: default and johnson.
"""

import contextlib
import functools
import math
import pathlib
import time

import jax
from absl import flags
from tqdm import tqdm

from ganjax import files, launch, parallel, picture_files, pictures
from ganjax.config import flag, purpose, workdir
from ganjax.data import images, loaders
from ganjax.style import feedforward, from_config, sizes
from ganjax.training import checkpoint, dispatch, loop
from ganjax.weights import formats

_CONFIG = flag.define('configs/style_network.py', 'The config of the training.')
_WORKDIR = flags.DEFINE_string('workdir', None, 'The folder of the run.')
_STYLE = flags.DEFINE_string('style', None, 'The picture of the style.')
_DATA = flags.DEFINE_string(
  'data', 'folder', 'The contents to train on: folder, or a data set of TFDS.'
)
_DATA_DIR = flags.DEFINE_string('data_dir', None, 'The folder with them.')
_WEIGHTS = flags.DEFINE_string(
  'weights', None, "The features' file: .pth, .h5, .safetensors, .npz or .net."
)
_CONTENT = flags.DEFINE_string('content', None, 'The picture to paint.')
_SIZE = flags.DEFINE_integer(
  'size', None, 'Longer side of the result; by default that of the content.', 1
)
_OUTPUT = flags.DEFINE_string('output', 'out.png', 'The file to write.')
flags.mark_flag_as_required('workdir')


def main():
  """Trains or paints; returns the exit code."""
  if bool(_STYLE.value) == bool(_CONTENT.value):
    raise ValueError(
      'Give either --style=FILE to train, or --content=FILE to paint.'
    )
  return _paint() if _CONTENT.value else _train()


def _paint():
  """Paints the content; returns the exit code."""
  path = picture_files.check_destination(_OUTPUT.value, [_CONTENT.value])
  folder = pathlib.Path(_WORKDIR.value)
  config, _ = workdir.read(folder)
  purpose.check(config, folder, purpose.STYLE_NETWORK)
  content = pictures.load(_CONTENT.value)[None]
  painter, _, start = from_config.painter(config)
  with contextlib.closing(checkpoint.reader(folder / 'checkpoints')) as reader:
    state = checkpoint.restore(
      reader, checkpoint.abstract(start, parallel.mesh(1))
    )
  if state is None:
    raise FileNotFoundError(f'{folder} has no checkpoint yet. Train longer.')
  if _SIZE.value:
    size = sizes.shape(*content.shape[1:3], _SIZE.value)
    content = sizes.resized(content, size)
  began = time.monotonic()
  paint = jax.jit(painter.apply).lower(state.params, content).compile()
  ready = time.monotonic()
  painted = jax.block_until_ready(paint(state.params, content))
  done = time.monotonic()
  path.parent.mkdir(parents=True, exist_ok=True)
  pictures.check_finite(pictures.finite(painted), 'the style network')
  pictures.save(path, pictures.pixels(painted[0]))
  tqdm.write(
    f'Painted {painted.shape[2]}x{painted.shape[1]} pixels in '
    f'{1000 * (done - ready):.0f} ms, after {ready - began:.1f} s of compiling '
    f'for this size. Written: {path}.'
  )
  return 0


def _train():
  """Trains, or goes on with a training; returns the exit code."""
  config = purpose.checked(_CONFIG.value, purpose.STYLE_NETWORK)
  files.check_free(_WORKDIR.value, 'run')
  painter, optimizer, start = from_config.painter(config)
  jax.eval_shape(start)  # What makes no network is said first.
  style = pictures.load(_STYLE.value)[None]
  encoder, sentence = from_config.encoder(config, _WEIGHTS.value)
  terms, weights = from_config.terms(config, encoder)
  data = images.load(
    _DATA.value,
    _DATA_DIR.value,
    config.data.split,
    config.data.resolution,
    channels=3,
    crop=config.data.crop,
    announce=tqdm.write,
  )
  with config.unlocked():
    # A run has to go on with what it began with.
    config.inputs = {
      'style': _STYLE.value,
      'data': data.name,
      'features': encoder.name,
    }
  tqdm.write(f'Features: {sentence}')
  targets = from_config.style_targets(config, encoder, terms, style)
  examples = data.images[:4]
  phase = dispatch.Phase(
    feedforward.stepper(painter, encoder, terms, optimizer, config.data.window),
    feedforward.sampler(painter, examples),
    rows=config.batch_size,
    steps=math.ceil(config.images / config.batch_size),
    arguments=(encoder.params, targets, weights),
  )
  mesh = parallel.mesh(1)
  run = loop.Run(
    phases=(phase,),
    loader=dispatch.from_host(functools.partial(loaders.batches, data), mesh),
    mesh=mesh,
    steps_together=1,
    every=loop.Every(
      config.log.every, config.samples.every, config.checkpoint.every
    ),
    samples=2 * len(examples),
    columns=len(examples),
    keep=config.checkpoint.keep,
  )
  place, style = _WORKDIR.value, formats.digest(_STYLE.value)
  with workdir.claimed(place, config, data, style=style) as (folder, records):
    state, finished = loop.fit(run, start, folder, records)
  if not finished:
    return launch.STOPPED
  done = int(state.step) * config.batch_size
  tqdm.write(
    f'Done after {done} images. Written in {folder}: checkpoints/, samples/ '
    '(contents, and below them the results), metrics.jsonl and tensorboard/.'
  )
  return 0


if __name__ == '__main__':
  launch.run(main)
