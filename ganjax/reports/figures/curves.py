"""Figures of measures against the images seen: a line for a group of runs."""

import textwrap

import numpy as np
from matplotlib.ticker import (
  EngFormatter,
  LogLocator,
  MaxNLocator,
  NullFormatter,
)

from ganjax.reports.figures.drawing import COLOURS, GREYS, panels, styled


@styled
def against_images(results, label, references=None, scale='linear', caption=''):
  """The figure of a measure over training: a panel for each title.

  A group of runs is a line through the means of its seeds, with a mark at each
  moment that was measured; the band is one standard deviation (with S - 1) to
  either side, and missing where there is one seed.

  Args:
    results: from a panel's title to a dict, from a group's name to
      `(images [T], values [S, T])`.
    label: what is measured.
    references: from some of the titles to a value to compare with, such as that
      of held-out reals: a dashed line.
    scale: of the vertical axes, 'linear' or 'log'.
    caption: what the values depend on, under the figure.

  Raises:
    ValueError: if there is no panel, more groups than colours, or a group whose
      values do not have a column for each moment.
  """
  references = references or {}
  size = (3.6, 2.4) if len(results) == 1 else (2, 1.8)
  figure, places = panels(len(results), 4, size, sharex=True, sharey=True)
  names = list(
    dict.fromkeys(name for groups in results.values() for name in groups)
  )
  if len(names) > len(COLOURS):
    raise ValueError(
      f'There are {len(names)} groups, but {len(COLOURS)} lines at most can be '
      'told apart: draw several figures.'
    )
  lines = {}
  for axes, (title, groups) in zip(places, results.items(), strict=True):
    for name, (images, values) in groups.items():
      colour = COLOURS[names.index(name)]
      lines[name] = _line(axes, name, colour, np.asarray(images), values)
    if title in references:
      lines['held-out reals'] = axes.axhline(
        references[title], color=GREYS[2], linewidth=0.8, linestyle=(0, (4, 3))
      )
    axes.set(title=title, yscale=scale)
    if scale == 'log':
      axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
      axes.yaxis.set_major_formatter('{x:g}')
      axes.yaxis.set_minor_formatter(NullFormatter())
    else:
      axes.set_ylim(bottom=min(0, axes.get_ylim()[0]))
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(EngFormatter(sep=''))
  figure.legend(lines.values(), lines, loc='outside upper center', ncols=3)
  wide = int(24 * figure.get_figwidth())
  figure.supxlabel('images seen')
  # Below the figure; what is saved is cut to all that is drawn.
  figure.text(
    *(0.5, -0.02, textwrap.fill(caption, wide)),
    fontsize=6,
    ha='center',
    va='top',
  )
  figure.supylabel(label)
  return figure


def _line(axes, name, colour, images, values):
  """Draws a group; returns its line."""
  values = np.atleast_2d(values)
  if values.shape[1:] != images.shape:
    raise ValueError(
      f'{name!r} has values of the shape {values.shape} for {len(images)} '
      'moments: pass a row for each seed and a column for each moment.'
    )
  mean = values.mean(0)
  if len(values) > 1:
    std = values.std(0, ddof=1)
    axes.fill_between(
      images, mean - std, mean + std, color=colour, alpha=0.2, linewidth=0
    )
  [line] = axes.plot(images, mean, color=colour, marker='o', markersize=2.5)
  return line
