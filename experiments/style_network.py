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
import json
import math
import pathlib
import time

import jax
import numpy as np
from absl import flags
from ml_collections import config_flags
from tqdm import tqdm

from ganjax import launch, parallel, pictures, steps
from ganjax.config import workdir
from ganjax.data import images, loaders
from ganjax.style import (
  feedforward,
  from_config,
  image_transformation,
  optimizers,
  sizes,
)
from ganjax.training import checkpoint, log, signals

_CONFIG = config_flags.DEFINE_config_file(
  'config', 'configs/style_network.py', 'The config of the training.'
)
_WORKDIR = flags.DEFINE_string('workdir', None, 'The folder of the run.')
_STYLE = flags.DEFINE_string(
  'style', None, 'The picture whose style is learned.'
)
_DATA = flags.DEFINE_string(
  'data', 'folder', 'The contents to train on: folder, or a data set of TFDS.'
)
_DATA_DIR = flags.DEFINE_string(
  'data_dir', None, 'The folder that they are in.'
)
_WEIGHTS = flags.DEFINE_string(
  'weights',
  None,
  'The file of the network of features: .pth, .h5, .safetensors, .npz or .net.',
)
_CONTENT = flags.DEFINE_string('content', None, 'The picture to paint.')
_SIZE = flags.DEFINE_integer(
  'size',
  None,
  "Longer side of the result, in pixels; by default the content's.",
)
_OUTPUT = flags.DEFINE_string('output', 'out.png', 'The file to write.')
flags.mark_flag_as_required('workdir')


def main():
  """Trains or paints; returns the exit code."""
  if bool(_STYLE.value) == bool(_CONTENT.value):
    raise ValueError(
      'Give either --style=FILE to train a network, or --content=FILE to paint '
      'with a trained one.'
    )
  return _paint() if _CONTENT.value else _train()


def _paint():
  """Paints the content; returns the exit code."""
  folder = pathlib.Path(_WORKDIR.value)
  config, _ = workdir.read(folder)
  painter, start = _parts(config)
  with contextlib.closing(checkpoint.reader(folder / 'checkpoints')) as reader:
    state = checkpoint.restore(
      reader, checkpoint.abstract(start, parallel.mesh(1))
    )
  if state is None:
    raise FileNotFoundError(f'{folder} has no checkpoint yet. Train longer.')
  content = pictures.load(_CONTENT.value)[None]
  if _SIZE.value:
    size = sizes.shape(*content.shape[1:3], _SIZE.value)
    content = sizes.resized(content, size)
  began = time.monotonic()
  paint = jax.jit(painter.apply).lower(state.params, content).compile()
  ready = time.monotonic()
  painted = jax.block_until_ready(paint(state.params, content))
  done = time.monotonic()
  path = pathlib.Path(_OUTPUT.value)
  path.parent.mkdir(parents=True, exist_ok=True)
  pictures.save(path, pictures.pixels(painted[0]))
  tqdm.write(
    f'Painted {painted.shape[2]}x{painted.shape[1]} pixels in '
    f'{1000 * (done - ready):.0f} ms, after {ready - began:.1f} s of compiling '
    f'for this size. Written: {path}.'
  )
  return 0


def _train():
  """Trains, or goes on with a training; returns the exit code."""
  config = _CONFIG.value
  encoder, sentence = from_config.encoder(config, _WEIGHTS.value)
  tqdm.write(f'Features: {sentence}')
  data = images.load(
    _DATA.value,
    _DATA_DIR.value,
    config.data.split,
    config.data.resolution,
    channels=3,
    crop=config.data.crop,
  )
  with config.unlocked():
    # A run has to go on with what it began with.
    config.inputs = {
      'style': _STYLE.value,
      'data': data.name,
      'features': encoder.name,
    }
  terms, weights = from_config.terms(config, encoder)
  side = config.data.window
  style = sizes.limited(
    pictures.load(_STYLE.value)[None],
    round(config.style.scale * config.data.resolution),
  )
  targets = jax.jit(
    lambda params: feedforward.style_targets(
      encoder, terms, params, style, side
    )
  )(encoder.params)
  folder, _ = workdir.claim(_WORKDIR.value, config)
  workdir.describe(folder, data)
  painter, start = _parts(config)
  step = jax.jit(
    feedforward.stepper(painter, encoder, terms, _optimizer(config), side),
    donate_argnums=0,
  )

  def learn(state, pixels):
    return step(state, pixels, encoder.params, targets, weights)

  manager = checkpoint.manager(folder / 'checkpoints', config.checkpoint.keep)
  state = checkpoint.restore(
    manager, checkpoint.abstract(start, parallel.mesh(1))
  )
  state = jax.jit(start)() if state is None else state
  try:
    state = _fit(config, state, learn, painter, data, folder, manager)
  finally:
    checkpoint.close(manager)
  done = int(state.step) * config.batch_size
  if done < config.images:
    tqdm.write(
      f'Stopped by a signal after {done} of {config.images} images. The same '
      'command goes on from there.'
    )
    return launch.LEFT
  tqdm.write(
    f'Done after {done} images. Written in {folder}: samples/ (contents, and '
    'below them the results), checkpoints/, config.json, metrics.jsonl and '
    'tensorboard/.'
  )
  return 0


def _fit(config, state, learn, painter, data, folder, manager):
  """The state at the end, or where a signal asked to leave."""
  rows, first = config.batch_size, int(state.step)
  last = math.ceil(config.images / rows)
  paint, examples = jax.jit(painter.apply), feedforward.scale(data.images[:4])
  (folder / 'samples').mkdir(exist_ok=True)
  bar = tqdm(
    total=last * rows,
    initial=first * rows,
    unit='img',
    dynamic_ncols=True,
    disable=None,
  )
  pending = []
  with (
    contextlib.closing(log.start(folder, first * rows)) as journal,
    contextlib.closing(
      loaders.batches(data, steps.data_key(state), first * rows, rows)
    ) as batches,
    bar,
    signals.catch() as stop,
  ):
    for number in range(first + 1, last + 1):
      state, losses = learn(state, next(batches))
      pending.append(losses)
      # The host stays one step ahead of the device.
      jax.block_until_ready(pending[-2:][0])
      bar.update(rows)
      done, leave = number * rows, stop.is_set()
      logs, sample, save = (
        number == last or done // every > (done - rows) // every
        for every in (
          config.log.every,
          config.samples.every,
          config.checkpoint.every,
        )
      )
      if not (logs or sample or save or leave):
        continue
      means = _means(pending, done)
      pending.clear()
      journal.scalars(done, means)
      words = ', '.join(f'{name} {mean:.4g}' for name, mean in means.items())
      bar.set_postfix_str(words)
      if bar.disable:
        tqdm.write(f'{done}/{last * rows} images, {words}')
      if sample:
        both = np.concatenate([examples, paint(state.params, examples)])
        picture = pictures.grid(2 * both - 1, len(examples))
        pictures.save(folder / 'samples' / f'{done:010d}.png', picture)
      if save or leave:
        checkpoint.save(manager, number, state, json.loads(config.to_json()))
      if leave:
        break
  return state


def _means(pending, done):
  """The losses averaged over steps, which end after `done` images."""
  means = jax.tree.map(lambda *values: float(np.mean(values)), *pending)
  if not math.isfinite(means['loss']):
    raise FloatingPointError(
      f'The loss became {means["loss"]} before image {done}, and training '
      'stopped. The checkpoints are from before that. Lower learning_rate or '
      'the weights and start in a new workdir.'
    )
  return means


def _parts(config):
  """Returns the painter of a config, and `() -> PainterState`."""
  painter = image_transformation.johnson(**config.network)
  return painter, lambda: feedforward.init(
    painter, _optimizer(config), jax.random.key(config.seed)
  )


def _optimizer(config):
  return optimizers.adam(config.learning_rate, b2=0.999)


if __name__ == '__main__':
  launch.run(main)
