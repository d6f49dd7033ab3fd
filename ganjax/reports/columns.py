"""Measured values, as the JSON files that hold them describe them.

`evaluation.json` and `sweep.json` have `columns`, a dict from the name of a
value to a dict of its `title`; its `direction`, 'minimize' or 'maximize', or
null where runs are not ranked by it; `on_features`, whether it depends on the
features that images are compared on; and `measure`, the measure that takes it.
"""

ON_FEATURES = ' (features)'
"""Ends the title of a value that is on other features than Inception's."""


_FEW = 1000  # images, with which a FID is mostly its bias


def cautions(columns, rows):
  """Returns sentences on what values cannot say, for the table that has them.

  Args:
    columns: as above, of the values that are shown.
    rows: of what was measured, dicts with `settings` and `number`.
  """
  names = [own['title'] for own in columns.values() if own.get('on_features')]
  if not names:
    return []
  taken, found = ', '.join(names), []
  if any('untrained' in row['settings'].get('features', '') for row in rows):
    found.append(
      f'The features are of an untrained network: {taken} can tell runs on the '
      'same data from each other, and say little on how good samples are.'
    )
  fewest = min((row['number'] for row in rows if row.get('number')), default=0)
  if 0 < fewest < _FEW:
    found.append(
      f'{taken}: of only {fewest:,} images. Below about {_FEW:,} such values '
      'depend on that number more than on the samples, so compare them with '
      'values of as many images only.'
    )
  return found


def title(name, columns, *features):
  """Returns the title of a value.

  Args:
    name: of the value; one that is in no column is its own title.
    columns: as above.
    *features: the names of the features that it was measured on.
  """
  column = columns.get(name, {})
  inception = features and all(
    own and own.lower().startswith('inception') for own in features
  )
  ending = '' if inception or not column.get('on_features') else ON_FEATURES
  return column.get('title', name.replace('_', ' ')) + ending


def direction(name, columns):
  """Returns 'minimize' or 'maximize', or None where no column says which."""
  return columns.get(name, {}).get('direction')
