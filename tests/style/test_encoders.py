"""Encoders against NumPy: every layer, every layout, and real weights."""

import functools
import pathlib

import h5py
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file

from ganjax.style import (
  encoders,
  pretrained,
  random_filters,
  squeezenet,
  vgg,
)
from ganjax.weights import formats

SHARED = pathlib.Path(__file__).resolve().parents[3] / 'shared'
SQUEEZENET = SHARED / 'weights' / 'compressed_SqueezeNet.net'
KITTEN = SHARED / 'images' / 'content_kitten.jpg'
needs_squeezenet = pytest.mark.skipif(
  not (SQUEEZENET.exists() and KITTEN.exists()), reason=f'no {SQUEEZENET}'
)

# torchvision's numbers of the convolutions and the pools.
CONVOLUTIONS = {
  16: (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28),
  19: (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34),
}
POOLS = {16: (4, 9, 16, 23, 30), 19: (4, 9, 18, 27, 36)}
MEAN, DEVIATION = np.array([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]])
BLUE_FIRST = np.array([103.939, 116.779, 123.68])

PICTURES = np.random.default_rng(1).random((2, 37, 42, 3), np.float32)


def windows(x, side, stride):
  """[N, h, w, C, side, side] of [N, H, W, C]."""
  found = np.lib.stride_tricks.sliding_window_view(x, (side, side), (1, 2))
  return found[:, ::stride, ::stride]


def convolve(x, weight, bias, padding=1, stride=1, mode='constant'):
  """torch's Conv2d in float64, weight [F, C, k, k]."""
  x = np.pad(x, ((0, 0), (padding,) * 2, (padding,) * 2, (0, 0)), mode)
  patches = windows(x, weight.shape[-1], stride)
  return np.tensordot(patches, weight, ((3, 4, 5), (1, 2, 3))) + bias


def largest(x):
  return windows(x, 2, 2).max((-2, -1))


def network(depth, width=3):
  """Weights [F, C, 3, 3] and biases by torchvision's number; widths differ."""
  random = np.random.default_rng(depth)
  arrays, channels = {}, 3
  for index in CONVOLUTIONS[depth]:
    out = width + index % 3
    weight = random.normal(size=(out, channels, 3, 3))
    arrays[f'features.{index}.weight'] = weight / np.sqrt(4.5 * channels)
    arrays[f'features.{index}.bias'] = random.normal(size=out) / 9
    channels = out
  return {name: array.astype('f4') for name, array in arrays.items()}


def named(depth):
  """[(torchvision's number, block, place in it)] of the convolutions."""
  block, place = 1, 0
  for index in range(POOLS[depth][-1]):
    if index in POOLS[depth]:
      block, place = block + 1, 0
    if index in CONVOLUTIONS[depth]:
      place += 1
      yield index, block, place


def by_numpy(arrays, depth, images, pool=largest, mode='constant'):
  """All features by name, of preprocessed images."""
  names = {index: f'{block}_{place}' for index, block, place in named(depth)}
  found, x = {}, images.astype(np.float64)
  for index in range(POOLS[depth][-1] + 1):
    if index in names:
      weight, bias = (arrays[f'features.{index}.{k}'] for k in PARTS)
      border = mode if index == 0 else 'constant'
      x = found[f'conv{names[index]}'] = convolve(x, weight, bias, mode=border)
    elif index in POOLS[depth]:
      x = found[f'pool{POOLS[depth].index(index) + 1}'] = pool(x)
    else:
      x = found[f'relu{names[index - 1]}'] = np.maximum(x, 0)
  return found


PARTS = 'weight', 'bias'


def normalised(pictures):
  return (pictures - MEAN) / DEVIATION


def blue_first(pictures, mean=BLUE_FIRST):
  return pictures[..., ::-1] * 255.0 - mean


def features(encoder, layers=None, pictures=PICTURES):
  layers = layers or encoder.layers
  return jax.jit(lambda params, x: encoder.apply(params, x, layers))(
    encoder.params, pictures
  )


def assert_same(found, expected):
  assert found.keys() == expected.keys()
  for name, values in expected.items():
    assert found[name].shape == values.shape, name
    scale = np.abs(values).max()
    np.testing.assert_allclose(
      found[name], values, atol=2e-5 * scale, err_msg=name
    )


@pytest.mark.parametrize('depth', [16, 19])
def test_every_layer_is_that_of_the_definition(depth):
  arrays = network(depth)
  encoder = vgg.from_weights(arrays, 'drawn')
  assert encoder.name == f'VGG-{depth} (drawn)'
  expected = by_numpy(arrays, depth, normalised(PICTURES))
  assert_same(features(encoder), expected)
  assert encoder.layers == tuple(expected)
  assert set(encoder.content + encoder.style) < set(encoder.layers)


def square_root(x):
  return 0.78 * np.sqrt((windows(x, 2, 2) ** 2).sum((-2, -1)))


def twice_the_mean(x):
  return 2 * windows(x, 2, 2).mean((-2, -1))


@pytest.mark.parametrize(
  'pool, defined',
  [(vgg.average_pool, twice_the_mean), (vgg.l2_pool, square_root)],
)
def test_pools_and_borders_are_those_of_the_definition(pool, defined):
  arrays = network(16)
  encoder = vgg.from_weights(arrays, 'drawn', pool=pool, border='edge')
  layers = ('conv1_1', 'pool1', 'pool2')
  expected = by_numpy(arrays, 16, normalised(PICTURES), defined, 'edge')
  assert_same(features(encoder, layers), {n: expected[n] for n in layers})


def test_pools_have_the_slopes_of_their_windows():
  x = np.random.default_rng(0).normal(size=(1, 5, 6, 2)).astype('f4')
  weights = np.random.default_rng(1).normal(size=(1, 2, 3, 2)).astype('f4')

  def slope(pool, x):
    return jax.grad(lambda x: (pool(x) * weights).sum())(x)

  def spread(y):
    return np.pad(y.repeat(2, 1).repeat(2, 2), ((0, 0), (0, 1), (0, 0), (0, 0)))

  whole = spread(largest(x)) == x
  np.testing.assert_array_equal(
    slope(vgg.max_pool, x), np.where(whole, spread(weights), 0)
  )
  np.testing.assert_allclose(
    slope(vgg.average_pool, x)[:, :4], spread(weights)[:, :4] / 2
  )
  norms = spread(square_root(x)) / 0.78
  np.testing.assert_allclose(
    slope(vgg.l2_pool, x)[:, :4],
    (0.78 * spread(weights) * x)[:, :4] / norms[:, :4],
    rtol=1e-4,
  )
  np.testing.assert_array_equal(slope(vgg.l2_pool, 0 * x), 0 * x)


def layouts(arrays, depth):
  """The same weights under each of the names in use."""
  gatys, keras, keras_2 = {}, {}, {}
  for index, block, place in named(depth):
    weight, bias = (arrays[f'features.{index}.{part}'] for part in PARTS)
    gatys[f'conv{block}_{place}.weight'] = weight
    gatys[f'conv{block}_{place}.bias'] = bias
    kernel = weight.transpose(2, 3, 1, 0)
    layer = f'block{block}_conv{place}'
    keras[f'{layer}/{layer}_W_1:0'] = kernel
    keras[f'{layer}/{layer}_b_1:0'] = bias
    keras_2[f'model_weights/{layer}/{layer}/kernel:0'] = kernel
    keras_2[f'model_weights/{layer}/{layer}/bias:0'] = bias
  more = {'classifier.0.weight': np.zeros((2, 9)), 'classifier.0.bias': bias}
  return {
    'torchvision': arrays | more,
    'Gatys': gatys,
    'Keras': keras,
    'Keras 2': keras_2,
  }


@pytest.mark.parametrize('depth', [16, 19])
def test_layouts_differ_in_names_and_preprocessing_only(depth):
  arrays = network(depth)
  layer = ('conv1_1',)
  for layout, same in layouts(arrays, depth).items():
    assert vgg.recognises(same) and not squeezenet.recognises(same)
    encoder = vgg.from_weights(same, layout)
    assert encoder.name == f'VGG-{depth} ({layout})'
    for index, block, place in named(depth):
      found = encoder.params[f'conv{block}_{place}']
      weight, bias = (arrays[f'features.{index}.{part}'] for part in PARTS)
      np.testing.assert_array_equal(
        found['kernel'].transpose(3, 2, 0, 1), weight
      )
      np.testing.assert_array_equal(found['bias'], bias)
    prepare = normalised if layout == 'torchvision' else blue_first
    first = by_numpy(arrays, depth, prepare(PICTURES))['conv1_1']
    assert_same(
      encoder.apply(encoder.params, PICTURES, layer), {layer[0]: first}
    )
  # Caffe's weights under torchvision's names.
  encoder = vgg.from_weights(arrays, 'told', encoders.caffe)
  first = by_numpy(arrays, depth, blue_first(PICTURES))['conv1_1']
  assert_same(encoder.apply(encoder.params, PICTURES, layer), {layer[0]: first})


def test_preprocessing_of_single_colours():
  red, white = np.array([[[[1.0, 0, 0]]], [[[1.0, 1, 1]]]], np.float32)
  np.testing.assert_allclose(
    encoders.torchvision(red).ravel(), [2.2489, -2.0357, -1.8044], atol=1e-4
  )
  np.testing.assert_allclose(
    encoders.caffe(red).ravel(), [-103.939, -116.779, 131.32], rtol=1e-6
  )
  np.testing.assert_allclose(
    encoders.caffe(white, (104, 117, 123)).ravel(), [151, 138, 132]
  )


def test_a_network_that_is_not_whole_is_refused():
  arrays = network(19)
  for gone, words in [
    ('features.0.bias', r'VGG-19 \(x\) has no conv1_1\.bias'),
    ('features.34.weight', r'VGG-19 \(x\) has no conv5_4\.weight'),
  ]:
    part = {name: arrays[name] for name in arrays if name != gone}
    with pytest.raises(ValueError, match=words):
      vgg.from_weights(part, 'x')
  shape = arrays['features.5.weight'].shape
  wrong = arrays | {'features.5.weight': np.zeros((shape[0], 9, 3, 3))}
  with pytest.raises(
    ValueError, match=r'conv2_1 has a kernel of \(\d, 9, 3, 3'
  ):
    vgg.from_weights(wrong, 'x')
  with pytest.raises(ValueError, match='kernel of 3.*|has no fire2.squeeze'):
    squeezenet.from_weights(arrays, 'x')


def test_what_an_encoder_cannot_take_is_refused():
  encoder = vgg.from_weights(network(16), 'x')
  with pytest.raises(ValueError, match="no layer 'relu6_1'; choose from conv1"):
    encoder.apply(encoder.params, PICTURES, ('relu6_1',))
  for shape in [(1, 31, 40, 3), (40, 40, 3), (1, 40, 40, 1)]:
    with pytest.raises(ValueError, match='of at least 32'):
      encoder.apply(encoder.params, np.zeros(shape), ('relu1_1',))


@pytest.mark.parametrize('make', ['vgg', 'squeezenet', 'random'])
def test_nothing_is_computed_beyond_what_is_asked(make):
  encoder = {
    'vgg': lambda: vgg.from_weights(network(16), 'x'),
    'squeezenet': lambda: squeezenet.from_weights(fires(7)[0], 'x'),
    'random': random_filters.encoder,
  }[make]()
  layer = encoder.layers[2]

  def apply(params, pictures):
    return encoder.apply(params, pictures, (layer,))

  def convolutions(jaxpr):
    return str(jaxpr).count('conv_general_dilated[')

  asked = jax.make_jaxpr(apply)(encoder.params, PICTURES)
  count = {'vgg': 2, 'squeezenet': 7, 'random': 3}[make]
  assert convolutions(asked) == count
  # In the type of its parameters.
  half = jax.tree.map(lambda x: x.astype(jnp.bfloat16), encoder.params)
  assert jax.eval_shape(apply, half, PICTURES)[layer].dtype == jnp.bfloat16


# SqueezeNet.


def fires(side, width=2):
  """The same drawn network under torchvision's names and under Caffe's."""
  random = np.random.default_rng(side)
  torchvision, caffe = {}, {}

  def draw(number, name, out, channels, side):
    weight = random.normal(size=(out, channels, side, side))
    weight = (weight / np.sqrt(channels * side**2 / 2)).astype('f4')
    bias = random.normal(size=out).astype('f4') / 9
    for part, array in zip(PARTS, (weight, bias), strict=True):
      torchvision[f'features.{number}.{part}'] = array
      caffe[f'{name}/{part}'] = array
    return out

  channels = draw('0', 'conv1', 5, 3, side)
  for fire, number in enumerate(NUMBERS[side], 2):
    at = f'fire{fire}'
    squeezed = draw(f'{number}.squeeze', f'{at}/squeeze1x1', width, channels, 1)
    channels = sum(
      draw(f'{number}.{name}', f'{at}/{name}', width + fire, squeezed, kernel)
      for name, kernel in (('expand1x1', 1), ('expand3x3', 3))
    )
  torchvision['classifier.1.weight'] = np.zeros((10, channels, 1, 1), 'f4')
  return torchvision, caffe


# torchvision's numbers of the fire modules, by the first kernel's side.
NUMBERS = {7: (3, 4, 5, 7, 8, 9, 10, 12), 3: (3, 4, 6, 7, 9, 10, 11, 12)}


def by_fires(caffe, side, images):
  """All features of a SqueezeNet, by the layers of its paper."""

  def conv(x, name, **options):
    weight, bias = caffe[f'{name}/weight'], caffe[f'{name}/bias']
    return np.maximum(convolve(x, weight, bias, **options), 0)

  def ceil_pool(x):
    # -inf is never the largest; with ceil_mode it fills the last window.
    fill = [(n % 2 == 0) * 1 for n in x.shape[1:3]]
    around = ((0, 0), (0, fill[0]), (0, fill[1]), (0, 0))
    x = np.pad(x, around, constant_values=-np.inf)
    return windows(x, 3, 2).max((-2, -1))

  before = {7: (2, 5, 9), 3: (2, 4, 6)}[side]
  x = conv(images.astype(np.float64), 'conv1', padding=0, stride=2)
  found = {'conv1': x}
  for fire in range(2, 10):
    x = ceil_pool(x) if fire in before else x
    x = conv(x, f'fire{fire}/squeeze1x1', padding=0)
    parts = (
      conv(x, f'fire{fire}/expand1x1', padding=0),
      conv(x, f'fire{fire}/expand3x3', padding=1),
    )
    x = found[f'fire{fire}'] = np.concatenate(parts, -1)
  return found


@pytest.mark.parametrize('side, version', [(7, '1.0'), (3, '1.1')])
def test_squeezenet_is_that_of_the_definition(side, version):
  torchvision, caffe = fires(side)
  encoder = squeezenet.from_weights(torchvision, 'drawn')
  assert encoder.name == f'SqueezeNet {version} (drawn)'
  expected = by_fires(caffe, side, normalised(PICTURES))
  assert_same(features(encoder), expected)
  other = squeezenet.from_weights(caffe, 'drawn')
  assert squeezenet.recognises(caffe) and squeezenet.recognises(torchvision)
  assert not vgg.recognises(caffe)
  jax.tree.map(np.testing.assert_array_equal, encoder.params, other.params)
  first = by_fires(caffe, side, blue_first(PICTURES, [104, 117, 123]))
  assert_same(
    other.apply(other.params, PICTURES, ('conv1',)), {'conv1': first['conv1']}
  )
  # The least picture has features at every layer; one less has not.
  least = np.zeros((1, encoder.smallest, encoder.smallest, 3), np.float32)
  for values in features(encoder, ('fire9',), least).values():
    assert values.shape[1:3] == (1, 1)


@needs_squeezenet
def test_the_real_squeezenet_sees_the_kitten():
  encoder = pretrained.load(SQUEEZENET)
  assert encoder.name.startswith('SqueezeNet 1.0 (compressed_SqueezeNet.net')
  assert 'sha256 e4ab6960' in encoder.name
  with Image.open(KITTEN) as image:
    width, height = image.size
    left = (width - height) // 2
    square = image.convert('RGB').crop((left, 0, left + height, height))
  picture = np.asarray(square.resize((227, 227)), np.float32)[None] / 255
  last = np.asarray(features(encoder, ('fire9',), picture)['fire9'])
  arrays = formats.read(SQUEEZENET)
  scores = last @ arrays['conv10/weight'][:, :, 0, 0].T + arrays['conv10/bias']
  scores = np.maximum(scores, 0).mean((0, 1, 2))
  # Tiger cat, Egyptian cat, tabby.
  assert set(scores.argsort()[-3:]) == {282, 285, 281}
  assert scores.argmax() == 282


# Untrained.


def test_random_features_are_the_seed_s_and_of_one_size():
  encoder = random_filters.encoder(3)
  assert 'random filters' in encoder.name and 'seed 3' in encoder.name
  again, other = random_filters.encoder(3), random_filters.encoder(4)
  jax.tree.map(np.testing.assert_array_equal, encoder.params, again.params)
  kernel = encoder.params['relu1_1']['kernel']
  assert not np.allclose(kernel, other.params['relu1_1']['kernel'])
  found = features(encoder)
  for scale, name in enumerate(('relu1_2', 'relu2_2', 'relu3_2', 'relu4_2')):
    n, height, width, _ = found[name].shape
    assert (n, height, width) == (2, 37 >> scale, 42 >> scale)
    assert 0.1 < found[name].mean() < 10
  for layer in encoder.params.values():
    columns = np.asarray(layer['kernel']).reshape(-1, layer['bias'].size)
    np.testing.assert_allclose(
      columns.T @ columns, 2 * np.eye(len(columns.T)), atol=1e-5
    )
  least = np.zeros((1, encoder.smallest, encoder.smallest, 3), np.float32)
  for values in features(encoder, pictures=least).values():
    assert np.isfinite(values).all() and values.size


def test_a_constant_picture_has_no_border_for_random_filters():
  encoder = random_filters.encoder()
  for values in features(encoder, pictures=PICTURES * 0 + 0.7).values():
    values = np.asarray(values)
    np.testing.assert_allclose(
      values, np.broadcast_to(values[:1, :1, :1], values.shape), atol=1e-4
    )


# From a file, a name or nothing.


@pytest.fixture
def folder(tmp_path, monkeypatch):
  """An empty cache, with no server in reach."""
  files = {
    name: file._replace(site='http://127.0.0.1:9/')
    for name, file in pretrained.download.FILES.items()
  }
  monkeypatch.setattr(pretrained.download, 'FILES', files)
  return tmp_path


def put(folder, monkeypatch, name, arrays):
  """Writes a network as the file of that name, its hash as if published."""
  file = pretrained.download.FILES[name]
  with open(folder / file.name, 'wb') as out:
    np.savez(out, **arrays)
  digest = formats.digest(folder / file.name, file.algorithm)
  monkeypatch.setitem(
    pretrained.download.FILES, name, file._replace(digest=digest)
  )


def test_with_nothing_at_all_random_features_are_taken(folder):
  encoder, sentence = pretrained.choose(folder=folder)
  assert encoder.name.startswith('random filters')
  assert 'colours and fine texture only' in sentence
  assert 'compressed_SqueezeNet.net' in sentence and str(folder) in sentence
  assert 'begins with dcbb9e9d' in sentence
  assert sentence.endswith(f'as {folder / "vgg19-dcbb9e9d.pth"}.')
  encoder, sentence = pretrained.choose('random', folder=folder, seed=5)
  assert 'seed 5' in encoder.name and 'as asked' in sentence
  with pytest.raises(OSError, match='80.1 MB.*could not be fetched'):
    pretrained.choose('vgg19', folder=folder)
  with pytest.raises(
    ValueError, match="no network 'vgg'; did you mean 'vgg19'"
  ):
    pretrained.choose('vgg', folder=folder)


def test_what_is_there_is_taken_in_order(folder, monkeypatch):
  def kind(features=None):
    return pretrained.choose(features, folder=folder)[1].split(' (')[0]

  put(folder, monkeypatch, 'squeezenet1_0', fires(7)[0])
  assert kind() == 'SqueezeNet 1.0'
  put(folder, monkeypatch, 'vgg16', network(16))
  assert kind() == 'VGG-16'
  put(folder, monkeypatch, 'vgg19-johnson', network(19))
  assert kind() == 'VGG-19'
  assert [kind(name) for name in ('vgg16', 'squeezenet')] == [
    'VGG-16',
    'SqueezeNet 1.0',
  ]
  assert kind('random').startswith('random filters')


def test_preprocessing_follows_the_hash_then_the_names(folder, monkeypatch):
  arrays = network(19)
  for name, prepare in ('vgg19', normalised), ('vgg19-johnson', blue_first):
    put(folder, monkeypatch, name, arrays)
    encoder = pretrained.load(folder / pretrained.download.FILES[name].name)
    first = by_numpy(arrays, 19, prepare(PICTURES))['conv1_1']
    assert_same(
      encoder.apply(encoder.params, PICTURES, ('conv1_1',)), {'conv1_1': first}
    )
    monkeypatch.setitem(
      pretrained.download.FILES, name, file_of_another_hash(name)
    )


def file_of_another_hash(name):
  return pretrained.download.FILES[name]._replace(digest='0' * 8)


def test_files_of_the_real_layouts_are_read_to_the_last_layer(folder):
  arrays = network(19)
  with h5py.File(folder / 'a', 'w') as file:
    for name, array in layouts(arrays, 19)['Keras'].items():
      file[name] = array
  save_file(arrays, folder / 'b')
  for name, prepare in ('a', blue_first), ('b', normalised):
    expected = by_numpy(arrays, 19, prepare(PICTURES))['pool5']
    encoder = pretrained.load(folder / name)
    assert_same(features(encoder, ('pool5',)), {'pool5': expected})


def test_a_file_decides_and_pools_can_be_chosen(folder):
  np.savez(folder / 'a.npz', **network(16))
  as_vgg = functools.partial(vgg.from_weights, pool=vgg.average_pool)
  load = functools.partial(pretrained.load, as_vgg=as_vgg)
  encoder, sentence = pretrained.choose(path=folder / 'a.npz', load=load)
  assert 'a.npz, sha256' in encoder.name and 'as given' in sentence
  expected = by_numpy(network(16), 16, normalised(PICTURES), twice_the_mean)
  assert_same(
    encoder.apply(encoder.params, PICTURES, ('pool1',)),
    {'pool1': expected['pool1']},
  )
  np.savez(folder / 'b.npz', weight=np.zeros(3))
  with pytest.raises(
    ValueError, match='should hold VGG-16, VGG-19 or SqueezeNet'
  ):
    pretrained.choose(path=folder / 'b.npz')


# Known features.


def test_the_fixed_input_is_that_of_torch():
  fixed = pretrained.fixed_input()
  assert fixed.shape == (1, 256, 256, 3) and fixed.dtype == np.float32
  # torch.manual_seed(0); torch.rand(1, 3, 256, 256), as torch prints them.
  begins = [0.4963, 0.7682, 0.0885, 0.1320, 0.3074, 0.6341, 0.4901, 0.8964]
  np.testing.assert_allclose(fixed[0, 0, :8, 0], begins, atol=5e-5)


def test_three_digits_agree_or_not():
  for expected, measured, answer in [
    (3.94, 3.9449, True),
    (3.94, 3.947, False),
    (-35.0, -35.04, True),
    (-35.0, 35.0, False),
    (1.46e3, 1464.0, True),
    (1.46e3, 1467.0, False),
    (0, 0.0, True),
    (0, 1e-9, False),
  ]:
    assert pretrained.agrees(expected, measured) == answer, (expected, measured)


def test_verify_compares_with_the_known_features(folder):
  arrays = network(16, width=2)
  path = folder / 'a.npz'
  np.savez(path, **arrays)
  layers = tuple(pretrained.KNOWN_FEATURES['VGG-16'])
  expected = by_numpy(arrays, 16, pretrained.fixed_input())
  known = {
    name: tuple(
      float(f'{statistic(expected[name]):.3g}')
      for statistic in (np.min, np.max, np.linalg.norm)
    )
    for name in layers
  }
  verified = pretrained.verify(path, {'VGG-16': known})
  assert verified.authentic and 'The file is authentic' in verified.sentence
  assert len(verified.rows) == 27 and '27 of 27' in verified.sentence
  for layer, statistic, value, found in verified.rows:
    assert (
      value == known[layer][('minimum', 'maximum', 'norm').index(statistic)]
    )
    assert pretrained.agrees(value, found)
  verified = pretrained.verify(path)
  assert not verified.authentic and 'holds other weights' in verified.sentence
  assert 'that of no published file' in verified.sentence


def test_verify_goes_by_the_hash_where_there_are_no_known(folder, monkeypatch):
  put(folder, monkeypatch, 'vgg16-keras', layouts(network(16), 16)['Keras'])
  path = folder / pretrained.download.FILES['vgg16-keras'].name
  verified = pretrained.verify(path)
  assert verified.authentic and not verified.rows
  assert 'md5 is that of the published' in verified.sentence
  np.savez(folder / 'b.npz', **fires(3)[0])
  assert not pretrained.verify(folder / 'b.npz').authentic


def test_grey_small_and_transparent_images_are_taken_as_pictures():
  encoder = random_filters.encoder()
  taking = encoders.of_any_image(encoder)
  grey = np.random.default_rng(0).random((2, 8, 8, 1)).astype(np.float32)
  large = jax.image.resize(grey, (2, 16, 16, 1), 'linear')
  wanted = encoder.apply(
    encoder.params, np.repeat(large, 3, -1), encoder.content
  )
  alpha = np.ones_like(grey)
  for images in grey, np.concatenate([*[grey] * 3, alpha], -1):
    found = taking.apply(taking.params, images, encoder.content)
    jax.tree.map(np.testing.assert_array_equal, found, wanted)
