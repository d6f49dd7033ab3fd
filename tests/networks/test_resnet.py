"""Residual networks against published counts, and their blocks by hand."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganjax import remedies
from ganjax.networks import conditional, resnet
from ganjax.networks.residual import (
  INITIALS,
  ConditionalNorm,
  DiscriminatorBlock,
  GeneratorBlock,
)

KEY = jax.random.key(0)
BIGGAN = {'width': 256, 'initial': 'normal'}
STUDIO = {'attention': 16, 'initial': 'orthogonal'}
# Size of latents, arguments of both networks, classes, and both counts.
COUNTS = {
  'sngan': (128, {}, {}, 0, 4_276_739, 1_053_824),
  'sngan by class': (128, {}, {}, 10, 4_304_387, 1_055_104),
  'biggan': (
    128,
    BIGGAN,
    BIGGAN | {'head_bias': True},
    10,
    4_304_387,
    4_207_361,
  ),
  'biggan of studiogan': (
    80,
    STUDIO | {'width': 384, 'hierarchical': True, 'embedding': 128},
    STUDIO | {'width': 192, 'head_bias': True},
    10,
    9_416_196,
    2_415_170,
  ),
  # SNGAN's by class, with attentions of 81,921 and 20,481, and one bias.
  'sagan': (
    128,
    STUDIO,
    STUDIO | {'head_bias': True},
    10,
    4_386_308,
    1_075_586,
  ),
  'lite': (
    32,
    BIGGAN | {'width': 64},
    BIGGAN | {'width': 64, 'head_bias': True},
    10,
    # A Linear, three blocks with two tables of 10 classes in each of two
    # normalisations, the last normalisation, and the convolution to RGB.
    16 * 64 * 32
    + 16 * 64
    + 3 * (2 * (9 * 64**2 + 64) + 64**2 + 64 + 2 * 2 * 10 * 64)
    + 2 * 64
    + 9 * 64 * 3
    + 3,
    # The first block, the second with a shortcut, two more, and the head.
    (9 * 3 * 64 + 64)
    + 7 * (9 * 64**2 + 64)
    + (3 * 64 + 64)
    + (64**2 + 64)
    + 65
    + 640,
  ),
}


def pair(generator, discriminator, classes, **shared):
  critic = resnet.discriminator(**shared, **discriminator)
  return (
    resnet.generator(classes=classes, **shared, **generator),
    conditional.projected(critic, classes) if classes else critic,
  )


def played(size, *arguments, number=4, **shared):
  """Both networks' parameters, the images and their logits."""
  generator, discriminator = pair(*arguments, **shared)
  classes = arguments[2]
  own = (jnp.arange(number) % classes,) if classes else ()
  latents = jax.random.normal(KEY, (number, size))
  params, buffers = generator.init(KEY, latents, *own)
  images, _ = generator.synthesis(params, buffers, latents, None, True, *own)
  critic, buffers = discriminator.init(KEY, images, *own)
  logits, _ = discriminator.apply(critic, buffers, images, None, True, *own)
  return params, critic, images, logits


def count(params):
  return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(params))


@pytest.mark.parametrize('name', COUNTS)
def test_counts_are_the_published_ones(name):
  *arguments, of_generator, of_discriminator = COUNTS[name]
  for dtype in (jnp.float32, jnp.bfloat16):
    generator, critic, images, logits = jax.eval_shape(
      functools.partial(played, *arguments, dtype=dtype)
    )
    assert count(generator) == of_generator
    assert count(critic) == of_discriminator
    assert images.shape == (4, 32, 32, 3)
    assert images.dtype == logits.dtype == jnp.float32


SMALL = (
  9,
  {
    'width': 8,
    'attention': 8,
    'hierarchical': True,
    'embedding': 4,
    'initial': 'orthogonal',
  },
  {'width': 8, 'attention': 8, 'initial': 'orthogonal'},
  3,
)


@pytest.fixture(scope='module')
def small():
  """Tiny networks of 16 pixels with everything that BigGAN has."""
  function = functools.partial(played, *SMALL, resolution=16)
  return jax.jit(function)()


def block(halved, first):
  module = DiscriminatorBlock(6, first, halved, INITIALS['glorot'], jnp.float32)
  images = jax.random.normal(KEY, (2, 4, 4, 3))
  return module, images, module.init(KEY, images)


@pytest.mark.parametrize('halved', [True, False])
@pytest.mark.parametrize('first', [True, False])
def test_a_discriminators_block_is_its_two_ways(halved, first):
  module, images, variables = block(halved, first)
  own = variables['params']

  def convolved(images, name):
    kernel = own[name]['kernel']
    outputs = jax.lax.conv_general_dilated(
      images, kernel, (1, 1), 'SAME', dimension_numbers=('NHWC', 'HWIO', 'NHWC')
    )
    return outputs + own[name]['bias']

  def pooled(images):
    mean = images.reshape(2, 2, 2, 2, 2, -1).mean((2, 4))
    return mean if halved else images

  hidden = images if first else jnp.maximum(images, 0)
  hidden = convolved(jnp.maximum(convolved(hidden, 'Conv_0'), 0), 'Conv_1')
  # As SNGAN's code has it: first the channels, and then the mean.
  shortcut = images @ own['shortcut']['kernel'] + own['shortcut']['bias']
  np.testing.assert_allclose(
    module.apply(variables, images),
    pooled(hidden) + pooled(shortcut),
    rtol=1e-4,
    atol=1e-5,
  )


def test_a_shortcut_is_plain_where_nothing_changes():
  images = jax.random.normal(KEY, (2, 4, 4, 6))
  module = DiscriminatorBlock(6, False, False, INITIALS['glorot'], jnp.float32)
  variables = jax.tree.map(jnp.zeros_like, module.init(KEY, images))
  assert set(variables['params']) == {'Conv_0', 'Conv_1'}
  np.testing.assert_array_equal(module.apply(variables, images), images)


def test_a_generators_block_repeats_pixels_before_it_convolves():
  images = jax.random.normal(KEY, (3, 2, 2, 4))
  module = GeneratorBlock(5, 0, INITIALS['glorot'], jnp.float32)
  variables = module.init(KEY, images, None, True)
  own = variables['params']
  outputs = module.apply(variables, images, None, False)

  def convolved(images, name):
    # With running statistics of 0 and 1, the norm divides by sqrt(1 + 1e-5).
    images = jnp.maximum(images / (1 + 1e-5) ** 0.5, 0)
    if name == 'Conv_0':
      images = images.repeat(2, 1).repeat(2, 2)
    return jax.lax.conv_general_dilated(
      images,
      own[name]['kernel'],
      (1, 1),
      'SAME',
      dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
    )

  expected = convolved(convolved(images, 'Conv_0'), 'Conv_1')
  expected += images.repeat(2, 1).repeat(2, 2) @ own['shortcut']['kernel']
  np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-5)


def test_a_condition_scales_and_moves_what_is_normalised():
  images = 3 + 2 * jax.random.normal(KEY, (4, 5, 5, 6))
  labels = jnp.int32([0, 2, 1, 2])
  mean, variance = images.mean((0, 1, 2)), images.var((0, 1, 2))
  plain = (images - mean) / np.sqrt(variance + 1e-5)
  initial = INITIALS['normal'].classes
  table = ConditionalNorm(3, initial, jnp.float32)
  variables = table.init(KEY, images, labels, True)
  own = variables['params']
  assert set(own) == {'class_scale', 'class_bias'}
  outputs, changed = table.apply(
    variables, images, labels, True, mutable='batch_stats'
  )
  expected = plain * (1 + own['class_scale'][labels][:, None, None])
  expected += own['class_bias'][labels][:, None, None]
  np.testing.assert_allclose(outputs, expected, rtol=1e-4, atol=1e-5)
  np.testing.assert_allclose(
    changed['batch_stats']['norm']['mean'], mean / 10, rtol=1e-5
  )
  # Kernels of the labels as vectors are the tables.
  vectors = ConditionalNorm(0, initial, jnp.float32)
  kernels = {
    name: {'kernel': own[f'class_{name}']} for name in ('scale', 'bias')
  }
  again, _ = vectors.apply(
    variables | {'params': kernels},
    images,
    jnp.eye(3)[labels],
    True,
    mutable='batch_stats',
  )
  np.testing.assert_allclose(again, outputs, rtol=1e-5, atol=1e-6)


@pytest.fixture(scope='module')
def sngan():
  """A tiny SNGAN by class: `(params, labels) -> images`, and its parameters."""
  own = resnet.generator(8, width=8, classes=3)
  latents = jax.random.normal(KEY, (4, 5))
  params, buffers = own.init(KEY, latents, jnp.zeros(4, jnp.int32))

  @jax.jit
  def images(params, labels):
    return own.synthesis(params, buffers, latents, None, True, labels)[0]

  return images, params, latents


def test_sngan_has_no_classes_at_first(sngan):
  """Its tables begin with the scale 1 and the bias 0 for each class."""
  images, params, latents = sngan
  norm = params['block0']['ConditionalNorm_0']
  assert norm['class_scale'].shape == (3, 8)
  plain = resnet.generator(8, width=8)
  own, buffers = plain.init(KEY, latents)
  np.testing.assert_allclose(
    images(params, jnp.int32([0, 1, 2, 1])),
    plain.synthesis(own, buffers, latents, None, True)[0],
    atol=1e-6,
  )


def test_classes_and_their_tables_may_change_places(sngan):
  images, params, _ = sngan
  labels, order = jnp.int32([0, 1, 2, 1]), np.array([2, 0, 1])

  def shaken(path, leaf):
    return leaf + 0.3 * jax.random.normal(jax.random.key(len(path)), leaf.shape)

  def permuted(path, leaf):
    if 'class' not in jax.tree_util.keystr(path):
      return leaf
    return jnp.zeros_like(leaf).at[order].set(leaf)

  params = jax.tree_util.tree_map_with_path(shaken, params)
  moved = jax.tree_util.tree_map_with_path(permuted, params)
  found = images(params, labels)
  np.testing.assert_array_equal(images(moved, order[labels]), found)
  assert np.abs(images(params, order[labels]) - found).max() > 1e-3
  # Labels as weights of the classes are the same.
  again = images(params, jnp.eye(3)[labels])
  np.testing.assert_allclose(again, found, atol=1e-5)


def test_initial_weights_are_those_of_the_codes():
  shape = 3, 3, 64, 32
  for name, deviations in {
    # sqrt(2 / (fan in + fan out)), times sqrt(2) in a block.
    'glorot': ((2 * 2 / 864) ** 0.5, (2 / 864) ** 0.5),
    'normal': (0.02, 0.02),
    'orthogonal': (576**-0.5, 576**-0.5),
  }.items():
    own = INITIALS[name]
    for initialiser, deviation in zip(own, deviations, strict=False):
      kernel = initialiser(KEY, shape, jnp.float32)
      np.testing.assert_allclose(kernel.std(), deviation, rtol=0.03)
      if name == 'glorot':
        np.testing.assert_allclose(
          np.abs(kernel).max(), 3**0.5 * deviation, rtol=0.01
        )
  kernel = INITIALS['orthogonal'].block(KEY, shape, jnp.float32)
  matrix = kernel.reshape(-1, 32)
  np.testing.assert_allclose(matrix.T @ matrix, np.eye(32), atol=1e-5)


def test_each_block_takes_its_own_part_of_the_latents(small):
  params, *_ = small
  generator, _ = pair(*SMALL[1:], resolution=16)
  # The first third begins; of the others a block takes one each, beside the
  # vector of the class.
  assert params['start']['kernel'].shape == (3, 16 * 8)
  for number in range(2):
    norm = params[f'block{number}']['ConditionalNorm_1']
    assert norm['scale']['kernel'].shape == (4 + 3, 8)
  latents = jax.random.normal(KEY, (4, 9))
  labels = jnp.int32([0, 1, 2, 0])
  _, buffers = generator.init(KEY, latents, labels)

  @jax.jit
  def images(latents):
    return generator.synthesis(params, buffers, latents, None, False, labels)[0]

  for chunk in range(3):
    moved = images(latents.at[:, 3 * chunk : 3 * chunk + 3].add(1.0))
    assert np.abs(moved - images(latents)).max() > 1e-4
  deaf = jax.tree.map(jnp.copy, params)
  for norm in ('ConditionalNorm_0', 'ConditionalNorm_1'):
    for name in ('scale', 'bias'):
      kernel = deaf['block1'][norm][name]['kernel']
      deaf['block1'][norm][name]['kernel'] = kernel.at[4:].set(0)
  one, other = (
    generator.synthesis(deaf, buffers, own, None, False, labels)[0]
    for own in (latents, latents.at[:, 6:].add(1.0))
  )
  np.testing.assert_array_equal(one, other)


def test_what_spectral_normalisation_divides(small):
  generator, discriminator = map(remedies.spectral, pair(*SMALL[1:]))
  latents, labels = jnp.zeros((4, 16)), jnp.zeros(4, jnp.int32)
  images = jnp.zeros((4, 32, 32, 3))
  _, buffers = jax.eval_shape(generator.init, KEY, latents, labels)
  divided = set(buffers['spectral'])
  assert "['classes']" not in divided
  assert "['to_rgb']['kernel']" in divided
  assert "['start']['kernel']" in divided
  assert "['block0']['ConditionalNorm_0']['scale']['kernel']" in divided
  assert "['attention']['query']['kernel']" in divided
  _, buffers = jax.eval_shape(discriminator.init, KEY, images, labels)
  divided = set(buffers['spectral'])
  assert "['classes']['kernel']" in divided  # the projection
  assert "['network']['head']['kernel']" in divided
  # Tables of classes are not kernels.
  generator = remedies.spectral(resnet.generator(8, width=8, classes=3))
  _, buffers = jax.eval_shape(generator.init, KEY, latents, labels)
  assert not any('class' in name for name in buffers['spectral'])


def test_features_are_sums_that_the_head_takes(small):
  _, critic, images, logits = small
  _, judge = pair(*SMALL[1:], resolution=16)
  (again, features), _ = judge.with_features(
    critic, {}, images, None, True, jnp.arange(4) % 3
  )
  assert features.shape == (4, 8)
  assert (features >= 0).all()
  network = critic['network']['head']['kernel'][:, 0]
  vectors = critic['classes']['kernel'][jnp.arange(4) % 3]
  np.testing.assert_allclose(
    (features * (network + vectors)).sum(-1), logits, rtol=1e-4, atol=1e-5
  )
  np.testing.assert_allclose(again, logits, rtol=1e-5)


def test_where_nothing_fits_it_says_so():
  for call, words in (
    (lambda: resnet.generator(24), '8, 16, 32 pixels and so on, not of 24'),
    (lambda: resnet.generator(4), 'not of 4'),
    (lambda: resnet.discriminator(30), 'they have 30 pixels'),
    (lambda: resnet.generator(32, attention=4), 'no block of 4.* 8, 16, 32'),
    (lambda: resnet.discriminator(32, attention=32), 'choose from 8, 16'),
    (lambda: resnet.generator(initial='glorto'), "did you mean 'glorot'"),
    (
      lambda: resnet.generator(hierarchical=True, classes=3),
      'give the classes an embedding',
    ),
    (
      lambda: resnet.generator(16, width=8, hierarchical=True).init(
        KEY, jnp.zeros((2, 8))
      ),
      'Latents of 8 numbers cannot be cut into 3 equal chunks',
    ),
  ):
    with pytest.raises(ValueError, match=words):
      call()
