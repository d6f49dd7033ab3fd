"""The program that paints, and what its configs are made into."""

import importlib
import json

import jax
import numpy as np
import pytest
from PIL import Image

from configs import style_transfer
from ganjax import pictures
from ganjax.style import from_config, initial, random_filters, statistics

PRESETS = (
  'default',
  'fast',
  'gatys',
  'wasserstein',
  'lesson_content',
  'lesson_style',
  'lesson',
)


@pytest.fixture(scope='module')
def files(tmp_path_factory):
  """The paths of a content, a style and a mask of its left half."""
  folder = tmp_path_factory.mktemp('pictures')
  drawn = np.random.default_rng(0)
  made = {
    'content': drawn.integers(0, 256, (60, 80, 3), np.uint8),
    'style': drawn.integers(0, 256, (50, 40, 3), np.uint8) // 2,
    'left': np.repeat([[255] * 40 + [0] * 40], 60, 0).astype(np.uint8),
  }
  for name, pixels in made.items():
    Image.fromarray(pixels).save(folder / f'{name}.png')
  return {name: folder / f'{name}.png' for name in made}


@pytest.fixture
def paint(program, files, tmp_path):
  """`(*flags) -> code, out, err, picture` of a painting in three steps."""

  def run(*arguments, name='default'):
    output = tmp_path / 'new' / 'painted.png'
    code, out, err = program(
      'style_transfer',
      f'--config=configs/style_transfer.py:{name}',
      '--config.steps.first=3',
      '--features=random',
      f'--content={files["content"]}',
      f'--style={files["style"]}',
      '--size=64',
      f'--output={output}',
      *arguments,
    )
    return code, out, err, output

  return run


def test_a_picture_is_painted_and_what_made_it_kept(paint):
  two_scales = '--min_size=45', '--config.steps.others=2'
  code, out, err, path = paint('--every=2', '--gif', *two_scales)
  assert code == 0, err
  assert 'colours and fine texture only' in out
  assert '5 of 5 steps in ' in out
  assert pictures.load(path).shape == (48, 64, 3)
  about = json.loads(path.with_suffix('.json').read_text())
  assert about['steps'] == about['of'] == 5
  assert about['config']['size'] == 64
  assert set(about['losses']) == {'content', 'style', 'variation', 'loss'}
  with Image.open(path.with_suffix('.gif')) as animation:
    assert animation.size == (64, 48)
    # After 2 and 3 steps of the first scale, and after 2 of the second.
    assert animation.n_frames == 3


def test_the_same_command_paints_the_same(paint):
  first, second = (pictures.load(paint('--init=noise')[-1]) for _ in range(2))
  np.testing.assert_array_equal(first, second)
  other = pictures.load(paint('--init=noise', '--seed=1')[-1])
  assert (first != other).any()


def test_colours_are_kept(paint, files):
  _, _, err, path = paint('--keep_colors')
  painted, content = pictures.load(path), pictures.load(files['content'])
  # Chroma, of a result that was not clipped: R - B is the content's.
  content = (
    np.asarray(
      Image.open(files['content']).resize((64, 48), Image.Resampling.BICUBIC)
    )
    / 255
  )
  inside = ((painted > 0.02) & (painted < 0.98)).all(-1)
  differences = [
    (picture[..., 0] - picture[..., 2])[inside]
    for picture in (painted, content)
  ]
  assert inside.mean() > 0.2
  assert np.abs(differences[0] - differences[1]).mean() < 0.05


def test_a_preview_is_written_while_it_is_painted(paint, monkeypatch):
  saved, save = [], pictures.save
  monkeypatch.setattr(
    pictures, 'save', lambda path, own: (saved.append(own), save(path, own))
  )
  code, _, err, path = paint('--every=1', '--preview')
  assert code == 0, err
  # After each of the three steps, and at the end.
  assert len(saved) == 4 and (saved[0] != saved[1]).any()
  np.testing.assert_array_equal(saved[2], saved[3])
  assert [own.name for own in path.parent.iterdir()].count(path.name) == 1


def test_strength_is_the_ratio_of_style_and_content():
  config, encoder = style_transfer.get_config(), random_filters.encoder(0)
  _, given = from_config.terms(config, encoder)
  config.strength = 0.8
  _, stronger = from_config.terms(config, encoder)
  ratios = [own['style'] / own['content'] for own in (given, stronger)]
  # .8 / .2
  np.testing.assert_allclose(ratios[1], 4 * ratios[0])
  assert stronger['variation'] == given['variation']
  for strength, gone in ((0.0, 'style'), (1.0, 'content')):
    config.strength = strength
    terms, weights = from_config.terms(config, encoder)
    assert {term.name for term in terms} == weights.keys()
    assert weights.keys() == given.keys() - {gone}


def test_masks_and_weights_share_out_the_styles(paint, files):
  code, _, err, _ = paint(
    f'--style={files["content"]}',
    '--style_weights=2,1',
    f'--mask={files["left"]}',
  )
  assert code == 0, err


@pytest.mark.parametrize('name', PRESETS)
def test_every_preset_makes_a_method(name):
  config = style_transfer.get_config(name)
  made = from_config.method(config, random_filters.encoder(0))
  assert set(made.weights) == {term.name for term in made.terms}
  sides, steps = from_config.scales(config)
  assert sides[-1] == config.size
  assert len(sides) == len(steps)


def test_layers_that_an_encoder_lacks_are_replaced_by_its_own():
  config = style_transfer.get_config('gatys')
  encoder = random_filters.encoder(0)
  without, *_ = from_config.method(config, encoder).terms
  assert tuple(without.layers) == encoder.content != ('relu4_2',)
  fits = encoder._replace(layers=(*encoder.layers, 'relu5_1'))
  content, *_ = from_config.method(config, fits).terms
  assert content.layers == {'relu4_2': 1.0}
  assert content.statistic is statistics.content_gatys


def test_noise_on_the_content_is_the_lessons():
  content = np.full((1, 200, 200, 3), 0.8, np.float32)
  noisy = initial.noisy_content(jax.random.key(0), content, ())
  inside = np.asarray(noisy)[(noisy > 0) & (noisy < 1)]
  # A normal of mean .5 and deviation .3, cut off at 0 and 1.
  np.testing.assert_allclose(inside.mean(), 0.5, atol=0.01)
  np.testing.assert_allclose((noisy == 0).mean(), 0.0478, atol=0.005)


@pytest.mark.parametrize(
  ('flags', 'words'),
  [
    (('--mask=nowhere.png',), 'There is no file nowhere.png.'),
    (('--style_weights=1,2',), 'There are 2 weights for 1 styles'),
    (('--init=chaos',), "There is no initial picture 'chaos'"),
    (('--config.style.statistic=gramm',), "did you mean 'gram'?"),
    (('--config.colors=grey',), "There is no colors 'grey'"),
    (('--size=8',), 'needs'),
  ],
)
def test_what_is_wrong_is_one_sentence(paint, flags, words):
  code, _, err, path = paint(*flags)
  assert code == 1
  assert words in err
  assert 'Traceback' not in err
  assert not path.exists()


def test_a_file_that_is_no_picture_is_named(tmp_path):
  path = tmp_path / 'a.png'
  path.write_text('nothing to see')
  with pytest.raises(ValueError, match='a.png is no picture'):
    pictures.load(path)


def test_an_unknown_preset_is_answered_with_all():
  with pytest.raises(ValueError, match='choose from default, fast, gatys'):
    importlib.import_module('configs.style_transfer').get_config('x')


def test_features_that_stand_in_are_made_as_large_as_those_of_vgg():
  config = style_transfer.get_config('gatys')
  encoder = random_filters.encoder(0)
  content = np.random.default_rng(0).uniform(size=(1, 64, 64, 3))
  content = content.astype(np.float32)
  found = from_config.rescaled(config, encoder, content)
  features = found.apply(found.params, content, found.style)
  for layer in found.style:
    assert np.sqrt(np.mean(features[layer] ** 2)) == pytest.approx(
      300, rel=1e-4
    )
  config.style.layers = {}
  config.content.layers = {}
  assert from_config.rescaled(config, encoder, content) is encoder
