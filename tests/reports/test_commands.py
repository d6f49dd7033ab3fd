"""Commands that repeat a sweep or one of its settings."""

from ganjax.reports import commands


def test_the_command_of_a_setting_is_a_training():
  about = {
    'task': 'images',
    'name': 'configs/dcgan.py',
    'overrides': ['--config.images=80'],
    'seeds': [3, 4],
  }
  assert commands.of_setting(about, {'loss': 'hinge'}, 'runs/best') == (
    'python -m experiments.train --config configs/dcgan.py --config.images=80 '
    '--config.loss=hinge --config.seed=3 --workdir runs/best'
  )


def test_the_command_of_a_protocols_setting_is_a_sweep_of_it():
  about = {
    'task': 'modes',
    'name': 'configs/mode_collapse.py:ring',
    'overrides': [],
    'seeds': [0, 1, 2],
    'evaluations': 4,
  }
  setting = {'remedy': 'r1', 'widths': [64, 64]}
  assert commands.of_setting(about, setting, 'runs/setting-3') == (
    'python -m experiments.sweep --config configs/mode_collapse.py:ring '
    "--grid remedy=r1 --grid 'widths=(64,64,)' --seeds 3 --evaluations 4 "
    '--workdir runs/setting-3'
  )


def test_the_command_of_a_sweep_is_quoted_for_a_shell():
  about = {'command': ['sweep', '--grid=loss=hinge,wasserstein', '--x=a b']}
  assert commands.of_sweep(about) == (
    "python -m experiments.sweep --grid=loss=hinge,wasserstein '--x=a b'"
  )
