"""Figures of factors: their main effects, and the trials of a search."""

import textwrap
from typing import NamedTuple

import numpy as np
from matplotlib.ticker import MaxNLocator

from ganjax.reports.figures.layout import (
  COLOURS,
  GREYS,
  colours_of,
  number_axis,
  panels,
  styled,
)


class Effect(NamedTuple):
  """What is drawn of the L values of one factor.

  Attributes:
    names: of the values, L words.
    means: `[L]`.
    errors: `[L]`, to either side; NaN draws none.
    settings: L arrays, the means of each value's settings, as many as there
      are.
  """

  names: list
  means: np.ndarray
  errors: np.ndarray
  settings: list


@styled
def main_effects(factors, label, scale='linear'):
  """Returns the figure of main effects: a panel for each factor, side by side.

  The small points are settings, the large ones the means over them, with their
  standard errors, in the colours that the values have in learning curves.

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
    for place, means in zip(at, effect.settings, strict=True):
      aside = np.linspace(-0.14, 0.14, len(means)) if len(means) > 1 else 0
      axes.plot(
        place + aside + 0 * np.asarray(means),
        means,
        linestyle='',
        marker='o',
        markersize=3,
        markeredgewidth=0,
        color=GREYS[1],
        zorder=1,
      )
    axes.plot(at, effect.means, color=GREYS[2], zorder=2)
    colours = colours_of(effect.names)
    for place, value in enumerate(effect.names):
      axes.errorbar(
        *(place, effect.means[place], effect.errors[place]),
        color=colours[value],
        marker='o',
        markersize=4,
        elinewidth=1.2,
        capsize=2.5,
        zorder=3,
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
    number_axis(axes, scale)
  figure.supylabel(label)
  return figure


@styled
def history(trials, values, best, ended, label, scale='linear'):
  """Returns the figure of a search: the value of each trial, and the best.

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
  number_axis(axes, scale)
  figure.legend(loc='outside right center')
  figure.supylabel(label)
  return figure


@styled
def against_parameters(parameters, values, label, scale='linear'):
  """Returns the figure of trials by parameter: a panel for each, side by side.

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
    number_axis(axes, scale)
  figure.supxlabel('paler: earlier', fontsize=6)
  figure.supylabel(label)
  return figure
