"""The command `ganjax`: programs, presets and parts by their names."""

import os
import pathlib
import subprocess
import sys

import pytest

from ganjax import command_line
from ganjax.config import parts

ROOT = pathlib.Path(__file__).parent.parent


@pytest.fixture
def command(monkeypatch, capsys):
  """`(*words) -> code, out, err` of the command, in this process."""
  monkeypatch.setenv('PYTHONPATH', '')
  monkeypatch.setattr(sys, 'path', [*sys.path])

  def run(*words):
    monkeypatch.setattr(sys, 'argv', ['ganjax', *words])
    try:
      code = command_line.main() or 0
    except SystemExit as end:
      code = end.code
    return code, *capsys.readouterr()

  return run


def test_it_lists_all_programs(command):
  for words in ((), ('--help',), ('help',)):
    code, out, err = command(*words)
    assert (code, err) == (0, '')
    for name in 'train', 'prepare', 'sweep', 'benchmark', 'compare', 'presets':
      assert f'\n  {name} ' in out


def test_all_presets_have_a_line_and_are_what_a_config_takes(command):
  code, out, _ = command('presets')
  assert code == 0
  for words in (
    'dcgan: DCGAN (Radford',
    '  msg:flowers32 ',
    '  mode_collapse:ring ',
    '  style_transfer:gatys ',
    '  r3gan:digits ',
  ):
    assert words in out
  words = [
    line.split()[0] for line in out.splitlines() if line.startswith('  ')
  ]
  # What to expect stands below a name, where it is known.
  assert words[words.index('dcgan:mnist5k') + 1] == 'Expect'
  names = [word for word in words if word != 'Expect']
  assert len(names) == len(set(names)) > 40


@pytest.mark.parametrize('kind', parts.kinds())
def test_each_part_has_a_description_and_a_line_of_a_config(kind, command):
  code, out, _ = command('explain', kind)
  assert code == 0
  for name in parts.kinds()[kind].table:
    assert f'  {name} ' in out
  code, out, _ = command('explain', kind, name)
  assert code == 0
  about, _, line = out.rpartition('Config: ')
  assert len(about.splitlines()) > 2 and name in line


def test_a_loss_is_explained_by_its_own_words(command):
  _, out, _ = command('explain', 'loss', 'hinge')
  assert out.startswith('hinge\n\nThe hinge loss of spectrally')
  assert out.endswith('Config: --config.loss=hinge\n')
  _, out, _ = command('explain', 'regularizer', 'r1')
  assert out.startswith('r1(critic, real)\n\nReturns R1')


@pytest.mark.parametrize(
  ('words', 'said'),
  [
    (['trian'], "no program 'trian'; did you mean 'train'?"),
    (['train', 'dcgn'], "no config 'dcgn'; did you mean 'dcgan'?"),
    (['explain', 'los'], "no kind of part 'los'; did you mean 'loss'?"),
    (['explain', 'loss', 'hing'], "no loss 'hing'; did you mean 'hinge'?"),
  ],
)
def test_a_name_that_there_is_not_is_one_sentence(words, said, command):
  code, out, err = command(*words)
  assert (code, out) == (2, '')
  assert err.startswith('ganjax: ') and said in err and err.count('\n') == 1


@pytest.mark.parametrize(
  ('program', 'given', 'expected'),
  [
    ('train', 'dcgan', 'configs/dcgan.py'),
    ('train', 'msg:flowers32', 'configs/msg.py:flowers32'),
    ('mode_collapse', 'ring', 'configs/mode_collapse.py:ring'),
    ('mode_collapse', 'mode_collapse:ring', 'configs/mode_collapse.py:ring'),
    ('style_network', 'johnson', 'configs/style_network.py:johnson'),
    ('train', 'mine/a.py:b', 'mine/a.py:b'),
  ],
)
def test_a_config_is_found_by_its_name(program, given, expected):
  assert command_line._config(program, given).endswith(expected)


def test_a_config_at_hand_comes_before_that_of_the_package(
  tmp_path, monkeypatch
):
  monkeypatch.chdir(tmp_path)
  (tmp_path / 'configs').mkdir()
  (tmp_path / 'configs/dcgan.py').write_text('def get_config(): pass')
  assert command_line._config('train', 'dcgan') == 'configs/dcgan.py'


def test_it_runs_a_program_from_anywhere(tmp_path):
  def run(*words):
    return subprocess.run(
      [sys.executable, '-m', 'ganjax', *words],
      cwd=tmp_path,
      env=os.environ | {'PYTHONPATH': f'{ROOT}', 'JAX_PLATFORMS': 'cpu'},
      capture_output=True,
      text=True,
    )

  done = run('compare', '--run', 'a', '--output', 'b.html')
  assert done.returncode == 1
  assert done.stderr.startswith('compare: There are 1 runs to compare')
  done = run('sweep', 'dense', '--workdir', 'a', '--grid', 'loss=hing')
  assert done.returncode == 1, done.stderr
  assert done.stderr.startswith('sweep: ') and "'hing'" in done.stderr
