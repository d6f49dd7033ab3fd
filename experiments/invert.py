r"""Finds the latents whose sample comes nearest to a picture.

  python -m experiments.invert --workdir runs/dcgan --image own.png
  python -m experiments.invert --workdir runs/msg --image photos --steps 1000
  python -m experiments.invert --workdir runs/style --image own.png --space w

It prints the distance of each picture from what the generator makes of it, the
worst first, and writes four files that begin with --output: .png, each picture
beside its reconstruction; .gif, the search; .json, the distances, and how they
were found; and .npz, the latents.
"""

import math
import pathlib
import time

import jax
import numpy as np
from absl import flags

from ganjax import files, inversion, launch, picture_files, pictures
from ganjax.config import restore
from ganjax.data import images
from ganjax.evaluation import extractors, inverted_pictures
from ganjax.reports import inversions, render
from ganjax.training import provenance

_WORKDIR = flags.DEFINE_string('workdir', None, 'The folder of the run.')
_IMAGE = flags.DEFINE_multi_string(
  'image', None, 'A picture, or a folder of them; may be repeated.'
)
_OUTPUT = flags.DEFINE_string(
  'output', None, 'What the files begin with; by default inversion, in workdir.'
)
_SPACE = flags.DEFINE_enum(
  'space',
  'z',
  list(inverted_pictures.SPACES),
  'Search for latents (z), or for styles (w) of networks with a mapping.',
)
_FEATURES = flags.DEFINE_enum(
  'features',
  'auto',
  inverted_pictures.FEATURES,
  'What images are compared by beside pixels: none, the classifier of the '
  'data, inception, or a network of style transfer; auto is the classifier '
  'where the data have classes, else random filters.',
)
_FEATURES_WEIGHT = flags.DEFINE_float(
  'features_weight', 1.0, 'Weight of features, where pixels have 1.', 0.0
)
_LABEL = flags.DEFINE_string(
  'label', 'all', 'Of a conditional run: the class to search in.'
)
_STEPS = flags.DEFINE_integer('steps', 500, 'Steps of Adam.', 1)
_LEARNING_RATE = flags.DEFINE_float('learning_rate', 0.1, 'Of Adam.', 1e-9)
_DRAWS = flags.DEFINE_integer(
  'draws', 1000, 'Latents that are drawn to begin with.', 1, 10**6
)
_RESTARTS = flags.DEFINE_integer(
  'restarts', 4, 'How many of the nearest draws are begun with.', 1, 1000
)
_SEED = flags.DEFINE_integer('seed', 0, 'Of draws and noise.', 0, 2**32 - 1)
_CHECKPOINT = flags.DEFINE_enum(
  'checkpoint', 'last', list(restore.CHECKPOINTS), 'Which checkpoint.'
)
_WEIGHTS = flags.DEFINE_enum(
  'weights', 'ema', list(restore.WEIGHTS), 'Which weights, as of sample.'
)
_FRAMES = flags.DEFINE_integer(
  'frames', 40, 'Frames of the animation; 0 writes none.', 0, 1000
)
_MOST = flags.DEFINE_integer('most', 16, 'How many pictures are drawn.', 1)
_ZOOM = flags.DEFINE_integer('zoom', 4, "Side of a sample's pixel.", 1, 100)
flags.mark_flags_as_required(['workdir', 'image'])


def main():
  """Writes the files and prints a table; returns the exit code."""
  for flag in _LEARNING_RATE, _FEATURES_WEIGHT:
    if not math.isfinite(flag.value):
      raise ValueError(f'--{flag.name} is {flag.value}; give a number.')
  config, examples = restore.described(_WORKDIR.value)
  path = pathlib.Path(_OUTPUT.value or f'{_WORKDIR.value}/inversion')
  path = picture_files.check_destination(
    path if path.suffix else path.with_suffix('.png'),
    _IMAGE.value,
    beside := ['.json', '.npz', *['.gif'] * bool(_FRAMES.value)],
    examples.shape[-1],
  )
  words = [_LABEL.value] * (_LABEL.value != 'all')
  label = restore.labels(config, examples.classes, words)
  paths, pixels = inverted_pictures.read(_IMAGE.value, config, examples.shape)
  wanted = images.scale(pixels)
  run = restore.CHECKPOINTS[_CHECKPOINT.value](_WORKDIR.value)
  space = inverted_pictures.SPACES[_SPACE.value](run)
  encoder = inverted_pictures.encoder(_FEATURES.value, config, examples.classes)
  method = inversion.Method(
    steps=_STEPS.value,
    learning_rate=_LEARNING_RATE.value,
    draws=_DRAWS.value,
    restarts=_RESTARTS.value,
    noise=0.05 if _SPACE.value == 'w' else 0.0,
    features=_FEATURES_WEIGHT.value,
  )
  given = restore.generator_weights(run, _WEIGHTS.value)
  began = time.monotonic()
  doing = f'Inverting {len(wanted)} pictures'
  with extractors.progress(doing, 'step') as report:
    found = inversion.inverter(space, method, encoder)(
      jax.random.key(_SEED.value),
      given,
      wanted,
      np.full(len(wanted), label[0], np.int32) if label else None,
      config.classes if config.labels else 0,
      _FRAMES.value,
      report,
    )
  rows = inverted_pictures.rows(paths, found, examples.classes)
  title = restore.title(run, _WEIGHTS.value, _CHECKPOINT.value)
  record = {
    'generator': title,
    'pictures': rows,
    'median_error': float(np.median(found.error)),
    'space': _SPACE.value,
    'features': encoder.name,
    'method': method._asdict(),
    'seed': _SEED.value,
    'config': config.to_dict(),
    'seconds': time.monotonic() - began,
    **provenance.record(),
  }
  path.parent.mkdir(parents=True, exist_ok=True)
  files.write_json(path.with_suffix('.json'), record)
  place = path.with_suffix('.npz')
  with files.whole(place) as unfinished, unfinished.open('wb') as file:
    labels = [] if found.labels is None else found.labels
    np.savez(file, **{_SPACE.value: found.points, 'labels': labels})
  worst = np.argsort(-found.error)[: _MOST.value]
  drawn = wanted[worst], found.images[worst], _ZOOM.value
  pictures.save(path, inverted_pictures.beside(*drawn))
  if _FRAMES.value:
    film = space, given, wanted, found, worst, _ZOOM.value
    pictures.animate(path.with_suffix('.gif'), inverted_pictures.frames(*film))
  print(render.text(inversions.table(rows)))
  print(
    f'{path}: {len(worst)} of {len(rows)} pictures, each beside what {title} '
    f'makes of it; features: {encoder.name}. Beside it: {", ".join(beside)}.'
  )
  return 0


if __name__ == '__main__':
  launch.run(main)
