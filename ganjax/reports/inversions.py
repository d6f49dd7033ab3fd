"""The table of pictures that a generator was inverted to."""

import statistics

from ganjax.reports import render


def table(rows, most=20):
  """Returns the `render.Table` of pictures, those of the largest error first.

  Args:
    rows: dicts with the `picture`, perhaps its `class`, and numbers by name.
    most: rows of the table.
  """
  worst = sorted(rows, key=lambda row: -row['error'])[:most]
  errors = [row['error'] for row in rows]
  median, mean = statistics.median(errors), statistics.fmean(errors)
  titles = list(rows[0])
  notes = [
    f'Median error {median:.5f}, mean {mean:.5f}, of {len(rows)} pictures'
    f'{", of which the worst stand here" if len(rows) > most else ""}.',
    *(f'{name}: {_MEANING[name]}.' for name in titles if name in _MEANING),
  ]
  return render.Table(
    titles,
    [[_words(value) for value in row.values()] for row in worst],
    frozenset(n for n, name in enumerate(titles) if name in _MEANING),
    notes,
  )


_MEANING = {
  'error': 'mean squared error of the pixels, in units of [0, 1]',
  'features': "squared error of the features, relative to the picture's own",
  'radius': 'distance from the mean of what the prior draws, about 1 for a '
  'draw; far above, the generator makes the picture from what it never draws',
}


def _words(value):
  return f'{value:.5f}' if isinstance(value, float) else value
