"""Figures of bars: medians of several sides, with their spread."""

import numpy as np

from ganjax.reports.figures.layout import COLOURS, GREYS, panels, styled


@styled
def spreads(cases, label):
  """Returns the figure of bars: a panel for each case, one below the other.

  A bar ends at the median of a side, and a line on it goes from the least value
  to the largest. The first side of a case is the one to look at.

  Args:
    cases: by name, a dict from each side's name to its values.
    label: what is measured.

  Raises:
    ValueError: if there is no case.
  """
  most = max((len(sides) for sides in cases.values()), default=0)
  figure, places = panels(len(cases), 1, (5, 0.4 + 0.18 * most))
  for axes, (name, sides) in zip(places, cases.items(), strict=True):
    middle = np.array([np.median(values) for values in sides.values()])
    least = np.array([min(values) for values in sides.values()])
    largest = np.array([max(values) for values in sides.values()])
    axes.set_title(name, loc='left')
    axes.barh(
      list(sides),
      middle,
      xerr=[middle - least, largest - middle],
      color=[COLOURS[0]] + [GREYS[1]] * (len(sides) - 1),
      error_kw={'elinewidth': 0.8, 'ecolor': GREYS[2]},
    )
    axes.invert_yaxis()
    axes.set_xlim(left=0)
  figure.supxlabel(label)
  return figure
