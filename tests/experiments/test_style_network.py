"""The program that trains networks of one style and paints with them."""

import contextlib
import json
import re
import signal

import jax
import numpy as np
import pytest
from PIL import Image

from configs import style_network
from ganjax import parallel, pictures
from ganjax.config import workdir
from ganjax.style import feedforward, image_transformation, optimizers
from ganjax.training import checkpoint

RANDOM = np.random.default_rng(0)
KEY = jax.random.key(0)


def pixels(*shape):
  return RANDOM.integers(0, 256, (*shape, 3), np.uint8)


@pytest.fixture(scope='module')
def files(tmp_path_factory):
  """The folder of a style, a content and eight pictures to learn on."""
  folder = tmp_path_factory.mktemp('pictures')
  (folder / 'data').mkdir()
  for number in range(8):
    Image.fromarray(pixels(24, 24)).save(folder / 'data' / f'{number}.png')
  Image.fromarray(pixels(40, 30)).save(folder / 'style.png')
  Image.fromarray(pixels(26, 34)).save(folder / 'content.png')
  return folder


@pytest.fixture
def train(program, files):
  """`(workdir, *flags) -> code, out, err` of a short training."""

  def run(folder, *arguments):
    return program(
      'style_network',
      f'--style={files}/style.png',
      '--data=folder',
      f'--data_dir={files}/data',
      f'--workdir={folder}',
      '--config.features=random',
      '--config.data.resolution=24',
      '--config.data.window=20',
      '--config.network.width=2',
      '--config.network.blocks=1',
      '--config.batch_size=2',
      '--config.images=12',
      '--config.log.every=4',
      '--config.samples.every=4',
      '--config.checkpoint.every=8',
      *arguments,
    )

  return run


def end(folder):
  """The bytes of a run's last state, and those of its samples."""
  config, _ = workdir.read(folder)
  painter = image_transformation.johnson(**config.network)
  with contextlib.closing(checkpoint.reader(folder / 'checkpoints')) as reader:
    like = checkpoint.abstract(
      lambda: feedforward.init(painter, optimizers.adam(1e-3), KEY),
      parallel.mesh(1),
    )
    state = checkpoint.restore(reader, like)
  assert state.step == 6
  state = state.replace(key=jax.random.key_data(state.key))
  return (
    [np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(state)],
    {path.name: path.read_bytes() for path in (folder / 'samples').iterdir()},
  )


@pytest.fixture
def trained(train, files):
  """The workdir of a training that went to its end: only once it has to."""
  code, out, err = train(files / 'whole')
  assert (code, err) == (0, '')
  assert 'Done after 12 images.' in out
  return files / 'whole'


def test_stopping_and_going_on_changes_no_bit(
  train, trained, tmp_path, monkeypatch
):
  grid, drawn = pictures.grid, []

  def signalling(*arguments):
    drawn.append(arguments)
    if len(drawn) == 3:
      signal.raise_signal(signal.SIGTERM)
    return grid(*arguments)

  # After the grid of reals and the first samples those of the second step come,
  # and no checkpoint is due then.
  with monkeypatch.context() as patch:
    patch.setattr(pictures, 'grid', signalling)
    code, out, err = train(tmp_path / 'parts')
  assert code == 75
  assert err.startswith('\nSIGTERM received: ') and err.count('\n') == 2
  assert 'Stopped by a signal after 6 of 12 images; the same command' in out
  code, out, err = train(tmp_path / 'parts')
  assert (code, err) == (0, '')
  whole, parts = end(trained), end(tmp_path / 'parts')
  assert whole == parts
  assert sorted(whole[1]) == [f'{number:010d}.png' for number in (0, 4, 8, 12)]
  rows = [
    json.loads(line)
    for line in (tmp_path / 'parts' / 'metrics.jsonl').read_text().splitlines()
  ]
  assert [row['images'] for row in rows] == [4, 6, 8, 12]


def test_a_picture_of_any_size_is_painted(program, trained, files, tmp_path):
  for flags, shape in (((), (26, 34, 3)), (('--size=51',), (39, 51, 3))):
    code, out, err = program(
      'style_network',
      f'--workdir={trained}',
      f'--content={files}/content.png',
      f'--output={tmp_path}/new/painted.png',
      *flags,
    )
    assert (code, err) == (0, '')
    assert re.search(rf'Painted {shape[1]}x{shape[0]} pixels in \d+ ms', out)
    assert pictures.load(tmp_path / 'new' / 'painted.png').shape == shape


def test_another_style_in_the_same_workdir_is_refused(train, trained, files):
  code, _, err = train(trained, f'--style={files}/content.png')
  assert code == 1
  assert 'inputs.style' in err


def test_other_pixels_in_the_file_of_the_style_are_refused(
  train, tmp_path, files
):
  style = tmp_path / 'style.png'
  Image.open(files / 'style.png').save(style)
  code, _, err = train(tmp_path / 'run', f'--style={style}')
  assert (code, err) == (0, '')
  Image.open(files / 'style.png').rotate(180).save(style)
  code, _, err = train(tmp_path / 'run', f'--style={style}')
  assert code == 1
  assert 'The data of the run in' in err and 'style: ' in err


def test_a_mistake_claims_no_folder(train, tmp_path):
  code, _, err = train(tmp_path / 'run', '--config.network.width=-2')
  assert code == 1, err
  assert not (tmp_path / 'run').exists()


@pytest.mark.parametrize(
  ('flags', 'words'),
  [
    ((), 'Give either --style=FILE to train'),
    (('--content=a.png', '--style=b.png'), 'Give either --style=FILE to train'),
    (('--content=a.png',), 'holds no run.json'),
    (('--style=a.png', '--config.features=random'), 'no file a.png'),
  ],
)
def test_what_is_wrong_is_one_sentence(program, tmp_path, flags, words):
  code, _, err = program('style_network', f'--workdir={tmp_path}', *flags)
  assert code == 1
  assert words in err
  assert 'Traceback' not in err


@pytest.mark.parametrize('name', ['default', 'johnson'])
def test_every_preset_is_locked_and_names_a_network(name):
  config = style_network.get_config(name)
  assert config.is_locked
  image_transformation.johnson(**config.network)
