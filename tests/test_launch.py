"""What programs say of extras, and what the base of ganjax does alone."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import venv
from importlib import metadata

import pytest
from packaging.requirements import Requirement

from ganjax import launch

ROOT = pathlib.Path(__file__).resolve().parents[1]


def missing(library):
  return launch.missing_extra(ModuleNotFoundError('no', name=library))


def of_extras():
  """The names of the libraries that ganjax needs for its extras alone."""
  requirements = [*map(Requirement, metadata.requires('ganjax'))]
  base = {found.name for found in requirements if not found.marker}
  return {found.name for found in requirements} - base - {'ganjax'}


@pytest.mark.parametrize(
  ('library', 'extra'),
  [
    ('optuna', 'sweeps'),
    ('sqlalchemy', 'sweeps'),
    ('jinja2', 'reports'),
    ('matplotlib', 'reports'),
    ('h5py', 'style'),
    ('grain', 'streaming'),
    ('mlxtend', 'data'),
    ('submitit', 'slurm'),
    ('ray', 'ray'),
  ],
)
def test_a_missing_library_is_answered_with_the_extra(library, extra):
  sentence = missing(library)
  assert sentence.startswith(f'{library} ')
  assert f"pip install 'ganjax[{extra}]'" in sentence


def test_other_errors_of_imports_are_left_as_they_are():
  # Of no extra; of the base; of a library that is there, but damaged.
  for library in 'nothing_of_this_name', 'jax', 'optuna.damaged', None:
    assert missing(library) is None
  assert launch.missing_extra(ImportError('no', name='optuna')) is None
  assert launch.missing_extra(ValueError('no')) is None


WITHOUT_EXTRAS = """
import importlib, runpy, sys

class Refuse:
  def find_spec(self, name, path=None, target=None):
    if name.partition('.')[0] in {missing}:
      raise ModuleNotFoundError(f'There is no {{name}}.', name=name)

sys.meta_path.insert(0, Refuse())

import ganjax as gx
for name in gx.__all__:
  getattr(gx, name)

from absl import flags
from ganjax import launch
common = set(flags.FLAGS)
for name in 'train', 'sample', 'evaluate':
  importlib.import_module(f'experiments.{{name}}')
  for flag in set(flags.FLAGS) - common:
    delattr(flags.FLAGS, flag)
print('imported')

sys.argv = ['sweep', '--workdir=nowhere']
runpy.run_module('experiments.sweep', run_name='__main__')
"""


def test_the_base_programs_need_no_extra_and_sweeps_say_which_they_need():
  done = subprocess.run(
    [sys.executable, '-c', WITHOUT_EXTRAS.format(missing=of_extras())],
    cwd=ROOT,
    env=os.environ | {'JAX_PLATFORMS': 'cpu'},
    capture_output=True,
    text=True,
  )
  assert done.stdout == 'imported\n', done.stderr
  assert done.returncode == 1
  assert done.stderr.startswith('sweep: ')
  assert "pip install 'ganjax[sweeps]'" in done.stderr
  assert done.stderr.count('\n') == 1


@pytest.mark.slow
def test_the_base_alone_trains_samples_and_runs_the_first_snippet(tmp_path):
  copy, place = tmp_path / 'ganjax', tmp_path / 'venv'
  for name in 'ganjax', 'experiments', 'configs':
    shutil.copytree(
      ROOT / name, copy / name, ignore=shutil.ignore_patterns('__pycache__')
    )
  for name in 'pyproject.toml', 'README.md', 'LICENSE':
    shutil.copy(ROOT / name, copy)
  venv.create(place, with_pip=True)
  clean = {
    name: value
    for name, value in os.environ.items()
    if name not in {'PYTHONPATH', 'XLA_FLAGS'}
  }

  def python(*arguments):
    return subprocess.run(
      [place / 'bin/python', *map(str, arguments)],
      cwd=copy,
      env=clean | {'JAX_PLATFORMS': 'cpu'},
      capture_output=True,
      text=True,
    )

  fetched = python('-m', 'pip', 'install', 'hatchling')
  if fetched.returncode:
    pytest.skip(f'pip reaches no packages here: {fetched.stderr[-200:]}')
  done = python('-m', 'pip', 'install', '.')
  assert done.returncode == 0, done.stderr
  # The programs shall find the package as it was installed.
  shutil.rmtree(copy / 'ganjax')

  for library in of_extras():
    assert python('-c', f'import {library}').returncode == 1, library
  done = python(
    '-m',
    'experiments.train',
    '--config=configs/dcgan.py',
    '--workdir=run',
    '--config.images=64',
    '--config.batch_size=16',
    '--config.checkpoint.every=32',
    '--config.data.resolution=16',
    '--config.generator.width=4',
    '--config.discriminator.width=4',
  )
  assert done.returncode == 0, done.stderr
  done = python('-m', 'experiments.sample', '--workdir=run', '--grid=2x2')
  assert done.returncode == 0, done.stderr
  assert (copy / 'run/grid.png').exists()
  done = python(
    *('-m', 'experiments.evaluate', '--workdir=run'),
    *('--samples=32', '--metrics=swd,prdc'),
  )
  assert done.returncode == 0, done.stderr

  # The command finds the programs and the configs that came with it.
  elsewhere = tmp_path / 'elsewhere'
  elsewhere.mkdir()
  for words in (
    ['presets'],
    ['train', 'dense', '--workdir=run', '--config.images=64'],
    ['sample', '--workdir=run', '--grid=2x2'],
  ):
    done = subprocess.run(
      [place / 'bin/ganjax', *words],
      cwd=elsewhere,
      env=clean | {'JAX_PLATFORMS': 'cpu'},
      capture_output=True,
      text=True,
    )
    assert done.returncode == 0, done.stderr
  assert (elsewhere / 'run/grid.png').exists()

  readme = (ROOT / 'README.md').read_text()
  snippet = re.search(r'```python\n(.*?)```', readme, re.DOTALL)[1]
  short = snippet.replace('1_000', '3')
  assert short != snippet
  done = python('-c', short)
  assert done.returncode == 0, done.stderr
  assert (copy / 'digits.png').exists()

  done = python('-m', 'experiments.sweep', '--workdir=sweep')
  assert done.returncode == 1
  assert done.stderr.startswith('sweep: ')
  assert "pip install 'ganjax[sweeps]'" in done.stderr
  assert done.stderr.count('\n') == 1


def test_names_in_errors_and_warnings_do_not_steer_the_terminal(capsys):
  with pytest.raises(SystemExit):
    launch._fail('There is no file \x1b[2Ja\udce9.\nGive another.', 1)
  err = capsys.readouterr().err
  assert err.endswith(': There is no file \\x1b[2Ja\\udce9.\nGive another.\n')
  assert launch._as_sentence('\x1b[31m') == 'Warning: \\x1b[31m\n'


def test_a_name_that_is_no_utf8_is_printed(monkeypatch, capfd):
  monkeypatch.setattr(
    launch.app, 'run', lambda main, flags_parser: main(['program'])
  )
  with pytest.raises(SystemExit) as end:
    launch.run(lambda: print('Written: caf\udce9.png') or 0)
  assert end.value.code == 0
  assert capfd.readouterr().out == 'Written: caf\\udce9.png\n'
