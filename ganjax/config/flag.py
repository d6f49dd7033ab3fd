"""The flag --config of all programs, whose mistakes are told in a sentence."""

import ast
import sys

from ml_collections import config_flags

from ganjax import launch, paths


def define(default, help_):
  """Defines --config, and returns its holder, whose `value` is the config.

  A file that is missing, no config, or without the preset that is asked for
  ends the program, as does a field that the config does not have.

  Args:
    default: the path of a config's file; a preset of it follows a colon.
    help_: what the flag is, a sentence.
  """
  try:
    _check(_given(sys.argv) or default)
    # It parses fields at once where the flag itself is not given.
    return config_flags.DEFINE_config_file('config', default, help_)
  except launch.OF_FLAGS as error:
    return launch.refuse(error)


def _given(argv):
  """Returns what the last --config is given; None without one."""
  found = None
  for word, after in zip(argv, [*argv[1:], None], strict=True):
    name, equals, value = word.partition('=')
    if name in ('-config', '--config'):
      found = value if equals else after
  return found


def _check(given):
  """Raises ValueError unless a file has a config, and presets if one is asked.

  Args:
    given: the path of a file; the name of a preset may follow a colon.
  """
  name, colon, preset = given.partition(':')
  path = paths.check_file(name)
  try:
    tree = ast.parse(path.read_bytes())
  except (SyntaxError, ValueError) as error:
    raise ValueError(
      f'--config is {path}, which is no Python ({error}); give a file such as '
      'configs/dcgan.py.'
    ) from error
  for node in tree.body:
    if isinstance(node, ast.FunctionDef) and node.name == 'get_config':
      if colon and not (node.args.args or node.args.vararg):
        raise ValueError(
          f'There is no preset {preset!r}, for {path} has none; leave out '
          f'{colon}{preset}.'
        )
      return
  if any(
    isinstance(node, ast.Name)
    and node.id == 'get_config'
    or isinstance(node, ast.alias)
    and (node.asname or node.name) in ('get_config', '*')
    for node in ast.walk(tree)
  ):
    return  # It is assigned, or imported from another config.
  raise ValueError(
    f'--config is {path}, which has no function get_config; give a file such '
    'as configs/dcgan.py.'
  )
