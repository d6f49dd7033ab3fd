"""What the report of a protocol of mode collapse computes from its runs.

Its tables and figures themselves are `reports.mode_collapse`.
"""

import jax
import numpy as np
from tqdm import tqdm

from ganjax import dynamics, pictures
from ganjax.config import games
from ganjax.data import images
from ganjax.metrics import birthday, diversity, prdc
from ganjax.reports import mode_collapse
from ganjax.sweeps import fields, mode_problems, mode_task, runner
from ganjax.sweeps.protocol import planned


def report(protocol, notes=(), eigenvalues=0, announce=lambda sentence: None):
  """Writes the tables and figures of all runs that have ended.

  Args:
    protocol: a `protocol.Protocol`.
    notes: sentences below the table.
    eigenvalues: how many of the Jacobian of each game are drawn, where its
      first run ended.
    announce: is given a sentence before anything is drawn.

  Returns:
    The table as text.

  Raises:
    FileNotFoundError: if there is no such run.
  """
  config, problem = protocol.config, protocol.problem
  folder = protocol.sweep.folder
  runs = mode_collapse.read(folder, list(protocol.settings), protocol.seeds)
  if not runs:
    raise FileNotFoundError(
      f'{folder} holds no finished run to report on; run without --report.'
    )
  announce('Drawing figures and writing the report ...')
  floor = mode_problems.floor(config, problem)
  text = mode_collapse.counted(
    folder,
    runs,
    config,
    floor,
    protocol.shares,
    (
      f'{config.protocol}: {problem.name}; {config.measure.samples} samples of '
      f'the {config.measure.weights} weights after the last step, unless a '
      'remedy takes others.',
      f'The floor, the reverse KL of a perfect sampler, is {floor:.4f}.',
      *([config.note] if config.note else []),
      *notes,
    ),
  )
  number = len(next(iter(runs.values())).samples[0])
  reals = mode_problems.reals(problem, number)
  values = {name: _spread(reals, own) for name, own in runs.items()}
  mode_collapse.spread(folder, values, number)
  classes = max(problem.classes, 1)
  mode_collapse.figures(
    folder, runs, reals, problem.modes, pictures.grid, classes
  )
  if eigenvalues:
    found = {
      name: _eigenvalues(protocol, name, eigenvalues)
      for name in tqdm(runs, 'eigenvalues', disable=None)
    }
    mode_collapse.eigenvalues(folder, found)
  return text


def _spread(reals, runs):
  """Returns how the last samples of each run lie among the reals, by measure.

  Precision and recall take 3 neighbours, density and coverage 5. All of it is
  NaN for a run with samples that are not finite.
  """
  reals, found = reals.reshape(len(reals), -1), {}

  @jax.jit
  def measure(flat, occupancy):
    return {
      **prdc.precision_recall(reals, flat)._asdict(),
      **prdc.density_coverage(reals, flat)._asdict(),
      'support': birthday.birthday(occupancy).uniform,
    }

  for samples, occupancy in zip(
    runs.last_samples, runs.modes['occupancy'][:, -1], strict=True
  ):
    if samples.dtype == np.uint8:
      samples = images.scale(samples)
    flat = np.reshape(samples, (len(samples), -1))
    measured = measure(flat, occupancy)
    measured['distance'] = diversity.pairwise_distance(flat)
    # A sample that is not finite is in no mode, and a byte of a picture.
    finite = occupancy.sum() == runs.number
    for name, value in measured.items():
      found.setdefault(name, []).append(float(value) if finite else np.nan)
  return found


def _eigenvalues(protocol, name, number):
  """Returns the largest eigenvalues of a game's Jacobian where a run ended.

  The run is the first of the remedy. The game is that of the losses and
  regularisers, without what an update rule adds to it, such as unrolling.
  """
  problem, sweep = protocol.problem, protocol.sweep
  config = fields.changed(protocol.config, protocol.settings[name])
  program = next(
    own
    for own in planned(protocol)
    if sweep.settings[own.settings[0]] == protocol.settings[name]
  )
  states = runner.last_states(program, sweep)
  run = jax.tree.map(lambda leaf: leaf[0], states['state']['run'])
  key = jax.random.fold_in(run.key, run.step)
  tables = problem.tables(key, problem.data, config.pack)
  rows = mode_task.rows(config)
  return dynamics.leading(
    dynamics.field(games.schedule(config, problem.shape)(run.step)),
    run.params,
    run.buffers,
    problem.batch(tables, key, 0, rows, problem.data),
    key,
    number=number,
  )
