"""Figures of a sweep: what factors do, how cells learn, how a search went."""

import textwrap
from typing import NamedTuple

import numpy as np
from matplotlib import colormaps
from matplotlib.ticker import EngFormatter, MaxNLocator, NullFormatter

from ganjax.reports.figures.drawing import COLOURS, GREYS, panels, styled


class Effect(NamedTuple):
  """What is drawn of one factor's values, L of them.

  Attributes:
    names: L words.
    means: `[L]`.
    errors: `[L]`, to either side; NaN draws none.
    cells: L arrays, the means of each value's cells, as many as there are.
  """

  names: list
  means: np.ndarray
  errors: np.ndarray
  cells: list


class Course(NamedTuple):
  """What is drawn of a measure over training.

  Attributes:
    images: shown until then, `[T]`.
    means: `[T]`.
    errors: `[T]`, half the width of the band; NaN draws none.
  """

  images: np.ndarray
  means: np.ndarray
  errors: np.ndarray


@styled
def main_effects(factors, label, scale='linear'):
  """The figure of what each factor does: a panel for each, side by side.

  The small points are cells, the large ones the means over them, with their
  standard errors.

  Args:
    factors: from a factor's name to its `Effect`.
    label: what is measured.
    scale: of the vertical axis, 'linear' or 'log'.

  Raises:
    ValueError: if there is no factor.
  """
  figure, places = panels(len(factors), 4, (2, 2.1), sharey=True)
  for axes, (name, effect) in zip(places, factors.items(), strict=True):
    at = np.arange(len(effect.names))
    for place, cells in zip(at, effect.cells, strict=True):
      aside = np.linspace(-0.14, 0.14, len(cells)) if len(cells) > 1 else 0
      axes.plot(
        place + aside + 0 * np.asarray(cells),
        cells,
        linestyle='',
        marker='o',
        markersize=3,
        markeredgewidth=0,
        color=GREYS[1],
        zorder=1,
      )
    axes.errorbar(
      at,
      effect.means,
      effect.errors,
      color=COLOURS[0],
      marker='o',
      markersize=4,
      elinewidth=1.2,
      capsize=2.5,
      zorder=2,
    )
    turned = max(map(len, effect.names)) * len(at) > 28
    axes.set_xticks(
      at,
      effect.names,
      rotation=35 if turned else 0,
      ha='right' if turned else 'center',
      rotation_mode='anchor' if turned else 'default',
    )
    axes.set(title=name, xlim=(-0.5, len(at) - 0.5), yscale=scale)
    axes.grid(axis='y', color=GREYS[0], linewidth=0.6)
    axes.set_axisbelow(True)
    _numbers(axes, scale)
  figure.supylabel(label)
  return figure


@styled
def over_training(results, label, scale='linear', columns=3):
  """The figure of a measure over training: a panel for each title.

  Each panel has its own lines and its own legend. Up to six lines have the
  colours of Okabe and Ito; more go from dark to bright, in their order.

  Args:
    results: from a panel's title to a dict, from a line's name to its `Course`.
    label: what is measured.
    scale: of the vertical axes, 'linear' or 'log'.
    columns: of panels, at most.

  Raises:
    ValueError: if there is no panel.
  """
  figure, places = panels(len(results), columns, (2.6, 2.7), sharey=True)
  for axes, (title, lines) in zip(places, results.items(), strict=True):
    colours = COLOURS
    if len(lines) > len(COLOURS):
      colours = colormaps['viridis'](np.linspace(0, 0.92, len(lines)))
    for colour, (name, course) in zip(colours, lines.items(), strict=False):
      images, means, errors = map(np.asarray, course)
      axes.fill_between(
        images,
        means - errors,
        means + errors,
        color=colour,
        alpha=0.15,
        linewidth=0,
      )
      axes.plot(
        images, means, color=colour, marker='o', markersize=2.5, label=name
      )
    axes.set(title=title, yscale=scale)
    axes.legend(
      loc='upper center',
      bbox_to_anchor=(0.5, -0.14),
      fontsize=6.5,
      ncols=1 if max(map(len, lines), default=0) > 14 else 2,
    )
    axes.grid(color=GREYS[0], linewidth=0.6)
    axes.set_axisbelow(True)
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(EngFormatter(sep=''))
    _numbers(axes, scale)
  figure.supxlabel('images seen')
  figure.supylabel(label)
  return figure


@styled
def history(trials, values, best, ended, label, scale='linear'):
  """The figure of a search: each trial's value, and the best until then.

  Args:
    trials: their numbers `[N]`, ascending.
    values: `[N]`; not finite where nothing was measured.
    best: `[N]`, the best until then, of the trials that ran to their end.
    ended: N words, what became of each trial: as many colours as words.
    label: what is measured.
    scale: of the vertical axis, 'linear' or 'log'.
  """
  figure, [axes] = panels(1, 1, (5.4, 2.3))
  trials, values, ended = map(np.asarray, (trials, values, ended))
  for number, word in enumerate(dict.fromkeys(ended.tolist())):
    own = (ended == word) & np.isfinite(values)
    name = f'{word} ({np.sum(ended == word)})'
    axes.plot(
      trials[own],
      values[own],
      linestyle='',
      marker='os^xd'[number % 5],
      markersize=3.5,
      color=COLOURS[number % len(COLOURS)],
      alpha=0.8,
      label=name,
    )
  axes.step(
    trials, best, where='post', color='black', linewidth=1, label='best so far'
  )
  axes.set(xlabel='trial', yscale=scale)
  axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
  _numbers(axes, scale)
  figure.legend(loc='outside right center')
  figure.supylabel(label)
  return figure


@styled
def against_parameters(parameters, values, label, scale='linear'):
  """The figure of trials by each parameter: a panel for each, side by side.

  Args:
    parameters: from a parameter's name to its values, N numbers or words, and
      the scale of its axis, 'linear' or 'log', which words leave aside.
    values: `[N]`; those that are not finite are left out.
    label: what is measured.
    scale: of the vertical axis, 'linear' or 'log'.

  Raises:
    ValueError: if there is no parameter.
  """
  figure, places = panels(len(parameters), 4, (2, 2), sharey=True)
  values = np.asarray(values, float)
  for axes, (name, (chosen, across)) in zip(
    places, parameters.items(), strict=True
  ):
    axes.set_title(textwrap.shorten(name, 40))
    axes.set_yscale(scale)
    if any(isinstance(value, str) for value in chosen):
      words = sorted(set(chosen))
      at = np.array([words.index(value) for value in chosen])
      axes.set_xticks(range(len(words)), words)
      axes.set_xlim(-0.5, len(words) - 0.5)
    else:
      at = np.asarray(chosen, float)
      axes.set_xscale(across)
    axes.scatter(
      at,
      values,
      9,
      np.arange(len(values)),
      cmap='Blues',
      vmin=-0.4 * len(values),
      linewidth=0,
    )
    _numbers(axes, scale)
  figure.supxlabel('paler: earlier', fontsize=6)
  figure.supylabel(label)
  return figure


def _numbers(axes, scale):
  """Writes the vertical axis in plain numbers."""
  if scale == 'log':
    axes.yaxis.set_major_formatter('{x:g}')
    axes.yaxis.set_minor_formatter(NullFormatter())
