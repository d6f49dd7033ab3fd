"""Stacked MNIST: its stacks, its published networks, what it is measured by."""

import math
import os
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from scipy import stats

from ganjax import regularizers, remedies
from ganjax.data import images, stacked_mnist
from ganjax.evaluation import classifier, features
from ganjax.networks import stacked_mnist as networks
from ganjax.players import Pair

KEY = jax.random.key(0)
BESIDE = pathlib.Path(__file__).resolve().parents[3] / 'shared' / 'tfds'
MNIST = pathlib.Path(os.environ.get('GANJAX_TFDS', BESIDE))

# Twenty digits of 2x4 pixels, no two of which have a pixel in common.
DIGITS = np.arange(160, dtype=np.uint8).reshape(20, 2, 4)
TABLE = np.asarray(stacked_mnist.table(KEY, 50, 20))


def numbers(stacks):
  """Which of DIGITS stand in the channels: [N, 3]."""
  return np.asarray(stacks)[:, 0, 0].astype(int) // 8


# The stacks.


def test_a_stack_is_three_digits_in_channels():
  rows = np.array([[3, 0, 3], [19, 7, 1]])
  found = stacked_mnist.stack(DIGITS, rows)
  assert found.dtype == np.uint8
  for image, row in zip(found, rows, strict=True):
    for channel, digit in enumerate(row):
      np.testing.assert_array_equal(image[..., channel], DIGITS[digit])


def test_new_stacks_are_a_function_of_the_key_and_all_equally_likely():
  draw = jax.jit(stacked_mnist.draw, static_argnums=2)
  found = draw(DIGITS, KEY, 20_000)
  assert found.shape == (20_000, 2, 4, 3)
  np.testing.assert_array_equal(found, draw(DIGITS, KEY, 20_000))
  rows = numbers(found)
  other = numbers(draw(DIGITS, jax.random.key(1), 20_000))
  assert np.mean(rows == other) < 0.1
  # Pairs of channels: 400 cells, so that independence is seen as well.
  for a, b in ((0, 1), (1, 2), (0, 2)):
    cells = np.bincount(20 * rows[:, a] + rows[:, b], minlength=400)
    assert stats.chisquare(cells).pvalue > 1e-3


def test_a_fixed_set_shows_each_stack_once_an_epoch():
  fixed = jax.jit(stacked_mnist.fixed, static_argnums=4)
  found = numbers(fixed(DIGITS, TABLE, KEY, 0, 100)).reshape(2, 50, 3)
  expected = sorted(TABLE.tolist())
  assert [sorted(epoch.tolist()) for epoch in found] == 2 * [expected]
  assert found[0].tolist() != found[1].tolist()
  # From any position on, across the epochs' border.
  later = numbers(fixed(DIGITS, TABLE, KEY, 40, 20))
  np.testing.assert_array_equal(later, found.reshape(100, 3)[40:60])


def test_a_set_can_be_read_in_its_own_order():
  found = stacked_mnist.fixed(
    DIGITS, TABLE, KEY, 48, 4, order=stacked_mnist.sequential
  )
  np.testing.assert_array_equal(numbers(found), TABLE[[48, 49, 0, 1]])
  late = stacked_mnist.sequential(KEY, np.uint32(2**32 - 6), 3, 50)
  assert late.tolist() == [(2**32 - 6 + i) % 50 for i in range(3)]


def test_packs_are_drawn_from_the_stacks_with_replacement():
  rows = np.asarray(stacked_mnist.repacked(KEY, TABLE, 3))
  assert rows.shape == (150, 3)
  places = [TABLE.tolist().index(row) for row in rows.tolist()]
  # 150 draws leave 50 (1 - 1/50)^150 = 2.4 of 50 out, and repeat others.
  assert 40 < len(set(places)) <= 50
  assert rows[:50].tolist() != TABLE.tolist()


def test_ranges_are_the_callers():
  levels = np.array([0, 51, 255], np.uint8)
  np.testing.assert_allclose(stacked_mnist.unit(levels), [0, 0.2, 1], rtol=1e-6)
  np.testing.assert_allclose(images.scale(levels), [-1, -0.6, 1], rtol=1e-6)
  assert stacked_mnist.unit(jnp.asarray(levels)).dtype == jnp.float32


def test_padding_puts_zeros_around():
  square = DIGITS[:, :, :2]
  found = stacked_mnist.padded(square, 6)
  assert found.shape == (20, 6, 6) and found.dtype == np.uint8
  np.testing.assert_array_equal(found[:, 2:4, 2:4], square)
  assert found.sum() == square.sum()
  for side in (1, 5):
    message = f'Digits of 2 pixels cannot be centred on {side}; choose'
    with pytest.raises(ValueError, match=message):
      stacked_mnist.padded(square, side)


@pytest.mark.skipif(not MNIST.exists(), reason=f'no data sets in {MNIST}')
def test_mnist_is_read_from_both_splits(tmp_path):
  split = 'train[:60]+test[:40]'
  found, labels = stacked_mnist.digits(MNIST, split, tmp_path)
  assert found.shape == (100, 28, 28) and found.dtype == np.uint8
  assert found.min() == 0 and found.max() == 255
  parts = [
    stacked_mnist.digits(MNIST, part, tmp_path) for part in split.split('+')
  ]
  for whole, *halves in zip((found, labels), *parts, strict=True):
    np.testing.assert_array_equal(whole, np.concatenate(halves))


# The networks.


def shapes(pair, latents, rows=4):
  """The shapes of both players' parameters, images and logits."""

  def play():
    z = jnp.zeros((rows, latents))
    params, buffers = pair.generator.init(KEY, z)
    made, _ = pair.generator.synthesis(params, buffers, z, KEY, True)
    own, buffers = pair.discriminator.init(KEY, made)
    return (
      Pair(params, own),
      made,
      pair.discriminator.apply(own, buffers, made, KEY, True)[0],
    )

  return jax.eval_shape(play)


def weights(params):
  """How many entries the kernels have."""
  return sum(
    math.prod(leaf.shape)
    for path, leaf in jax.tree_util.tree_leaves_with_path(params)
    if path[-1].key == 'kernel'
  )


@pytest.mark.parametrize(
  ('pair', 'latents', 'counts', 'side'),
  [
    (networks.unrolled(4), 256, (286_552, 542), 28),
    (networks.unrolled(2), 256, (286_552, 1_804), 28),
    (networks.pacgan(), 100, (4_510_400, 4_307_648), 28),
    (networks.residual(), 64, (211_584, 82_560), 32),
  ],
  ids=['quarter', 'half', 'pacgan', 'residual'],
)
def test_networks_have_the_published_weights(pair, latents, counts, side):
  params, made, logits = shapes(pair, latents)
  assert tuple(map(weights, params)) == counts
  assert made.shape == (4, side, side, 3)
  assert logits.shape == (4,)


def test_a_packed_discriminator_has_three_more_channels_for_each_place():
  pair = networks.unrolled(4)
  for m in (2, 3, 4):
    packed = pair._replace(discriminator=remedies.pack(pair.discriminator, m))
    params, _, logits = shapes(packed, 256, rows=12)
    assert weights(params.discriminator) == 542 + (m - 1) * 9 * 3 * 2
    assert logits.shape == (12 // m,)


def turned(array, axes=(1, 2)):
  return jnp.flip(array, axes)


def same(x, kernel, stride=2):
  """TensorFlow's convolution, with the kernel turned."""
  return lax.conv_general_dilated(
    x,
    turned(kernel, (0, 1)),
    (stride, stride),
    'SAME',
    dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
  )


def grown(x, kernel, side):
  """TensorFlow's transposed convolution: the gradient of the other."""
  blank = jnp.zeros((len(x), side, side, kernel.shape[2]))
  return jax.vjp(lambda blank: same(blank, kernel), blank)[1](x)[0]


def numbered(kind, params):
  """The kernels of layers of a kind, in their order."""
  names = (name for name in params if name.split('_')[0] == kind)
  ordered = sorted(names, key=lambda name: int(name.split('_')[1]))
  return [params[name]['kernel'] for name in ordered]


def loud(params):
  """Parameters whose kernels are too large for anything to hide in rounding."""
  return jax.tree_util.tree_map_with_path(
    lambda path, leaf: 10 * leaf if path[-1].key == 'kernel' else leaf, params
  )


NORMAL = 1 / math.sqrt(1 + 1e-5)  # of running statistics 0 and 1


@pytest.mark.parametrize(
  ('pair', 'plain', 'leak'),
  [(networks.unrolled(4), 0, 0.3), (networks.pacgan(width=2), 1, 0.2)],
  ids=['unrolled', 'pacgan'],
)
def test_discriminators_are_tensorflows_up_to_half_a_turn(pair, plain, leak):
  network = pair.discriminator
  shown = jax.random.normal(KEY, (3, 28, 28, 3))

  @jax.jit
  def both():
    params, buffers = network.init(KEY, shown)
    params = loud(params)
    logits, _ = network.apply(params, buffers, shown, None, False)
    x = shown
    for depth, kernel in enumerate(numbered('Conv', params)):
      x = same(x, kernel) * (1 if depth < plain else NORMAL)
      x = jnp.where(x > 0, x, leak * x)
    last = params['Dense_0']['kernel'].reshape(1, *x.shape[1:])
    return logits, (x * turned(last)).sum((1, 2, 3))

  found, expected = both()
  assert np.std(found) > 0.01
  np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
  ('pair', 'sides'),
  [
    (networks.unrolled(4), (4, 7, 14, 28)),
    (networks.pacgan(width=2), (2, 4, 7, 14, 28)),
  ],
  ids=['unrolled', 'pacgan'],
)
def test_generators_are_tensorflows_up_to_half_a_turn(pair, sides):
  network = pair.generator
  latents = jax.random.normal(KEY, (3, 16))

  @jax.jit
  def both():
    params, buffers = network.init(KEY, latents)
    params = loud(params)
    made, _ = network.synthesis(params, buffers, latents, None, False)
    x = latents @ params['Dense_0']['kernel']
    x = turned(x.reshape(3, sides[0], sides[0], -1))
    for kernel, side in zip(
      numbered('ConvTranspose', params), sides[1:], strict=True
    ):
      x = grown(jnp.maximum(NORMAL * x, 0), kernel, side)
    for kernel in numbered('Conv', params):
      x = same(jnp.maximum(NORMAL * x, 0), kernel, stride=1)
    return made, jnp.tanh(x)

  found, expected = both()
  assert np.std(found) > 0.01
  np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_evaluation_by_the_batch_is_that_of_training():
  plain = networks.unrolled(4).generator
  batchwise = networks.normalized_by_batch(plain)
  latents = jax.random.normal(KEY, (6, 8))

  @jax.jit
  def made():
    params, buffers = plain.init(KEY, latents)
    return [
      (buffers, network.synthesis(params, buffers, latents, None, train))
      for network, train in ((plain, True), (batchwise, False), (plain, False))
    ]

  (_, (trained, _)), (before, (shown, after)), (_, (ran, _)) = made()
  np.testing.assert_array_equal(shown, trained)
  assert np.abs(shown - ran).max() > 1e-3
  jax.tree.map(np.testing.assert_array_equal, before, after)


def test_a_residual_block_begins_as_the_identity():
  x = jax.random.normal(KEY, (2, 4, 4, 6))
  found, _ = jax.jit(networks.Residual().init_with_output)(KEY, x)
  np.testing.assert_array_equal(found, x)


def test_the_residual_generator_lays_out_its_patches():
  network = networks.residual((4, 4)).generator
  latents = jnp.zeros((1, 3))
  params, buffers = jax.eval_shape(network.init, KEY, latents)
  assert buffers == {}
  patch = jnp.linspace(-1, 1, 12)
  params = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape), params)
  params['Dense_2']['bias'] = patch
  made, _ = network.synthesis(params, buffers, latents, None, True)
  expected = np.tile(np.tanh(patch).reshape(2, 2, 3), (8, 8, 1))
  np.testing.assert_allclose(made[0], expected, rtol=1e-6)


def test_the_residual_discriminator_is_differentiable_twice():
  network = networks.residual((4, 4)).discriminator
  shown = jax.random.normal(KEY, (3, 8, 8, 3))

  @jax.jit
  def slope():
    params, buffers = network.init(KEY, shown)

    def penalty(params):
      return regularizers.r1(
        lambda x: network.apply(params, buffers, x, None, True)[0], shown
      ).mean()

    return buffers, jax.grad(penalty)(params)

  buffers, found = slope()
  assert buffers == {}
  for path, leaf in jax.tree_util.tree_leaves_with_path(found):
    assert np.isfinite(leaf).all()
    # Within a block all but its last layer wait for that to leave 0.
    if path[-1].key == 'kernel' and 'Residual' not in path[0].key:
      assert np.abs(leaf).max() > 0


def test_the_residual_discriminator_says_which_sides_it_halves():
  network = networks.residual().discriminator
  with pytest.raises(ValueError, match='28 pixels cannot be halved 3 times; p'):
    network.init(KEY, jnp.zeros((1, 28, 28, 3)))


def test_feature_matching_finds_the_activations_before_the_logits():
  for pair, side, size in (
    (networks.unrolled(2), 28, 256),
    (networks.residual(), 32, 2048),
  ):
    network, shown = pair.discriminator, jnp.zeros((5, side, side, 3))
    (logits, found), _ = jax.eval_shape(
      lambda network=network, shown=shown: network.with_features(
        *network.init(KEY, shown), shown, None, True
      )
    )
    assert logits.shape == (5,)
    assert found.shape == (5, size)


# The classifier.


def test_each_channel_is_classified_alone():
  shown = jax.random.uniform(KEY, (4, 8, 8, 3), minval=-1)
  network = features.Classifier(5)

  @jax.jit
  def both():
    params = network.init(KEY, shown[..., :1])['params']
    return classifier.by_channel(params, shown), [
      classifier.outputs(params, shown[..., channel, None])[0]
      for channel in range(3)
    ]

  found, alone = both()
  assert found.shape == (4, 3, 5)
  np.testing.assert_allclose(found, np.stack(alone, 1), rtol=1e-4, atol=1e-6)


def test_accuracy_on_a_test_set_stands_in_the_name(tmp_path, monkeypatch):
  shown, labels = np.zeros((12, 8, 8, 1), np.uint8), np.arange(12) % 2
  test = 'few/test', shown[:3], labels[:3]
  calls = []

  def train(images, labels, classes, key, epochs, report):
    calls.append(len(images))
    return {'logits': {'bias': np.zeros(classes)}}

  def accuracy(params, images, labels):
    return len(images) / 4

  monkeypatch.setattr(classifier, 'train', train)
  monkeypatch.setattr(classifier, 'accuracy', accuracy)
  for _ in range(2):
    trained = classifier.trained_for(shown, labels, tmp_path, 'few', test=test)
    assert trained.name.startswith('classifier-128 (few, 75.00 % on few/test, ')
  classifier.trained_for(
    shown, labels, tmp_path, 'few', test=('other', shown[:2], labels[:2])
  )
  assert calls == [12, 12]
