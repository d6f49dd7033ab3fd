"""Inception against NumPy, written from its table, and the score by hand."""

import jax
import numpy as np
import pytest
from safetensors.numpy import save_file

from ganjax.data import images
from ganjax.evaluation import (
  extractors,
  features,
  inception,
  measures,
  samples,
)
from ganjax.metrics import inception_score
from ganjax.weights import formats


def chain(name, *kernels):
  """Convolutions one after another, from the block's input."""
  names = [f'{name}_{number}' for number in range(1, len(kernels) + 1)]
  return dict(zip(names, zip(kernels, ['', *names], strict=False), strict=True))


# From each block to its convolutions: the sides of the kernels, and from which
# layer of the block (or the block's input, '') the features come.
ONE, THREE, FIVE = (1, 1), (3, 3), (5, 5)
WIDE, HIGH = (1, 7), (7, 1)
A = {
  'branch1x1': (ONE, ''),
  **chain('branch5x5', ONE, FIVE),
  **chain('branch3x3dbl', ONE, THREE, THREE),
  'branch_pool': (ONE, 'mean'),
}
B = {'branch3x3': (THREE, ''), **chain('branch3x3dbl', ONE, THREE, THREE)}
C = {
  'branch1x1': (ONE, ''),
  **chain('branch7x7', ONE, WIDE, HIGH),
  **chain('branch7x7dbl', ONE, HIGH, WIDE, HIGH, WIDE),
  'branch_pool': (ONE, 'mean'),
}
D = {
  **chain('branch3x3', ONE, THREE),
  **chain('branch7x7x3', ONE, WIDE, HIGH, THREE),
}


def e(pool):
  return {
    'branch1x1': (ONE, ''),
    **chain('branch3x3', ONE),
    'branch3x3_2a': ((1, 3), 'branch3x3_1'),
    'branch3x3_2b': ((3, 1), 'branch3x3_1'),
    **chain('branch3x3dbl', ONE, THREE),
    'branch3x3dbl_3a': ((1, 3), 'branch3x3dbl_2'),
    'branch3x3dbl_3b': ((3, 1), 'branch3x3dbl_2'),
    'branch_pool': (ONE, pool),
  }


BLOCKS = {
  **{f'Mixed_5{letter}': A for letter in 'bcd'},
  'Mixed_6a': B,
  **{f'Mixed_6{letter}': C for letter in 'bcde'},
  'Mixed_7a': D,
  'Mixed_7b': e('mean'),
  'Mixed_7c': e('largest'),
}
STEM = {
  'Conv2d_1a_3x3': ((3, 3), 2, 0),
  'Conv2d_2a_3x3': ((3, 3), 1, 0),
  'Conv2d_2b_3x3': ((3, 3), 1, 1),
  'pool_1': None,
  'Conv2d_3b_1x1': ((1, 1), 1, 0),
  'Conv2d_4a_3x3': ((3, 3), 1, 0),
  'pool_2': None,
}
HALVING = {('Mixed_6a', 'branch3x3'), ('Mixed_6a', 'branch3x3dbl_3')}
HALVING |= {('Mixed_7a', 'branch3x3_2'), ('Mixed_7a', 'branch7x7x3_4')}


def windows(x, sides, stride=1, around=(0, 0), fill=0.0):
  """[N, h, w, C, *sides]."""
  edges = ((0, 0), *((own, own) for own in around), (0, 0))
  x = np.pad(x, edges, constant_values=fill)
  found = np.lib.stride_tricks.sliding_window_view(x, sides, (1, 2))
  return found[:, ::stride, ::stride]


def layer(arrays, name, x, stride, around):
  weight = arrays[f'{name}.conv.weight']
  patches = windows(x, weight.shape[2:], stride, around)
  x = np.tensordot(patches, weight, ((3, 4, 5), (1, 2, 3)))
  scale, bias, mean, variance = (
    arrays[f'{name}.bn.{part}']
    for part in ('weight', 'bias', 'running_mean', 'running_var')
  )
  x = (x - mean) / np.sqrt(variance + 0.001) * scale + bias
  return np.maximum(x, 0)


def block(arrays, name, layers, x):
  inside = (1, 1)
  counted = windows(np.ones_like(x), (3, 3), 1, inside).sum((-2, -1))
  found = {
    '': x,
    'mean': windows(x, (3, 3), 1, inside).sum((-2, -1)) / counted,
    'largest': windows(x, (3, 3), 1, inside, -np.inf).max((-2, -1)),
  }
  for own, (sides, source) in layers.items():
    halving = (name, own) in HALVING
    around = (0, 0) if halving else tuple(side // 2 for side in sides)
    source = found[source]
    stride = 2 if halving else 1
    found[own] = layer(arrays, f'{name}.{own}', source, stride, around)
  read = {source for _, source in layers.values()}
  parts = [found[own] for own in layers if own not in read]
  if name in ('Mixed_6a', 'Mixed_7a'):
    parts.append(windows(x, (3, 3), 2).max((-2, -1)))
  return np.concatenate(parts, -1)


def by_numpy(arrays, pixels):
  """Penultimate features of uint8 images of 299 pixels."""
  arrays = {name: own.astype(np.float64) for name, own in arrays.items()}
  x = (pixels.astype(np.float64) - 128) / 128
  for name, how in STEM.items():
    if how is None:
      x = windows(x, (3, 3), 2).max((-2, -1))
    else:
      _, stride, around = how
      x = layer(arrays, name, x, stride, (around, around))
  for name, layers in BLOCKS.items():
    x = block(arrays, name, layers, x)
  return x.mean((1, 2))


def drawn(classes=1008):
  """Arrays by the names of PyTorch's file, of a network with few channels."""
  random, arrays = np.random.default_rng(0), {}

  def add(name, sides, channels):
    width = int(random.integers(2, 5))
    spread = np.sqrt(2 / (channels * np.prod(sides)))
    arrays.update(
      {
        f'{name}.conv.weight': random.normal(
          scale=spread, size=(width, channels, *sides)
        ),
        f'{name}.bn.weight': random.uniform(0.8, 1.5, width),
        f'{name}.bn.bias': random.normal(scale=0.3, size=width),
        f'{name}.bn.running_mean': random.normal(scale=0.3, size=width),
        f'{name}.bn.running_var': random.uniform(0.5, 2, width),
        f'{name}.bn.num_batches_tracked': np.array(0),
      }
    )
    return width

  channels = 3
  for name, how in STEM.items():
    if how is not None:
      channels = add(name, how[0], channels)
  for name, layers in BLOCKS.items():
    widths = dict.fromkeys(('', 'mean', 'largest'), channels)
    for own, (sides, source) in layers.items():
      widths[own] = add(f'{name}.{own}', sides, widths[source])
    read = {source for _, source in layers.values()}
    kept = sum(widths[own] for own in layers if own not in read)
    channels = kept + (channels if name in ('Mixed_6a', 'Mixed_7a') else 0)
  arrays['fc.weight'] = random.normal(size=(classes, channels))
  arrays['fc.bias'] = random.normal(size=classes)
  return {name: np.asarray(own, np.float32) for name, own in arrays.items()}


@pytest.fixture(scope='module')
def arrays():
  return drawn()


@pytest.fixture(scope='module')
def pixels():
  random = np.random.default_rng(1)
  return random.integers(0, 256, (2, 299, 299, 3), dtype=np.uint8)


@pytest.fixture(scope='module')
def seen(arrays, pixels):
  measure = inception.from_weights(arrays, 'drawn')
  return measure, features.in_batches(measure.apply, pixels, size=2)


def test_features_and_logits_are_those_of_the_table(arrays, pixels, seen):
  measure, found = seen
  expected = by_numpy(arrays, pixels)
  assert found.shape == expected.shape
  assert expected.std() > 0.01
  np.testing.assert_allclose(found, expected, atol=1e-5 * expected.max())
  logits = expected @ arrays['fc.weight'].T
  np.testing.assert_allclose(
    measure.logits(found), logits, atol=1e-5 * np.abs(logits).max()
  )


def test_the_file_that_people_have_is_read(tmp_path, arrays, pixels, seen):
  path = tmp_path / 'inception.safetensors'
  save_file(arrays, path)
  measure = extractors.extractor(None, str(path))
  found = features.in_batches(measure.apply, pixels, size=2)
  np.testing.assert_array_equal(found, seen[1])
  # Only the published weights may call themselves plainly so.
  assert measure.name.startswith('other Inception-v3 (pool of 2048')
  assert f'sha {formats.digest(path)[:8]}' in measure.name


def by_definition(row, side):
  """TensorFlow 1's bilinear pixels of one row [W]."""
  count, found = len(row), []
  for place in range(side):
    at = place * count / side
    left = int(at)
    right = min(left + 1, count - 1)
    found.append(row[left] + (row[right] - row[left]) * (at - left))
  return np.array(found)


@pytest.mark.parametrize('count', [5, 12, 30])
def test_images_are_resized_as_tensorflow_1_did(count):
  image = np.random.default_rng(count).random((count, count - 1))
  rows = np.stack([by_definition(row, 12) for row in image])
  expected = np.stack([by_definition(row, 12) for row in rows.T]).T
  found = inception.resized(image[None, ..., None].astype(np.float32), 12)
  np.testing.assert_allclose(found[0, ..., 0], expected, atol=1e-5)


def test_grey_images_are_seen_in_three_channels(seen):
  measure, _ = seen
  grey = np.random.default_rng(2).uniform(-1, 1, (1, 8, 8, 1)).astype('f4')
  apply = jax.jit(measure.apply)
  np.testing.assert_array_equal(apply(grey), apply(grey.repeat(3, -1)))
  with pytest.raises(ValueError, match='images of 4 channels; expected 1 or 3'):
    measure.apply(grey.repeat(4, -1))


def test_other_networks_are_refused():
  with pytest.raises(ValueError, match='tells 1000 classes apart .* 1008'):
    inception.from_weights(drawn(classes=1000), "torchvision's")
  with pytest.raises(ValueError, match='not of the Inception-v3 of FID'):
    inception.from_weights({'features.0.weight': np.zeros((4, 3, 3, 3))}, 'VGG')
  lacking = drawn()
  del lacking['Mixed_6c.branch1x1.bn.bias']
  with pytest.raises(ValueError, match=r'Mixed_6c\.branch1x1\.bn\.bias'):
    inception.from_weights(lacking, 'half')
  wrong = drawn()
  wrong['Mixed_5b.branch1x1.conv.weight'] = np.ones((2, 9, 1, 1), 'f4')
  with pytest.raises(ValueError, match='not of the Inception-v3 of FID'):
    inception.from_weights(wrong, 'wrong')


# --- the score -------------------------------------------------------------


def test_the_score_is_one_for_the_unsure_and_the_classes_for_the_sure():
  assert inception_score.inception_score(np.zeros((40, 7))) == (1, 0)
  sure = 100 * np.eye(4)[np.arange(40) % 4]
  mean, std = inception_score.inception_score(sure)
  np.testing.assert_allclose((mean, std), (4, 0), atol=1e-9)
  same = 100 * np.eye(4)[np.zeros(40, int)]
  np.testing.assert_allclose(
    inception_score.inception_score(same), (1, 0), atol=1e-9
  )


def test_the_score_is_the_definition():
  logits = np.random.default_rng(0).normal(size=(47, 5))
  scores = []
  # As torch-fidelity cuts them: parts may differ by one.
  for part in np.array_split(logits, 3):
    p = np.exp(part) / np.exp(part).sum(1, keepdims=True)
    entropies = -(p * np.log(p)).sum(1)
    together = p.mean(0)
    # A mutual information is the entropy of the mean less the mean entropy.
    scores.append(
      np.exp(-(together * np.log(together)).sum() - entropies.mean())
    )
  np.testing.assert_allclose(
    inception_score.inception_score(logits, 3),
    (np.mean(scores), np.std(scores)),
    1e-12,
  )


def test_logits_without_a_score_are_refused():
  with pytest.raises(ValueError, match=r'\(4, 3\) in 10 parts'):
    inception_score.inception_score(np.zeros((4, 3)))
  with pytest.raises(ValueError, match='not finite'):
    inception_score.inception_score(np.full((20, 3), np.nan))


def test_the_score_needs_features_that_know_classes():
  unlabelled = images.ImageSet(np.zeros((20, 16, 16, 3), 'u1'), None, 'mine')
  scored = measures.chosen(['fid', 'inception_score'])
  for which in ('auto', 'random'):
    with pytest.raises(ValueError, match='features of mine would be untrained'):
      extractors.check(scored, unlabelled, which, False)
  extractors.check(scored, unlabelled, 'inception', False)
  extractors.check(scored[:1], unlabelled, 'auto', False)
  with pytest.raises(ValueError, match='mine has no labels to train'):
    extractors.check(scored[:1], unlabelled, 'classifier', False)


def test_a_sample_is_scored_by_the_classes_that_its_features_know():
  def apply(shown):
    return shown.reshape(len(shown), -1)

  # Four colours, and classes that are sure of one each.
  colours = np.arange(40, dtype=np.uint8) % 4 * 85
  scored = samples.of(
    np.broadcast_to(colours[:, None, None, None], (40, 1, 1, 1)),
    features.Features(
      'colours', apply, lambda seen: -1e3 * (seen - np.linspace(-1, 1, 4)) ** 2
    ),
  )
  values, how = measures.MEASURES['inception_score'].take(None, scored, 0)
  np.testing.assert_allclose(values['inception_score'], 4, 1e-6)
  assert how == {'images': 40, 'splits': 10}
