"""The command `ganjax`: the programs, presets and parts of the package.

  ganjax                                 lists the programs
  ganjax train dcgan --workdir runs/a    is python -m experiments.train
                                         --config configs/dcgan.py --workdir ...
  ganjax presets                         lists the configs and their presets
  ganjax explain loss hinge              says what a part is, and its config

A config is the path of a file, or the name of one that comes with the package;
a preset follows a colon: `ganjax train msg:flowers32 --workdir runs/flowers`.
`ganjax PROGRAM --help` lists the flags of a program.
"""

import ast
import importlib
import inspect
import itertools
import os
import pathlib
import runpy
import sys

from ganjax.lookup import choose


def main():
  """Runs what `sys.argv` asks for; errors are a sentence, with exit code 2."""
  root = f'{_root()}'
  # The programs, and the processes that they start, import from there.
  sys.path.insert(0, root)
  paths = [root, *filter(None, [os.environ.get('PYTHONPATH')])]
  os.environ['PYTHONPATH'] = os.pathsep.join(paths)
  _, *words = sys.argv
  name, *rest = words or ['--help']
  try:
    if name in ('--help', '-h', 'help'):
      print(_help())
    elif name == 'presets':
      print(_presets())
    elif name == 'explain':
      print(_explained(rest))
    else:
      program = choose('program', _programs(), name)
      _run(program, name, rest)
  except ValueError as error:
    print(f'ganjax: {error}', file=sys.stderr)
    sys.exit(2)
  except BrokenPipeError:  # Whoever reads the list has seen enough.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _root():
  """Returns the folder that has `experiments` and `configs` in it."""
  package = pathlib.Path(__file__).parent
  installed = package / 'programs'
  return installed if installed.exists() else package.parent


def _programs():
  """Returns the paths of the programs by their names."""
  folder = _root() / 'experiments'
  return {
    path.stem: path
    for path in sorted([*folder.glob('[!_]*.py'), *folder.glob('[!_]*')])
    if path.suffix == '.py' or (path / '__main__.py').exists()
  }


def _run(path, name, words):
  """Runs a program as `python -m experiments.NAME` does."""
  if words and not words[0].startswith('-'):
    words = [f'--config={_config(name, words[0])}', *words[1:]]
  sys.argv[1:] = words
  module = f'experiments.{name}'
  if path.is_dir():
    module += '.__main__'
  runpy.run_module(module, run_name='__main__', alter_sys=True)


def _config(program, given):
  """Returns what --config is given for the name of a config, or a path.

  Args:
    program: its name; a config of the same name has presets that may stand
      alone, as in `ganjax mode_collapse ring`.
    given: the name or path, and after a colon a preset.

  Raises:
    ValueError: if there is no such config.
  """
  name, colon, preset = given.partition(':')
  if name.endswith('.py'):
    return given
  found = _configs()
  if name not in found and program in found:
    name, colon, preset = program, ':', given
  return f'{choose("config", found, name)}{colon}{preset}'


def _configs():
  """Returns the paths of the configs by their names, those at hand first."""
  folders = _root() / 'configs', pathlib.Path('configs')
  return {
    path.stem: path
    for folder in folders
    for path in sorted(folder.glob('[!_]*.py'))
    if 'def get_config' in path.read_text() and path.stem != 'base'
  }


def _help():
  rows = [
    (name, _first_line(path / '__main__.py' if path.is_dir() else path))
    for name, path in _programs().items()
  ]
  rows += [
    ('presets', 'Lists the configs and presets, and what to expect of them.'),
    ('explain', 'Says what a part is, such as `explain loss hinge`.'),
  ]
  return f'{__doc__}\n{_table(rows)}'


def _presets():
  """Returns the list of all configs: what they are, and what to expect."""
  lines = []
  for name in _configs():
    module = importlib.import_module(f'configs.{name}')
    lines += ['', f'{name}: {_summary(module)}']
    rows = [('', words) for words in _expected(module)]
    for own in getattr(module, 'PRESETS', ()):
      rows += [(f'{name}:{own.__name__}', _summary(own))]
      rows += [('', words) for words in _expected(own)]
    lines += [_table(rows)] if rows else []
  return '\n'.join(lines).strip()


def _explained(words):
  """Returns what a part is, in its own words, and how a config chooses it."""
  from ganjax.config import parts

  kinds = parts.kinds()
  if not words:
    return '\n'.join(
      f'{kind}: {", ".join(sorted(found.table))}'
      for kind, found in kinds.items()
    )
  kind = choose('kind of part', kinds, words[0])
  if len(words) == 1:
    return _table(
      (name, _description(part).split('\n')[0])
      for name, part in sorted(kind.table.items())
    )
  name = words[1]
  part = choose(words[0], kind.table, name)
  line = kind.line.format(name=name)
  return f'{_signature(name, part)}\n\n{_description(part)}\n\nConfig: {line}'


def _signature(name, part):
  if not inspect.isfunction(part):
    return name
  parameters = [
    parameter.replace(annotation=inspect.Parameter.empty)
    for parameter in inspect.signature(part).parameters.values()
  ]
  return f'{name}{inspect.Signature(parameters)}'


def _description(part):
  """Returns the docstring of a function, a module, or a value of `losses`."""
  if inspect.isfunction(part) or inspect.ismodule(part):
    return inspect.getdoc(part)
  return _attribute_docstring(part)


def _attribute_docstring(part):
  """Returns the string below the assignment of a value in `losses`."""
  from ganjax import losses

  statements = ast.parse(inspect.getsource(losses)).body
  return next(
    inspect.cleandoc(after.value.value)
    for statement, after in itertools.pairwise(statements)
    if isinstance(statement, ast.Assign)
    and isinstance(after, ast.Expr)
    and vars(losses)[statement.targets[0].id] is part
  )


def _first_line(path):
  return (ast.get_docstring(ast.parse(path.read_text())) or '').split('\n')[0]


def _summary(own):
  return (inspect.getdoc(own) or '').split('\n')[0]


def _expected(own):
  """Returns the paragraphs of a docstring that begin with 'Expect '."""
  paragraphs = (inspect.getdoc(own) or '').split('\n\n')
  return [
    ' '.join(words.split())
    for words in paragraphs
    if words.startswith('Expect ')
  ]


def _table(rows):
  rows = list(rows)
  width = max(len(name) for name, _ in rows) + 2
  return '\n'.join(f'  {name:{width}}{words}'.rstrip() for name, words in rows)
