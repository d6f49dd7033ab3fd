"""How every program starts and ends: flags, caches, and errors as sentences."""

import contextlib
import ctypes
import io
import os
import re
import sys
import warnings
from importlib import metadata

from absl import app, flags, logging
from packaging.requirements import Requirement
from tqdm import tqdm

from ganjax import exits, files, paths
from ganjax.training import provenance

_TRACEBACK = flags.DEFINE_bool(
  'traceback', False, 'Print where in the code an error was raised.'
)

STOPPED = 75
"""Exit code where a signal ended a run: "try again" in sysexits.h."""

# What a user can cause and mend; anything else is a bug, and its trace is
# printed.
_MENDABLE = (ValueError, FloatingPointError, ImportError, OSError)


def run(main):
  """Runs `main()` with absl's flags parsed; its number is the exit code.

  Errors that a user can mend are one sentence on stderr, with exit code 1;
  wrong flags end with 2, and signals with `STOPPED`.
  """

  def guarded(argv):
    if len(argv) > 1:
      _fail(f'There is no use for {argv[1]!r}; flags begin with two dashes.', 2)
    warnings.formatwarning = _as_sentence
    # A name that is no UTF-8 is not worth an error at the end of the work.
    if isinstance(sys.stdout, io.TextIOWrapper):
      sys.stdout.reconfigure(errors='backslashreplace')
    if not flags.FLAGS['verbosity'].present:
      logging.set_verbosity(logging.WARNING)
    _cache_programs()
    _keep_memory()
    try:
      sys.exit(main())
    except (*_MENDABLE, MemoryError, RuntimeError) as error:
      if _TRACEBACK.value or not _mendable(error):
        raise
      _fail(sentence(error), 1)

  try:
    with exits.interrupted_by_signals(_leave_at_once):
      app.run(guarded, flags_parser=_parse)
  except KeyboardInterrupt:
    _say('Stopped by a signal; the same command begins anew, or goes on.')
    exits.leave(STOPPED)
  except SystemExit as end:
    # Several processes leave together, each at the end of its interpreter.
    if end.code not in (1, 2):
      raise
    exits.leave(end.code)
  except BaseException:
    sys.excepthook(*sys.exc_info())
    exits.leave(1)


def _mendable(error):
  """Returns whether a user can cause and mend an error."""
  return (
    isinstance(error, _MENDABLE)
    or files.out_of_threads(error)
    or files.out_of_memory(error)
  )


def sentence(error):
  """Returns what a user should read of an error, as a sentence."""
  missing = missing_extra(error)
  if missing:
    return missing
  if files.out_of_threads(error):
    return f'No thread could be started ({error}): {files.remedy(error)}.'
  if files.out_of_memory(error):
    # XLA adds the whole table of what it has allocated.
    found = ' '.join(f'{error}'.splitlines()[:1])
    why = f' ({found})' if found else ''
    return f'There is not enough memory{why}: {files.remedy(error)}.'
  return f'{error}'


def _leave_at_once():
  # Not by print, in the middle of which the signal may have come.
  text = 'Stopped by a signal, at once.'
  os.write(2, f'\n{provenance.program()}: {text}\n'.encode())
  exits.leave(STOPPED)


def missing_extra(error):
  """Returns how to install what an import missed, as a sentence.

  Args:
    error: an exception.

  Returns:
    None, unless the error says that there is no module of a library that an
    extra of ganjax brings, and its base does not.
  """
  library = getattr(error, 'name', None)
  if not isinstance(error, ModuleNotFoundError) or library is None:
    return None
  requirements = [*map(Requirement, metadata.requires('ganjax'))]
  own = [found for found in requirements if found.name == library]
  if not own or any(found.marker is None for found in own):
    return None

  def brought(extra, those):
    """Returns those requirements that an extra has, but the base has not."""
    return [
      found
      for found in those
      if found.marker and found.marker.evaluate({'extra': extra})
    ]

  extras = metadata.metadata('ganjax').get_all('Provides-Extra')
  smallest = min(
    (extra for extra in extras if brought(extra, own)),
    key=lambda extra: len(brought(extra, requirements)),
  )
  return (
    f'{library} is not installed, and this needs it: run '
    f"pip install 'ganjax[{smallest}]'."
  )


def _except_hook(kind, error, trace):
  """Answers the imports of a program, which precede its call of `run`."""
  sentence = missing_extra(error)
  if sentence is None:
    sys.__excepthook__(kind, error, trace)
  else:
    _say(sentence)


# Programs import this module before those whose libraries an extra brings.
sys.excepthook = _except_hook


def one_device_a_core():
  """Lets runs of a population go side by side on a CPU; before jax begins.

  Each core is then a device that computes by itself: XLA's pool of threads,
  which would share out the operations of a single run, has only one. (The flag
  xla_cpu_multi_thread_eigen no longer does that.)
  """
  import jax

  os.environ.setdefault('PJRT_NPROC', '1')
  # Too late where a caller has computed already: it keeps its devices.
  with contextlib.suppress(RuntimeError):
    jax.config.update('jax_num_cpu_devices', len(os.sched_getaffinity(0)))


OF_FLAGS = (
  AttributeError,
  KeyError,
  OSError,
  TypeError,
  ValueError,
  flags.Error,
)
"""What wrong flags raise, those of the fields of a config among them."""


def _parse(argv):
  try:
    rest = flags.FLAGS(argv)
  except OF_FLAGS as error:
    refuse(error)
  for name in 'workdir', 'output':
    if name in flags.FLAGS and flags.FLAGS[name].value == '':
      _fail(f'--{name} is empty; give a path.', 2)
  return rest


def refuse(error):
  """Ends the program with what wrong flags have raised, one of `OF_FLAGS`."""
  if isinstance(error, AttributeError | KeyError):
    # What ml_collections says is wrapped in up to two errors.
    while isinstance(error.args[0], Exception):
      error = error.args[0]
    name, *hint = f'{error.args[0]}'.splitlines()
    _fail(f'The config has no field {name}. {" ".join(hint)}'.strip(), 2)
  # ml_collections puts a config's own error at the end of a trace.
  sentence = re.split(r'\n\w+Error: ', f'{error}')[-1]
  _fail(' '.join(sentence.split()), 2)


def _fail(sentence, code):
  _say(sentence)
  sys.exit(code)


def _say(sentence):
  tqdm.write(prefixed(sentence), file=sys.stderr)


def prefixed(sentence):
  """Returns a sentence behind the name of the program, for stderr."""
  return f'{provenance.program()}: {_printable(sentence)}'


def _as_sentence(message, *place, **line):
  return f'Warning: {_printable(message)}\n'


def _printable(message):
  """Returns the lines of a message, in which no name steers the terminal."""
  return '\n'.join(map(paths.printable, f'{message}'.splitlines()))


def _keep_memory():
  """What a step frees, the next one finds.

  Else glibc returns large arrays to the kernel at once, and has them cleared
  anew at each step: on a CPU that is up to a quarter of a step. Where the
  environment sets glibc's malloc, it is left alone.
  """
  if any(name.startswith(('MALLOC_', 'GLIBC_T')) for name in os.environ):
    return
  with contextlib.suppress(AttributeError, TypeError):  # another C library
    mallopt = ctypes.CDLL(None).mallopt
    for option, value in (_MMAP_MAX, 0), (_TRIM_THRESHOLD, -1), (_ARENA_MAX, 1):
      mallopt(option, value)


# As <malloc.h> numbers them.
_TRIM_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -4, -8


def _cache_programs():
  """A second start finds compiled programs on the disk."""
  options = {
    'jax_compilation_cache_dir': f'{files.folder() / "xla"}',
    'jax_persistent_cache_min_compile_time_secs': 0,
    'jax_persistent_cache_min_entry_size_bytes': -1,
  }
  if 'jax' not in sys.modules:
    # A program that only reports needs no jax; another one reads these when it
    # imports it.
    os.environ.update({name.upper(): f'{own}' for name, own in options.items()})
    return
  import jax

  for name, value in options.items():
    jax.config.update(name, value)
