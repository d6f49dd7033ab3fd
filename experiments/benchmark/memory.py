"""The memory of a benchmark's side, in a process of its own."""

import importlib
import multiprocessing
import pathlib


def of_process(function, *arguments):
  """Returns {'before', 'peak'}, bytes of a new process that calls a function.

  Args:
    function: of a module; it returns `resident()` of when its work begins.
    *arguments: of the function.
  """
  spawn = multiprocessing.get_context('spawn')
  with spawn.Pool(1) as pool:
    return pool.apply(_measured, (function, arguments))


def added(found, sides):
  """Returns a row with the bytes of sides, each of them in its own process.

  Args:
    found: as `rounds.compare` returns it.
    sides: by name, the arguments of `three_rounds`.
  """
  for name, arguments in sides.items():
    found['sides'][name]['bytes'] = of_process(three_rounds, *arguments)
  return found


def three_rounds(library, make, *arguments):
  """Makes three rounds of a side; returns the bytes of memory before them.

  Args:
    library: of the side, which is imported before.
    make: `*arguments -> rounds.Side`, of a module.
    *arguments: as `make` takes them.
  """
  importlib.import_module(library)
  before = resident()
  side = make(*arguments)
  for _ in range(3):
    side.run()
  return before


def _measured(function, arguments):
  before = function(*arguments)
  return {'before': before, 'peak': _bytes('VmHWM')}


def resident():
  """Returns the bytes of memory that this process has, or None."""
  return _bytes('VmRSS')


def _bytes(what):
  """Returns a value of Linux's status of this process, or None elsewhere.

  The peak that getrusage tells begins with that of the parent process.
  """
  path = pathlib.Path('/proc/self/status')
  if not path.exists():
    return None
  lines = dict(line.split(':') for line in path.read_text().splitlines())
  return 1024 * int(lines[what].split()[0])
