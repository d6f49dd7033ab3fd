"""Painters of one style: the network, its training, and the program."""

import contextlib
import json
import re
import signal
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from PIL import Image

from configs import style_network
from ganjax import parallel, pictures
from ganjax.config import workdir
from ganjax.style import feedforward, objective, statistics, transformer
from ganjax.training import checkpoint

RANDOM = np.random.default_rng(0)
KEY = jax.random.key(0)
SMALL = transformer.painter(width=2, blocks=1, outer=3)


class Encoder(NamedTuple):
  """The fields of `ganjax.style.encoders.Encoder` that are looked at."""

  name: str
  params: Any
  apply: Callable
  layers: tuple


def linear():
  """An encoder of one layer, each of whose features is a sum of colours."""

  def apply(params, pictures, layers):
    return dict.fromkeys(layers, pictures @ params)

  mixed = RANDOM.normal(size=(3, 4)).astype(np.float32)
  return Encoder('linear', mixed, apply, ('one',))


def pixels(*shape):
  return RANDOM.integers(0, 256, (*shape, 3), np.uint8)


@pytest.fixture(scope='module')
def painted():
  """`(params, apply)` of a small painter, the latter compiled."""
  params = jax.jit(SMALL.init)(KEY, jnp.zeros((1, 16, 16, 3)))
  return params, jax.jit(SMALL.apply)


# The network.


def test_instances_are_normalised_each_by_itself():
  features = RANDOM.normal(3, 2, (2, 5, 7, 4)).astype(np.float32)
  scale, bias = RANDOM.normal(size=(2, 4)).astype(np.float32)
  found = transformer.InstanceNorm().apply(
    {'params': {'scale': scale, 'bias': bias}}, features
  )
  for picture, normal in zip(features, found, strict=True):
    for channel in range(4):
      values = picture[..., channel].astype(np.float64)
      expected = (values - values.mean()) / np.sqrt(values.var() + 1e-5)
      np.testing.assert_allclose(
        normal[..., channel],
        expected * scale[channel] + bias[channel],
        atol=1e-5,
      )


def test_johnsons_network_has_his_number_of_parameters():
  painter = transformer.painter(**style_network.get_config('johnson').network)
  params = jax.eval_shape(painter.init, KEY, jnp.zeros((1, 32, 32, 3)))
  # All have a bias in PyTorch's fast_neural_style; before a normalisation it
  # is without effect.
  without = 32 + 64 + 128 + 5 * 2 * 128 + 64 + 32
  number = sum(leaf.size for leaf in jax.tree.leaves(params))
  assert number == 1_679_235 - without


@pytest.mark.parametrize('size', [(5, 6), (17, 30), (33, 20)])
def test_pictures_of_any_size_keep_it(painted, size):
  params, apply = painted
  found = apply(params, RANDOM.random((2, *size, 3), np.float32))
  assert found.shape == (2, *size, 3)
  assert ((found > 0) & (found < 1)).all()


def test_what_is_painted_knows_no_contrast_and_no_brightness(painted):
  params, apply = painted
  picture = RANDOM.random((1, 16, 16, 3), np.float32)
  np.testing.assert_allclose(
    apply(params, 0.5 * picture + 0.2), apply(params, picture), atol=1e-3
  )


def test_a_picture_is_painted_alike_in_any_company(painted):
  params, apply = painted
  several = RANDOM.random((2, 16, 16, 3), np.float32)
  np.testing.assert_allclose(
    apply(params, several)[1:], apply(params, several[1:]), atol=1e-5
  )


def test_a_picture_too_small_is_refused(painted):
  params, apply = painted
  with pytest.raises(ValueError, match='4x9 pixels'):
    apply(params, np.zeros((1, 4, 9, 3), np.float32))


def test_a_kernel_without_a_middle_is_refused():
  with pytest.raises(ValueError, match='outer is 4'):
    transformer.painter(outer=4)


# The training.


def test_windows_are_parts_of_their_pictures():
  whole = jnp.arange(3 * 7 * 9 * 3).reshape(3, 7, 9, 3)
  found = np.asarray(feedforward.windows(KEY, whole, 4))
  corners = found[:, 0, 0, 0] - np.asarray(whole)[:, 0, 0, 0]
  for picture, part, corner in zip(whole, found, corners, strict=True):
    row, column = divmod(corner // 3, 9)
    np.testing.assert_array_equal(
      part, picture[row : row + 4, column : column + 4]
    )
  np.testing.assert_array_equal(feedforward.windows(KEY, found, 4), found)


def test_a_window_larger_than_the_picture_is_refused():
  with pytest.raises(
    ValueError, match='window of 8 pixels in a picture of 7x9'
  ):
    feedforward.windows(KEY, jnp.zeros((1, 7, 9, 3)), 8)


def test_every_window_is_drawn():
  row = jnp.arange(5)[None, None, :, None] * jnp.ones((200, 3, 1, 3))
  found = feedforward.windows(KEY, row, 3)[:, 0, 0, 0]
  np.testing.assert_array_equal(np.unique(found), [0, 1, 2])


def test_a_step_is_the_one_by_hand():
  """A painter p x, and the content's mean square error: (p - 1)^2 E x^2."""
  painter = transformer.Painter(
    lambda key, pictures: jnp.float32(3.0), lambda p, pictures: p * pictures
  )
  terms = (objective.content_term([objective.PIXELS], statistics.content_mean),)
  optimizer = optax.sgd(0.25)
  state = feedforward.init(painter, optimizer, KEY)
  step = feedforward.stepper(painter, linear(), terms, optimizer, 6)
  shown = pixels(2, 6, 6)
  state, losses = step(state, shown, None, {}, {'content': jnp.float32(2)})
  square = ((shown / 255) ** 2).mean()
  np.testing.assert_allclose(losses['content'], 4 * square, rtol=1e-5)
  np.testing.assert_allclose(losses['loss'], 8 * square, rtol=1e-5)
  np.testing.assert_allclose(state.params, 3 - 0.25 * 2 * 4 * square, rtol=1e-5)
  assert state.step == 1


def test_the_style_is_one_and_the_content_each_pictures_own():
  encoder = linear()
  terms = (
    objective.content_term(['one']),
    objective.style_term(['one']),
    objective.variation_term(),
  )
  contents = RANDOM.random((2, 6, 6, 3), np.float32)
  marc = objective.Exemplar(RANDOM.random((1, 9, 8, 3), np.float32))
  aims = objective.targets(
    encoder, terms[1:2], encoder.params, contents[:1], (marc,)
  )
  copy = transformer.Painter(None, lambda own, pictures: pictures[::own])
  found = feedforward.losses(
    copy, encoder, terms, encoder.params, 1, contents, aims
  )
  np.testing.assert_array_equal(found['content'], [0, 0])
  wanted = objective.targets(encoder, terms, encoder.params, contents, (marc,))
  for own in (1, -1):
    expected = objective.losses(
      encoder, terms, encoder.params, contents[::own], wanted
    )
    found = feedforward.losses(
      copy, encoder, terms, encoder.params, own, contents, aims
    )
    for name, values in expected.items():
      np.testing.assert_allclose(found[name], values, rtol=1e-5, err_msg=name)


def test_training_paints_in_the_colours_of_the_style():
  encoder = linear()
  terms = (objective.content_term(['one']), objective.style_term(['one']))
  red = np.float32([0.9, 0.2, 0.1]) * np.ones((1, 8, 8, 1), np.float32)
  aims = objective.targets(
    encoder, terms[1:], encoder.params, red, (objective.Exemplar(red),)
  )
  optimizer = optax.adam(0.05)
  step = jax.jit(feedforward.stepper(SMALL, encoder, terms, optimizer, 12))
  state = jax.jit(lambda: feedforward.init(SMALL, optimizer, KEY))()
  # Weights are traced: one program serves for all.
  weights, values = {'content': 0.0, 'style': 1.0}, []
  shown = pixels(2, 16, 16)
  for _ in range(30):
    state, losses = step(state, shown, encoder.params, aims, weights)
    values.append(float(losses['loss']))
  assert values[-1] < 0.02 * values[0]
  weights = {'content': 1.0, 'style': 0.0}
  _, losses = step(state, shown, encoder.params, aims, weights)
  np.testing.assert_allclose(losses['loss'], losses['content'])
  painted = SMALL.apply(state.params, feedforward.scale(shown))
  np.testing.assert_allclose(painted.mean((0, 1, 2)), red[0, 0, 0], atol=0.1)


# The program.


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
  painter = transformer.painter(**config.network)
  with contextlib.closing(checkpoint.reader(folder / 'checkpoints')) as reader:
    like = checkpoint.abstract(
      lambda: feedforward.init(painter, optax.adam(1e-3), KEY),
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
  grid = pictures.grid

  def signalling(*arguments):
    monkeypatch.setattr(pictures, 'grid', grid)
    signal.raise_signal(signal.SIGTERM)
    return grid(*arguments)

  # The first samples are of the second step, and no checkpoint is due then.
  monkeypatch.setattr(pictures, 'grid', signalling)
  code, out, err = train(tmp_path / 'parts')
  assert (code, err) == (75, '')
  assert 'Stopped by a signal after 6 of 12 images; the same command' in out
  code, out, err = train(tmp_path / 'parts')
  assert (code, err) == (0, '')
  whole, parts = end(trained), end(tmp_path / 'parts')
  assert whole == parts
  assert sorted(whole[1]) == [f'{number:010d}.png' for number in (4, 8, 12)]
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
    assert re.search(rf'{shape[1]}x{shape[0]}\): painted in \d+ ms', out)
    assert pictures.load(tmp_path / 'new' / 'painted.png').shape == shape


def test_another_style_in_the_same_workdir_is_refused(train, trained, files):
  code, _, err = train(trained, f'--style={files}/content.png')
  assert code == 1
  assert 'made_of.style' in err


@pytest.mark.parametrize(
  ('flags', 'words'),
  [
    ((), 'Give --style=FILE to train'),
    (('--content=a.png', '--style=b.png'), 'Give --style=FILE to train'),
    (('--content=a.png',), 'holds no run.json'),
    (('--style=a.png', '--config.features=random'), 'needs directory'),
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
  transformer.painter(**config.network)
