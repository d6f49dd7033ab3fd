"""The Dirac-GAN against its closed forms: what `mode_collapse` does for it.

Mescheder, Geiger and Nowozin, "Which Training Methods for GANs do actually
Converge?", 2018, arXiv:1801.04406, lays out the cases; `ganjax.dirac` says what
the theory knows of each.
"""

import textwrap

import jax
import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

from ganjax import dirac, dynamics
from ganjax.config import workdir
from ganjax.reports import tables
from ganjax.reports.figures import drawing, trajectories
from ganjax.training import provenance

# The games of two parameters whose fields are drawn.
_SHOWN = ('minimax', 'minimax, R1 .3', 'non-saturating', 'Wasserstein')
_NEAR, _FAR, _SPECTRUM = 2.1, 2.7, 0.35  # half widths of the figures' panels
_NOTES = (
  'Spectral radius: of the Jacobian of a step at the equilibrium; below 1, '
  'small deviations die out.',
  'Difference: the largest between the coefficients of the characteristic '
  'polynomials, measured and by theory.',
  'Verdict: of the trajectory from (1, 1), by theory for a learning rate of '
  '.2; the spectral radius decides it only near the equilibrium.',
)


def report(folder, config):
  """Runs the cases, writes the table and the figures, and returns 0.

  Args:
    folder: the workdir; made if it is not there.
    config: with `learning_rate`, of both players; `steps`, of a trajectory;
      `match`, a part of the names of the wanted cases, '' for all; and `seed`,
      of what little is drawn: the instance noise.

  Raises:
    ValueError: if no case is named so, or the steps are too few to see where a
      trajectory goes.
  """
  cases = _chosen(config)
  folder, _ = workdir.claim(folder, config)
  key = jax.random.key(config.seed)
  with jax.enable_x64(True):
    runs = [
      (case, *_measured(case, key, config.steps))
      for case in tqdm(cases, desc='Dirac-GAN', unit='case', disable=None)
    ]
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
  drawn = {'trajectories': _trajectories(runs, rows)}
  if fields:
    drawn['fields'] = trajectories.vector_fields(fields)
  if any(row['values'].get('measured') for row in rows):
    drawn['eigenvalues'] = _eigenvalues(runs)
  for name, figure in drawn.items():
    for ending in ('png', 'pdf'):
      drawing.save(figure, folder / f'{name}.{ending}')
  agree = sum(row['words']['agrees'] == 'yes' for row in rows)
  print(
    f'{agree} of {len(rows)} cases agree with the theory. In {folder}: '
    f'table.json, .csv, .tex and .md; {", ".join(drawn)}, as .png and .pdf.'
  )
  return 0


def _chosen(config):
  every = dirac.cases(config.learning_rate)
  cases = [case for case in every if config.match in case.name]
  if not cases:
    raise ValueError(
      f'No case of the Dirac-GAN has {config.match!r} in its name; the cases '
      f'are: {"; ".join(case.name for case in every)}.'
    )
  # A quarter of it has to be a turn or two.
  time = config.steps * config.learning_rate
  if time < 100:
    raise ValueError(
      f'{config.steps} steps are too few to see where a trajectory goes: times '
      f'the learning rate that is {time:g}, but has to be 100 at least.'
    )
  return cases


def _measured(case, key, number):
  """The Jacobian of a case `[P, P]`, and its trajectory `[number + 1, Q]`."""
  both = jax.jit(
    lambda key: (
      dirac.linearized(case, key),
      dirac.trajectory(case, key, number),
    )
  )
  return jax.tree.map(np.array, both(key))


def _fields(runs, key):
  """From the games that are shown to what `vector_fields` draws."""
  side = np.linspace(-_NEAR, _NEAR, 25)
  games = {}
  for case, _, positions in runs:
    name, _, order = case.name.rpartition(', ')
    if name not in _SHOWN:
      continue
    if name not in games:
      params, buffers = case.game.init(key)
      rest = buffers, jnp.zeros((1, 1)), key
      velocities = dynamics.grid(
        dynamics.field(case.game), params, side, side, *rest
      )
      games[name] = np.stack(np.meshgrid(side, side), -1), velocities, {}
    games[name][-1][order] = positions
  return games


def _row(case, matrix, positions):
  """The row of a case, as `ganjax.reports.tables` takes it."""
  verdict = dirac.verdict(positions)
  agrees = verdict == case.verdict
  values, note = {'radius': [np.linalg.norm(positions[-1])]}, ''
  if case.multipliers is None:
    note = 'the field has a kink at the equilibrium'
  else:
    apart = np.abs(np.poly(matrix) - np.poly(case.multipliers)).max()
    agrees &= apart <= case.tolerance
    values |= {
      'measured': [np.abs(np.linalg.eigvals(matrix)).max()],
      'theory': [np.abs(case.multipliers).max()],
      'difference': [apart],
    }
  if case.every > 1:
    note = f'spectral radius of {case.every} steps'
  if case.tolerance > 1e-6:
    note = f'the noise is drawn: agrees within {case.tolerance:g}'
  words = {
    'verdict': verdict,
    'verdict by theory': case.verdict,
    'agrees': 'yes' if agrees else 'no',
  }
  return {'label': case.name, 'values': values, 'words': words, 'note': note}


def _trajectories(runs, rows):
  """The figure of the generator and the last parameter of the discriminator."""
  ways = {
    _title(case, row['words']['verdict']): positions[:, [0, -1]]
    for (case, _, positions), row in zip(runs, rows, strict=True)
  }
  return trajectories.trajectories(ways, _FAR, columns=5)


def _eigenvalues(runs):
  """The figure of the multipliers around 1, where those of slow players are."""
  found, theory = {}, {}
  for case, matrix, _ in runs:
    if case.multipliers is not None:
      values = np.linalg.eigvals(matrix)
      title = _title(case, rf'$|\lambda|$ {np.abs(values).max():.4f}')
      found[title], theory[title] = values, case.multipliers
  return trajectories.eigenvalues(
    found, theory, trajectories.unit_circle, _SPECTRUM, columns=5
  )


def _title(case, words):
  """Of a narrow panel: the game, and below it the order and the words."""
  game, _, order = case.name.rpartition(', ')
  return '\n'.join([*textwrap.wrap(game, 22), f'{order}: {words}'])
