"""Colours, panels and files of all figures.

Each function of a module of figures returns a `matplotlib.figure.Figure` and
leaves pyplot and its settings alone; `save` writes it. The colours are those of
Okabe and Ito, which colour-blind readers can distinguish.
"""

import math
import pathlib

import matplotlib
import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.ticker import (
  EngFormatter,
  LogLocator,
  MaxNLocator,
  NullFormatter,
)

from ganjax import files

COLOURS = ('#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9')
GREYS = ('#F1F1F1', '#BBBBBB', '#888888')
_CAPTION = 0.4  # inches, for what is written under all panels

styled = matplotlib.rc_context(
  {
    'font.size': 8,
    'axes.titlesize': 8,
    'axes.labelsize': 8,
    'axes.linewidth': 0.6,
    'axes.edgecolor': GREYS[2],
    'axes.spines.top': False,
    'axes.spines.right': False,
    'figure.labelsize': 8,
    'xtick.labelsize': 7,
    'ytick.labelsize': 7,
    'xtick.major.size': 2.5,
    'ytick.major.size': 2.5,
    'legend.frameon': False,
    'lines.linewidth': 1.2,
  }
)
"""Decorates a function that draws, with settings that hold while it runs."""


def colours_of(names):
  """Returns a dict from each name to its colour.

  Up to six have those of Okabe and Ito, and more are dark to bright, in their
  order: equal names in an equal order look alike in all figures.
  """
  names = list(dict.fromkeys(names))
  if len(names) <= len(COLOURS):
    return dict(zip(names, COLOURS, strict=False))
  bright = colormaps['viridis'](np.linspace(0, 0.92, len(names)))
  return dict(zip(names, map(tuple, bright), strict=True))


def panels(number, columns, size, **shared):
  """Returns a figure and `number` axes in it, row by row.

  Args:
    number: of panels, at least 1.
    columns: at most; fewer where that fills the last row better.
    size: width and height of a panel, in inches.
    **shared: `sharex` and `sharey`, as of `Figure.subplots`.

  Raises:
    ValueError: if `number` is 0.
  """
  if not number:
    raise ValueError(
      'there are 0 results to draw, but a figure needs at least 1: pass a dict '
      'with an entry for each panel'
    )
  rows = math.ceil(number / columns)
  columns = math.ceil(number / rows)
  figure = Figure(
    (columns * size[0], rows * size[1] + _CAPTION), layout='compressed'
  )
  axes = figure.subplots(rows, columns, squeeze=False, **shared).ravel()
  for place in range(number, rows * columns):
    axes[place].set_visible(False)
    # The panel above an empty place is the last of its column.
    axes[place - columns].xaxis.set_tick_params(labelbottom=True)
  return figure, list(axes[:number])


def save(figure, path):
  """Writes a figure; equal figures make equal files, whatever the date.

  Args:
    figure: a `matplotlib.figure.Figure`.
    path: of the file; its ending chooses the format: png, pdf or svg. Text
      stays text in the latter two.
  """
  undated = {
    '.png': {'Software': None},
    '.pdf': {'CreationDate': None},
    '.svg': {'Date': None},
  }
  fixed = {'svg.hashsalt': 'ganjax', 'svg.fonttype': 'none', 'pdf.fonttype': 42}
  ending = pathlib.Path(path).suffix.lower()
  with matplotlib.rc_context(fixed), files.whole(path) as unfinished:
    figure.savefig(
      unfinished,
      format=ending[1:],
      dpi=200,
      bbox_inches='tight',
      pad_inches=0.03,
      metadata=undated.get(ending),
    )


def count_axis(axes, number):
  """Marks a horizontal axis of counts at `number` places or fewer: 2k, 4k."""
  axes.xaxis.set_major_locator(MaxNLocator(number, steps=[1, 2, 5, 10]))
  axes.xaxis.set_major_formatter(EngFormatter(sep=''))


def number_axis(axes, scale):
  """Writes a vertical axis in plain numbers.

  Args:
    axes: of which.
    scale: 'linear' or 'log'.
  """
  if scale == 'log':
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter('{x:g}')
    axes.yaxis.set_minor_formatter(NullFormatter())
  else:
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
