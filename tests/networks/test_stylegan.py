"""The generator of styles against numpy, closed forms and its own count."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from scipy import ndimage

from ganjax import losses, priors, regularizers
from ganjax.arrays import Batch
from ganjax.game import gan
from ganjax.networks import equalized, pyramids, stylegan
from ganjax.players import Pair
from ganjax.turns import stateless

KEY = jax.random.key(0)
SMALL = {'resolution': 16, 'base': 64, 'max_channels': 16}
NARROW = {'style': 12, 'depth': 2}
LATENTS = jax.random.normal(jax.random.key(1), (4, 10))
IMAGES = 5 * jax.random.normal(jax.random.key(2), (3, 8, 6, 4)) + 2
dense = equalized.Dense


def floats(*shape):
  return jax.ShapeDtypeStruct(shape, jnp.float32)


def pyramid(*sides):
  return tuple(floats(4, side, side, 3) for side in sides)


def count(network, examples):
  params, _ = jax.eval_shape(network.init, KEY, examples)
  return sum(leaf.size for leaf in jax.tree.leaves(params))


def test_the_generator_has_the_papers_26_million_parameters():
  mapping = 8 * (512 * 512 + 512)
  widths = [512, 512, 512, 512, 256, 128, 64, 32, 16]
  before = widths[:1] + widths[:-1]
  # Two layers at each resolution, of which the very first is no convolution.
  kernels = sum(
    9 * width * (last + width)
    for width, last in zip(widths, before, strict=True)
  )
  kernels += 16 * 512 - 9 * 512 * 512
  # Strengths of noise and biases; scales and shifts; images.
  styling = sum(2 * (2 * width + 513 * 2 * width) for width in widths)
  images = sum((width + 1) * 3 for width in widths)
  expected = mapping + kernels + styling + images
  assert expected == 26_219_627
  assert count(stylegan.generator(1024), floats(4, 512)) == expected


def test_the_discriminator_has_its_parameters():
  # With 8, 16 and 16 channels from above; blocks see one of statistics more.
  entry = 3 * 8 + 8
  top = 9 * (8 + 1) * 8 + 8 + 9 * 8 * 16 + 16
  block = 9 * (16 + 1) * 16 + 16 + 9 * 16 * 16 + 16
  end = 9 * (16 + 1) * 16 + 16 + 16 * 16 * 16 + 16 + 16 + 1
  joined = (3 * 8 + 8) + (16 + 8) * 16
  network = stylegan.discriminator(**SMALL)
  assert count(network, pyramid(4, 8, 16)) == (
    entry + top + block + end + 2 * joined
  )


@pytest.mark.parametrize('connections', [(), (4, 8), None])
def test_both_players_have_the_same_pyramid(connections):
  generator = stylegan.generator(**SMALL, **NARROW, connections=connections)
  discriminator = stylegan.discriminator(**SMALL, connections=connections)

  def play(latents, real):
    params, buffers = generator.init(KEY, latents)
    styles, _ = generator.mapping(params, buffers, latents, KEY, True)
    images, _ = generator.synthesis(params, buffers, styles, KEY, True)
    params, buffers = discriminator.init(KEY, images)
    given = params, buffers, images, None, True
    logits, _ = discriminator.apply(*given)
    judged, _ = discriminator.with_features(*given)
    return styles, images, discriminator.prepare_real(real), logits, *judged

  styles, fake, real, *judged = jax.eval_shape(
    play, LATENTS, floats(4, 16, 16, 3)
  )
  assert styles == floats(4, 6, 12)
  assert fake == real == pyramid(*pyramids.connected(16, connections))
  assert judged == [floats(4), floats(4), floats(4, 16)]


def test_rematerialisation_and_bfloat16_leave_types_and_names_alone():
  def made(**arguments):
    generator = stylegan.generator(**SMALL, **NARROW, **arguments)
    discriminator = stylegan.discriminator(**SMALL, **arguments)

    def play(latents):
      made, buffers = generator.init(KEY, latents)
      styles, _ = generator.mapping(made, buffers, latents, KEY, True)
      images, _ = generator.synthesis(made, buffers, styles, KEY, True)
      judged, _ = discriminator.init(KEY, images)
      logits, _ = discriminator.apply(judged, {}, images, None, True)
      return made, judged, styles, images, logits

    return jax.eval_shape(play, LATENTS)

  plain = made()
  assert made(remat=nn.remat, dtype=jnp.bfloat16) == plain
  assert {leaf.dtype for leaf in jax.tree.leaves(plain)} == {jnp.dtype('f4')}


def test_instance_norm_is_of_each_channel_of_each_image():
  images = np.array(IMAGES)
  mean = images.mean((1, 2), keepdims=True)
  expected = (images - mean) / images.std((1, 2), keepdims=True)
  np.testing.assert_allclose(
    stylegan.instance_norm(IMAGES), expected, rtol=1e-4, atol=1e-4
  )


def styled(images, style, key=None, **params):
  """Images after `Styling`, whose params begin as usual but for these."""
  module = stylegan.Styling(dense)
  begun = module.init(KEY, images, style)['params']
  return module.apply(
    {'params': {**begun, **params}},
    images,
    style,
    rngs={} if key is None else {'noise': key},
  )


def test_images_have_the_moments_of_the_style():
  style = np.random.default_rng(0).normal(size=(3, 7))
  kernel = np.random.default_rng(1).normal(size=(7, 8))
  params = {'kernel': kernel, 'bias': np.ones(8)}
  outputs = styled(IMAGES, jnp.array(style), Dense_0=params)
  scale, shift = np.split(style @ kernel / np.sqrt(7) + 1, 2, 1)
  np.testing.assert_allclose(outputs.mean((1, 2)), shift, rtol=1e-3, atol=1e-4)
  np.testing.assert_allclose(outputs.std((1, 2)), np.abs(scale + 1), rtol=1e-3)


def test_noise_is_one_image_with_a_strength_for_each_channel():
  # On nothing but a high bias: the activation is the identity there.
  style, flat = jnp.zeros((3, 7)), jnp.zeros((3, 8, 6, 4))
  params = {
    'strength': jnp.array([0.0, 1.0, -2.0, 0.5]),
    'bias': jnp.full(4, 100.0),
    'Dense_0': {'kernel': jnp.zeros((7, 8)), 'bias': jnp.zeros(8)},
  }
  outputs = styled(flat, style, KEY, **params)
  np.testing.assert_array_equal(outputs[..., 0], 0)
  np.testing.assert_allclose(outputs[..., 2], -outputs[..., 1], atol=1e-3)
  np.testing.assert_allclose(outputs[..., 3], outputs[..., 1], atol=1e-3)
  np.testing.assert_allclose(outputs[..., 1].std((1, 2)), 1, rtol=1e-3)
  # Another for each example, and none without a key.
  assert np.abs(np.corrcoef(outputs[..., 1].reshape(3, -1))[0, 1:]).max() < 0.5
  np.testing.assert_array_equal(styled(flat, style, **params), 0)


def test_there_is_no_noise_at_first():
  style = jnp.ones((3, 7))
  np.testing.assert_array_equal(
    styled(IMAGES, style, KEY), styled(IMAGES, style)
  )


@pytest.fixture(scope='module')
def player():
  """A small generator, its params and its synthesis without noise."""
  generator = stylegan.generator(8, 2, base=16, max_channels=4, **NARROW)
  params, buffers = jax.jit(generator.init)(KEY, LATENTS)
  # Nothing that is 0 at first may hide.
  leaves, structure = jax.tree.flatten(jax.device_get(params))
  random = np.random.default_rng(0)
  moved = [leaf + 0.3 * random.normal(size=leaf.shape) for leaf in leaves]
  params = jax.tree.unflatten(structure, moved)
  return generator, params, buffers


def test_images_are_those_of_numpy(player):
  generator, params, buffers = player
  styles = np.random.default_rng(0).normal(size=(2, 4, 12))
  pyramid, _ = jax.jit(generator.synthesis, static_argnums=4)(
    params, buffers, styles, None, False
  )
  synthesis = jax.tree.map(np.array, params['synthesis'])

  def filtered(images, kernel):
    """Images `[N, H, W, C]` under `[3, 3, C, F]`, zeros beyond the border."""
    outputs = np.zeros((*images.shape[:3], kernel.shape[-1]))
    for c, f in np.ndindex(kernel.shape[2:]):
      outputs[..., f] += ndimage.correlate(
        images[..., c], kernel[None, :, :, c, f], mode='constant'
      )
    return outputs

  def convolved(images, params):
    channels = images.shape[-1]
    return filtered(images, params['kernel'] * np.sqrt(2 / (9 * channels)))

  def styling(images, style, params):
    images = images + params['bias']
    images = np.maximum(images, 0.2 * images)
    images = images - images.mean((1, 2), keepdims=True)
    images = images / images.std((1, 2), keepdims=True)
    kernel = params['Dense_0']['kernel']
    style = style @ kernel / np.sqrt(12) + params['Dense_0']['bias']
    scale, shift = np.split(style[:, None, None], 2, -1)
    return images * (scale + 1) + shift

  def shown(images, params):
    kernel = params['kernel'][0, 0] / np.sqrt(images.shape[-1])
    return images @ kernel + params['bias']

  block4, block8 = synthesis['block4'], synthesis['block8']
  images = np.stack([synthesis['constant']] * 2)
  images = styling(images, styles[:, 0], block4['Styling_0'])
  images = convolved(images, block4['Conv_0'])
  images = styling(images, styles[:, 1], block4['Styling_1'])
  small = shown(images, synthesis['rgb4'])
  images = convolved(images.repeat(2, 1).repeat(2, 2), block8['Conv_0'])
  blur = np.outer([1, 2, 1], [1, 2, 1]) / 16
  images = filtered(images, blur[:, :, None, None] * np.eye(4))
  images = styling(images, styles[:, 2], block8['Styling_0'])
  images = convolved(images, block8['Conv_1'])
  images = styling(images, styles[:, 3], block8['Styling_1'])
  for made, expected in zip(
    pyramid, (small, shown(images, synthesis['rgb8'])), strict=True
  ):
    np.testing.assert_allclose(made, expected, rtol=1e-3, atol=1e-3)


def test_styles_are_those_of_numpy(player):
  generator, params, buffers = player
  styles, _ = generator.mapping(params, buffers, LATENTS, None, True)
  expected = np.array(LATENTS)
  expected /= np.sqrt((expected**2).mean(1, keepdims=True))
  for layer in 'dense0', 'dense1':
    dense = jax.tree.map(np.array, params['mapping'][layer])
    gain = np.sqrt(2 / len(dense['kernel']))
    expected = 0.01 * (gain * expected @ dense['kernel'] + dense['bias'])
    expected = np.maximum(expected, 0.2 * expected)
  np.testing.assert_allclose(
    styles, np.repeat(expected[:, None], 4, 1), rtol=1e-4, atol=1e-5
  )


@pytest.fixture(scope='module')
def mixed():
  """`(mixing) -> styles [500, 6, 12]` of the same latent, at 16 pixels."""
  latents = jnp.broadcast_to(LATENTS[:1], (500, 10))

  @jax.jit
  def styles(mixing):
    generator = stylegan.generator(**SMALL, **NARROW, mixing=mixing)
    params, buffers = generator.init(KEY, latents)
    return [
      generator.mapping(params, buffers, latents, key, train)[0]
      for key, train in ((KEY, True), (KEY, False), (None, True))
    ]

  return styles


def test_styles_are_mixed_from_a_layer_on(mixed):
  styles, evaluated, keyless = mixed(1.0)
  own = styles[:, :1]
  foreign = (styles != own).any(-1)
  # Once foreign, always foreign: all of it of one other latent.
  assert (np.diff(foreign.astype(int), axis=1) >= 0).all()
  assert foreign[:, -1].all()
  others = jnp.where(foreign[..., None], styles, styles[:, -1:])
  np.testing.assert_array_equal(
    others, jnp.broadcast_to(styles[:, -1:], styles.shape)
  )
  assert len(np.unique(styles[:, -1, 0])) > 490
  # The layer is uniform among 1 to 5: 100 of each, give or take nine.
  layers = np.bincount(6 - foreign.sum(1), minlength=6)
  assert layers[0] == 0
  np.testing.assert_allclose(layers[1:], 100, atol=40)
  for unmixed in evaluated, keyless:
    np.testing.assert_array_equal(unmixed, jnp.broadcast_to(own, unmixed.shape))


def test_mixing_is_a_share_of_the_examples(mixed):
  for share in 0.0, 0.3:
    styles, *_ = mixed(share)
    foreign = (styles[:, -1] != styles[:, 0]).any(-1).mean()
    np.testing.assert_allclose(foreign, share, atol=0.1 * (share > 0))


def test_other_numbers_of_styles_are_refused(player):
  generator, params, buffers = player
  with pytest.raises(ValueError, match='8 pixels take 4 styles, two .* not 6;'):
    generator.synthesis(params, buffers, jnp.zeros((2, 6, 12)), None, False)


@pytest.fixture(scope='module')
def gradients():
  """The `Pair` of gradients of MSG-StyleGAN's own game, with everything on."""
  small = {**SMALL, 'resolution': 8}
  penalty = stateless(
    lambda turn: 5 * regularizers.r1(turn.critic, turn.real) / len(turn.real)
  )
  game = gan(
    stylegan.generator(**small, **NARROW, mixing=0.5, remat=nn.remat),
    stylegan.discriminator(**small),
    losses.non_saturating,
    priors.normal(10),
    Pair({}, {'r1': penalty}),
  )

  @jax.jit
  def descend(key):
    params, buffers = game.init(key)
    batch = Batch(jax.random.normal(key, (4, 8, 8, 3)))

    def gradient(player):
      def value(own):
        both = params._replace(**{player: own})
        return getattr(game, player)(both, buffers, batch, key)[0]

      return jax.grad(value)(getattr(params, player))

    return Pair(*map(gradient, Pair._fields))

  return descend(KEY)


def test_a_game_over_all_scales_is_finite(gradients):
  for leaf in jax.tree.leaves(gradients):
    assert np.isfinite(leaf).all()
  for gradient in gradients:
    assert any(np.any(leaf) for leaf in jax.tree.leaves(gradient))


def test_the_loss_reaches_images_noise_and_mapping(gradients):
  gradient = gradients.generator
  for side in 4, 8:
    assert np.abs(gradient['synthesis'][f'rgb{side}']['kernel']).max() > 1e-6
    block = gradient['synthesis'][f'block{side}']
    assert np.abs(block['Styling_1']['strength']).max() > 0
  for layer in gradient['mapping'].values():
    assert np.abs(layer['kernel']).max() > 0
