"""The tables and figures of a protocol of mode collapse, from its folder."""

import pathlib
from typing import NamedTuple

import numpy as np

from ganjax import files, npz, paths
from ganjax.reports import tables
from ganjax.reports.figures import curves, layout, trajectories
from ganjax.reports.figures import samples as sample_figures

_COUNTED = (
  tables.Column('captured', 'modes', '.1f'),
  tables.Column('quality', 'high quality %', '.1f', 100),
  tables.Column('reverse_kl', 'reverse KL', '.3f'),
  tables.Column('excess', 'above the floor', '.3f'),
  tables.Column('seconds', 'seconds', '.0f'),
)
_FEWEST = tables.Column('fewest', 'fewest of a label', '.1f')
_SPREAD = (
  tables.Column('precision', 'precision'),
  tables.Column('recall', 'recall'),
  tables.Column('density', 'density'),
  tables.Column('coverage', 'coverage'),
  tables.Column('support', 'support by birthdays', '.0f'),
  tables.Column('distance', 'pairwise distance'),
)
_SERIES = (
  ('accuracy/real', "D's accuracy on reals", 1),
  ('gradient/generator', "norm of G's gradient", None),
  ('gradient/discriminator', "norm of D's gradient", None),
)

_SIDE = 8  # of a grid of images

_MODES = ('captured', 'quality', 'divergence', 'occupancy')
_LABELLED_MODES = (*_MODES, 'captured_by_label')


class Runs(NamedTuple):
  """The runs of a remedy that have ended, S seeds with T evaluations each.

  Attributes:
    steps: of the evaluations, `[T]`.
    number: of the samples that are counted at each of them.
    series: the metrics of the training, means since the evaluation before, by
      name; `[S, T]`.
    modes: `captured`, `quality`, `divergence`, each `[S, T]`, and `occupancy`
      `[S, T, K]`, as `metrics.modes.Modes` has them; and where there are labels
      `captured_by_label` `[S, T, L]`, as `metrics.modes.LabelledModes` has it.
    samples: of the first seed, `[T, n, ...]`.
    last_samples: of all seeds after the last step, `[S, n, ...]`.
    seconds: of each run.
  """

  steps: np.ndarray
  number: int
  series: dict
  modes: dict
  samples: np.ndarray
  last_samples: np.ndarray
  seconds: list


def read(folder, remedies, seeds):
  """Returns the `Runs` of remedies by name; none of those without a run.

  Args:
    folder: the workdir of a protocol.
    remedies: names.
    seeds: of the runs; of a remedy those of them that have ended.
  """
  folder = pathlib.Path(folder)
  path, rows = folder / 'sweep.json', {}
  if not path.exists():
    return {}
  settings = files.read_inside(folder, path.name)['settings']
  for measured in sorted(folder.glob('programs/*/evaluation.json')):
    own = files.read_inside(folder, measured.relative_to(folder))
    for row in own['measures']:
      rows.setdefault((row['setting'], row['seed']), []).append(row)
  found = {}
  for number, setting in enumerate(settings):
    runs = [
      own
      for seed in seeds
      if (own := rows.get((number, seed))) and len(own) == own[0]['of']
    ]
    if setting['remedy'] in remedies and runs:
      found[setting['remedy']] = _runs(folder, runs)
  return {name: found[name] for name in remedies if name in found}


def _runs(folder, runs):
  """Returns the `Runs` of lists of rows, one for each seed."""
  evaluations = list(zip(*runs, strict=True))
  names = _LABELLED_MODES if 'fewest' in runs[0][0] else _MODES
  by_evaluation = [_stored(folder, rows, names) for rows in evaluations]
  first = [_stored(folder, rows[:1], ('samples',)) for rows in evaluations]
  metrics = [name for name in runs[0][0] if '/' in name]
  return Runs(
    steps=np.array([row['step'] for row in runs[0]]),
    number=runs[0][0]['number'],
    series={
      name: np.array([[row[name] for row in run] for run in runs], float)
      for name in metrics
    },
    modes={
      name: np.stack([own[name] for own in by_evaluation], 1) for name in names
    },
    samples=np.concatenate([own['samples'] for own in first]),
    last_samples=_stored(folder, evaluations[-1], ('samples',))['samples'],
    seconds=[run[-1]['seconds'] for run in runs],
  )


def _stored(folder, rows, names):
  """Returns arrays of some runs at one evaluation, `[S, ...]` by name."""
  opened, found = {}, {name: [] for name in names}
  for row in rows:
    place = pathlib.Path('programs', row['program'])
    path = paths.inside(folder, place / f'arrays-{row["evaluation"]}.npz')
    if path not in opened:
      opened[path] = _of_runs(path, names)
    arrays = opened[path].get((row['setting'], row['seed']))
    if arrays is None:
      raise ValueError(
        f'{path} lacks the run of setting {row["setting"]} with seed '
        f'{row["seed"]}, which evaluation.json beside it has; they do not '
        'belong together.'
      )
    for name in names:
      found[name].append(arrays[name])
  return {name: np.stack(own) for name, own in found.items()}


def _of_runs(path, names):
  """Returns the arrays of a file: by setting and seed, a dict by name."""
  arrays = npz.read(path, ('setting', 'seed', *names))
  lengths = {own.shape[:1] for own in arrays.values()}
  if len(lengths) > 1 or () in lengths:
    raise ValueError(f'{path} holds arrays of different numbers of runs.')
  runs = zip(arrays['setting'].tolist(), arrays['seed'].tolist(), strict=True)
  return {
    run: {name: arrays[name][number] for name in names}
    for number, run in enumerate(runs)
  }


def counted(folder, runs, config, floor, shares, notes):
  """Writes the table of all remedies; returns it as text.

  Args:
    folder: for the files.
    runs: `Runs` by remedy.
    config: of the protocol, with `published` values and their `source`.
    floor: the reverse KL of a perfect sampler, in nats.
    shares: of the protocol's length, by remedy.
    notes: sentences below the table.
  """
  published = config.published.to_dict()
  rows, undefined = [], []
  for name, own in runs.items():
    divergence, lacking = _bounded(own)
    if lacking:
      undefined.append(f'{name} {lacking} of {len(divergence)}')
    row = {
      'label': name,
      'values': {
        'captured': own.modes['captured'][:, -1],
        'quality': own.modes['quality'][:, -1],
        'reverse_kl': divergence,
        'excess': divergence - floor,
        # The runs of a program take the same time, which counts once.
        'seconds': sorted(set(own.seconds)),
      },
      'published': published.get(name, {}),
      'source': config.source if name in published else '',
    }
    if 'captured_by_label' in own.modes:
      by_label = own.modes['captured_by_label'][:, -1]
      row['values']['fewest'] = by_label.min(-1)
    if shares[name] != 1:
      row['note'] = f'{100 * shares[name]:.3g} % of the protocol'
    rows.append(row)
  if undefined:
    notes = (
      *notes,
      'A reverse KL that is undefined, of a run without a good sample, is '
      f'counted at its bound, that of a single mode: {", ".join(undefined)}.',
    )
  columns = _COUNTED
  if config.labels:
    columns = (_COUNTED[0], _FEWEST, *_COUNTED[1:])
  tables.write(folder, rows, columns, notes)
  return tables.text(rows, columns, notes)


def _bounded(runs):
  """Returns the last reverse KLs, `[S]`, and how many were undefined.

  Those are counted at the bound, ln K: left out, a run without a good sample
  would better the mean of its remedy.
  """
  divergence = runs.modes['divergence'][:, -1]
  bound = np.log(runs.modes['occupancy'].shape[-1])
  finite = np.isfinite(divergence)
  return np.where(finite, divergence, bound), int((~finite).sum())


def spread(folder, values, number):
  """Writes the table of how samples lie among as many reals.

  Args:
    folder: the workdir; the table goes into `spread/`.
    values: of each remedy, a dict of lists with a number for each seed:
      precision, recall, density, coverage, support and distance.
    number: of the samples.
  """
  rows = [{'label': name, 'values': own} for name, own in values.items()]
  place = folder / 'spread'
  place.mkdir(exist_ok=True)
  note = f'{number} samples and reals each; support by all samples.'
  tables.write(place, rows, _SPREAD, (note,))


def figures(folder, runs, reals, modes, grid, classes=1):
  """Writes the figures; samples and modes by number are of the first seed.

  Args:
    folder: for the files.
    runs: `Runs` by remedy, at least one.
    reals: as many as samples of a remedy, `[n, 2]` or images.
    modes: how many there are.
    grid: `(images, columns) -> picture`, of images in [-1, 1], as
      `pictures.grid`.
    classes: how many labels the samples have in turn: points of a label have a
      colour of its own, and images a column.
  """
  samples = {name: (own.steps, own.samples) for name, own in runs.items()}
  if reals.ndim == 2:
    drawn = {
      'samples': sample_figures.samples_over_time(
        samples, reals, classes=classes
      ),
      'occupancy': sample_figures.occupancy(
        {name: (own.steps, _shares(own)) for name, own in runs.items()}
      ),
    }
    if len({len(own.steps) for own in runs.values()}) == 1:
      sample_figures.animation(folder / 'samples.gif', samples, reals)
  else:
    columns = classes if 1 < classes <= 2 * _SIDE else _SIDE
    chosen = slice(columns * _SIDE)
    grids = {
      name: (
        steps,
        np.stack([grid(_scaled(own[chosen]), columns) for own in evaluations]),
      )
      for name, (steps, evaluations) in samples.items()
    }
    drawn = {
      'samples': sample_figures.images_over_time(
        grids, grid(reals[chosen], columns)
      )
    }
  if all('captured_by_label' in own.modes for own in runs.values()):
    drawn['captured_by_label'] = sample_figures.captured_by_label(
      {
        name: (own.steps, classes * own.modes['captured_by_label'][0] / modes)
        for name, own in runs.items()
      }
    )
  drawn['modes'] = curves.modes_over_time(
    {name: (own.steps, own.modes['captured']) for name, own in runs.items()},
    modes,
  )
  for name, title, best in _SERIES:
    series = {
      remedy: (own.steps, own.series[name]) for remedy, own in runs.items()
    }
    figure = curves.modes_over_time(series, best, title)
    drawn[name.replace('/', '_')] = figure
  for name, figure in drawn.items():
    layout.save(figure, folder / f'{name}.png')


def eigenvalues(folder, values):
  """Writes the eigenvalues of the games' Jacobians: a figure and a file.

  Args:
    folder: for the files.
    values: complex `[n]`, by remedy.
  """
  path = folder / 'eigenvalues.npz'
  with files.whole(path) as unfinished, unfinished.open('wb') as file:
    np.savez(file, **values)
  # Their sizes differ by thousands between remedies.
  largest = {name: np.abs(own).max() for name, own in values.items()}
  figure = trajectories.eigenvalues(
    {
      f'{name}\nin units of {largest[name]:.2g}': own / largest[name]
      for name, own in values.items()
    }
  )
  layout.save(figure, folder / 'eigenvalues.png')


def _shares(runs):
  """Returns the share of the first seed's samples in each mode, `[T, K]`."""
  return runs.modes['occupancy'][0] / runs.number


def _scaled(images):
  """Returns images that are stored as uint8 in [-1, 1]."""
  return images / 127.5 - 1
