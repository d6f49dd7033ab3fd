r"""Measures a trained generator against its data.

  python -m experiments.evaluate --workdir runs/dcgan
  python -m experiments.evaluate --workdir runs/msg --checkpoint all \
    --metrics fid,swd,change
  python -m experiments.evaluate --workdir runs/classes --by class \
    --metrics fid,accuracy

It prints a table of the samples and of held-out reals, and writes it into the
file evaluation.json of the workdir. What is there already, measured in the same
way, is not measured again. The table names the features on which FID, KID, the
inception score, precision, recall, density and coverage are taken.
"""

import functools
import pathlib

import numpy as np
from absl import flags
from tqdm import tqdm

from ganjax import launch, paths
from ganjax.config import datasets, restore
from ganjax.evaluation import extractors, measures, results, samples, trained
from ganjax.reports import evaluations, render

_WORKDIR = flags.DEFINE_string('workdir', None, 'The workdir of a training.')
_METRICS = flags.DEFINE_list(
  'metrics',
  ['fid', 'kid', 'distance', 'ms_ssim'],
  f'The measures to take, of {", ".join(measures.MEASURES)}. swd takes minutes '
  'for 10,000 samples; change is of the images of the same latents from '
  'checkpoint to checkpoint.',
)
_CHECKPOINT = flags.DEFINE_enum(
  'checkpoint',
  'last',
  [*restore.CHECKPOINTS, 'all'],
  'Measure the last checkpoint, the best, or all of the last ones.',
)
_SAMPLES = flags.DEFINE_integer(
  'samples',
  10_000,
  'The number of samples to draw, and of held-out reals at most; where fewer '
  'are held out, as many samples are measured too.',
  lower_bound=2,
)
_FEATURES = flags.DEFINE_string(
  'features',
  'auto',
  'The features of FID and the like: classifier, trained once on the data; '
  'random, an untrained network; auto, the classifier if there are labels, '
  'else random; inception, that of published FIDs; or the path of its weights.',
)
_HELD_OUT = flags.DEFINE_string(
  'held_out', 'test', 'The split of reals to measure too; empty for none.'
)
_BY = flags.DEFINE_enum(
  'by',
  None,
  ['class'],
  'Also measure the samples of each class of a conditional run by its reals.',
)
_SEED = flags.DEFINE_integer(
  'seed', 0, 'Seed of latents, pairs and patches.', 0, 2**32 - 1
)
_WEIGHTS = flags.DEFINE_enum(
  'weights',
  'ema',
  list(restore.WEIGHTS),
  'Which weights: '
  + '; '.join(f'{name}, {what}' for name, what in restore.WEIGHTS.items()),
)
flags.mark_flag_as_required('workdir')


def main():
  """Writes `evaluation.json` into the workdir and prints it as a table."""
  chosen = _chosen()
  folder = pathlib.Path(_WORKDIR.value)
  number, seed = _SAMPLES.value, _SEED.value
  config, _ = restore.described(folder)
  path = paths.check_destination(folder / 'evaluation.json', 'The result')
  data = datasets.reals(config)
  config.data.loader = 'auto'  # Nothing more is streamed.
  extractors.check(chosen, data, _FEATURES.value, config.labels)
  classes = trained.classes(config, data) if _BY.value else {}
  labels = trained.labels(config, data, number, seed)
  drawn = _WEIGHTS.value, seed, labels
  sample = trained.sampler(config, data, *drawn, number)
  single = restore.CHECKPOINTS.get(_CHECKPOINT.value)
  found = [single(folder)] if single else restore.checkpoints(folder)
  extractor = extractors.extractor(data, _FEATURES.value)
  tqdm.write(f'Measuring {len(data.images):,} reals: {extractor.name} ...')
  reals = samples.of(data.images, extractor, data.labels)
  settings = results.settings(config, data, extractor, seed)
  rows, asked = results.read(path), []

  def take(about, fakes, checkpoints=None):
    for label, name in {None: None, **classes}.items():
      if name is not None:
        about = {**about, 'number': int(np.sum(fakes().labels == label))}
      row = results.row(rows, {**about, 'class': name, 'settings': settings})
      asked.append(row)

      def pair(label=label):
        return [samples.of_class(own, label) for own in (reals, fakes())]

      results.complete(row, chosen, pair, checkpoints, seed)
    results.name_checkpoints(rows, restore.names(folder))
    results.write(path, rows, measures.columns(chosen))

  held_out = trained.held_out(config, _HELD_OUT.value, number, seed)
  fewer, before = len(held_out.images) if held_out else number, None
  for run in tqdm(found, unit='checkpoint', disable=None):
    tqdm.write(f'Measuring {number} samples of step {int(run.state.step)} ...')
    about = {
      'subject': f'samples ({_WEIGHTS.value})',
      'step': int(run.state.step),
      'images_seen': restore.images_seen(run),
      'number': number,
    }
    checkpoints = None
    if any(measure.needs == 'tracked' for measure in chosen):
      now = trained.tracked(run, *drawn), about['images_seen']
      checkpoints = before and (before, now)
      before = now
    own = functools.cache(lambda run=run: sample(run, extractor))
    take(about, own, checkpoints)
    if fewer < number:
      # Distances fall with the number of images: these are as many as held out.
      about |= {'subject': f'{about["subject"]}, first', 'number': fewer}
      take(about, lambda own=own: samples.first(own(), fewer))
  if held_out:
    own = samples.of(held_out.images, extractor, held_out.labels)
    about = {'subject': f'reals, {held_out.name}', 'number': fewer}
    take(about, lambda: own)
  print(render.text(evaluations.table(asked, measures.columns(chosen))))
  print(f'Written to {path}.')
  return 0


def _chosen():
  chosen = measures.chosen(_METRICS.value)
  for measure in chosen:
    if measure.needs == 'tracked' and _CHECKPOINT.value != 'all':
      raise ValueError(
        f'The metric {measure.name} compares the checkpoints of a run; give '
        '--checkpoint=all.'
      )
  return chosen


if __name__ == '__main__':
  launch.run(main)
