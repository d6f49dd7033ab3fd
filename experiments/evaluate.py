"""Measures a trained generator against its data, and prints and writes a table.

  python -m experiments.evaluate --workdir runs/dcgan

FID and KID are taken on features that the table names: those of a classifier
of the data where it has labels (trained once, and kept), else of an untrained
network. The same figures for held-out reals stand beside the samples'.
"""

import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
from absl import flags
from tqdm import tqdm

from experiments import launch, workdir
from ganjax import build, classifier
from ganjax.data import images
from ganjax.metrics import diversity, frechet
from ganjax.networks import features

_WORKDIR = flags.DEFINE_string('workdir', None, 'Of a training.')
_METRICS = flags.DEFINE_list(
  'metrics', ['fid', 'kid', 'distance', 'ms_ssim'], 'Which to take.'
)
_SAMPLES = flags.DEFINE_integer(
  'samples',
  10_000,
  'How many to draw; reals are as many, if there are.',
  lower_bound=2,
)
_FEATURES = flags.DEFINE_enum(
  'features', 'auto', ['auto', 'classifier', 'random'], 'For FID and KID.'
)
_HELD_OUT = flags.DEFINE_string(
  'held_out', 'test', 'Split of the reals to compare with; empty for none.'
)
_SEED = flags.DEFINE_integer('seed', 0, 'Which latents, and which pairs.')
_WEIGHTS = flags.DEFINE_enum(
  'weights', 'ema', ['ema', 'raw'], 'Moving average, or as trained.'
)
flags.mark_flag_as_required('workdir')


def main():
  """Writes `evaluation.json` into the workdir and prints it as a table."""
  known = {'fid', 'kid', 'distance', 'ms_ssim'}
  if unknown := sorted(set(_METRICS.value) - known):
    raise ValueError(
      f'There is no metric {unknown[0]!r}; choose from '
      f'{", ".join(sorted(known))}.'
    )
  run = workdir.trained(_WORKDIR.value)
  run.config.data.road = 'auto'  # All reals, where training streamed them.
  data = build.dataset(run.config)
  seen = _features(run.config, data)
  reals = features.in_batches(seen.apply, data.images)
  subjects = {f'samples ({_WEIGHTS.value})': _samples(run)}
  held_out = _held_out(run.config)
  if held_out is not None:
    subjects[f'reals, {held_out.name}'] = held_out.images[: _SAMPLES.value]

  rows = []
  for name, shown in subjects.items():
    row = {'subject': name, 'number': len(shown)}
    if {'fid', 'kid'} & set(_METRICS.value):
      extracted = features.in_batches(seen.apply, shown)
    if 'fid' in _METRICS.value:
      row['fid'] = frechet.fid(reals, extracted)
    if 'kid' in _METRICS.value:
      row['kid'], row['kid_std'] = frechet.kid(
        reals, extracted, seed=_SEED.value
      )
    few = images.scale(jnp.asarray(shown[:1000]))
    if 'distance' in _METRICS.value:
      row['distance'] = float(diversity.pairwise_distance(few))
    if 'ms_ssim' in _METRICS.value:
      key = jax.random.key(_SEED.value)
      row['ms_ssim'] = float(diversity.diversity(few, 1000, key))
    rows.append(row)

  report = {
    'measures': rows,
    'features': seen.name,
    'reference': f'{data.name}, {len(data.images)} images',
    'weights': _WEIGHTS.value,
    'step': int(run.state.step),
    'seed': _SEED.value,
    **workdir.provenance(),
  }
  path = pathlib.Path(_WORKDIR.value) / 'evaluation.json'
  path.write_text(json.dumps(report, indent=2) + '\n')
  _print(rows)
  print(f'Features of FID and KID: {seen.name}; against {report["reference"]}.')
  print(f'Distance and MS-SSIM: among 1,000 images. Written to {path}.')
  return 0


def _samples(run):
  """Samples as uint8, as pictures are stored, `[N, H, W, C]`."""
  draw = workdir.generator(run, _WEIGHTS.value)
  key, noise_key = jax.random.split(jax.random.key(_SEED.value))
  return features.in_batches(
    lambda latents: images.quantize(draw(latents, noise_key)),
    run.game.prior(key, _SAMPLES.value),
  )


def _features(config, data):
  labelled = data.labels is not None
  if _FEATURES.value == 'classifier' and not labelled:
    raise ValueError(
      f'{data.name} has no labels to train a classifier on; use '
      '--features=random.'
    )
  if _FEATURES.value == 'random' or not labelled:
    return features.random_features()
  bar = tqdm(desc='classifier of the data', unit='step', disable=None)

  def report(step, total, loss):
    bar.total = total
    bar.update()

  with bar:
    return classifier.features_for(
      data.images,
      data.labels,
      launch.cache() / 'classifiers',
      data.name,
      # Small data sets need more passes for as many steps.
      epochs=int(np.clip(30_000 // len(data.images), 5, 20)),
      report=report,
    )


def _held_out(config):
  if not _HELD_OUT.value:
    return None
  try:
    config.data.split = _HELD_OUT.value
    return build.dataset(config)
  except ValueError as error:
    tqdm.write(f'No held-out reals: {error}')
    return None


def _print(rows):
  table = [list(rows[0])] + [
    [f'{v:.4f}' if isinstance(v, float) else str(v) for v in row.values()]
    for row in rows
  ]
  widths = [max(map(len, column)) for column in zip(*table, strict=True)]
  for line in table:
    cells = zip(line, widths, strict=True)
    print(' | '.join(cell.ljust(width) for cell, width in cells))


if __name__ == '__main__':
  launch.run(main)
