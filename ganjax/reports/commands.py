"""The commands that repeat a sweep, or one of its settings."""

import shlex


def of_sweep(about):
  """Returns the command of a sweep, as `sweep.json` has it."""
  program, *flags = about['command']
  return f'python -m experiments.{program} {shlex.join(flags)}'


def of_setting(about, changes, workdir):
  """Returns the command that trains a setting: a run, or all of a protocol's.

  Args:
    about: `sweep.json`.
    changes: of the setting, from dotted fields to JSON values.
    workdir: for the results.
  """
  parts = ['--config', about['name'], *about['overrides']]
  if about['task'] == 'images':
    program = 'train'
    parts += [
      f'--config.{field}={_flag(value)}' for field, value in changes.items()
    ]
    parts.append(f'--config.seed={about["seeds"][0]}')
  else:
    program = 'sweep'
    for field, value in changes.items():
      parts += ['--grid', f'{field}={_flag(value)}']
    parts += ['--seeds', len(about['seeds'])]
    parts += ['--evaluations', about['evaluations']]
  parts += ['--workdir', workdir]
  return f'python -m experiments.{program} {shlex.join(map(str, parts))}'


def _flag(value):
  if isinstance(value, list | tuple):
    return f'({",".join(map(_flag, value))},)'
  return f'{value}'
