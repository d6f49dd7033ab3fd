r"""Runs a protocol of mode collapse: all its remedies, over many seeds.

  python -m experiments.mode_collapse --workdir runs/ring \
    --config configs/mode_collapse.py:ring

prints a table of the remedies beside what was published, and writes it with
the figures into the workdir. The same command goes on where it was stopped;
more seeds or remedies are added to what is there.
"""

import json
import os
import pathlib
import re

import jax
import jax.numpy as jnp
import numpy as np
from absl import flags
from ml_collections import config_flags
from tqdm import tqdm

from experiments import dirac, launch, workdir
from ganjax import figures, laboratory, pictures, population, tables

_CONFIG = config_flags.DEFINE_config_file(
  'config', 'configs/mode_collapse.py:ring', 'Which protocol, after the colon.'
)
_WORKDIR = flags.DEFINE_string('workdir', None, 'Where it is written.')
_REMEDIES = flags.DEFINE_list('remedies', None, 'Which; all if not given.')
_SEEDS = flags.DEFINE_integer(
  'seeds', None, "Runs of each; the protocol's number if not given.", 1
)
_IMAGES = flags.DEFINE_integer(
  'images', None, 'Examples that each run sees, instead of --length.', 1
)
_LENGTH = flags.DEFINE_float(
  'length', 1.0, "Share of the protocol's steps that each run takes.", 0.0, 1.0
)
_REPORT = flags.DEFINE_bool('report', False, 'Only write the report again.')
flags.mark_flag_as_required('workdir')

# "Try again" among the exit codes of sysexits.h: a signal ended the runs.
_LEFT = 75

_COLUMNS = (
  tables.Column('captured', 'modes', '.1f'),
  tables.Column('quality', 'high quality %', '.1f', 100),
  tables.Column('divergence', 'reverse KL', '.3f'),
  tables.Column('seconds', 'seconds', '.0f'),
)


def main():
  """Runs what is missing, and reports; returns the exit code."""
  launch.one_device_a_core()
  config, folder = _CONFIG.value, pathlib.Path(_WORKDIR.value)
  if config.protocol == 'dirac':
    return dirac.report(folder, config)
  names = _REMEDIES.value or list(config.remedies)
  configs = {name: laboratory.remedied(config, name) for name in names}
  whole = {name: own.steps for name, own in configs.items()}
  for own in configs.values():
    _shorten(own)
  problem = _problem(config)
  seeds = _SEEDS.value or config.seeds
  tqdm.write(
    f'{config.protocol}: {problem.name}; {len(names)} remedies, {seeds} seeds '
    f'each, on {len(jax.devices())} {jax.default_backend()} device(s).'
  )
  results = {}
  for name, own in configs.items():
    place = folder / name
    workdir.claim(place, own)
    if not _REPORT.value and not _run(own, problem, place, name, seeds):
      tqdm.write('Stopped by a signal; the same command goes on from there.')
      return _LEFT
    if found := _results(place, seeds):
      results[name] = found
      _write(folder, config, problem, results, configs, whole)
  if not results:
    raise FileNotFoundError(
      f'{folder} holds no finished run to report on; run without --report.'
    )
  print(_write(folder, config, problem, results, configs, whole))
  _draw(folder, problem, results)
  tqdm.write(
    f'In {folder}: table.json, .csv, .tex and .md; samples.png, modes.png, '
    'occupancy.png and samples.gif; the runs, a folder for each remedy.'
  )
  return 0


def _shorten(config):
  number = config.steps * _LENGTH.value
  if _IMAGES.value:
    number = _IMAGES.value / laboratory.rows(config)
  config.steps = max(1, round(number))
  # A whole number of steps from look to look.
  looks = min(config.measure.looks, config.steps)
  every = -(-config.steps // looks)
  config.steps = every * looks
  config.measure.looks = looks


def _problem(config):
  bar = tqdm(desc='classifier of the modes', unit='step', disable=None)

  def report(step, total, loss):
    bar.total = total
    bar.update()

  with bar:
    return laboratory.problem(config, launch.cache(), report)


def _run(config, problem, place, name, seeds):
  """Trains the seeds that are missing; False where a signal ended it."""
  training = laboratory.training(config, problem)
  for first, last in _ranges(place, seeds):
    kept = place / f'seeds-{first:03d}-{last:03d}'
    done = kept.with_suffix('.npz')
    if done.exists():
      continue
    found = population.train(
      training,
      jax.vmap(lambda seed: jax.random.fold_in(jax.random.key(0), seed))(
        config.seed + jnp.arange(first, last)
      ),
      data=problem.data,
      way=_CONFIG.value.way,
      folder=kept,
      name=name,
    )
    if found is None:
      return False
    _keep(done, training, found)
  return True


def _ranges(place, seeds):
  """The seeds of each population: those that were begun, and what is new."""
  begun = {
    tuple(map(int, match.groups()))
    for path in place.glob('seeds-*')
    if (match := re.match(r'seeds-(\d+)-(\d+)', path.name))
  }
  ranges = sorted(begun)
  reached = max((last for _, last in ranges), default=0)
  if reached < seeds:
    ranges.append((reached, seeds))
  return [(first, last) for first, last in ranges if first < seeds]


def _keep(path, training, found):
  recorded, metrics = found.records
  every = training.every
  arrays = {
    **recorded['modes']._asdict(),
    'samples': recorded['samples'],
    'steps': np.arange(every, training.steps + 1, every),
    'seconds': np.full(len(recorded['samples']), found.seconds),
    **{f'metrics/{name}': values for name, values in metrics.items()},
  }
  unfinished = path.with_suffix('.tmp')
  with unfinished.open('wb') as file:
    np.savez_compressed(file, **arrays)
  os.replace(unfinished, path)


def _results(place, seeds):
  """What is known of the first seeds: arrays `[S, ...]` by name, or None."""
  parts = []
  for path in sorted(place.glob('seeds-*.npz')):
    with np.load(path) as file:
      parts.append(dict(file))
  if not parts:
    return None
  steps = parts[0]['steps']
  joined = {
    name: np.concatenate([part[name] for part in parts])[:seeds]
    for name in parts[0]
    if name != 'steps'
  }
  return joined | {'steps': steps}


def _write(folder, config, problem, results, configs, whole):
  """Writes the table; returns it as text."""
  rows = []
  for name, found in results.items():
    share = configs[name].steps / whole[name]
    row = {
      'label': name,
      'values': {
        'captured': found['captured'][:, -1],
        'quality': found['quality'][:, -1],
        'divergence': found['divergence'][:, -1],
        'seconds': found['seconds'],
      },
      'published': config.published.get(name, {}),
      'source': config.source,
    }
    if share < 1:
      row['note'] = f'cut to {100 * share:.3g} % of the protocol'
    rows.append(row)
  floor = laboratory.floor(config, problem)
  notes = (
    f'{config.protocol}: {problem.name}; {config.measure.samples} samples of '
    f'the {config.measure.weights} weights.',
    f'A perfect sampler would have a reverse KL of {floor:.4f}.',
    *([config.note] if config.note else []),
    json.dumps(workdir.provenance()),
  )
  tables.write(folder, rows, _COLUMNS, notes)
  return tables.text(rows, _COLUMNS, notes)


def _draw(folder, problem, results):
  """Writes the figures: of the first seed, and of the modes of all."""
  shown = {
    name: (found['steps'], found['samples'][0])
    for name, found in results.items()
  }
  counts = {
    name: (found['steps'], found['captured']) for name, found in results.items()
  }
  key = jax.random.key(0)
  number = len(next(iter(shown.values()))[1][0])
  reals = np.asarray(
    problem.batch(
      problem.tables(key, problem.data), key, 0, number, problem.data
    )
  )
  if reals.ndim == 2:
    figure = figures.samples_over_time(shown, reals)
    figures.animation(folder / 'samples.gif', shown, reals)
    occupied = {
      name: (found['steps'], found['occupancy'][0])
      for name, found in results.items()
    }
    figures.save(figures.occupancy(occupied), folder / 'occupancy.png')
  else:
    grids = {
      name: (
        steps,
        np.stack([pictures.grid(one / 127.5 - 1) for one in samples]),
      )
      for name, (steps, samples) in shown.items()
    }
    figure = figures.images_over_time(grids, pictures.grid(reals))
  figures.save(figure, folder / 'samples.png')
  figures.save(
    figures.modes_over_time(counts, problem.modes), folder / 'modes.png'
  )


if __name__ == '__main__':
  launch.run(main)
