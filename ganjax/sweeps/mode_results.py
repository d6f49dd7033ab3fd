"""What the runs of a protocol found: tables and figures, from what is kept."""

import jax
import numpy as np

from ganjax import pictures
from ganjax.files import whole
from ganjax.metrics import birthday, diversity, prdc
from ganjax.reports import tables
from ganjax.reports.figures import curves, layout, trajectories
from ganjax.reports.figures import samples as figures
from ganjax.sweeps import mode_task
from ganjax.training import provenance

_COUNTED = (
  tables.Column('captured', 'modes', '.1f'),
  tables.Column('quality', 'high quality %', '.1f', 100),
  tables.Column('divergence', 'reverse KL', '.3f'),
  tables.Column('excess', 'above the floor', '.3f'),
  tables.Column('seconds', 'seconds', '.0f'),
)
_SPREAD = (
  tables.Column('precision', 'precision'),
  tables.Column('recall', 'recall'),
  tables.Column('density', 'density'),
  tables.Column('coverage', 'coverage'),
  tables.Column('support', 'support by birthdays', '.0f'),
  tables.Column('distance', 'pairwise distance'),
)


def keep(path, training, found):
  """Writes what a `population.Population` of the laboratory recorded."""
  recorded, metrics = found.records
  every = training.every
  arrays = {
    **recorded['modes']._asdict(),
    'samples': recorded['samples'],
    'steps': np.arange(every, training.steps + 1, every),
    'seconds': np.full(len(recorded['samples']), found.seconds),
    **metrics,
  }
  with whole(path) as unfinished, unfinished.open('wb') as file:
    np.savez_compressed(file, **arrays)


def kept(place, seeds):
  """The records of the first seeds, arrays `[S, ...]` by name, or None."""
  parts = []
  for path in sorted(place.glob('seeds-*.npz')):
    with np.load(path) as file:
      parts.append(dict(file))
  if not parts:
    return None
  evaluations = parts[0].pop('steps')
  joined = {
    name: np.concatenate([part[name] for part in parts])[:seeds]
    for name in parts[0]
  }
  return joined | {'steps': evaluations}


def tabulate(folder, config, problem, results, shares):
  """Writes the table of all remedies so far; returns it as text.

  Args:
    folder: the workdir.
    config: of the protocol.
    problem: its `mode_task.Problem`.
    results: of `kept`, by remedy.
    shares: of the protocol's length, by remedy.
  """
  published = config.published.to_dict()
  floor = mode_task.floor(config, problem)
  rows = [
    {
      'label': name,
      'values': {
        'captured': found['captured'][:, -1],
        'quality': found['quality'][:, -1],
        'divergence': found['divergence'][:, -1],
        'excess': found['divergence'][:, -1] - floor,
        'seconds': sorted(set(found['seconds'])),
      },
      'published': published.get(name, {}),
      'source': config.source if name in published else '',
    }
    | _shortened(shares[name])
    for name, found in results.items()
  ]
  notes = (
    f'{config.protocol}: {problem.name}; {config.measure.samples} samples of '
    f'the {config.measure.weights} weights after the last step, unless a '
    'remedy takes others.',
    f'The floor, the reverse KL of a perfect sampler, is {floor:.4f}.',
    *([config.note] if config.note else []),
    provenance.in_words(),
  )
  tables.write(folder, rows, _COUNTED, notes)
  return tables.text(rows, _COUNTED, notes)


def _shortened(share):
  if share == 1:
    return {}
  return {'note': f'{100 * share:.3g} % of the protocol'}


def spread(folder, problem, results):
  """Writes the table of how the samples lie among as many reals.

  Precision and recall take 3 neighbours, density and coverage 5.
  """
  rows = []
  for name, found in results.items():
    values = {column.key: [] for column in _SPREAD}
    number = found['samples'].shape[2]
    reals = _reals(problem, number).reshape(number, -1)
    for samples, occupied in zip(
      found['samples'][:, -1], found['occupancy'][:, -1], strict=True
    ):
      flat = _seen(samples).reshape(number, -1)
      measured = {
        **prdc.precision_recall(reals, flat)._asdict(),
        **prdc.density_coverage(reals, flat)._asdict(),
        'support': birthday.birthday(occupied).uniform,
        'distance': diversity.pairwise_distance(flat),
      }
      for key, value in measured.items():
        values[key].append(float(value))
    rows.append({'label': name, 'values': values})
  place = folder / 'spread'
  place.mkdir(exist_ok=True)
  note = f'{number} samples and reals each; support by all samples.'
  tables.write(place, rows, _SPREAD, (note,))


def draw(folder, config, problem, results):
  """Writes the figures; pictures are of the first seed."""
  shown = {
    name: (found['steps'], found['samples'][0])
    for name, found in results.items()
  }
  number = len(next(iter(shown.values()))[1][0])
  reals = _reals(problem, number)
  if reals.ndim == 2:
    drawn = {'samples': figures.samples_over_time(shown, reals)}
    drawn['occupancy'] = figures.occupancy(
      {
        name: (found['steps'], found['occupancy'][0] / config.measure.samples)
        for name, found in results.items()
      }
    )
    lengths = {len(steps) for steps, _ in shown.values()}
    if len(lengths) == 1:
      figures.animation(folder / 'samples.gif', shown, reals)
  else:
    grids = {
      name: (
        steps,
        np.stack([pictures.grid(_seen(evaluation)) for evaluation in samples]),
      )
      for name, (steps, samples) in shown.items()
    }
    drawn = {'samples': figures.images_over_time(grids, pictures.grid(reals))}
  drawn['modes'] = curves.modes_over_time(
    _series(results, 'captured'), problem.modes
  )
  for name, title in (
    ('accuracy/real', "D's accuracy on reals"),
    ('gradient/generator', "norm of G's gradient"),
    ('gradient/discriminator', "norm of D's gradient"),
  ):
    best = 1 if name.startswith('accuracy') else None
    drawn[name.replace('/', '_')] = curves.modes_over_time(
      _series(results, name), best, title
    )
  for name, figure in drawn.items():
    layout.save(figure, folder / f'{name}.png')


def _series(results, name):
  return {
    remedy: (found['steps'], found[name]) for remedy, found in results.items()
  }


def spectra(folder, values):
  """Writes the eigenvalues of the games' Jacobians: a figure and a file."""
  np.savez(folder / 'eigenvalues.npz', **values)
  # Their sizes differ by thousands between remedies.
  largest = {name: np.abs(own).max() for name, own in values.items()}
  figure = trajectories.eigenvalues(
    {
      f'{name}\nin units of {largest[name]:.2g}': own / largest[name]
      for name, own in values.items()
    }
  )
  layout.save(figure, folder / 'eigenvalues.png')


def _seen(samples):
  """Samples as the generator made them, where they are kept as pixels."""
  return samples / 127.5 - 1 if samples.dtype == np.uint8 else samples


def _reals(problem, number):
  key = jax.random.key(0)
  tables_ = problem.tables(key, problem.data)
  return np.asarray(problem.batch(tables_, key, 0, number, problem.data))
