"""The folder of a run: whose it is, what it was started with, of which data."""

import contextlib
import json
import multiprocessing
import os

import jax.numpy as jnp
import numpy as np
import pytest
from ml_collections import ConfigDict

from ganjax import files, pictures
from ganjax.config import workdir
from ganjax.data import image_cache, images
from ganjax.training import checkpoint

CONFIG = ConfigDict({'loss': 'hinge', 'widths': (8, 16)})


def data(pixel=0, labels=(0, 1, 1), name='mine'):
  pixels = np.zeros((3, 2, 2, 1), np.uint8)
  pixels[1, 1, 1] = pixel
  labels = np.int32(labels)
  identity = image_cache.identity(pixels, labels)
  return images.ImageSet(pixels, labels, name, ('a', 'b'), identity)


def trained(folder, config=CONFIG, own=None, place='checkpoints'):
  """Claims a folder and saves a checkpoint; returns the folder."""
  with workdir.claimed(folder, config, own or data()) as (folder, records):
    manager = checkpoint.manager(folder / place)
    content = {'config': records, 'best': {}} if 'best' in place else records
    checkpoint.save(manager, 1, {'a': jnp.zeros(3)}, content)
    checkpoint.close(manager)
  return folder


def claim(folder, config=CONFIG, own=None, **inputs):
  with workdir.claimed(folder, config, own or data(), **inputs):
    pass


def changed(**values):
  return ConfigDict({**CONFIG.to_dict(), **values})


def test_a_folder_without_a_checkpoint_is_claimed_anew(tmp_path):
  claim(tmp_path, changed(loss='hing'), data(1))
  claim(tmp_path)
  config, examples = workdir.read(tmp_path)
  assert config.loss == 'hinge'
  assert examples == ((2, 2, 1), ('a', 'b'))


def test_images_of_the_data_lie_in_the_folder(tmp_path):
  claim(tmp_path, own=data(pixel=255))
  # Three images of 2x2 in a grid of 2x2, with 2 pixels of black around each.
  [(row, column, _)] = np.argwhere(
    np.asarray(pictures.load(tmp_path / 'reals.png'))[..., :1]
  )
  assert (row, column) == (2 + 1, 6 + 1)


@pytest.mark.parametrize('place', ['checkpoints', 'checkpoints/best'])
def test_a_checkpoint_is_not_gone_on_from_with_another_config(place, tmp_path):
  trained(tmp_path, place=place)
  with pytest.raises(ValueError, match='another run.*loss: "hinge" there, "x"'):
    claim(tmp_path, changed(loss='x'))
  claim(tmp_path)


@pytest.mark.parametrize(
  ('own', 'words'),
  [
    (data(pixel=1), 'identity: "[0-9a-f]{8}" there, "[0-9a-f]{8}" now'),
    (data(labels=(1, 1, 1)), 'identity: '),
    (data()._replace(classes=('a', 'c')), r'classes: \["a", "b"\] there'),
    (data(name='yours'), 'name: "mine" there, "yours" now'),
  ],
)
def test_a_checkpoint_is_not_gone_on_from_with_other_data(own, words, tmp_path):
  trained(tmp_path)
  with pytest.raises(ValueError, match=f'data of the run in .*{words}'):
    claim(tmp_path, own=own)
  # Of what else it is computed from, too.
  with pytest.raises(ValueError, match='style: nothing there, "a" now'):
    claim(tmp_path, style='a')
  # The checkpoint knows it, whatever became of the file.
  (tmp_path / 'run.json').unlink()
  with pytest.raises(ValueError, match=words):
    claim(tmp_path, own=own)
  claim(tmp_path)


def test_a_longer_run_goes_on_and_says_so(tmp_path):
  trained(tmp_path, changed(images=10))
  with pytest.raises(ValueError, match='images: 10 there, 9 now'):
    claim(tmp_path, changed(images=9))
  with pytest.raises(ValueError, match='another run[^;]*: loss: "hinge"'):
    claim(tmp_path, changed(images=20, loss='x'))
  for length, number in ((20, 1), (20, 1), (10, 0)):
    claim(tmp_path, changed(images=length))
    history = json.loads((tmp_path / 'run.json').read_text())['history']
    # Claimed only: the checkpoint is still that of the shorter run.
    assert history == ['images was raised from 10 to 20.'][:number]
    assert (
      json.loads((tmp_path / 'config.json').read_text())['images'] == length
    )


def test_a_run_that_ends_while_it_grows_does_not_get_longer(tmp_path):
  growing = changed(
    batch_size=1,
    critic_steps=1,
    optimizers={},
    growth={'first': 4, 'fade': 8, 'hold': 8, 'batch_size': (), 'rate': (1.0,)},
  )

  def long(images):
    return ConfigDict({**growing.to_dict(), 'images': images})

  own = data()._replace(images=np.zeros((3, 8, 8, 1), np.uint8))
  trained(tmp_path / 'a', long(12), own)
  with pytest.raises(ValueError, match='12, which ends while .* fades in, and'):
    claim(tmp_path / 'a', long(40), own)
  trained(tmp_path / 'b', long(20), own)
  claim(tmp_path / 'b', long(40), own)


@pytest.mark.parametrize('name', ['config.json', 'run.json'])
def test_a_damaged_record_is_that_of_the_checkpoint(name, tmp_path):
  trained(tmp_path)
  path = tmp_path / name
  before = path.read_text()
  path.write_text(before[:30])
  with pytest.warns(UserWarning, match=f'{path} cannot be read .* checkpoint'):
    config, examples = workdir.read(tmp_path)
  assert config.widths == [8, 16]
  assert examples == ((2, 2, 1), ('a', 'b'))
  with (
    pytest.warns(UserWarning, match='config.json')
    if (name == 'config.json')
    else contextlib.nullcontext()
  ):
    claim(tmp_path)
  assert json.loads(path.read_text()) == json.loads(before)


def test_a_damaged_record_without_a_checkpoint_is_named(tmp_path):
  claim(tmp_path)
  (tmp_path / 'config.json').write_text('')
  with pytest.raises(ValueError, match=r'config\.json cannot be read .* again'):
    workdir.read(tmp_path)
  claim(tmp_path)


@pytest.mark.parametrize(('step', 'age'), [(1, 'newer'), (-1, 'older')])
def test_another_format_is_left_alone(tmp_path, step, age):
  trained(tmp_path)
  path = tmp_path / 'config.json'
  path.write_text(json.dumps({'format': files.FORMAT + step}))
  for attempt in (lambda: claim(tmp_path), lambda: workdir.read(tmp_path)):
    with pytest.raises(files.FormatError, match=f'{age} ganjax'):
      attempt()


def _hold(folder, ready, end):
  with workdir.claimed(folder, CONFIG, data()):
    ready.set()
    end.wait(60)


def test_two_processes_do_not_train_in_one_folder(tmp_path):
  context = multiprocessing.get_context('spawn')
  ready, end = context.Event(), context.Event()
  other = context.Process(target=_hold, args=(tmp_path, ready, end))
  other.start()
  try:
    assert ready.wait(60)
    with pytest.raises(ValueError, match=f'process {other.pid} on .* another'):
      claim(tmp_path)
  finally:
    # As a crash would, which releases it.
    other.kill()
    other.join()
  claim(tmp_path)
  assert f'process {os.getpid()} ' in (tmp_path / 'lock').read_text()


@pytest.mark.parametrize('name', ['', 'checkpoints', 'samples', 'tensorboard'])
def test_a_file_in_place_of_a_folder_is_named(name, tmp_path):
  path = tmp_path / 'run' / name
  path.parent.mkdir(exist_ok=True)
  path.write_text('')
  with pytest.raises(ValueError, match=f'needs a folder {path}'):
    claim(tmp_path / 'run')


@pytest.mark.parametrize('name', ['metrics.jsonl', 'config.json', 'lock'])
def test_a_folder_in_place_of_a_file_is_named(name, tmp_path):
  (tmp_path / name).mkdir()
  with pytest.raises(ValueError, match=f'{tmp_path / name}, which is a folder'):
    claim(tmp_path)
