"""Measures a trained generator against its data, and prints and writes a table.

  python -m experiments.evaluate --workdir runs/dcgan
  python -m experiments.evaluate --workdir runs/msg --checkpoints all \
    --metrics fid,swd,change

FID, KID, the inception score and prdc (precision, recall, density, coverage)
are taken on features that the table names: those of a classifier of the data
where it has labels (trained once, and kept), else of an untrained network, or,
with --features=inception, FID's own. The same figures for held-out reals stand
beside the samples'. What was measured before, in the same way, is not measured
again.
"""

import functools
import pathlib

import jax
from absl import flags
from tqdm import tqdm

from ganjax import launch
from ganjax.config import restore, runs, workdir
from ganjax.evaluation import measures, results
from ganjax.lookup import choose

_WORKDIR = flags.DEFINE_string('workdir', None, 'Of a training.')
_METRICS = flags.DEFINE_list(
  'metrics',
  ['fid', 'kid', 'distance', 'ms_ssim'],
  'Which to take, of fid, kid, inception_score, prdc, swd (minutes for 10,000 '
  'samples), ms_ssim, distance and change (of the images of the same latents '
  'from checkpoint to checkpoint).',
)
_CHECKPOINTS = flags.DEFINE_enum(
  'checkpoints', 'newest', ['newest', 'all'], 'Which of those that are kept.'
)
_SAMPLES = flags.DEFINE_integer(
  'samples',
  10_000,
  'How many to draw; held-out reals are as many, if there are.',
  lower_bound=2,
)
_FEATURES = flags.DEFINE_string(
  'features',
  'auto',
  'For FID and the like: classifier, of the data; random; auto, the first '
  "where there are labels; inception, FID's own; or the path of its file.",
)
_HELD_OUT = flags.DEFINE_string(
  'held_out', 'test', 'Split of the reals to compare with; empty for none.'
)
_SEED = flags.DEFINE_integer('seed', 0, 'Which latents, pairs, patches.')
_WEIGHTS = flags.DEFINE_enum(
  'weights', 'ema', ['ema', 'raw'], 'Moving average, or as trained.'
)
flags.mark_flag_as_required('workdir')


def main():
  """Writes `evaluation.json` into the workdir and prints it as a table."""
  _check()
  folder = pathlib.Path(_WORKDIR.value)
  config, _ = workdir.read(folder)
  config.data.loader = 'auto'  # All reals, where training streamed them.
  data = runs.dataset(config)
  measures.check(_METRICS.value, data, _FEATURES.value)
  seen = measures.features_of(data, _FEATURES.value)
  reals = measures.shown(data.images, seen)
  settings = measures.settings(config, data, seen, _SEED.value)
  path = folder / 'evaluation.json'
  rows, asked = results.read(path), []

  def take(about, pixels, **others):
    row = results.row(rows, {**about, 'settings': settings})
    _fill(row, reals, lambda: measures.shown(pixels(), seen), others)
    asked.append(row)
    results.write(path, rows)

  before = None
  for run in tqdm(_moments(folder), unit='moment', disable=None):
    about = {
      'subject': f'samples ({_WEIGHTS.value})',
      'step': int(run.state.step),
      'images_seen': restore.images_seen(run),
      'number': _SAMPLES.value,
    }
    others = {}
    if 'change' in _METRICS.value:
      now = _followed(run), about['images_seen']
      if before:
        others['change'] = functools.partial(_change, before, now)
      before = now
    take(about, functools.partial(_samples, run), **others)
  held_out = _held_out(config)
  if held_out is not None:
    chosen = measures.some(held_out.images, _SAMPLES.value, _SEED.value)
    about = {'subject': f'reals, {held_out.name}', 'number': len(chosen)}
    take(about, lambda: chosen)

  print(results.text(asked, _METRICS.value))
  print(f'Written to {path}.')
  return 0


def _check():
  for name in _METRICS.value:
    choose('metric', measures.COLUMNS, name)
  if 'change' in _METRICS.value and _CHECKPOINTS.value != 'all':
    raise ValueError(
      'The metric change compares the moments of a run; give --checkpoints=all.'
    )


def _moments(folder):
  if _CHECKPOINTS.value == 'all':
    return restore.checkpoints(folder)
  return [restore.newest(folder)]


def _fill(row, reals, shown, others):
  """Adds to a row what it lacks.

  Args:
    row: a dict of JSON values.
    reals: a `measures.Shown`.
    shown: `() -> measures.Shown`; not called if nothing is lacking.
    others: from a measure's name to `() -> values, how`.
  """
  shown = functools.cache(shown)
  for name in _METRICS.value:
    if name in row['how']:
      continue
    if name in measures.MEASURES:
      measure = measures.MEASURES[name]
      values, how = measure.take(reals, shown(), _SEED.value)
    elif name in others:
      values, how = others[name]()
    else:
      continue
    row.update(values)
    row['how'][name] = how


def _samples(run):
  draw = restore.generator(run, _WEIGHTS.value)
  paint = measures.painter(lambda given, latents, key: draw(latents, key))
  return paint((), run.game.prior, _SAMPLES.value, _SEED.value, run.shape[0])


def _followed(run):
  """The images of the same latents at each moment, by resolution."""
  draw = jax.jit(restore.generator(run, _WEIGHTS.value))
  key, noise_key = jax.random.split(jax.random.key(_SEED.value))
  latents = run.game.prior(key, measures.LATENTS)
  return measures.levels(draw(latents, noise_key), run.shape[0])


def _change(before, now):
  values = {
    'change': measures.change(before[0], now[0]),
    'change_since': before[1],
  }
  return values, {'latents': measures.LATENTS}


def _held_out(config):
  if not _HELD_OUT.value:
    return None
  try:
    config.data.split = _HELD_OUT.value
    return runs.dataset(config)
  except ValueError as error:
    tqdm.write(f'No held-out reals: {error}')
    return None


if __name__ == '__main__':
  launch.run(main)
