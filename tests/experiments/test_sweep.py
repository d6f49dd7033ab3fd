"""The sweep: what it writes, shares, goes on with, and refuses."""

import csv
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from ganjax import files, locks
from ganjax.sweeps import mode_task

ROOT = pathlib.Path(__file__).resolve().parents[2]

RING = (
  '--config=configs/mode_collapse.py:ring',
  '--config.steps=8',
  '--config.generator.widths=(6,)',
  '--config.measure.samples=100',
  '--config.measure.pictures=30',
  '--evaluations=2',
  '--seeds=2',
)
RATE = 'optimizers.generator.learning_rate'
RATES = RATE, 'optimizers.discriminator.learning_rate'
GRID = (
  *RING,
  '--grid=loss=hinge,non_saturating',
  # With the last of them, a run diverges.
  f'--grid={"+".join(RATES)}=1e-4,1e-3,1e30',
  '--mapping=map',
)
DIGITS = (
  '--config=configs/dcgan.py',
  '--config.images=32',
  '--config.batch_size=8',
  '--config.data.resolution=16',
  '--config.generator.width=4',
  '--config.discriminator.width=4',
  '--samples=60',
  '--metrics=distance',
  '--evaluations=2',
)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  return tmp_path_factory.mktemp('sweep') / 'ring'


@pytest.fixture
def ring(program, folder):
  """The workdir of a grid of six settings with two seeds, trained once."""
  if not folder.exists():
    code, _, err = program('sweep', *GRID, f'--workdir={folder}')
    assert code == 0, err
  return folder


def measured(folder):
  """All that was measured, by setting, seed and evaluation; without times."""
  rows = {}
  for path in folder.glob('programs/*/evaluation.json'):
    for row in json.loads(path.read_text())['measures']:
      row.pop('seconds')
      rows[row['setting'], row['seed'], row['evaluation']] = row
  return rows


def command(*arguments):
  return [sys.executable, '-m', 'experiments.sweep', *map(str, arguments)]


def test_a_grid_is_measured_at_every_evaluation(ring):
  rows = measured(ring)
  assert set(rows) == {
    (setting, seed, evaluation)
    for setting in range(6)
    for seed in range(2)
    for evaluation in (1, 2)
  }
  about = json.loads((ring / 'sweep.json').read_text())
  assert about['format'] == files.version('sweep.json')
  assert about['settings'] == [
    {'loss': loss, **dict.fromkeys(RATES, rate)}
    for loss in ('hinge', 'non_saturating')
    for rate in (1e-4, 1e-3, 1e30)
  ]
  assert about['overrides'][0] == '--config.steps=8'
  for (setting, _, evaluation), row in rows.items():
    assert row['changes'] == about['settings'][setting]
    assert (row['step'], row['of']) == (4 * evaluation, 2)
    assert row['images_seen'] == 4 * evaluation * 128
    if row['changes'][RATE] == 1e30:
      continue
    assert row['diverged'] is None
    assert 0 <= row['captured'] <= 8
    assert np.isfinite(row['loss/generator'])
    assert Image.open(ring / row['picture']).size == (200, 200)
  # What only differs in a rate and seeds is one program.
  assert len({row['program'] for row in rows.values()}) == 2
  assert not list(ring.glob('programs/*/states-*'))
  with (ring / 'table.csv').open(newline='') as file:
    assert len(list(csv.DictReader(file))) == 12
  assert '</html>' in (ring / 'report.html').read_text()


def test_a_run_that_diverges_is_recorded_and_others_go_on(ring):
  rows = measured(ring)
  sound, broken = rows[4, 0, 2], rows[5, 0, 2]
  assert sound['diverged'] is None
  assert 0 < broken['diverged'] < 8
  assert broken['captured'] is broken['quality'] is broken['picture'] is None


def test_samples_that_are_not_finite_end_their_run_alone(
  program, tmp_path, monkeypatch
):
  taken, measure_of = [], mode_task._measure

  def breaking(config, problem):
    measure = measure_of(config, problem)

    def broken(step, *others):
      taken.append(step)
      if step == 4 and taken.count(4) == 2:
        raise FloatingPointError('1 of 100 samples is undefined.')
      return measure(step, *others)

    return broken

  monkeypatch.setattr(mode_task, '_measure', breaking)
  flags = *RING, '--mapping=map', '--grid=loss=hinge', f'--workdir={tmp_path}'
  with pytest.warns(UserWarning, match='Setting 0, seed 1: 1 of 100 samples'):
    code, _, err = program('sweep', *flags)
  assert code == 0, err
  rows = measured(tmp_path)
  assert rows[0, 1, 1]['diverged'] == rows[0, 1, 1]['step'] - 1
  assert rows[0, 1, 1]['captured'] is rows[0, 1, 1]['picture'] is None
  assert rows[0, 0, 1]['diverged'] is None
  assert rows[0, 0, 2]['captured'] >= 0


def test_a_member_is_the_run_of_the_protocol(program, ring, tmp_path):
  code, _, err = program(
    'mode_collapse',
    *RING[:-2],
    '--config.measure.evaluations=2',
    '--config.loss=hinge',
    *(f'--config.{rate}=1e-3' for rate in RATES),
    '--config.mapping=map',
    '--seeds=2',
    '--remedies=gan',
    '--quiet',
    f'--workdir={tmp_path}',
  )
  assert code == 0, err
  alone = measured(tmp_path)
  for seed in range(2):
    for evaluation in (1, 2):
      row = measured(ring)[1, seed, evaluation]
      own = alone[0, seed, evaluation]
      assert row['captured'] == own['captured']
      np.testing.assert_allclose(
        row['loss/generator'], own['loss/generator'], 1e-4
      )


def test_what_is_finished_is_not_repeated(program, ring):
  there = {
    path: path.stat().st_mtime_ns
    for path in ring.glob('programs/*/evaluation.json')
  }
  code, _, err = program('sweep', *GRID, f'--workdir={ring}')
  assert code == 0, err
  assert there == {path: path.stat().st_mtime_ns for path in there}


def test_another_sweep_in_the_same_folder_is_refused(program, ring):
  code, _, err = program('sweep', *GRID, '--seeds=3', f'--workdir={ring}')
  assert code == 1
  assert 'holds another sweep' in err
  assert 'What differs: seeds: [0, 1] there, [0, 1, 2] now.' in err


@pytest.mark.slow
def test_killed_twice_it_ends_with_the_same_table(ring, tmp_path):
  place = tmp_path / 'killed'
  for evaluation in (1, 2):
    child = subprocess.Popen(
      command(*GRID, f'--workdir={place}'), cwd=ROOT, stderr=subprocess.DEVNULL
    )
    until = time.monotonic() + 300
    # In the midst of the second evaluation, and of the second program.
    while len(measured(place)) < 6 * evaluation and time.monotonic() < until:
      time.sleep(0.05)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    assert len(measured(place)) < 24
  done = subprocess.run(
    command(*GRID, f'--workdir={place}'),
    cwd=ROOT,
    capture_output=True,
    text=True,
  )
  assert done.returncode == 0, done.stderr
  assert measured(place) == measured(ring)


@pytest.mark.slow
def test_processes_side_by_side_measure_the_same(ring, tmp_path):
  place = tmp_path / 'two'
  done = subprocess.run(
    command(*GRID, '--on=local:2', f'--workdir={place}'),
    cwd=ROOT,
    capture_output=True,
    text=True,
  )
  assert done.returncode == 0, done.stderr
  assert measured(place) == measured(ring)
  assert (place / 'report.html').exists()


def test_a_program_is_run_by_one_process_at_a_time(tmp_path):
  path = tmp_path / 'lock'
  with locks.attempt(path) as first, locks.attempt(path) as second:
    assert first
    assert not second
  with locks.attempt(path) as third:
    assert third


def test_a_dry_run_says_the_plan_and_writes_nothing(program, tmp_path):
  code, out, err = program(
    'sweep', *GRID, '--dry_run', f'--workdir={tmp_path / "none"}'
  )
  assert code == 0, err
  assert (
    '2 programs x 6 members, 12 runs of 6 settings, 2 evaluations each'
    in out + err
  )
  assert 'about' in out + err
  assert not (tmp_path / 'none').exists()


def test_images_are_measured_beside_the_reals(program, tmp_path):
  command = (
    'sweep',
    *DIGITS,
    '--seeds=2',
    '--grid=regularizers.discriminator.r1.weight=0,1',
    '--quiet',
    f'--workdir={tmp_path}',
  )
  code, _, err = program(*command)
  assert code == 0, err
  rows = measured(tmp_path)
  assert len(rows) == 8
  for (_, _, evaluation), row in rows.items():
    assert (row['step'], row['images_seen']) == (
      2 * evaluation,
      16 * evaluation,
    )
    assert row['distance'] > 0
    assert row['number'] == 60
    assert row['settings']['weights'] == 'ema'
    assert row['settings']['checkpoint'] == 'last'
    about = row['settings']['data']
    assert about.startswith('digits/train 16x16x1, 1500 images (')
  # A penalty of weight 0 is left out, so that there are two games.
  assert len({row['program'] for row in rows.values()}) == 2
  # It is not gone on with on other data.
  path = tmp_path / 'sweep.json'
  written = json.loads(path.read_text())
  assert f'({written["data"]})' in about
  path.write_text(json.dumps(written | {'data': 'other'}))
  code, _, err = program(*command)
  assert code == 1
  assert 'another sweep' in err and 'data: "other" there' in err


def test_a_search_asks_for_populations_and_says_the_best(program, tmp_path):
  code, out, err = program(
    'sweep',
    *RING,
    '--seeds=1',
    f'--search={RATE}=log:1e-4..1e-2',
    '--trials=4',
    '--population=2',
    '--pruner=none',
    '--objective=loss/discriminator',
    '--direction=minimize',
    f'--workdir={tmp_path}',
  )
  assert code == 0, err
  rows = measured(tmp_path)
  assert {setting for setting, _, evaluation in rows if evaluation == 2} == set(
    range(4)
  )
  last = {
    setting: row
    for (setting, _, evaluation), row in rows.items()
    if evaluation == 2
  }
  best = min(last, key=lambda setting: last[setting]['loss/discriminator'])
  assert f'The best is trial {best}: loss/discriminator' in out + err
  for row in rows.values():
    assert 1e-4 <= row['changes'][RATE] <= 1e-2
  # The same command finds all of it done.
  assert (tmp_path / 'study.db').exists()


@pytest.mark.parametrize(
  ('flags', 'code', 'words'),
  [
    (['--grid=los=hinge'], 1, "no field 'los'; did you mean loss?"),
    (['--grid=loss='], 1, 'lacks a value'),
    (['--grid=loss=hinge', '--grid=loss=minimax'], 1, 'given twice'),
    (['--grid=loss=hinge', '--search=loss=a|b'], 1, 'given twice'),
    (['--grid=loss=hunge'], 1, "no loss 'hunge'; did you mean 'hinge'?"),
    (['--grid=loss=hinge,hinge'], 1, 'give it once'),
    (['--grid=batch_size=1.5'], 1, 'batch_size is a whole number'),
    ([f'--search={RATE}=log:0..1'], 1, 'begins above 0'),
    ([f'--search={RATE}=2..1'], 1, 'the range is empty'),
    (['--objective=fid'], 1, "No run records 'fid'"),
    (['--seeds=0'], 2, 'seeds'),
    (
      ['--evaluations=9'],
      1,
      '9 evaluations were asked for at a run of 8 steps',
    ),
    (
      [
        f'--search={RATE}=0.1..1',
        '--storage=sqlite:////none/x.db',
        '--quiet',
      ],
      1,
      'The storage sqlite:////none/x.db cannot be used',
    ),
  ],
)
def test_what_is_wrong_is_one_sentence(program, tmp_path, flags, code, words):
  ended, _, err = program('sweep', *RING, *flags, f'--workdir={tmp_path}/a')
  assert ended == code
  assert words in err
  assert 'Traceback' not in err
  assert not list(tmp_path.glob('a/programs'))


def test_without_a_sweep_there_is_nothing_to_report(program, tmp_path):
  code, _, err = program('sweep', '--report', f'--workdir={tmp_path}')
  assert code == 1
  assert 'no sweep was started there' in err
  assert os.listdir(tmp_path) == []


REPORT = """
import runpy, sys

class Refuse:
  def find_spec(self, name, path=None, target=None):
    if name.partition('.')[0] in ('jax', 'flax', 'optax', 'orbax', 'optuna'):
      raise ImportError(f'{name} was imported')

sys.meta_path.insert(0, Refuse())
runpy.run_module('experiments.sweep', run_name='__main__')
"""


def test_a_report_loads_neither_jax_nor_optuna(ring):
  before = (ring / 'table.csv').read_text()
  (ring / 'report.html').unlink()
  done = subprocess.run(
    [sys.executable, '-c', REPORT, '--report', f'--workdir={ring}'],
    cwd=ROOT,
    capture_output=True,
    text=True,
  )
  assert done.returncode == 0, done.stderr
  assert '</html>' in (ring / 'report.html').read_text()
  assert (ring / 'table.csv').read_text() == before
