"""A choice by name: tables of what modules define, and an answer to a typo."""

import difflib
import importlib
import inspect
import pkgutil


def choose(kind, table, name):
  """Returns the entry of a table that has a name.

  Args:
    kind: what the table holds, in the singular, for the message.
    table: a dict from names to anything.
    name: the name of the wanted entry.

  Raises:
    ValueError: if the table has no such name; the message says the nearest
      name, and all of them.
  """
  if name in table:
    return table[name]
  near = difflib.get_close_matches(name, table, 1)
  hint = ''.join(f' did you mean {other!r}?' for other in near)
  raise ValueError(
    f'There is no {kind} {name!r};{hint} choose from '
    f'{", ".join(sorted(table))}.'
  )


def functions(module):
  """Returns the public functions of a module, a dict by name."""
  return {
    name: entry
    for name, entry in vars(module).items()
    if inspect.isfunction(entry) and name[0] != '_'
  }


def modules(package):
  """Yields the modules of a package, which are imported here.

  A new file in the package's folder is found by itself.

  Args:
    package: an imported package.
  """
  for found in pkgutil.iter_modules(package.__path__):
    yield importlib.import_module(f'{package.__name__}.{found.name}')


def gather(package, attribute):
  """Returns one dict of the dicts that the modules of a package define.

  Args:
    package: as in `modules`.
    attribute: the name of the dicts; a module need not have one.

  Raises:
    ValueError: if two modules define the same key.
  """
  table, owners = {}, {}
  for module in modules(package):
    for name, entry in getattr(module, attribute, {}).items():
      if name in table:
        raise ValueError(
          f'{attribute} of {owners[name]} and of {module.__name__} both define '
          f'{name!r}; rename one of them.'
        )
      table[name], owners[name] = entry, module.__name__
  return table
