"""A choice by name from a table, with an answer for names that it lacks."""

import difflib


def choose(kind, table, name):
  """The table's entry of that name.

  Args:
    kind: what the table holds, in the singular, for the message.
    table: from names to anything.
    name: which one.

  Raises:
    ValueError: if there is none, with the nearest name and all of them.
  """
  if name in table:
    return table[name]
  near = difflib.get_close_matches(name, table, 1)
  hint = ''.join(f' did you mean {other!r}?' for other in near)
  raise ValueError(
    f'There is no {kind} {name!r};{hint} choose from '
    f'{", ".join(sorted(table))}.'
  )
