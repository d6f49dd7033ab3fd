"""Figures of cases of the Dirac-GAN: a panel for each.

A run is a tuple `(case, matrix, positions, comparison)` of a
`dirac_cases.Case`, its measured Jacobian, its trajectory and its
`dirac_cases.Comparison`.
"""

import textwrap

import numpy as np

from ganjax.reports.figures import trajectories

_WIDTH, _SPECTRUM = 2.7, 0.35  # half widths of the panels


def positions(runs):
  """Returns the figure of theta and the discriminator's last parameter.

  Args:
    runs: a list of runs.
  """
  return trajectories.trajectories(
    {
      _title(case, comparison.verdict): path[:, [0, -1]]
      for case, _, path, comparison in runs
    },
    _WIDTH,
    columns=5,
  )


def spectra(runs):
  """Returns the figure of measured and theoretical multipliers near 1.

  Args:
    runs: a list of runs; those without multipliers are left out.
  """
  measured, theory = {}, {}
  for case, matrix, _, comparison in runs:
    if case.multipliers is not None:
      title = _title(case, rf'$|\lambda|$ {comparison.measured:.4f}')
      measured[title] = np.linalg.eigvals(matrix)
      theory[title] = case.multipliers
  return trajectories.eigenvalues(
    measured, theory, trajectories.unit_circle, _SPECTRUM, columns=5
  )


def _title(case, words):
  """Returns the title of a narrow panel: the game, the order and the words."""
  game, _, order = case.name.rpartition(', ')
  return '\n'.join([*textwrap.wrap(game, 22), order, words])
