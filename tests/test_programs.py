"""The programs that look at a trained run: sample, evaluate, benchmark."""

import json
import pathlib
import shutil
import sys

import numpy as np
import pytest
from PIL import Image

SMALL = (
  '--config=configs/dcgan.py',
  '--config.images=16',
  '--config.batch_size=8',
  '--config.data.resolution=16',
  '--config.generator.width=4',
  '--config.discriminator.width=4',
)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  return tmp_path_factory.mktemp('programs')


@pytest.fixture
def run(program, folder):
  """The workdir of a run of two steps, trained once."""
  if not (folder / 'run').exists():
    code, _, err = program('train', *SMALL, f'--workdir={folder / "run"}')
    assert code == 0, err
  return folder / 'run'


def pixels(path):
  return np.asarray(Image.open(path))


def test_sample_writes_a_grid_and_ways_between_latents(program, run):
  code, _, err = program(
    'sample', f'--workdir={run}', '--grid=3x5', '--interpolate=4', '--zoom=1'
  )
  assert code == 0, err
  # Tiles of 16 pixels and gaps of 2.
  assert pixels(run / 'grid.png').shape == (3 * 18 + 2, 5 * 18 + 2)
  assert pixels(run / 'grid-interpolation.png').shape == (56, 4 * 18 + 2)


def test_a_way_begins_at_a_sample_of_the_grid(program, run, tmp_path):
  path = tmp_path / 'new' / 'a.png'
  code, _, err = program(
    'sample',
    f'--workdir={run}',
    '--grid=2x2',
    '--interpolate=2',
    '--zoom=1',
    f'--output={path}',
  )
  assert code == 0, err
  grid, ways = pixels(path), pixels(path.with_stem('a-interpolation'))
  np.testing.assert_allclose(
    grid[2:18, 2:18].astype(int), ways[2:18, 2:18], atol=1
  )


def test_seeds_and_weights_choose_other_pictures(program, run, tmp_path):
  pictures = []
  for number, flags in enumerate(
    ((), ('--seed=1',), ('--weights=raw',), ('--seed=0', '--weights=ema'))
  ):
    path = tmp_path / f'{number}.png'
    assert (
      program('sample', f'--workdir={run}', f'--output={path}', *flags)[0] == 0
    )
    pictures.append(pixels(path))
  assert (pictures[0] != pictures[1]).any()
  assert (pictures[0] != pictures[2]).any()
  assert (pictures[0] == pictures[3]).all()


@pytest.mark.parametrize(
  ('flags', 'words'),
  [
    (('--grid=8y8',), "--grid is '8y8'"),
    (('--interpolate=1',), 'at least 2 steps'),
  ],
)
def test_sample_says_what_is_wrong(program, run, flags, words):
  code, _, err = program('sample', f'--workdir={run}', *flags)
  assert code == 1
  assert words in err
  assert 'Traceback' not in err


@pytest.mark.parametrize('name', ['sample', 'evaluate'])
def test_a_folder_without_a_run_is_named(program, tmp_path, name):
  code, _, err = program(name, f'--workdir={tmp_path}')
  assert code == 1
  assert str(tmp_path) in err
  assert 'no run was started there' in err


def test_evaluate_measures_samples_and_held_out_reals(program, run):
  code, out, err = program(
    'evaluate', f'--workdir={run}', '--samples=100', '--features=random'
  )
  assert code == 0, err
  report = json.loads((run / 'evaluation.json').read_text())
  samples, reals = report['measures']
  assert samples['number'] == reals['number'] == 100
  # Two steps make no digits: held-out digits are closer by any measure.
  assert reals['fid'] < samples['fid']
  assert reals['kid'] < samples['kid']
  assert reals['distance'] > samples['distance']
  assert reals['ms_ssim'] < samples['ms_ssim']
  assert 'untrained' in report['features']
  assert 'untrained' in out
  assert {'command', 'hardware', 'versions', 'seed', 'step'} <= set(report)


def test_evaluate_takes_the_measures_that_are_asked(program, run):
  code, _, err = program(
    'evaluate',
    f'--workdir={run}',
    '--samples=20',
    '--features=random',
    '--metrics=distance',
    '--held_out=',
  )
  assert code == 0, err
  report = json.loads((run / 'evaluation.json').read_text())
  assert [set(row) for row in report['measures']] == [
    {'subject', 'number', 'distance'}
  ]
  code, _, err = program('evaluate', f'--workdir={run}', '--metrics=fit')
  assert code == 1
  assert "no metric 'fit'" in err


def test_train_says_where_things_are(program, run):
  code, out, err = program('train', *SMALL, f'--workdir={run}')
  assert code == 0, err
  assert 'samples.png' in out
  for name in ('config.json', 'run.json', 'metrics.jsonl', 'samples.png'):
    assert (pathlib.Path(run) / name).stat().st_size
  assert list((run / 'tensorboard').iterdir())


@pytest.mark.slow
def test_benchmark_times_a_step(program, tmp_path):
  path = tmp_path / 'new' / 'benchmark.json'
  code, out, err = program(
    'benchmark', '--rounds=2', '--match=R1', f'--output={path}'
  )
  assert code == 0, err
  (row,) = json.loads(path.read_text())['rows']
  assert row['case'] == 'DCGAN-32, width 32, R1'
  assert len(row['seconds']['ganjax']) == 2
  # The median of two is their mean.
  pace = row['batch'] / np.mean(row['seconds']['ganjax'])
  assert row['images_per_second']['ganjax'] == pytest.approx(pace)
  assert row['case'] in out


@pytest.mark.slow
def test_benchmark_times_a_population_in_a_process_of_its_own(
  program, tmp_path
):
  path = tmp_path / 'benchmark.json'
  code, out, err = program(
    'benchmark', '--rounds=2', '--match=ring', '--runs=2', f'--output={path}'
  )
  assert code == 0, err
  (row,) = json.loads(path.read_text())['rows']
  assert (row['runs'], row['batch']) == (2, 256)
  assert len(row['seconds']['ganjax']) == 2
  pace = 1 / np.mean(row['seconds']['ganjax'])
  assert f'2 runs made {pace:.0f} steps a second in all' in out
  assert row['ways']['ganjax'] in out


def test_benchmark_says_when_a_process_of_its_own_ends(
  program, monkeypatch, tmp_path
):
  monkeypatch.setattr(sys, 'executable', shutil.which('true'))
  code, _, err = program(
    'benchmark', '--match=ring', f'--output={tmp_path / "benchmark.json"}'
  )
  assert code == 1
  assert "A process of the side 'ganjax' ended too early" in err
  assert 'Traceback' not in err
