"""Measured values, as the JSON files that hold them describe them.

`evaluation.json` and `sweep.json` have `columns`, a dict from the name of a
value to a dict of its `title`; its `direction`, 'minimize' or 'maximize', or
null where runs are not ranked by it; `on_features`, whether it depends on the
features that images are compared on; and `measure`, the measure that takes it.
"""

ON_FEATURES = ' (features)'
"""Ends the title of a value that is on other features than Inception's."""


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
