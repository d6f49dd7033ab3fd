"""StyleGAN2 against its counts, numpy, and laws of its mapping."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from ganjax.networks import equalized, layers, stylegan2, stylegan2_mapping
from ganjax.networks.stylegan2_mapping import Mapping, Stack

KEY = jax.random.key(0)
TINY = {'base': 64, 'max_channels': 16}
# Arguments of `played`, and the counts of the generator and discriminator.
COUNTS = {
  'cifar10': ((32, 16384, 2, {'residual': False}), 19_947_539, 20_720_641),
  'cifar10 by class': (
    (32, 16384, 2, {'residual': False, 'classes': 10}),
    20_215_315,
    23_089_664,
  ),
  'auto32': ((32, 8192, 2), 19_947_539, 21_507_073),
  'auto64': ((64, 8192, 2), 22_243_608, 23_407_361),
  'auto128': ((128, 8192, 2), 22_949_277, 23_882_369),
  'auto256': ((256, 8192, 2), 23_191_522, 24_001_089),
  'wide64': ((64, 16384, 8), 27_032_600, 26_488_833),
  'paper256': ((256, 8192, 8), 24_767_458, 24_001_089),
  'paper1024': ((1024, 16384, 8), 30_370_060, 29_012_513),
  'tiny': ((32, 512, 2, {'width': 64}), 263_987, 288_993),
  'tiny gray': (
    (32, 512, 2, {'width': 64, 'channels': 1}),
    263_531,
    288_929,
  ),
  'tiny by class': (
    (32, 512, 2, {'width': 64, 'classes': 10}),
    268_787,
    327_072,
  ),
  'tiny16': ((16, 256, 2, {'width': 32}), 57_614, 65_153),
}


def played(
  resolution,
  base,
  depth,
  width=512,
  channels=3,
  classes=0,
  residual=True,
  mixing=0.9,
  **shared,
):
  """Both networks' parameters, the images, their logits, and buffers."""
  shared |= {'base': base, 'max_channels': width, 'classes': classes}
  generator = stylegan2.generator(
    resolution, channels, width, depth, mixing, **shared
  )
  discriminator = stylegan2.discriminator(
    resolution, residual=residual, **shared
  )
  own = (jnp.arange(4) % classes,) if classes else ()
  latents = jax.random.normal(KEY, (4, width))
  params, before = generator.init(KEY, latents, *own)
  styles, buffers = generator.mapping(params, before, latents, KEY, True, *own)
  images, _ = generator.synthesis(params, buffers, styles, KEY, True, *own)
  critic, judged = discriminator.init(KEY, images, *own)
  logits, _ = discriminator.apply(critic, judged, images, KEY, True, *own)
  assert buffers.keys() == before.keys()
  return params, critic, images, logits


def count(params):
  return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(params))


@pytest.mark.parametrize('name', COUNTS)
def test_counts_are_the_published_ones(name):
  (resolution, base, depth, *others), of_generator, of_discriminator = COUNTS[
    name
  ]
  arguments = others[0] if others else {}
  run = functools.partial(played, resolution, base, depth, **arguments)
  generator, critic, images, logits = jax.eval_shape(run)
  assert count(generator) == of_generator
  assert count(critic) == of_discriminator
  channels = arguments.get('channels', 3)
  assert images.shape == (4, resolution, resolution, channels)
  assert logits.shape == (4,)
  assert images.dtype == logits.dtype == jnp.float32


def test_rematerialisation_and_bfloat16_leave_types_and_names_alone():
  plain = jax.eval_shape(lambda: played(16, 64, 2, 16))
  other = jax.eval_shape(
    lambda: played(16, 64, 2, 16, remat=nn.remat, dtype=jnp.bfloat16)
  )
  assert other == plain
  assert {leaf.dtype for leaf in jax.tree.leaves(plain)} == {jnp.dtype('f4')}


def test_bfloat16_is_near_float32():
  (*_, images, logits), (*_, rough, judged) = jax.jit(
    lambda: [
      played(16, 64, 2, 16, dtype=dtype) for dtype in ('float32', 'bfloat16')
    ]
  )()
  assert 0 < np.abs(images - rough).max() < 0.05 * np.abs(images).max()
  np.testing.assert_allclose(judged, logits, atol=0.1)


def test_low_precision_begins_at_the_highest_resolution(monkeypatch):
  seen = {}

  def spy(self, images):
    seen.setdefault(images.shape[1], set()).add(str(jnp.dtype(self.dtype)))
    return original(self, images)

  original = equalized.Conv.__call__
  monkeypatch.setattr(equalized.Conv, '__call__', spy)
  run = functools.partial(played, 32, 64, 2, 16, dtype=jnp.bfloat16)
  jax.eval_shape(functools.partial(run, low_precision=2))
  # A skip connection is of its block's resolution, and takes halved images.
  assert seen == {
    32: {'bfloat16'},
    16: {'bfloat16'},
    8: {'float32', 'bfloat16'},
    4: {'float32'},
  }


@pytest.fixture(scope='module')
def player():
  """Small networks for labels, and parameters of which none is 0."""
  pair = (
    stylegan2.generator(8, 2, style=12, depth=2, **TINY, classes=3),
    stylegan2.discriminator(8, **TINY, classes=3),
  )
  labels = jnp.array([0, 1, 2, 1])
  latents, images = jnp.ones((4, 10)), jnp.ones((4, 8, 8, 2))
  random = np.random.default_rng(0)
  trees = jax.jit(
    lambda: [
      network.init(KEY, examples, labels)[0]
      for network, examples in zip(pair, (latents, images), strict=True)
    ]
  )()
  moved = jax.tree.map(
    lambda leaf: (leaf + 0.2 * random.normal(size=leaf.shape)).astype('f4'),
    jax.device_get(trees),
  )
  return *pair, *moved


def lrelu(x):
  return np.sqrt(2) * np.where(x < 0, 0.2 * x, x)


def normed(x):
  return x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-8)


def dense(params, x, rate=1.0):
  return rate * (x @ params['kernel'] / np.sqrt(x.shape[-1]) + params['bias'])


def convolved(images, kernel):
  """A 3x3 correlation of images padded by zeros, by its definition."""
  padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
  height, width = images.shape[1:3]
  return sum(
    padded[:, y : y + height, x : x + width] @ kernel[y, x]
    for y in range(3)
    for x in range(3)
  )


def enlarged(images):
  """Zeros between pixels, and the filter 1 3 3 1 / 4 along both axes."""
  matrix = np.zeros((2 * images.shape[1], images.shape[1]))
  for new in range(len(matrix)):
    for tap, weight in enumerate((1, 3, 3, 1)):
      place = new + tap - 2
      if place % 2 == 0 and 0 <= place // 2 < images.shape[1]:
        matrix[new, place // 2] += weight / 4
  return np.einsum('yh,xw,nhwc->nyxc', matrix, matrix, images)


def test_styles_are_those_of_numpy(player):
  generator, _, params, _ = player
  own = params['mapping']
  latents = np.random.default_rng(1).normal(size=(4, 10)).astype('f4')
  labels = np.array([2, 0, 1, 1])
  buffers = {'mapping': {'average': {'styles': jnp.zeros(12)}}, 'synthesis': {}}
  styles, _ = generator.mapping(params, buffers, latents, None, False, labels)
  embedded = normed(dense(own['embedding'], np.eye(3)[labels]))
  expected = np.concatenate([normed(latents), embedded], -1)
  for name in 'dense0', 'dense1':
    expected = lrelu(dense(own['layers'][name], expected, 0.01))
  np.testing.assert_allclose(
    styles, np.repeat(expected[:, None], 4, 1), rtol=1e-4, atol=1e-6
  )


def test_images_are_those_of_numpy(player):
  generator, _, params, _ = player
  own = params['synthesis']
  styles = np.random.default_rng(2).normal(size=(4, 4, 12))
  found, _ = jax.jit(generator.synthesis, static_argnums=4)(
    params, {'mapping': {}, 'synthesis': {}}, styles, None, False
  )

  def styled(params, images, style, large=False):
    scale = dense(params['affine'], style)
    kernel = params['kernel']
    images = images * scale[:, None, None]
    images = up(images, kernel) if large else convolved(images, kernel)
    squares = (kernel**2).sum((0, 1))
    images = images / np.sqrt(scale**2 @ squares + 1e-8)[:, None, None]
    return lrelu(images + params['bias'])

  def up(images, kernel):
    rows, side = images.shape[:2]
    # All that a transposed convolution of stride 2 touches.
    large = np.zeros((rows, 2 * side + 1, 2 * side + 1, kernel.shape[-1]))
    for y in range(3):
      for x in range(3):
        last = 2 * side - 1
        large[:, y : y + last : 2, x : x + last : 2] += images @ kernel[y, x]
    padded = np.pad(large, ((0, 0), (1, 1), (1, 1), (0, 0)))
    taps = np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 16
    return sum(
      taps[y, x] * padded[:, y : y + 2 * side, x : x + 2 * side]
      for y in range(4)
      for x in range(4)
    )

  def shown(params, images, style):
    scale = dense(params['affine'], style) / np.sqrt(images.shape[-1])
    images = images * scale[:, None, None]
    return images @ params['kernel'] + params['bias']

  block4, block8 = own['block4'], own['block8']
  images = np.repeat(own['constant'][None], 4, 0)
  images = styled(block4['conv0'], images, styles[:, 0])
  rgb = shown(block4['to_rgb'], images, styles[:, 1])
  images = styled(block8['conv0'], images, styles[:, 1], large=True)
  images = styled(block8['conv1'], images, styles[:, 2])
  expected = enlarged(rgb) + shown(block8['to_rgb'], images, styles[:, 3])
  np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


def test_logits_are_those_of_numpy(player):
  _, discriminator, _, params = player
  images = np.random.default_rng(3).normal(size=(4, 8, 8, 2))
  labels = np.array([2, 0, 1, 1])
  logits, _ = jax.jit(discriminator.apply, static_argnums=4)(
    params, {}, images, None, True, labels
  )

  def conv(params, images, product=convolved):
    kernel = params['kernel']
    kernel = kernel / np.sqrt(np.prod(kernel.shape[:-1]))
    return product(images, kernel) + params.get('bias', 0)

  def pixelwise(images, kernel):
    return images @ kernel[0, 0]

  def blurred(images, padding):
    padded = np.pad(images, ((0, 0), *[(padding, padding)] * 2, (0, 0)))
    side = padded.shape[1] - 3
    taps = np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 64
    return sum(
      taps[y, x] * padded[:, y : y + side, x : x + side]
      for y in range(4)
      for x in range(4)
    )

  def halved(images, kernel):
    # Padding is in the blur: of a plain convolution the border is cut off.
    return convolved(blurred(images, 2), kernel)[:, 1:-1:2, 1:-1:2]

  block = params['block8']
  hidden = lrelu(conv(params['from_rgb'], images, pixelwise))
  inner = lrelu(conv(block['conv0'], hidden))
  inner = lrelu(conv(block['conv1'], inner, halved))
  skip = conv(block['skip'], blurred(hidden, 1)[:, ::2, ::2], pixelwise)
  hidden = (inner + skip) / np.sqrt(2)
  deviation = np.sqrt(hidden.var(0) + 1e-8).mean()
  extra = np.full((*hidden.shape[:-1], 1), deviation)
  hidden = lrelu(conv(params['conv'], np.concatenate([hidden, extra], -1)))
  features = lrelu(dense(params['dense'], hidden.reshape(4, -1)))
  vectors = normed(dense(params['embedding'], np.eye(3)[labels]))
  for layer in range(8):
    vectors = lrelu(dense(params['labels'][f'dense{layer}'], vectors, 0.01))
  head = dense(params['head'], features)
  expected = (head * vectors).sum(-1) / 4
  np.testing.assert_allclose(logits, expected, rtol=1e-3, atol=1e-3)


def test_a_label_between_classes_and_a_pack_are_their_mean(player):
  _, discriminator, _, params = player
  images = np.random.default_rng(4).normal(size=(2, 8, 8, 2))

  def logits(labels):
    return discriminator.apply(params, {}, images, None, True, labels)[0]

  weights = jnp.array([[0.5, 0.5, 0.0], [0.0, 0.5, 0.5]])
  packs = jnp.array([[0, 1], [1, 2]])
  np.testing.assert_allclose(logits(weights), logits(packs), rtol=1e-4)
  assert np.abs(logits(weights) - logits(jnp.array([0, 2]))).max() > 1e-6


class Embedded(nn.Module):
  """The vectors of labels of three classes alone."""

  @nn.compact
  def __call__(self, labels):
    """Returns the vectors, `[N, 8]`."""
    return stylegan2_mapping.embedded(labels, 3, 8, len(labels))


def test_the_strength_of_labels_is_a_factor_of_their_normalised_vectors():
  labels = jnp.array([2, 0])
  whole, params = Embedded().init_with_output(KEY, labels)
  np.testing.assert_allclose((whole**2).mean(-1), 1, rtol=1e-5)
  for strength in (0.25, 0.0):
    weights = strength * np.eye(3)[labels]
    np.testing.assert_allclose(
      Embedded().apply(params, jnp.asarray(weights)),
      strength * whole,
      rtol=1e-5,
    )


@pytest.mark.parametrize(
  ('group', 'expected'), [(4, 0.79788), (8, 0.90270), (32, 0.97635)]
)
def test_deviations_of_noise_have_their_mean(group, expected):
  noise = jax.random.normal(KEY, (32, 4, 4, 512))
  found = layers.MinibatchStd(group).apply({}, noise)[..., -1]
  np.testing.assert_allclose(found.mean(), expected, atol=1e-3)


@pytest.fixture(scope='module')
def mapped():
  """A mapping of 6 layers, and its variables, whose tracked mean is 1."""
  module = Mapping(6, 12, 2, 0.9, 0)
  latents = jax.random.normal(jax.random.key(1), (8, 10))
  variables = module.init(KEY, latents, train=True)
  np.testing.assert_array_equal(variables['average']['styles'], 0)
  return module, latents, variables | {'average': {'styles': jnp.ones(12)}}


def test_the_mean_of_styles_is_tracked_in_training_alone(mapped):
  module, latents, variables = mapped
  plain = module.apply(variables, latents, train=False)
  own = plain[:, 0].mean(0)
  for key in range(3):
    # The second latents of mixing do not count.
    _, changed = module.apply(
      variables,
      latents,
      train=True,
      rngs={'noise': jax.random.key(key)},
      mutable=['average'],
    )
    np.testing.assert_allclose(
      changed['average']['styles'], 0.995 + 0.005 * own, rtol=1e-6
    )


def test_nine_batches_of_ten_are_mixed_from_one_layer_on(mapped):
  module, latents, variables = mapped

  @jax.jit
  @jax.vmap
  def styles(key):
    return module.apply(
      variables, latents, train=True, rngs={'noise': key}, mutable=['average']
    )[0]

  found = styles(jax.random.split(KEY, 500))
  foreign = (found != found[:, :, :1]).any(-1)
  # All examples of a batch from the same layer on.
  np.testing.assert_array_equal(foreign, foreign[:, :1] & foreign)
  np.testing.assert_array_equal(foreign.all(1), foreign.any(1))
  foreign = foreign[:, 0]
  assert (np.diff(foreign.astype(int), axis=1) >= 0).all()
  numbers = np.bincount(6 - foreign.sum(1), minlength=7)
  # Uniform among layers 1 to 5, give or take: 90 each, and 50 unmixed.
  assert numbers[0] == 0
  np.testing.assert_allclose(numbers[1:], [90] * 5 + [50], atol=36)


def test_without_mixing_there_are_no_second_latents(mapped):
  module, latents, variables = mapped
  unmixed = module.clone(mixing=0.0)
  own = unmixed.apply(variables, latents, train=False)
  found, _ = unmixed.apply(
    variables, latents, train=True, rngs={'noise': KEY}, mutable=['average']
  )
  np.testing.assert_array_equal(found, own)
  jaxpr = jax.make_jaxpr(
    lambda key: unmixed.apply(
      variables, latents, train=True, rngs={'noise': key}, mutable=['average']
    )
  )(KEY)
  assert 'random_bits' not in str(jaxpr)


def test_layers_of_the_mapping_learn_at_a_hundredth():
  stack = Stack(2000, 1)
  inputs = jnp.ones((1, 500))
  params = jax.jit(stack.init)(KEY, inputs)['params']['dense0']
  np.testing.assert_allclose(params['kernel'].std(), 100, rtol=1e-2)
  outputs = stack.apply({'params': {'dense0': params}}, inputs)
  # Of N(0, 1): 2 (1 + .04) / 2.
  np.testing.assert_allclose((outputs**2).mean(), 1.04, rtol=0.1)


def test_other_styles_and_sides_are_refused(player):
  generator, discriminator, params, judged = player
  with pytest.raises(ValueError, match='8 pixels take 4 styles, two .* not 6;'):
    generator.synthesis(
      params, {'synthesis': {}}, jnp.zeros((2, 6, 12)), None, False
    )
  with pytest.raises(
    ValueError, match='takes images of 8x8 pixels, not of 4x4'
  ):
    discriminator.apply(judged, {}, jnp.zeros((2, 4, 4, 2)), None, True)
