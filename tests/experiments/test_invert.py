"""The program that finds the latents of pictures."""

import json

import jax
import numpy as np
import pytest
from PIL import Image

from ganjax.config import restore
from ganjax.data import images
from ganjax.evaluation import inverted_pictures
from ganjax.reports import inversions

SMALL = (
  '--config=configs/dense.py',
  '--config.images=16',
  '--config.batch_size=8',
  '--config.data.resolution=8',
  '--config.generator.widths=(16,)',
  '--config.discriminator.widths=(8,)',
  '--config.prior.size=3',
)
QUICK = '--steps=200', '--draws=50', '--restarts=2', '--features=none'


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  return tmp_path_factory.mktemp('inverted')


@pytest.fixture
def run(program, folder):
  """The workdir of a run of two steps, trained once, and one with labels."""
  for name in 'run', 'labelled':
    if not (folder / name).exists():
      flags = [f'--config.labels={name == "labelled"}'.lower()]
      code, _, err = program(
        'train', *SMALL, *flags, f'--workdir={folder / name}'
      )
      assert code == 0, err
  return folder / 'run'


@pytest.fixture
def own(run, folder):
  """Grey pictures that the generator made, and one that it did not."""
  place = folder / 'own'
  if not place.exists():
    place.mkdir()
    trained = restore.last(run)
    generate = jax.jit(restore.generator(trained, 'ema'))
    made = generate(trained.game.prior(jax.random.key(7), 2), None)
    for name, image in zip(
      'ab', images.quantize(np.asarray(made)), strict=True
    ):
      Image.fromarray(image[..., 0]).save(place / f'{name}.png')
    checks = np.kron(np.indices((4, 4)).sum(0) % 2, np.ones((2, 2)))
    Image.fromarray((255 * checks).astype(np.uint8)).save(place / 'checks.png')
    (place / 'broken.png').write_text('no picture')
  return place


def inverted(program, run, *flags):
  code, out, err = program('invert', f'--workdir={run}', *QUICK, *flags)
  assert code == 0, err
  return out


def test_what_the_generator_made_is_found_and_the_rest_is_worst(
  program, run, own, tmp_path
):
  output = tmp_path / 'new' / 'found'
  flags = f'--output={output}', '--frames=5', '--zoom=1'
  with pytest.warns(UserWarning, match='broken.png is no picture .* left out'):
    out = inverted(program, run, f'--image={own}', *flags)
  about = json.loads(output.with_suffix('.json').read_text())
  rows = {row['picture']: row for row in about['pictures']}
  error = {
    name: rows[f'{own}/{name}.png']['error'] for name in ('a', 'b', 'checks')
  }
  # A grey value is 1/255, rounded by half of it at most.
  assert max(error['a'], error['b']) < 1e-5 < 0.1 < error['checks']
  assert about['median_error'] == np.median(list(error.values()))
  assert (about['seed'], about['features'], about['space']) == (0, 'none', 'z')
  assert about['config']['prior']['size'] == 3
  assert {'versions', 'command', 'hardware'} <= set(about)
  # The worst is first, in the table and in the picture.
  lines = [line for line in out.splitlines() if f'{own}' in line]
  assert 'checks' in lines[0] and len(lines) == 3
  grid = np.asarray(Image.open(output.with_suffix('.png')))
  assert grid.shape == (3 * 10 + 2, 2 * 10 + 2)
  checks = np.asarray(Image.open(own / 'checks.png'))
  np.testing.assert_array_equal(grid[2:10, 2:10], checks)
  last = grid[22:30, 2:10].astype(int), grid[22:30, 12:20]
  np.testing.assert_allclose(*last, atol=2)
  # The way ends with the picture.
  with Image.open(output.with_suffix('.gif')) as animation:
    assert animation.size == grid.shape[::-1]
    animation.seek(animation.n_frames - 1)
    end = np.asarray(animation.convert('L')).astype(int)
  np.testing.assert_allclose(end, grid, atol=3)
  with np.load(output.with_suffix('.npz')) as arrays:
    assert arrays['z'].shape == (3, 3) and not arrays['labels'].size


def test_the_same_command_finds_the_same_latents(program, run, own, tmp_path):
  found = []
  for name, seed in ('one', 0), ('two', 0), ('three', 1):
    flags = f'--output={tmp_path / name}', f'--seed={seed}', '--frames=0'
    inverted(program, run, f'--image={own / "checks.png"}', *flags)
    assert not (tmp_path / f'{name}.gif').exists()
    with np.load(tmp_path / f'{name}.npz') as arrays:
      found.append(arrays['z'])
  np.testing.assert_array_equal(found[0], found[1])
  assert (found[0] != found[2]).any()


def test_a_class_is_kept_or_found(program, run, own, folder, tmp_path):
  image, output = f'--image={own / "a.png"}', f'--output={tmp_path / "a"}'
  labelled = folder / 'labelled'
  for flags, classes in (('--label=3',), {'3'}), ((), set(map(str, range(10)))):
    inverted(program, labelled, image, output, '--frames=0', *flags)
    about = json.loads((tmp_path / 'a.json').read_text())
    [row] = about['pictures']
    assert row['class'] in classes
    with np.load(tmp_path / 'a.npz') as arrays:
      assert arrays['labels'] == [int(row['class'])]


def test_mistakes_that_need_a_checkpoint_are_sentences(program, run, own):
  image = f'--image={own / "a.png"}'
  code, _, err = program('invert', f'--workdir={run}', image, '--space=w')
  assert code == 1
  assert 'This generator has no mapping' in err and 'Traceback' not in err


def test_pictures_are_converted_as_data_are(own, tmp_path):
  grey = np.asarray(Image.open(own / 'checks.png'))
  colored = tmp_path / 'colored.png'
  Image.fromarray(np.stack([grey] * 3, -1)).save(colored)
  config = restore.described(own.parent / 'run')[0]
  places = own / 'checks.png', colored
  _, found = inverted_pictures.read(places, config, (8, 8, 1))
  np.testing.assert_array_equal(found, np.stack([grey, grey])[..., None])
  _, found = inverted_pictures.read(places, config, (8, 8, 3))
  np.testing.assert_array_equal(found[..., 0], found[..., 2])
  _, found = inverted_pictures.read(places, config, (16, 16, 1))
  assert found.shape == (2, 16, 16, 1)


@pytest.mark.parametrize(
  ('number', 'rows', 'columns'), [(1, 1, 1), (4, 4, 1), (5, 3, 2), (16, 4, 4)]
)
def test_pairs_fill_the_picture(number, rows, columns):
  wanted = np.full((number, 2, 2, 1), -1.0)
  picture = inverted_pictures.beside(wanted, -wanted, 3)
  assert picture.shape == (3 * (4 * rows + 2), 3 * (8 * columns + 2), 1)
  assert (picture == 255).sum() == 9 * 4 * number


def test_a_long_table_has_the_worst_and_says_so():
  rows = [
    {'picture': f'{number}', 'error': number / 10, 'radius': 1.0}
    for number in range(30)
  ]
  table = inversions.table(rows, most=2)
  assert [row[0] for row in table.rows] == ['29', '28']
  assert table.notes[0] == (
    'Median error 1.45000, mean 1.45000, of 30 pictures, of which the worst '
    'stand here.'
  )
  assert table.numbers == {1, 2}
