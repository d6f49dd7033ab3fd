r"""Runs a protocol of mode collapse: all its remedies, over many seeds.

  python -m experiments.mode_collapse --workdir runs/ring \
    --config configs/mode_collapse.py:ring

prints a table of the remedies beside what was published, and writes it with
the figures into the workdir. The same command goes on where it was stopped;
more seeds or remedies are added to what is there.
"""

import json
import pathlib
import re

import jax
import jax.numpy as jnp
from absl import flags
from ml_collections import config_flags
from tqdm import tqdm

from experiments import dirac
from ganjax import dynamics, launch
from ganjax.config import games, workdir
from ganjax.sweeps import kinds, mode_results, mode_task
from ganjax.training import population

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
_EIGENVALUES = flags.DEFINE_integer(
  'eigenvalues',
  0,
  "How many of the game's Jacobian to draw, where each first run ended.",
  0,
)
_REPORT = flags.DEFINE_bool('report', False, 'Only write the report again.')
flags.mark_flag_as_required('workdir')


def main():
  """Runs what is missing, and reports; returns the exit code."""
  launch.one_device_a_core()
  config, folder = _CONFIG.value, pathlib.Path(_WORKDIR.value)
  if config.protocol == 'dirac':
    return dirac.report(folder, config)
  # As the protocol lists them; a ConfigDict sorts its own.
  names = _REMEDIES.value or list(json.loads(config.to_json())['remedies'])
  configs = {name: mode_task.remedied(config, name) for name in names}
  shares = {name: _shorten(own) for name, own in configs.items()}
  problem = kinds.problem(config)
  seeds = _SEEDS.value or config.seeds
  tqdm.write(
    f'{config.protocol}: {problem.name}; {len(names)} remedies, {seeds} seeds '
    f'each, on {len(jax.devices())} {jax.default_backend()} device(s).'
  )
  results = {}
  for name, own in configs.items():
    place = folder / name
    if place.exists() or not _REPORT.value:
      workdir.claim(place, own)
    if not _REPORT.value and not _run(own, problem, place, name, seeds):
      tqdm.write('Stopped by a signal; the same command goes on from there.')
      return launch.LEFT
    if found := mode_results.kept(place, seeds):
      results[name] = found
      mode_results.tabulate(folder, config, problem, results, shares)
  if not results:
    raise FileNotFoundError(
      f'{folder} holds no finished run to report on; run without --report.'
    )
  print(mode_results.tabulate(folder, config, problem, results, shares))
  mode_results.spread(folder, problem, results)
  mode_results.draw(folder, config, problem, results)
  if _EIGENVALUES.value:
    mode_results.spectra(
      folder,
      {
        name: _spectrum(configs[name], problem, folder / name, name, seeds)
        for name in tqdm(results, 'eigenvalues', disable=None)
      },
    )
  tqdm.write(
    f'In {folder}: table.json, .csv, .tex and .md, and those of spread/; '
    'samples, modes, occupancy and others as .png, samples.gif; the runs, a '
    'folder for each remedy.'
  )
  return 0


def _shorten(config):
  """Sets the length that is asked for; returns its share of the protocol's."""
  whole = config.steps
  number = config.steps * _LENGTH.value
  if _IMAGES.value:
    number = _IMAGES.value / mode_task.rows(config)
  config.steps = max(1, round(number))
  # A whole number of steps from evaluation to evaluation.
  every = -(-config.steps // config.measure.evaluations)
  config.measure.evaluations = -(-config.steps // every)
  config.steps = every * config.measure.evaluations
  return config.steps / whole


def _run(config, problem, place, name, seeds):
  """Trains the seeds that are missing; False where a signal ended it."""
  training = mode_task.training(config, problem)
  for first, last in _ranges(place, seeds):
    done = place / f'seeds-{first:03d}-{last:03d}.npz'
    if done.exists():
      continue
    found = _train(training, problem, place, name, first, last)
    if found is None:
      return False
    mode_results.keep(done, training, found)
  return True


def _train(training, problem, place, name, first, last):
  """The population of some seeds; from the disk, where it has ended before."""
  seeds = _CONFIG.value.seed + jnp.arange(first, last)
  return population.train(
    training,
    jax.vmap(lambda seed: jax.random.fold_in(jax.random.key(0), seed))(seeds),
    data=problem.data,
    mapping=_CONFIG.value.mapping,
    folder=place / f'seeds-{first:03d}-{last:03d}',
    name=name,
  )


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


def _spectrum(config, problem, place, name, seeds):
  """The largest eigenvalues of the game's Jacobian where the first run ended.

  The game is that of the losses and regularisers, without what an update rule
  adds to it, such as unrolling.
  """
  training = mode_task.training(config, problem)
  found = _train(training, problem, place, name, *_ranges(place, seeds)[0])
  run = jax.tree.map(lambda leaf: leaf[0], found.states['run'])
  key = jax.random.fold_in(run.key, run.step)
  tables = problem.tables(key, problem.data, config.pack)
  rows = mode_task.rows(config)
  batch = problem.batch(tables, key, 0, rows, problem.data)
  return dynamics.leading(
    dynamics.field(games.schedule(config, problem.shape)(run.step)),
    run.params,
    run.buffers,
    batch,
    key,
    number=_EIGENVALUES.value,
  )


if __name__ == '__main__':
  launch.run(main)
