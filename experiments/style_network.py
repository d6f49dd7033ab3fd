r"""Trains a network to paint in one style, or paints with one that is trained.

  python -m experiments.style_network --style marc.jpg --data folder \
    --data_dir photographs --workdir runs/marc
  python -m experiments.style_network --workdir runs/marc --content cat.jpg

The first command again resumes. The second takes pictures of any size. Presets
are `--config configs/style_network.py:NAME`: default and johnson.
"""

import contextlib
import json
import math
import pathlib
import time

import jax
import jax.numpy as jnp
import numpy as np
import optax
from absl import flags
from ml_collections import config_flags
from tqdm import tqdm

from configs import style_transfer
from ganjax import launch, parallel, pictures, steps
from ganjax.config import workdir
from ganjax.data import images, loaders
from ganjax.style import (
  canvas,
  feedforward,
  from_config,
  objective,
  transformer,
)
from ganjax.training import checkpoint, log, signals

_CONFIG = config_flags.DEFINE_config_file(
  'config', 'configs/style_network.py', 'Which training.'
)
_WORKDIR = flags.DEFINE_string('workdir', None, 'Where the run is.')
_STYLE = flags.DEFINE_string('style', None, 'Picture to learn from.')
_DATA = flags.DEFINE_string(
  'data', 'folder', 'Pictures to learn on: folder, or a data set of TFDS.'
)
_DATA_DIR = flags.DEFINE_string('data_dir', None, 'Where they lie.')
_WEIGHTS = flags.DEFINE_string(
  'weights', None, 'File: .pth, .h5, .safetensors, .npz, or SqueezeNet .net.'
)
_CONTENT = flags.DEFINE_string('content', None, 'Picture to paint.')
_SIZE = flags.DEFINE_integer(
  'size', None, 'Longer side of the result; that of the content if not given.'
)
_OUTPUT = flags.DEFINE_string('output', 'out.png', 'File to write.')
flags.mark_flag_as_required('workdir')


def main():
  """Trains or paints; returns the exit code."""
  if bool(_STYLE.value) == bool(_CONTENT.value):
    raise ValueError(
      'Give --style=FILE to train a network, or --content=FILE to paint with '
      'one that is trained.'
    )
  return _paint() if _CONTENT.value else _train()


def _paint():
  """Paints the content at its size, or at the one that is asked for."""
  folder = pathlib.Path(_WORKDIR.value)
  config, _ = workdir.read(folder)
  painter, start = _parts(config)
  with contextlib.closing(checkpoint.reader(folder / 'checkpoints')) as reader:
    state = checkpoint.restore(
      reader, checkpoint.abstract(start, parallel.mesh(1))
    )
  if state is None:
    raise FileNotFoundError(f'{folder} holds no checkpoint yet; train longer.')
  content = pictures.load(_CONTENT.value)[None]
  if _SIZE.value:
    size = canvas.shape(*content.shape[1:3], _SIZE.value)
    content = canvas.resized(content, size)
  began = time.monotonic()
  paint = jax.jit(painter.apply).lower(state.params, content).compile()
  ready = time.monotonic()
  painted = jax.block_until_ready(paint(state.params, content))
  done = time.monotonic()
  path = pathlib.Path(_OUTPUT.value)
  path.parent.mkdir(parents=True, exist_ok=True)
  pictures.save(path, np.asarray(painted[0] * 255 + 0.5).astype(np.uint8))
  tqdm.write(
    f'{path} ({painted.shape[2]}x{painted.shape[1]}): painted in '
    f'{1000 * (done - ready):.0f} ms, after {ready - began:.1f} s of compiling '
    'for this size.'
  )
  return 0


def _train():
  """Trains, or goes on; returns the exit code."""
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
    # A run must go on with what it began with.
    config.made_of = {
      'style': _STYLE.value,
      'data': data.name,
      'features': encoder.name,
    }
  recipe = _recipe(config, encoder)
  aims = _targets(config, encoder, recipe)
  folder, _ = workdir.claim(_WORKDIR.value, config)
  workdir.describe(folder, data)
  painter, start = _parts(config)
  step = jax.jit(
    feedforward.stepper(
      painter, encoder, recipe.terms, _optimizer(config), config.data.window
    ),
    donate_argnums=0,
  )

  def learn(state, pixels):
    return step(state, pixels, encoder.params, aims, recipe.weights)

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
      f'Stopped by a signal after {done} of {config.images} images; the same '
      'command goes on from there.'
    )
    return launch.LEFT
  tqdm.write(
    f'Done after {done} images. In {folder}: samples/ (contents, and what is '
    'made of them), checkpoints/, config.json, metrics.jsonl, tensorboard/.'
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
  """The painter of a config, and the function `() -> PainterState`."""
  painter = transformer.painter(**config.network)
  return painter, lambda: feedforward.init(
    painter, _optimizer(config), jax.random.key(config.seed)
  )


def _optimizer(config):
  return optax.adam(config.learning_rate)


def _recipe(config, encoder):
  """The recipe of style transfer with the terms of this config."""
  whole = style_transfer.get_config()
  with whole.unlocked():
    for term in ('content', 'style', 'variation'):
      whole[term] = config[term]
  return from_config.recipe(whole, encoder)


def _targets(config, encoder, recipe):
  """What the style asks for, of every picture the same."""
  style = pictures.load(_STYLE.value)[None]
  side = round(config.style.scale * config.data.resolution)
  size = canvas.shape(*style.shape[1:3], min(side, max(style.shape[1:3])))
  exemplar = objective.Exemplar(canvas.resized(style, size))
  painted = [term for term in recipe.terms if term.name == 'style']
  like = jnp.zeros((1, config.data.window, config.data.window, 3))
  aim = jax.jit(
    lambda params: objective.targets(
      encoder, painted, params, like, (exemplar,)
    )
  )
  return aim(encoder.params)


if __name__ == '__main__':
  launch.run(main)
