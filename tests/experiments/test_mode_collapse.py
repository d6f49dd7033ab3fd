"""The program of mode collapse: what it writes, adds to, goes on with, refuses.

Its protocols themselves are run in tests/sweeps/test_mode_task.py.
"""

import csv
import functools
import io
import json
import pathlib
import signal
import subprocess
import sys
import time
import types
import zipfile

import numpy as np
import pytest
from PIL import Image

from configs import mode_collapse as protocols
from ganjax.reports import mode_collapse
from ganjax.sweeps import protocol, protocol_report

ROOT = pathlib.Path(__file__).resolve().parents[2]
SMALL = (
  '--config=configs/mode_collapse.py:ring',
  '--config.generator.widths=(6,)',
  '--config.prior.size=3',
  '--config.measure.samples=100',
  '--config.measure.pictures=30',
  '--config.measure.evaluations=2',
  '--config.mapping=map',
  '--remedies=gan,pac2',
)
# Four steps of the plain GAN, and two of twice the batch.
LENGTH = '--images=512'
COUNTED = ('captured', 'quality', 'reverse_kl')
PICTURES = ('samples.png', 'modes.png', 'occupancy.png', 'samples.gif')


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  return tmp_path_factory.mktemp('mode_collapse') / 'ring'


@pytest.fixture
def two(program, folder):
  """The workdir of two seeds of two remedies, trained once."""
  if not folder.exists():
    code, out, err = program(
      'mode_collapse', *SMALL, LENGTH, '--seeds=2', f'--workdir={folder}'
    )
    assert code == 0, err
    (folder / 'out').write_text(out)
  return folder


def arrays(folder, remedy):
  """What was stored of a remedy: a dict of arrays for each evaluation."""
  settings = json.loads((folder / 'sweep.json').read_text())['settings']
  [number] = [
    n for n, setting in enumerate(settings) if setting['remedy'] == remedy
  ]
  found = {}
  for path in sorted(folder.glob('programs/*/arrays-*.npz')):
    with np.load(path) as file:
      if number in file['setting']:
        found.setdefault(path.stem, []).append(dict(file))
  return found


def table(folder):
  return json.loads((folder / 'table.json').read_text())


def test_it_writes_a_table_in_four_formats(two):
  rows = table(two)['rows']
  assert [row['label'] for row in rows] == ['gan', 'pac2']
  for row in rows:
    assert all(len(row['values'][name]) == 2 for name in COUNTED)
    # Both seeds were one population.
    [seconds] = row['values']['seconds']
    assert seconds > 0
    assert row['published'] == {}
    # Of 5,000 steps of 128 examples, and of as many of 256.
    share = {'gan': '0.08 %', 'pac2': '0.04 %'}[row['label']]
    assert row['note'] == f'{share} of the protocol'
  notes = ' '.join(table(two)['notes'])
  assert 'ring: ring, 8 modes; 100 samples of the raw weights' in notes
  floor = 7 / 2 / (100 * (1 - np.exp(-4.5)))
  assert f'reverse KL of a perfect sampler, is {floor:.4f}' in notes
  with (two / 'table.csv').open(newline='') as file:
    lines = list(csv.DictReader(file))
  assert [line['remedy'] for line in lines] == ['gan', 'pac2']
  for line, row in zip(lines, rows, strict=True):
    assert float(line['captured_mean']) == np.mean(row['values']['captured'])
  assert r'\toprule' in (two / 'table.tex').read_text()
  assert '| gan ' in (two / 'table.md').read_text()
  out = (two / 'out').read_text()
  assert 'reverse KL' in out
  assert f'{floor:.4f}' in out


def test_it_draws_the_samples_the_modes_and_their_occupancy(two):
  for name in PICTURES:
    picture = Image.open(two / name)
    # Something is drawn.
    assert np.ptp(np.asarray(picture.convert('L'))) > 100, name
  assert Image.open(two / 'samples.gif').n_frames >= 2


def test_an_evaluation_counts_the_samples_of_each_run(two):
  found = arrays(two, 'gan')
  assert list(found) == ['arrays-1', 'arrays-2']
  for [own] in found.values():
    assert own['seed'].tolist() == [0, 1]
    assert own['captured'].shape == (2,)
    assert own['occupancy'].shape == (2, 8)
    assert (own['occupancy'].sum(-1) == 100).all()
    assert own['samples'].shape == (2, 30, 2)
    assert (own['samples'][0] != own['samples'][1]).any()
  runs = mode_collapse.read(two, ['gan', 'pac2'], [0, 1])['gan']
  assert runs.steps.tolist() == [2, 4]
  assert runs.modes['captured'].shape == (2, 2)
  assert runs.samples.shape == runs.last_samples.shape == (2, 30, 2)
  np.testing.assert_array_equal(runs.samples[-1], runs.last_samples[0])
  assert np.isfinite(runs.series['loss/generator']).all()


def test_samples_that_are_not_finite_have_no_spread():
  pictured = np.zeros((2, 30, 4, 4, 3), np.uint8)  # of NaN, as bytes have it
  pictured[0] = np.random.default_rng(0).integers(0, 256, pictured[0].shape)
  occupancy = np.zeros((2, 1, 8), int)
  occupancy[0] = 4  # of 32 samples; those of the second seed have no mode
  runs = types.SimpleNamespace(
    last_samples=pictured, modes={'occupancy': occupancy}, number=32
  )
  for sound, broken in protocol_report._spread(
    pictured[0] / 127.5 - 1, runs
  ).values():
    assert not np.isnan(sound) and np.isnan(broken)


def test_it_is_a_sweep_whose_factor_is_the_remedy(program, two):
  code, _, err = program('sweep', '--report', f'--workdir={two}')
  assert code == 0, err
  with (two / 'table_settings.csv').open(newline='') as file:
    lines = list(csv.DictReader(file))
  assert [line['remedy'] for line in lines] == ['gan', 'pac2']
  rows = table(two)['rows']
  for line, row in zip(lines, rows, strict=True):
    assert float(line['captured_mean']) == np.mean(row['values']['captured'])


def test_eigenvalues_are_of_the_states_that_stay(program, two):
  # What a kill leaves of older ones goes at the next start.
  older = next(two.glob('programs/*')) / 'states-1-0123abcd'
  (older / '000000' / '2' / 'state').mkdir(parents=True)
  code, _, err = program(
    'mode_collapse',
    *SMALL,
    LENGTH,
    '--seeds=2',
    '--eigenvalues=3',
    f'--workdir={two}',
  )
  assert code == 0, err
  with np.load(two / 'eigenvalues.npz') as values:
    assert {len(own) for own in values.values()} == {3}
    assert set(values) == {'gan', 'pac2'}
  assert (two / 'eigenvalues.png').exists()
  assert not older.exists()


def test_more_seeds_are_added_and_those_there_stay(program, two):
  """The last of the tests of this folder: it holds three seeds then."""
  before = {row['label']: row['values'] for row in table(two)['rows']}
  there = {
    path: (path.stat().st_mtime_ns, path.read_bytes())
    for path in two.glob('programs/*/*-2.npz')
  }
  assert len(there) == 2
  code, _, err = program(
    'mode_collapse', *SMALL, LENGTH, '--seeds=3', f'--workdir={two}'
  )
  assert code == 0, err
  for path, before_ in there.items():
    assert (path.stat().st_mtime_ns, path.read_bytes()) == before_
  assert len(list(two.glob('programs/*/*-2.npz'))) == 4
  for row in table(two)['rows']:
    for name in COUNTED:
      values = row['values'][name]
      assert len(values) == 3
      assert values[:2] == before[row['label']][name]
  # What is asked for is reported, from what is there.
  for name in PICTURES:
    (two / name).unlink()
  code, _, err = program(
    'mode_collapse', *SMALL, LENGTH, '--seeds=2', '--report', f'--workdir={two}'
  )
  assert code == 0, err
  for name in PICTURES:
    assert (two / name).exists()
  after = {row['label']: row['values'] for row in table(two)['rows']}
  assert after == before


def test_another_length_in_the_same_folder_is_refused(program, two):
  code, _, err = program(
    'mode_collapse', *SMALL, '--images=1024', f'--workdir={two}'
  )
  assert code == 1
  assert 'settings.gan.steps: 4 there, 8 now' in err
  assert 'Traceback' not in err


def test_an_unknown_remedy_is_one_sentence(program, tmp_path):
  code, _, err = program(
    'mode_collapse', *SMALL, '--remedies=pack2', f'--workdir={tmp_path}'
  )
  assert code == 1
  assert "There is no remedy 'pack2'; did you mean 'pac2'?" in err
  assert 'Traceback' not in err
  assert not list(tmp_path.iterdir())


def test_an_unknown_protocol_is_one_sentence(program, tmp_path):
  code, _, err = program(
    'mode_collapse',
    '--config=configs/mode_collapse.py:circle',
    f'--workdir={tmp_path}',
  )
  assert code == 2
  assert "There is no protocol 'circle'; choose from ring, " in err
  assert 'Traceback' not in err


def test_without_a_run_there_is_nothing_to_report(program, tmp_path):
  code, _, err = program(
    'mode_collapse', *SMALL, '--report', f'--workdir={tmp_path / "none"}'
  )
  assert code == 1
  assert 'holds no finished run to report on; run without --report' in err
  assert not (tmp_path / 'none').exists()


def test_published_values_stand_beside_ours(two, tmp_path):
  """Those of PacGAN's ring beside our two runs, as if they were of it."""
  config = protocols.get_config('pacgan_ring')
  planned = protocol.prepare(config, tmp_path, ['pac2'], 2, length=5e-6)
  assert planned.settings['pac2']['steps'] == 2
  runs = mode_collapse.read(two, ['pac2'], planned.seeds)
  out = mode_collapse.counted(
    tmp_path, runs, config, 0.0, planned.shares, notes=()
  )
  [row] = table(tmp_path)['rows']
  assert row['source'] == 'PacGAN, table 1'
  assert row['note'] == '0.0005 % of the protocol'
  for name, value, spread in (
    ('captured', 7.9, 0.1),
    ('quality', 95.6, 2.0),
    ('reverse_kl', 0.07, 0.03),
  ):
    assert row['published'][name] == {
      'value': value,
      'spread': spread,
      'kind': 'standard error',
      'number': 10,
    }
  ours = row['summary']['quality']
  found = row['agreement']['quality']
  # Two steps make nothing good: far from theirs.
  error = np.hypot(ours['std'] / np.sqrt(2), 2.0)
  np.testing.assert_allclose(found['error'], error)
  np.testing.assert_allclose(found['difference'], ours['mean'] - 95.6)
  # Far from theirs, but of two seeds.
  assert found['agrees'] is None
  assert found['reason'] == 'too few seeds to judge (2 of at least 5)'
  assert '7.9 ± 0.1 se' in out
  assert 'PacGAN, table 1' in out


def test_labels_have_a_column_of_the_fewest_modes(tmp_path):
  """As a run of two seeds leaves its folder, after one evaluation."""
  place = tmp_path / 'programs' / 'one'
  place.mkdir(parents=True)
  by_label = np.array([[2, 1, 0, 2], [1, 1, 1, 1]])
  np.savez(
    place / 'arrays-1.npz',
    setting=[0, 0],
    seed=[0, 1],
    captured=by_label.sum(-1),
    quality=[0.5, 1.0],
    divergence=[0.1, np.log(2)],
    occupancy=np.ones((2, 8), int),
    captured_by_label=by_label,
    samples=np.zeros((2, 3, 2)),
  )
  about = {'setting': 0, 'program': 'one', 'evaluation': 1, 'of': 1, 'step': 4}
  counts = {'number': 8, 'seconds': 1.0}
  rows = [
    about | counts | {'seed': seed, 'fewest': int(by_label[seed].min())}
    for seed in (0, 1)
  ]
  (place / 'evaluation.json').write_text(json.dumps({'measures': rows}))
  (tmp_path / 'sweep.json').write_text(
    json.dumps({'settings': [{'remedy': 'r1'}]})
  )
  runs = mode_collapse.read(tmp_path, ['r1'], [0, 1])
  np.testing.assert_array_equal(
    runs['r1'].modes['captured_by_label'], by_label[:, None]
  )
  config = protocols.get_config('conditional_ring')
  out = mode_collapse.counted(tmp_path, runs, config, 0.0, {'r1': 1}, ())
  assert 'fewest of a label' in out
  [row] = table(tmp_path)['rows']
  assert row['values']['fewest'] == [0, 1]
  assert row['values']['captured'] == [5, 4]


def test_the_arrays_of_a_stranger_are_bounded_and_fit(tmp_path, measured):
  ones = np.ones((1, 2))
  modes = dict.fromkeys(
    ('captured', 'quality', 'divergence', 'occupancy', 'samples'), ones
  )
  path = measured / 'arrays-1.npz'
  read = functools.partial(mode_collapse.read, tmp_path, ['r1'], [0])

  header = io.BytesIO()
  np.lib.format.write_array_header_1_0(
    header, {'descr': '<f4', 'fortran_order': False, 'shape': (2**50,)}
  )
  np.savez(path, seed=[0], **modes)
  with zipfile.ZipFile(path, 'a') as file:
    file.writestr('setting.npy', header.getvalue() + bytes(16))
  with pytest.raises(ValueError, match=f'{path} is truncated or damaged'):
    read()
  np.savez(path, setting=[0], seed=[1], **modes)
  with pytest.raises(ValueError, match='run of setting 0 with seed 0'):
    read()
  np.savez(path, setting=[0, 0], seed=[0, 1], **modes)
  with pytest.raises(ValueError, match='different numbers of runs'):
    read()
  np.savez(path, setting=[0], seed=[0], **modes)
  np.testing.assert_array_equal(read()['r1'].samples, ones)


def test_a_collapsed_run_does_not_better_the_mean_of_its_remedy(tmp_path):
  modes = {
    'captured': np.array([[8], [0]]),
    'quality': np.array([[0.9], [0.0]]),
    'divergence': np.array([[0.1], [np.nan]]),  # no good sample: undefined
    'occupancy': np.ones((2, 1, 8), int),
  }
  runs = mode_collapse.Runs(np.array([4]), 8, {}, modes, None, None, [1.0, 1.0])
  config = protocols.get_config('ring')
  out = mode_collapse.counted(
    tmp_path, {'gan': runs}, config, 0, {'gan': 1}, ()
  )
  [row] = table(tmp_path)['rows']
  assert row['summary']['reverse_kl']['mean'] == pytest.approx(
    (0.1 + np.log(8)) / 2
  )
  assert row['summary']['reverse_kl']['missing'] == 0
  said = 'counted at its bound, that of a single mode: gan 1 of 2.'
  assert said in table(tmp_path)['notes'][-1]
  assert 'gan 1 of 2' in out


@pytest.mark.slow
def test_killed_in_its_midst_it_ends_with_the_same_table(tmp_path):
  flags = (
    *SMALL,
    '--config.measure.evaluations=20',
    '--images=5120',
    '--seeds=2',
  )

  def command(place):
    program = [sys.executable, '-m', 'experiments.mode_collapse', *flags]
    return [*program, f'--workdir={place}']

  whole, killed = tmp_path / 'whole', tmp_path / 'killed'
  subprocess.run(command(whole), cwd=ROOT, check=True, capture_output=True)
  # Within the first remedy and within the second.
  for stored in 5, 25:
    child = subprocess.Popen(
      command(killed), cwd=ROOT, stderr=subprocess.DEVNULL
    )
    until = time.monotonic() + 300
    while time.monotonic() < until and child.poll() is None:
      if len(list(killed.glob('programs/*/arrays-*.npz'))) >= stored:
        break
      time.sleep(0.02)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
  subprocess.run(command(killed), cwd=ROOT, check=True, capture_output=True)
  for one, other in zip(
    table(whole)['rows'], table(killed)['rows'], strict=True
  ):
    for name in COUNTED:
      assert one['values'][name] == other['values'][name]
