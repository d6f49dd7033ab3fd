"""The programs that read a trained run: sample and evaluate."""

import json
import os
import pathlib
import re
import shutil
import types

import jax
import numpy as np
import pytest
from PIL import Image

from ganjax import launch
from ganjax.config import restore

SMALL = (
  '--config=configs/dcgan.py',
  '--config.images=16',
  '--config.batch_size=8',
  '--config.checkpoint.every=8',
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


def measured(run, **about):
  rows = json.loads((run / 'evaluation.json').read_text())['measures']
  return [row for row in rows if about.items() <= row.items()]


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
    (
      (),
      ('--seed=1',),
      ('--weights=raw',),
      ('--seed=0', '--weights=ema'),
      ('--weights=ema_live',),
      ('--weights=ema_standing',),
    )
  ):
    path = tmp_path / f'{number}.png'
    assert (
      program('sample', f'--workdir={run}', f'--output={path}', *flags)[0] == 0
    )
    pictures.append(pixels(path))
  assert (pictures[0] != pictures[1]).any()
  assert (pictures[0] != pictures[2]).any()
  assert (pictures[0] == pictures[3]).all()
  for one, other in ((0, 4), (0, 5), (2, 4), (4, 5)):
    assert (pictures[one] != pictures[other]).any()


@pytest.mark.parametrize(
  ('flags', 'words'),
  [
    (('--grid=8y8',), "--grid is '8y8'"),
    (('--interpolate=1',), 'at least 2 images'),
    (('--output=painted',), 'has no ending; the name has to end in .png'),
    (('--output=tests',), 'tests, which has no ending'),
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
  samples, reals = measured(run, number=100)
  assert samples['number'] == reals['number'] == 100
  # Two steps make no digits: held-out digits are closer by any measure.
  assert reals['fid'] < samples['fid']
  assert reals['kid'] < samples['kid']
  assert reals['distance'] > samples['distance']
  assert reals['ms_ssim'] < samples['ms_ssim']
  for row in samples, reals:
    about = row['settings']['data']
    assert re.fullmatch(r'digits/train 16x16x1, 1500 images \(\w{8}\)', about)
    assert row['settings'] == {
      'features': 'random-conv-384 (seed 0, untrained)',
      'data': about,
      'split': 'train',
      'resizing': 'center to 16 pixels; what a stage of growth makes smaller '
      'is enlarged by nearest pixels',
      'seed': 0,
    }
    assert row['how']['fid'] == {'reals': 1500, 'images': 100}
    assert row['how']['ms_ssim'] == {'images': 100, 'pairs': 1000}
    for said in row['settings'].values():
      assert str(said) in out
  assert (samples['step'], samples['images_seen']) == (2, 16)
  assert 'fid: reals 1500, images 100.' in out
  assert {'command', 'hardware', 'versions'} <= set(report)


def test_held_out_reals_stand_beside_as_many_samples(program, run):
  flags = f'--workdir={run}', '--features=random', '--metrics=fid,distance'
  code, out, err = program('evaluate', *flags, '--samples=320')
  assert code == 0, err
  # The digits have a test set of 297.
  [whole] = measured(run, number=320)
  few, reals = measured(run, number=297)
  assert whole['subject'] == 'samples (ema)'
  assert few['subject'] == 'samples (ema), first'
  assert (
    few['how']['fid']
    == reals['how']['fid']
    == {
      'reals': 1500,
      'images': 297,
    }
  )
  assert few['fid'] != whole['fid']
  assert '297 reals were held out, and there are rows of 320 samples' in out
  assert 'compare them with the row of 297 samples' in out
  # It is the value of as many samples of the same seed, which are the first.
  code, out, err = program('evaluate', *flags, '--samples=297', '--held_out=')
  assert code == 0, err
  alone = measured(run, number=297, subject='samples (ema)')[0]
  np.testing.assert_allclose(alone['fid'], few['fid'], rtol=0.1)


def test_a_row_of_a_class_has_the_number_of_that_class(program, folder):
  where = folder / 'labels'
  flags = *SMALL, '--config.labels=true', f'--workdir={where}'
  code, _, err = program('train', *flags)
  assert code == 0, err
  flags = '--samples=60', '--metrics=distance', '--by=class'
  code, out, err = program('evaluate', f'--workdir={where}', *flags)
  assert code == 0, err
  rows = [row for row in measured(where) if row['class'] is not None]
  for kind in 'samples', 'reals':
    numbers = [row['number'] for row in rows if row['subject'].startswith(kind)]
    assert sum(numbers) == 60 and max(numbers) < 20
  assert all(row['how']['distance']['images'] == row['number'] for row in rows)


def test_mirrored_training_is_said_beside_reals_that_are_not(program, folder):
  where = folder / 'mirrored'
  flags = *SMALL, '--config.data.mirror=true', f'--workdir={where}'
  code, _, err = program('train', *flags)
  assert code == 0, err
  code, out, err = program(
    'evaluate', f'--workdir={where}', '--samples=20', '--metrics=distance'
  )
  assert code == 0, err
  assert 'mirrored: half of the images in training' in out
  assert all('mirrored' in row['settings'] for row in measured(where))


@pytest.mark.parametrize('name', ['sample', 'evaluate'])
def test_samples_that_are_not_finite_are_no_pictures(
  program, run, tmp_path, name, monkeypatch
):
  weights = restore.steps.weights
  monkeypatch.setattr(
    restore.steps,
    'weights',
    lambda state, which: jax.tree.map(
      lambda leaf: leaf * np.nan, weights(state, which)
    ),
  )
  shutil.copytree(run, tmp_path / 'run')
  (tmp_path / 'run' / 'grid.png').unlink(missing_ok=True)
  (tmp_path / 'run' / 'evaluation.json').unlink(missing_ok=True)
  flags = {
    'sample': ['--grid=4x5'],
    'evaluate': ['--samples=20', '--metrics=distance', '--features=random'],
  }[name]
  code, _, err = program(name, f'--workdir={tmp_path / "run"}', *flags)
  assert code == 1
  kind = {'sample': 'last checkpoint', 'evaluate': 'checkpoint'}[name]
  assert f'20 of 20 samples of the {kind} at step 2 (ema weights)' in err
  assert 'Take an earlier checkpoint' in err
  assert not (tmp_path / 'run' / 'grid.png').exists()
  assert not (tmp_path / 'run' / 'evaluation.json').exists()


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
  about = {'subject', 'class', 'step', 'images_seen', 'number'}
  about |= {'settings', 'how', 'checkpoint'}
  [row] = measured(run, number=20)
  assert set(row) == {*about, 'distance'}
  code, _, err = program('evaluate', f'--workdir={run}', '--metrics=fit')
  assert code == 1
  assert "no metric 'fit'" in err


def test_other_pictures_under_the_same_names_are_measured_anew(
  program, tmp_path
):
  pictures = tmp_path / 'pictures'
  pictures.mkdir()

  def draw(seed):
    rng = np.random.default_rng(seed)
    for number in range(16):
      pixels = rng.integers(0, 256, (16, 16, 3), np.uint8)
      Image.fromarray(pixels).save(pictures / f'{number}.bmp')

  draw(0)
  own = '--config.data.name=folder', f'--config.data.dir={pictures}'
  workdir = f'--workdir={tmp_path}/run'
  code, _, err = program('train', *SMALL, *own, workdir)
  assert code == 0, err
  command = 'evaluate', workdir, '--samples=16', '--metrics=fid'
  for _ in range(2):
    code, _, err = program(*command, '--held_out=train')
    assert code == 0, err
    assert len(measured(tmp_path / 'run')) == 2
  draw(1)
  code, _, err = program(*command, '--held_out=train')
  assert code == 0, err
  assert len(measured(tmp_path / 'run')) == 4
  before, now = measured(tmp_path / 'run', subject='samples (ema)')
  assert before['fid'] != now['fid']
  # A training of them is not gone on with either.
  code, _, err = program('train', *SMALL, *own, workdir)
  assert code == 1
  assert re.search(r'changed since its last checkpoint: identity: "\w+"', err)


def test_evaluate_scores_no_untrained_features(program, run):
  flags = f'--workdir={run}', '--metrics=inception_score'
  code, _, err = program('evaluate', *flags, '--features=random')
  assert code == 1
  assert 'would be untrained; use features=inception' in err
  code, _, err = program('evaluate', *flags, '--features=gone.pth')
  assert code == 1
  assert 'gone.pth' in err


def test_evaluate_takes_patches_and_neighbours(program, run):
  code, out, err = program(
    'evaluate',
    f'--workdir={run}',
    '--samples=30',
    '--features=random',
    '--metrics=swd,prdc',
  )
  assert code == 0, err
  samples, reals = measured(run, number=30)
  assert samples['swd'] > reals['swd'] > 0
  assert samples['swd_levels'] == {'16': samples['swd']}
  assert samples['how']['swd'] == {
    'reals': 30,
    'images': 30,
    'patches': 128,
    'size': 7,
    'directions': 512,
  }
  assert reals['coverage'] > samples['coverage'] >= 0
  assert {'precision', 'recall', 'density'} <= set(reals)
  assert samples['how']['prdc']['reals'] == 1500
  assert 'k precision recall 3, k density coverage 5' in out


def test_evaluate_measures_every_moment_and_none_of_them_twice(program, run):
  flags = (
    f'--workdir={run}',
    '--samples=10',
    '--features=random',
    '--held_out=',
    '--checkpoint=all',
  )
  code, _, err = program('evaluate', *flags, '--metrics=distance')
  assert code == 0, err
  rows = measured(run, number=10)
  assert [(row['step'], row['images_seen']) for row in rows] == [
    (1, 8),
    (2, 16),
  ]
  # What is there already is kept, whatever it says.
  path = run / 'evaluation.json'
  report = json.loads(path.read_text())
  for row in report['measures']:
    row['distance'] = -1
  path.write_text(json.dumps(report))
  code, out, err = program('evaluate', *flags, '--metrics=distance,change')
  assert code == 0, err
  first, second = measured(run, number=10)
  assert first['distance'] == second['distance'] == -1
  assert 'change' not in first
  assert second['change']['16'] > 0
  assert second['change_since'] == 8
  assert 'change: latents 36.' in out


def test_evaluate_follows_latents_from_moment_to_moment_only(program, run):
  code, _, err = program('evaluate', f'--workdir={run}', '--metrics=change')
  assert code == 1
  assert 'give --checkpoint=all' in err


def test_train_says_where_things_are(program, run):
  code, out, err = program('train', *SMALL, f'--workdir={run}')
  assert code == 0, err
  assert 'samples.png' in out
  for name in ('config.json', 'run.json', 'metrics.jsonl', 'samples.png'):
    assert (pathlib.Path(run) / name).stat().st_size
  assert list((run / 'tensorboard').iterdir())


@pytest.fixture
def pyramids(program, folder):
  """The workdir of a run whose images are pyramids, trained once."""
  place = folder / 'pyramids'
  if not place.exists():
    code, _, err = program(
      'train',
      '--config=configs/msg.py',
      '--config.images=16',
      '--config.batch_size=8',
      '--config.checkpoint.every=8',
      '--config.generator.base=32',
      '--config.discriminator.base=32',
      # A penalty on gradients takes as long to compile as all the rest.
      '--config.regularizers.discriminator.wgan_gp.weight=0',
      f'--workdir={place}',
    )
    assert code == 0, err
  return place


def test_a_pyramid_is_shown_at_all_its_resolutions(program, pyramids):
  code, out, err = program(
    'sample', f'--workdir={pyramids}', '--grid=2x3', '--pyramid', '--zoom=1'
  )
  assert code == 0, err
  levels = pixels(pyramids / 'grid-pyramid.png')
  # Rows of 4, 8 and 16 pixels, all as large as the last.
  assert levels.shape == (3 * 18 + 2, 3 * 18 + 2)
  smallest = levels[2:18, 2:18].reshape(4, 4, 4, 4)
  assert (smallest == smallest[:, :1, :, :1]).all()
  finest = pixels(pyramids / 'grid.png')
  np.testing.assert_array_equal(levels[38:54], finest[2:18])


def test_without_truncation_left_all_samples_are_the_same(program, pyramids):
  code, out, err = program(
    'sample', f'--workdir={pyramids}', '--grid=1x2', '--truncation=0'
  )
  assert code == 0, err
  assert 'truncation 0' in out
  # Tiles of 32 pixels and gaps of 4.
  left, right = np.split(pixels(pyramids / 'grid.png')[4:, 4:], 2, 1)
  np.testing.assert_array_equal(left[:32, :32], right[:32, :32])


def test_a_single_image_is_no_pyramid(program, run):
  code, _, err = program('sample', f'--workdir={run}', '--pyramid')
  assert code == 1
  assert 'this generator makes one' in err


def test_all_moments_of_pyramids_are_measured(program, pyramids):
  code, out, err = program(
    'evaluate',
    f'--workdir={pyramids}',
    '--checkpoint=all',
    '--features=random',
    '--metrics=swd,change',
    '--samples=40',
    '--held_out=',
  )
  assert code == 0, err
  first, second = measured(pyramids, number=40)
  assert [row['images_seen'] for row in (first, second)] == [8, 16]
  assert set(second['change']) == {'4', '8', '16'}


@pytest.mark.parametrize(
  ('variables', 'expected'),
  [({}, {-4: 0, -1: -1, -8: 1}), ({'MALLOC_ARENA_MAX': '2'}, {})],
)
def test_memory_is_kept_unless_the_environment_sees_to_it(
  monkeypatch, variables, expected
):
  for name in os.environ:
    if name.startswith(('MALLOC_', 'GLIBC_T')):
      monkeypatch.delenv(name)
  for name, value in variables.items():
    monkeypatch.setenv(name, value)
  asked = {}
  library = types.SimpleNamespace(mallopt=asked.__setitem__)
  monkeypatch.setattr(launch.ctypes, 'CDLL', lambda _: library)
  launch._keep_memory()
  assert asked == expected
  # Other C libraries have nothing of the kind.
  monkeypatch.setattr(launch.ctypes, 'CDLL', lambda _: None)
  launch._keep_memory()
