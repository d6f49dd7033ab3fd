"""DCGAN against the parameter counts and shapes of PyTorch's example."""

import inspect
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import dcgan as config_of_dcgan
from ganjax import regularizers
from ganjax.networks import dcgan, norms
from ganjax.networks.layers import (
  MinibatchDiscrimination,
  MinibatchStd,
)

KEY = jax.random.key(0)
LATENTS = jnp.zeros((4, 100))


def shapes(network, examples):
  """The shapes of a network's params and buffers; nothing is computed."""
  return jax.eval_shape(lambda: network.init(KEY, examples))


def count(params):
  return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(params))


def test_dcgan_has_as_many_parameters_as_pytorchs_example():
  generator, _ = shapes(dcgan.generator(64), LATENTS)
  discriminator, _ = shapes(dcgan.discriminator(64), jnp.zeros((4, 64, 64, 3)))
  assert count(generator) == 3_576_704
  assert count(discriminator) == 2_765_568


@pytest.mark.parametrize(
  ('resolution', 'channels'), [(16, 1), (32, 3), (64, 4), (128, 2)]
)
def test_dcgan_shapes(resolution, channels):
  generator = dcgan.generator(resolution, channels)
  discriminator = dcgan.discriminator(resolution, channels)

  def play():
    params, buffers = generator.init(KEY, LATENTS)
    images, _ = generator.synthesis(params, buffers, LATENTS, None, True)
    params, buffers = discriminator.init(KEY, images)
    return images, *discriminator.apply(params, buffers, images, None, True)

  images, logits, _ = jax.eval_shape(play)
  assert images.shape == (4, resolution, resolution, channels)
  assert logits.shape == (4,)
  assert images.dtype == logits.dtype == jnp.float32


@pytest.mark.parametrize(
  ('arguments', 'sentence'),
  [
    ((48,), 'DCGAN makes images of 16, 32, 64 or 128 pixels, not 48; set'),
    ((256,), 'not 256; set the resolution of the data to one of these.'),
    ((32, 5), 'DCGAN makes images of 1 to 4 channels, not 5.'),
    ((32, 0), 'DCGAN makes images of 1 to 4 channels, not 0.'),
  ],
)
@pytest.mark.parametrize('network', [dcgan.generator, dcgan.discriminator])
def test_dcgan_refuses(network, arguments, sentence):
  with pytest.raises(ValueError, match=sentence):
    network(*arguments)


def of_each_example(critic, images):
  """The squared norm of each logit's gradient at its own image, `[N]`."""
  rows = jnp.arange(len(images))
  own = jax.jacrev(critic)(images)[rows, rows]
  return jnp.sum(own.reshape(len(images), -1) ** 2, 1)


@pytest.mark.parametrize('norm', sorted(norms.NORMS))
def test_only_batch_norm_adds_terms_between_examples_to_penalties(norm):
  network = dcgan.discriminator(16, 1, width=4, norm=norms.NORMS[norm])
  real, fake = jax.random.normal(KEY, (2, 5, 16, 16, 1))

  @jax.jit
  def penalties():
    params, buffers = network.init(KEY, real)
    params = jax.tree.map(lambda leaf: 5 * leaf, params)

    def critic(images):
      return network.apply(params, buffers, images, None, True)[0]

    mix = jax.random.uniform(KEY, (5, 1, 1, 1))
    return (
      regularizers.r1(critic, real),
      of_each_example(critic, real),
      regularizers.wgan_gp(critic, real, fake, KEY),
      (of_each_example(critic, fake + mix * (real - fake)) ** 0.5 - 1) ** 2,
      jax.vmap(lambda image: regularizers.r1(critic, image[None])[0])(real),
    )

  r1, own_r1, gp, own_gp, alone = penalties()
  assert own_r1.min() > 1e-4
  if norm == 'batch':
    assert np.abs(r1 / own_r1 - 1).max() > 0.02
    assert np.abs(gp / own_gp - 1).max() > 0.02
  else:
    np.testing.assert_allclose(r1, own_r1, rtol=1e-4)
    np.testing.assert_allclose(r1, alone, rtol=1e-4)
    np.testing.assert_allclose(gp, own_gp, rtol=1e-3, atol=1e-5)


def test_batch_norm_is_the_discriminators_norm_unless_another_is_asked():
  assert inspect.signature(dcgan.discriminator).parameters['norm'].default is (
    norms.batch
  )
  params, buffers = shapes(
    dcgan.discriminator(16, 1), jnp.zeros((4, 16, 16, 1))
  )
  assert sorted(params) == ['BatchNorm_0', 'Conv_0', 'Conv_1', 'Dense_0']
  assert sorted(buffers['batch_stats']) == ['BatchNorm_0']
  config = config_of_dcgan.get_config()
  assert config.discriminator.norm == 'batch'
  config.discriminator.norm = 'layer'
  pair = dcgan.NETWORKS['dcgan'](config, (16, 16, 1), jnp.float32)
  params, buffers = shapes(pair.discriminator, jnp.zeros((4, 16, 16, 1)))
  assert 'LayerNorm_0' in params and not buffers


@pytest.fixture(scope='module')
def small():
  """DCGAN's generator at 16 pixels in bfloat16: params, buffers and images."""
  network = dcgan.generator(16, channels=1, width=32, dtype=jnp.bfloat16)

  @jax.jit
  def make(latents):
    params, buffers = network.init(KEY, latents)
    louder = jax.tree.map(lambda leaf: 10 * leaf, params)
    return params, network.synthesis(louder, buffers, latents, None, True)

  params, (images, buffers) = make(jax.random.normal(KEY, (8, 128)))
  return params, buffers, images


def test_dcgan_images_lie_within_their_bounds(small):
  *_, images = small
  assert np.abs(images).max() <= 1
  assert images.min() < -0.9
  assert images.max() > 0.9


def test_bfloat16_keeps_parameters_and_statistics_in_float32(small):
  assert {leaf.dtype for leaf in jax.tree.leaves(small)} == {jnp.dtype('f4')}


def test_dcgan_begins_with_weights_of_deviation_002(small):
  params, *_ = small
  for path, leaf in jax.tree_util.tree_leaves_with_path(params):
    kind, error = path[-1].key, 4 / math.sqrt(leaf.size)
    if kind == 'bias':
      np.testing.assert_array_equal(leaf, 0)
    else:
      np.testing.assert_allclose(leaf.std(), 0.02, rtol=error)
      assert abs(leaf.mean() - (kind == 'scale')) < 0.02 * error


@pytest.mark.parametrize(
  ('statistics', 'more'),
  [(MinibatchStd, 1), (MinibatchDiscrimination, 100 + 512 * 500)],
)
def test_dcgan_appends_statistics_before_the_last_layer(statistics, more):
  images = jnp.zeros((6, 16, 16, 1))
  plain = dcgan.discriminator(16, channels=1, width=16)
  judging = dcgan.discriminator(16, channels=1, width=16, statistics=statistics)
  params, buffers = shapes(judging, images)
  assert count(params) == count(shapes(plain, images)[0]) + more
  logits, _ = jax.eval_shape(
    lambda *both: judging.apply(*both, images[:4], None, True), params, buffers
  )
  assert logits.shape == (4,)


def test_dcgan_shows_the_activations_that_make_its_logits():
  images = jax.random.normal(KEY, (4, 16, 16, 1))
  network = dcgan.discriminator(16, channels=1, width=4)

  @jax.jit
  def judge(images):
    params, buffers = network.init(KEY, images)
    given = params, buffers, images, None, True
    (same, features), after = network.with_features(*given)
    logits, expected = network.apply(*given)
    return params['Dense_0']['kernel'], features, logits, same, after, expected

  kernel, features, logits, same, after, expected = judge(images)
  assert features.shape == (4, 4 * 4 * 8)
  np.testing.assert_allclose((features @ kernel)[:, 0], logits, rtol=1e-4)
  np.testing.assert_allclose(same, logits, rtol=1e-6)
  jax.tree.map(np.testing.assert_array_equal, after, expected)
