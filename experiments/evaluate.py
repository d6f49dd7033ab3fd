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

from absl import flags
from tqdm import tqdm

from ganjax import launch
from ganjax.config import restore, runs, workdir
from ganjax.evaluation import extractors, measures, results, samples
from ganjax.reports import columns

_WORKDIR = flags.DEFINE_string('workdir', None, 'Of a training.')
_METRICS = flags.DEFINE_list(
  'metrics',
  ['fid', 'kid', 'distance', 'ms_ssim'],
  f'The measures to take, of {", ".join(measures.MEASURES)}. swd takes minutes '
  'for 10,000 samples; change is of the images of the same latents from '
  'checkpoint to checkpoint.',
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
  chosen = _chosen()
  folder = pathlib.Path(_WORKDIR.value)
  config, _ = workdir.read(folder)
  config.data.loader = 'auto'  # All reals, where training streamed them.
  data = runs.dataset(config)
  extractors.check(chosen, data, _FEATURES.value)
  extractor = extractors.extractor(data, _FEATURES.value)
  reals = samples.of(data.images, extractor)
  settings = results.settings(config, data, extractor, _SEED.value)
  path = folder / 'evaluation.json'
  rows, asked = results.read(path), []

  def take(about, pixels, checkpoints=None):
    row = results.row(rows, {**about, 'settings': settings})
    fakes = functools.cache(lambda: samples.of(pixels(), extractor))
    _complete(row, chosen, lambda: (reals, fakes()), checkpoints)
    asked.append(row)
    results.write(path, rows, measures.columns(chosen))

  before = None
  for run in tqdm(_moments(folder), unit='checkpoint', disable=None):
    about = {
      'subject': f'samples ({_WEIGHTS.value})',
      'step': int(run.state.step),
      'images_seen': restore.images_seen(run),
      'number': _SAMPLES.value,
    }
    checkpoints = None
    if any(measure.needs == 'tracked' for measure in chosen):
      now = _tracked(run), about['images_seen']
      checkpoints = before and (before, now)
      before = now
    take(about, functools.partial(_samples, run), checkpoints)
  held_out = _held_out(config)
  if held_out is not None:
    own = samples.subset(held_out.images, _SAMPLES.value, _SEED.value)
    about = {'subject': f'reals, {held_out.name}', 'number': len(own)}
    take(about, lambda: own)

  print(_text(asked, chosen))
  print(f'Written to {path}.')
  return 0


def _chosen():
  chosen = measures.chosen(_METRICS.value)
  for measure in chosen:
    if measure.needs == 'tracked' and _CHECKPOINTS.value != 'all':
      raise ValueError(
        f'The metric {measure.name} compares the checkpoints of a run; give '
        '--checkpoints=all.'
      )
  return chosen


def _moments(folder):
  if _CHECKPOINTS.value == 'all':
    return restore.checkpoints(folder)
  return [restore.newest(folder)]


def _complete(row, chosen, pair, checkpoints):
  """Adds to a row the measures that it lacks.

  Args:
    row: a dict of JSON values.
    chosen: a list of `measures.Measure`.
    pair: `() -> reals, fakes`, two `samples.Samples`; not called if nothing is
      lacking.
    checkpoints: the tracked images and the images seen of the checkpoint before
      and of this one, two pairs; None where there is no checkpoint before.
  """
  for measure in chosen:
    if measure.name in row['how']:
      continue
    if measure.needs != 'tracked':
      given = pair()
    elif checkpoints:
      (earlier, since), (now, _) = checkpoints
      given = earlier, now
      row[f'{measure.name}_since'] = since
    else:
      continue
    values, row['how'][measure.name] = measure.take(*given, _SEED.value)
    row.update(values)


def _samples(run):
  generate = restore.generator(run, _WEIGHTS.value)
  sample = samples.sampler(lambda given, latents, key: generate(latents, key))
  return sample((), run.game.prior, _SAMPLES.value, _SEED.value, run.shape[0])


def _tracked(run):
  generate = restore.generator(run, _WEIGHTS.value)
  return samples.tracked(generate, run.game.prior, _SEED.value, run.shape[0])


def _held_out(config):
  if not _HELD_OUT.value:
    return None
  try:
    config.data.split = _HELD_OUT.value
    return runs.dataset(config)
  except ValueError as error:
    tqdm.write(f'No held-out reals: {error}')
    return None


def _text(rows, chosen):
  """Returns rows as a table, and below it how they were measured.

  Args:
    rows: dicts of the same `settings`, at least one.
    chosen: a list of `measures.Measure`.
  """
  described = measures.columns(chosen)
  names = ['subject', 'images_seen', 'number', *described]
  features = rows[0]['settings']['features']
  table = [
    _flat(
      (columns.title(name, described, features), one.get(name))
      for name in names
    )
    for one in rows
  ]
  titles = list(dict.fromkeys(own for line in table for own in line))
  lines = [
    titles,
    *([_cell(line.get(own)) for own in titles] for line in table),
  ]
  widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
  drawn = [' | '.join(map(str.ljust, line, widths)).rstrip() for line in lines]
  said = [f'{name}: {value}.' for name, value in rows[0]['settings'].items()]
  return '\n'.join([*drawn, *said, *_how(rows, chosen)])


def _flat(values):
  """Values by title, of pairs: one of its own for each resolution."""
  flat = {}
  for name, value in values:
    if isinstance(value, dict):
      flat |= {f'{name} {side}': part for side, part in value.items()}
    elif value is not None:
      flat[name] = value
  return flat


def _cell(value):
  if value is None:
    return ''
  return f'{value:.4f}' if isinstance(value, float) else str(value)


def _how(rows, chosen):
  """What each measure was taken of, a sentence for each."""
  for name in (measure.name for measure in chosen):
    said = [
      ', '.join(f'{what.replace("_", " ")} {n}' for what, n in how.items())
      for how in (one['how'].get(name) for one in rows)
      if how
    ]
    if said:
      yield f'{name}: {"; or ".join(dict.fromkeys(said))}.'


if __name__ == '__main__':
  launch.run(main)
