"""Figures of dynamics of games: eigenvalues, vector fields, trajectories."""

import itertools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from matplotlib.patches import Circle

from ganjax.reports.figures.layout import COLOURS, GREYS, panels, styled


class Boundary(NamedTuple):
  """The boundary of the stable eigenvalues.

  Attributes:
    still: the eigenvalue of what does not move, which all panels include.
    draw: `axes -> None`, which shades the stable side of axes with limits.
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
"""The boundary of a flow: stable where all real parts are below 0."""

unit_circle = Boundary(1, _shade_inside)
"""The boundary of an update: stable where all magnitudes are below 1."""


@styled
def eigenvalues(
  results, theory=None, boundary=imaginary_axis, reach=None, columns=4
):
  """Returns the figure of eigenvalues in the complex plane, a panel each.

  The stable side is shaded. All panels have the same limits: a square that
  includes all eigenvalues and `boundary.still`, or the square around the latter
  that `reach` gives. A panel with eigenvalues outside says how many.

  Args:
    results: from a name to eigenvalues, complex `[n]`.
    theory: from names of `results` to the expected eigenvalues, drawn as rings.
    boundary: `imaginary_axis` for the Jacobian of a flow, `unit_circle` for
      that of an update.
    reach: half the width of the square around `boundary.still`; None for a
      square that holds all.
    columns: of panels, at most.

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
  figure, places = _squares(results, columns)
  drawn = [*results.values(), *theory.values(), [boundary.still]]
  drawn = np.concatenate([np.ravel(values) for values in drawn])
  drawn = drawn[np.isfinite(drawn)]
  middle, reach = _square(drawn) if reach is None else (boundary.still, reach)
  left, right = middle.real - reach, middle.real + reach
  bottom, top = middle.imag - reach, middle.imag + reach
  for axes, (name, found) in zip(places, results.items(), strict=True):
    found, expected = np.asarray(found), np.asarray(theory.get(name, []))
    axes.set(xlim=(left, right), ylim=(bottom, top))
    boundary.draw(axes)
    dots = axes.scatter(
      found.real, found.imag, 14, COLOURS[0], alpha=0.7, linewidth=0, zorder=2
    )
    rings = axes.scatter(
      expected.real,
      expected.imag,
      50,
      facecolor='none',
      edgecolor=COLOURS[1],
      zorder=3,
    )
    away = found - middle
    outside = np.sum(np.maximum(abs(away.real), abs(away.imag)) > reach)
    if outside:
      axes.text(
        *(0.97, 0.97, f'{outside} outside'),
        transform=axes.transAxes,
        fontsize=6,
        ha='right',
        va='top',
      )
  if theory:
    figure.legend(
      [dots, rings], ['measured', 'theory'], loc='outside upper right', ncols=2
    )
  figure.supxlabel('real part')
  figure.supylabel('imaginary part')
  return figure


@styled
def vector_fields(
  games, equilibrium=(0, 0), labels=('generator', 'discriminator')
):
  """Returns the figure of the flows of games of two parameters.

  Grey lines follow the field, wider where it is stronger. A trajectory begins
  at a ring and ends at a dot; the equilibrium is a cross. Trajectories of the
  same name have the same colour in all panels.

  Args:
    games: from a name to `(points, field, trajectories)`. Points `[B, A, 2]`
      are a regular grid in the order of `numpy.meshgrid`: the first coordinate
      grows along the second axis, the second along the first. The field
      `[B, A, 2]` has the velocities of both players there. Trajectories are a
      dict from a name to `[T, 2]`, the parameters over time.
    equilibrium: `[2]`, where no player moves.
    labels: of the two parameters.

  Raises:
    ValueError: if there is no game.
  """
  figure, places = panels(len(games), 2, (2.6, 2.7))
  names = [name for *_, paths in games.values() for name in paths]
  colours = dict(zip(dict.fromkeys(names), itertools.cycle(COLOURS)))
  lines = {}
  for axes, (title, (points, field, paths)) in zip(
    places, games.items(), strict=True
  ):
    points, field = np.asarray(points), np.asarray(field)
    x, y = points[0, :, 0], points[:, 0, 1]
    speed = np.linalg.norm(field, axis=-1)
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
    for name, path in paths.items():
      lines[name] = _draw_path(axes, path, colours[name])
    axes.plot(*equilibrium, '+', color='black', markersize=9, zorder=4)
    axes.set(xlim=(x[0], x[-1]), ylim=(y[0], y[-1]), aspect='equal')
    axes.set_title(title)
  figure.supxlabel(labels[0])
  figure.supylabel(labels[1])
  if lines:
    figure.legend(lines.values(), lines, loc='outside upper right', ncols=3)
  return figure


@styled
def trajectories(
  results,
  reach,
  equilibrium=(0, 0),
  labels=('generator', 'discriminator'),
  columns=4,
):
  """Returns the figure of trajectories in the plane, a panel each.

  A trajectory begins at a ring and ends at a dot; the equilibrium is a cross.

  Args:
    results: from a name to `[T, 2]`, the parameters over time.
    reach: half the width of all panels, squares around the equilibrium.
    equilibrium: `[2]`, where no player moves.
    labels: of the two parameters.
    columns: of panels, at most.

  Raises:
    ValueError: if there is no name.
  """
  figure, places = _squares(results, columns)
  x, y = equilibrium
  for axes, path in zip(places, results.values(), strict=True):
    _draw_path(axes, path, COLOURS[0])
    axes.plot(x, y, '+', color='black', markersize=6, zorder=4)
    axes.set(xlim=(x - reach, x + reach), ylim=(y - reach, y + reach))
  figure.supxlabel(labels[0])
  figure.supylabel(labels[1])
  return figure


def _squares(titles, columns):
  """Returns a figure and square panels, as wide as a page together."""
  width = 6.4 / columns
  lines = max((title.count('\n') for title in titles), default=0)
  size = width, width + 0.05 + 0.12 * lines
  figure, places = panels(len(titles), columns, size, sharex=True, sharey=True)
  for axes, title in zip(places, titles, strict=True):
    axes.set_aspect('equal')
    axes.set_title(title, fontsize=7)
    axes.locator_params(nbins=3)
  return figure, places


def _draw_path(axes, path, colour):
  """Draws a trajectory `[T, 2]`; returns its line."""
  path = np.asarray(path)
  [line] = axes.plot(*path.T, color=colour, linewidth=0.7)
  axes.plot(*path[0], 'o', color=colour, markersize=4, markerfacecolor='white')
  axes.plot(*path[-1], 'o', color=colour, markersize=3)
  return line


def _square(values):
  """Returns the middle and half the width of a square around values."""
  parts = np.stack([values.real, values.imag])
  low, high = parts.min(1), parts.max(1)
  return complex(*(low + high) / 2), 0.65 * max(*(high - low), 1e-3)
