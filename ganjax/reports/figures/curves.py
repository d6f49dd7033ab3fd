"""Curves over training: a line for the mean, a band for the spread."""

import textwrap
from typing import NamedTuple

import numpy as np

from ganjax.reports.figures.layout import (
  GREYS,
  colours_of,
  count_axis,
  number_axis,
  panels,
  styled,
)

_MARKED = 24  # points at most that are marked one by one


class Curve(NamedTuple):
  """A mean and its spread over training.

  Attributes:
    x: images seen, or steps, `[T]`.
    mean: `[T]`.
    low: the lower end of the band, `[T]`; NaN draws none.
    high: the upper end, `[T]`.
  """

  x: np.ndarray
  mean: np.ndarray
  low: np.ndarray
  high: np.ndarray


def with_error(x, mean, error):
  """Returns the `Curve` of a mean `[T]` plus and minus an error `[T]`."""
  x, mean, error = map(np.asarray, (x, mean, error))
  return Curve(x, mean, mean - error, mean + error)


def with_deviation(x, values):
  """Returns the `Curve` of the mean and standard deviation over seeds.

  Args:
    x: images seen, or steps, `[T]`.
    values: `[S, T]`, or `[T]` of one seed, which has no deviation.

  Raises:
    ValueError: if the values do not have a column for each x.
  """
  x, values = np.asarray(x), np.atleast_2d(values)
  if values.shape[1:] != x.shape:
    raise ValueError(
      f'There are values of the shape {values.shape} for {len(x)} evaluations: '
      'pass a row for each seed and a column for each evaluation.'
    )
  several = len(values) > 1
  std = values.std(0, ddof=1) if several else np.full(len(x), np.nan)
  return with_error(x, values.mean(0), std)


def with_range(x, values):
  """Returns the `Curve` of the mean and the range over seeds.

  Args:
    x: images seen, or steps, `[T]`.
    values: `[S, T]`. Those that are not finite are left out.
  """
  values = np.ma.masked_invalid(np.asarray(values, float))
  return Curve(
    np.asarray(x),
    *(own.filled(np.nan) for own in (values.mean(0), values.min(0))),
    values.max(0).filled(np.nan),
  )


@styled
def curves(
  results,
  label,
  xlabel='images seen',
  scale='linear',
  shared=True,
  alike=True,
  bottom=None,
  top=None,
  references=None,
  reference='',
  caption='',
):
  """Returns the figure of curves over training: a panel for each title.

  Up to six lines have the colours of Okabe and Ito; more are dark to bright in
  their order. There is no legend where the title of each panel names its line.

  Args:
    results: from a panel's title to a dict, from a name to its `Curve`.
    label: of the vertical axis: what is measured.
    xlabel: of the horizontal axis.
    scale: of the vertical axes, 'linear' or 'log'.
    shared: whether the same name is the same colour in all panels, and stands
      in one legend; else each panel has its own.
    alike: whether the vertical axes of all panels are the same.
    bottom: the highest lower end of linear vertical axes; None for any.
    top: the upper end of linear vertical axes; None for any.
    references: from some of the titles to a value to compare with: a dashed
      line.
    reference: what the values to compare with are, in the legend.
    caption: what the values depend on, below the figure.

  Raises:
    ValueError: if there is no panel.
  """
  references, shared = references or {}, shared or len(results) == 1
  names = [name for lines in results.values() for name in lines]
  titled = all(list(lines) == [title] for title, lines in results.items())
  figure, places = _panels(results, shared, titled, alike)
  drawn = {}
  for axes, (title, lines) in zip(places, results.items(), strict=True):
    colours = colours_of(names if shared and not titled else list(lines))
    for name, curve in lines.items():
      drawn[name] = _draw(axes, curve, colours[name], name)
    if title in references:
      line = axes.axhline(
        references[title], color=GREYS[2], linewidth=0.8, linestyle=(0, (4, 3))
      )
      if reference:
        drawn[reference] = line
    axes.set(title=title, yscale=scale)
    axes.grid(color=GREYS[0], linewidth=0.6)
    axes.set_axisbelow(True)
    if scale == 'linear' and bottom is not None:
      axes.set_ylim(min(bottom, axes.get_ylim()[0]), top)
    number_axis(axes, scale)
    count_axis(axes, 5)
    if not shared and not titled:
      axes.legend(
        loc='upper center',
        bbox_to_anchor=(0.5, -0.14),
        fontsize=6.5,
        ncols=_legend_columns(lines),
      )
  if shared and not titled:
    where = 'right center' if len(results) == 1 else 'upper center'
    columns = 1 if len(results) == 1 else 3
    figure.legend(drawn.values(), drawn, loc=f'outside {where}', ncols=columns)
  figure.supxlabel(xlabel)
  figure.supylabel(label)
  # Below the figure; what is saved is cut to all that is drawn.
  figure.text(
    *(0.5, -0.02, textwrap.fill(caption, int(24 * figure.get_figwidth()))),
    fontsize=6,
    ha='center',
    va='top',
  )
  return figure


def modes_over_time(results, total, label='modes captured'):
  """Returns the figure of a measure of remedies: mean and range over seeds.

  Up to five remedies share a panel; more than that have one each.

  Args:
    results: from a remedy's name to `(steps [T], captured [S, T])`. Values
      that are not finite are left out of the mean and of the range, and the
      caption says of how many seeds.
    total: the number of modes, or the best value of another measure: a dashed
      line; None for a measure that has none.
    label: what is measured.

  Raises:
    ValueError: if there is no remedy.
  """
  lines = {name: with_range(*series) for name, series in results.items()}
  if 0 < len(lines) <= 5:
    by_title = {'': lines}
  else:
    by_title = {name: {name: line} for name, line in lines.items()}
  return curves(
    by_title,
    label,
    xlabel='step',
    bottom=0,
    top=total and 1.08 * total,
    references={} if total is None else dict.fromkeys(by_title, total),
    caption=_left_out(results),
  )


def _left_out(results):
  """Returns of which remedies seeds are left out, a sentence; '' if of none."""
  finite = {
    name: np.isfinite(np.asarray(values, float)).all(1)
    for name, (_, values) in results.items()
  }
  words = [
    f'{name} {int((~whole).sum())} of {len(whole)}'
    for name, whole in finite.items()
    if not whole.all()
  ]
  if not words:
    return ''
  return f'Seeds left out where they are not finite: {", ".join(words)}.'


def _panels(results, shared, titled, alike):
  """Returns a figure and its axes, as large as the curves and legends need."""
  if len(results) == 1:
    return panels(1, 1, (4.4, 2.3))
  if shared or titled:
    return panels(len(results), 4, (2, 1.6), sharex=True, sharey=alike)
  entries = max(
    (-(-len(lines) // _legend_columns(lines)) for lines in results.values()),
    default=0,
  )
  return panels(len(results), 3, (2.6, 2.1 + 0.13 * entries), sharey=alike)


def _legend_columns(names):
  """Returns how many columns a legend as wide as a panel has room for."""
  return 2 if max(map(len, names), default=0) < 17 else 1


def _draw(axes, curve, colour, name):
  """Draws a curve; returns its line."""
  if np.isfinite(curve.low).any():
    axes.fill_between(
      curve.x, curve.low, curve.high, color=colour, alpha=0.18, linewidth=0
    )
  marker = 'o' if len(curve.x) <= _MARKED else None
  [line] = axes.plot(
    *(curve.x, curve.mean),
    color=colour,
    marker=marker,
    markersize=2.5,
    label=name,
  )
  return line
