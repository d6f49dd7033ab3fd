"""Figures of a game's dynamics: its eigenvalues, and its field in the plane."""

import itertools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from matplotlib.patches import Circle

from ganjax.figures import COLOURS, GREYS, panels, styled


class Boundary(NamedTuple):
  """Where eigenvalues stop being stable.

  Attributes:
    still: the eigenvalue of what does not move; it is always in view.
    draw: `axes -> None`: shades the stable side of axes that have limits.
  """

  still: float
  draw: Callable


def _shade_left(axes):
  axes.axvspan(min(axes.get_xlim()[0], 0), 0, color=GREYS[0], zorder=0)
  axes.axvline(0, color=GREYS[2], linewidth=0.8, zorder=1)


def _shade_inside(axes):
  axes.add_patch(
    Circle(
      (0, 0), 1, facecolor=GREYS[0], edgecolor=GREYS[2], linewidth=0.8, zorder=0
    )
  )


imaginary_axis = Boundary(0, _shade_left)
"""Of a flow: it contracts where the real part of all eigenvalues is below 0."""

unit_circle = Boundary(1, _shade_inside)
"""Of an update: it contracts where all eigenvalues are shorter than 1."""


@styled
def eigenvalues(results, theory=None, boundary=imaginary_axis):
  """The figure of eigenvalues in the complex plane: a panel for each name.

  Stable is what lies in the shade. All panels show the same square, which
  holds all eigenvalues and that of a game that stands still.

  Args:
    results: from a name to eigenvalues, complex `[n]`.
    theory: from some of the names to what they should be: drawn as rings.
    boundary: `imaginary_axis` for the Jacobian of a flow, `unit_circle` for
      that of an update.

  Raises:
    ValueError: if there is no name, or theory for a name without eigenvalues.
  """
  theory = theory or {}
  for name in theory:
    if name not in results:
      raise ValueError(
        f'theory is for {name!r}, but the eigenvalues are of '
        f'{", ".join(results)}: use the same names in both'
      )
  figure, places = panels(
    len(results), 4, (1.6, 1.65), sharex=True, sharey=True
  )
  drawn = [*results.values(), *theory.values(), [boundary.still]]
  drawn = np.concatenate([np.ravel(values) for values in drawn])
  drawn = drawn[np.isfinite(drawn)]
  drawn = np.stack([drawn.real, drawn.imag])
  low, high = drawn.min(1), drawn.max(1)
  half = 0.65 * max(*(high - low), 1e-3)
  (left, bottom), (right, top) = (low + high) / 2 + [[-half], [half]]
  for axes, (name, found) in zip(places, results.items(), strict=True):
    found, expected = np.asarray(found), np.asarray(theory.get(name, []))
    axes.set(xlim=(left, right), ylim=(bottom, top), aspect='equal', title=name)
    boundary.draw(axes)
    axes.scatter(
      found.real, found.imag, 14, COLOURS[0], alpha=0.7, linewidth=0, zorder=2
    )
    axes.scatter(
      expected.real,
      expected.imag,
      50,
      facecolor='none',
      edgecolor=COLOURS[1],
      zorder=3,
    )
  figure.supxlabel('real part')
  figure.supylabel('imaginary part')
  return figure


@styled
def vector_field(
  points,
  field,
  trajectories,
  equilibrium=(0, 0),
  labels=('generator', 'discriminator'),
):
  """The figure of a game of two parameters: its flow, and ways through it.

  Grey lines follow the field, wider where it is stronger. A trajectory begins
  at a ring and ends at a dot; the equilibrium is a cross.

  Args:
    points: `[B, A, 2]`, a regular grid in the order of `numpy.meshgrid`: the
      first coordinate grows along the second axis, the second along the first.
    field: `[B, A, 2]`, the velocities of both players at each point.
    trajectories: from a name to `[T, 2]`, the parameters over time.
    equilibrium: `[2]`, where nobody moves.
    labels: of the two parameters.
  """
  points, field = np.asarray(points), np.asarray(field)
  x, y = points[0, :, 0], points[:, 0, 1]
  speed = np.linalg.norm(field, axis=-1)
  figure, [axes] = panels(1, 1, (4.6, 2.8))
  axes.streamplot(
    x,
    y,
    field[..., 0],
    field[..., 1],
    color=GREYS[1],
    linewidth=0.3 + 0.9 * speed / speed.max(),
    arrowsize=0.7,
    zorder=1,
  )
  for colour, (name, way) in zip(
    itertools.cycle(COLOURS), trajectories.items(), strict=False
  ):
    way = np.asarray(way)
    axes.plot(*way.T, color=colour, label=name)
    axes.plot(*way[0], 'o', color=colour, markersize=5, markerfacecolor='white')
    axes.plot(*way[-1], 'o', color=colour, markersize=4)
  axes.plot(*equilibrium, '+', color='black', markersize=9, zorder=4)
  axes.set(
    xlim=(x[0], x[-1]),
    ylim=(y[0], y[-1]),
    xlabel=labels[0],
    ylabel=labels[1],
    aspect='equal',
  )
  if trajectories:
    figure.legend(loc='outside right center')
  return figure
