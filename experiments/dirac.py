"""The Dirac-GAN against theory: the protocol `dirac` of `mode_collapse`.

Mescheder, Geiger and Nowozin, "Which Training Methods for GANs do actually
Converge?", 2018, arXiv:1801.04406; `ganjax.dirac_cases` has the cases.
"""

import json

import jax
import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

from ganjax import dirac_cases, dynamics, files, locks, paths
from ganjax.arrays import Batch
from ganjax.reports import tables
from ganjax.reports.figures import dirac as dirac_figures
from ganjax.reports.figures import layout, trajectories
from ganjax.training import provenance

# The games of two parameters whose fields are drawn.
_FIELDS = ('minimax', 'minimax, R1 .3', 'non-saturating', 'Wasserstein')
_WIDTH = 2.1  # half of the width of their panels
_NOTES = (
  'Spectral radius: of the Jacobian of a step at the equilibrium; below 1, '
  'small deviations die out.',
  'Difference: the largest between the coefficients of the characteristic '
  'polynomials, measured and by theory.',
  'Verdict: of the trajectory that begins at (1, 1) from the equilibrium, by '
  'theory for a learning rate of .2; the spectral radius decides it only near '
  'the equilibrium.',
)


def report(folder, config):
  """Runs the cases, writes the table and the figures, and returns 0.

  Args:
    folder: the workdir, made if need be.
    config: `learning_rate` of both players; `steps` of a trajectory; `match`, a
      part of the wanted names, '' for all; `seed` of the instance noise.

  Raises:
    ValueError: if no case has such a name, or a trajectory is too short.
  """
  cases = _chosen(config)
  folder = paths.check_folder(folder, 'The protocol')
  folder.mkdir(parents=True, exist_ok=True)
  with locks.alone(folder):
    files.claim(folder / 'config.json', json.loads(config.to_json()))
    return _report(folder, cases, config)


def _report(folder, cases, config):
  key = jax.random.key(config.seed)
  with jax.enable_x64(True):
    runs = []
    for case in tqdm(cases, desc='Dirac-GAN', unit='case', disable=None):
      run = _run(case, key, config.steps)
      runs.append((case, *run, dirac_cases.compare(case, *run)))
    fields = _fields(runs, key)
  rows = [_row(*run) for run in runs]
  columns = (
    tables.Column('measured', 'spectral radius', '.6f'),
    tables.Column('theory', 'by theory', '.6f'),
    tables.Column('difference', 'difference', '.1g'),
    tables.Column('radius', f'radius after {config.steps} steps', '.3g'),
  )
  notes = (*_NOTES, provenance.in_words())
  tables.write(folder, rows, columns, notes)
  print(tables.text(rows, columns, notes))
  figures = {'trajectories': dirac_figures.positions(runs)}
  if fields:
    figures['fields'] = trajectories.vector_fields(fields)
  if any(case.multipliers is not None for case, *_ in runs):
    figures['eigenvalues'] = dirac_figures.spectra(runs)
  for name, figure in figures.items():
    for ending in ('png', 'pdf'):
      layout.save(figure, folder / f'{name}.{ending}')
  agree = sum(own.agrees for *_, own in runs)
  print(
    f'{agree} of {len(rows)} cases agree with the theory. In {folder}: '
    f'table.json, .csv, .tex and .md; {", ".join(figures)}, as .png and .pdf.'
  )
  return 0


def _chosen(config):
  every = dirac_cases.cases(config.learning_rate)
  cases = [case for case in every if config.match in case.name]
  if not cases:
    raise ValueError(
      f'No case of the Dirac-GAN has {config.match!r} in its name; the cases '
      f'are: {"; ".join(case.name for case in every)}.'
    )
  # A quarter of the time has to be a rotation or two.
  time = config.steps * config.learning_rate
  if time < 100:
    raise ValueError(
      f'{config.steps} steps are too few to tell where a trajectory goes: '
      f'times the learning rate that is {time:g}; give enough for 100.'
    )
  return cases


def _run(case, key, number):
  """Returns the Jacobian `[P, P]` of a case, and its trajectory."""
  both = jax.jit(
    lambda key: (
      dirac_cases.linearized(case, key),
      dirac_cases.trajectory(case, key, number),
    )
  )
  return jax.tree.map(np.array, both(key))


def _fields(runs, key):
  """Returns the arguments of `vector_fields`, for the games in `_FIELDS`."""
  side = np.linspace(-_WIDTH, _WIDTH, 25)
  games = {}
  for case, _, positions, _ in runs:
    name, _, order = case.name.rpartition(', ')
    if name not in _FIELDS:
      continue
    if name not in games:
      params, buffers = case.game.init(key)
      velocities = dynamics.grid(
        dynamics.field(case.game),
        *(params, side, side),
        *(buffers, Batch(jnp.zeros((1, 1))), key),
      )
      games[name] = np.stack(np.meshgrid(side, side), -1), velocities, {}
    games[name][-1][order] = positions
  return games


def _row(case, matrix, positions, comparison):
  """Returns the row of a case, as `ganjax.reports.tables` takes it."""
  values = {'radius': [np.linalg.norm(positions[-1])]}
  for name in ('measured', 'theory', 'difference'):
    if (value := getattr(comparison, name)) is not None:
      values[name] = [value]
  note = ''
  if case.multipliers is None:
    note = 'the field has a kink at the equilibrium'
  if case.every > 1:
    note = f'spectral radius of {case.every} steps'
  if case.tolerance > 1e-6:
    note = f'the noise is drawn: agrees within {case.tolerance:g}'
  words = {
    'verdict': comparison.verdict,
    'verdict by theory': case.verdict,
    'agrees': 'yes' if comparison.agrees else 'no',
  }
  return {'label': case.name, 'values': values, 'words': words, 'note': note}
