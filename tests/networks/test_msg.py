"""MSG-ProGAN: parameter counts, pyramids on both sides, and their penalties."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from ganjax import losses, priors, regularizers
from ganjax.arrays import Batch
from ganjax.game import gan
from ganjax.networks import layers, msg, pyramids
from ganjax.players import Pair
from ganjax.turns import stateless

KEY = jax.random.key(0)
SMALL = {'resolution': 16, 'base': 64, 'max_channels': 16}
CONNECTIONS = {
  'none': (),
  'coarse': (4, 8),
  'middle': (16, 32),
  'fine': (64,),
  'all': None,
}


def floats(*shape):
  return jax.ShapeDtypeStruct(shape, jnp.float32)


def pyramid(*sides):
  return tuple(floats(4, side, side, 3) for side in sides)


def shapes(network, examples):
  """The shapes of a network's params; nothing is computed."""
  params, _ = jax.eval_shape(network.init, KEY, examples)
  return {
    jax.tree_util.keystr(path): leaf.shape
    for path, leaf in jax.tree_util.tree_leaves_with_path(params)
  }


def count(network, examples):
  return sum(map(math.prod, shapes(network, examples).values()))


@pytest.mark.parametrize(
  ('resolution', 'generator', 'discriminator'),
  [
    (64, 22_490_383, 18_364_161),
    (256, 23_044_309, 18_733_185),
    (1024, 23_079_115, 18_756_321),
  ],
)
def test_parameters_are_those_of_the_authors_code(
  resolution, generator, discriminator
):
  judge = msg.discriminator(
    resolution, combine=msg.lin_cat, block_statistics=None
  )
  examples = pyramid(*pyramids.connected(resolution, None))
  assert count(msg.generator(resolution), floats(4, 512)) == generator
  assert count(judge, examples) == discriminator


# From above, the entry and the blocks of SMALL, with 8, 16 and 16 channels: a
# kernel of 9 pixels, from channels and one of statistics to channels, a bias.
ENTRY = 3 * 8 + 8
TOP = (9 * (8 + 1) * 8 + 8) + (9 * 8 * 16 + 16)
END = (16 * 16 * 16 + 16) + (16 + 1)


@pytest.mark.parametrize(
  ('combine', 'expected'),
  [
    (
      msg.simple,
      (ENTRY + TOP + END)
      + (9 * (16 + 3 + 1) * 16 + 16)
      + (9 * 16 * 16 + 16)
      + (9 * (16 + 3 + 1) * 16 + 16),
    ),
    (
      msg.cat_lin,
      (ENTRY + TOP + END)
      + (9 * (16 + 1) * 16 + 16)
      + (9 * 16 * 16 + 16)
      + (9 * (16 + 1) * 16 + 16)
      + 2 * ((16 + 3) * 16 + 16),
    ),
  ],
)
def test_parameters_of_the_paper_are_counted_by_hand(combine, expected):
  network = msg.discriminator(**SMALL, combine=combine)
  assert count(network, pyramid(4, 8, 16)) == expected


@pytest.mark.parametrize('name', CONNECTIONS)
def test_both_players_have_the_same_pyramid(name):
  connections = CONNECTIONS[name]
  generator = msg.generator(64, 3, 64, 8, connections)
  discriminator = msg.discriminator(64, 64, 8, connections)

  def play(latents, real):
    params, buffers = generator.init(KEY, latents)
    styles, _ = generator.mapping(params, buffers, latents, None, True)
    images, _ = generator.synthesis(params, buffers, styles, None, True)
    params, buffers = discriminator.init(KEY, images)
    logits = discriminator.apply(params, buffers, images, None, True)[0]
    return images, discriminator.prepare_real(real), logits

  fake, real, logits = jax.eval_shape(play, floats(4, 10), floats(4, 64, 64, 3))
  sides = {4, 8, 16, 32, 64} if connections is None else {*connections, 64}
  assert [image.shape for image in fake] == [
    (4, side, side, 3) for side in sorted(sides)
  ]
  assert real == fake
  assert logits == floats(4)


def test_connections_leave_the_names_of_parameters_alone():
  whole = shapes(msg.generator(**SMALL), floats(4, 10))
  part = shapes(msg.generator(**SMALL, connections=(8,)), floats(4, 10))
  assert part == {
    name: shape for name, shape in whole.items() if 'rgb4' not in name
  }
  for combine in msg.lin_cat, msg.cat_lin:
    judge = msg.discriminator(**SMALL, combine=combine)
    whole = shapes(judge, pyramid(4, 8, 16))
    judge = msg.discriminator(**SMALL, combine=combine, connections=(8,))
    part = shapes(judge, pyramid(8, 16))
    assert set(part) == {name for name in whole if 'rgb4' not in name}


def test_the_view_is_of_averages():
  real = np.random.default_rng(0).normal(size=(2, 16, 16, 1))
  view = msg.discriminator(16, connections=(4,)).prepare_real(jnp.array(real))
  coarse = real.reshape(2, 4, 4, 4, 4, 1).mean((2, 4))
  assert len(view) == 2
  np.testing.assert_allclose(view[0], coarse, rtol=1e-4, atol=1e-5)
  np.testing.assert_allclose(view[1], real, rtol=1e-6)


def hinged(first, second):
  """The relativistic average hinge loss, as its paper has it."""
  return nn.relu(1 - (first - second.mean())) + nn.relu(
    1 + (second - first.mean())
  )


PENALTY = stateless(
  lambda turn: (
    10 * regularizers.wgan_gp(turn.critic, turn.real, turn.fake, turn.key)
  )
)


def descents(key, loss, terms):
  """The `Pair` of the players' gradients in a game of MSG-ProGAN."""
  small = {**SMALL, 'resolution': 8}
  game = gan(
    msg.generator(**small),
    msg.discriminator(**small),
    loss,
    priors.normal(10),
    Pair({}, terms),
  )
  params, buffers = game.init(key)
  batch = Batch(jax.random.normal(key, (4, 8, 8, 3)))

  def gradient(player):
    def value(own):
      both = params._replace(**{player: own})
      return getattr(game, player)(both, buffers, batch, key)[0]

    return jax.grad(value)(getattr(params, player))

  return Pair(*map(gradient, Pair._fields))


@pytest.fixture(scope='module')
def gradients():
  games = {
    'wasserstein': (losses.wasserstein, {'wgan_gp': PENALTY}),
    'hinge': (Pair(lambda real, fake: hinged(fake, real), hinged), {}),
  }
  return jax.jit(
    lambda key: {name: descents(key, *parts) for name, parts in games.items()}
  )(KEY)


@pytest.mark.parametrize('name', ['wasserstein', 'hinge'])
def test_a_game_over_all_scales_is_finite(gradients, name):
  for leaf in jax.tree.leaves(gradients[name]):
    assert np.isfinite(leaf).all()
  for gradient in gradients[name]:
    assert any(np.any(leaf) for leaf in jax.tree.leaves(gradient))


@pytest.mark.parametrize('side', [4, 8])
def test_the_loss_reaches_what_makes_the_images_of_each_scale(gradients, side):
  gradient = gradients['wasserstein'].generator
  assert np.abs(gradient[f'rgb{side}']['kernel']).max() > 1e-6


REAL = tuple(
  jax.random.normal(key, (5, side, side, 3))
  for side, key in zip((4, 8, 16), jax.random.split(KEY, 3), strict=True)
)


def over(gradients):
  """The critic that is linear in each image of a pyramid."""
  return lambda images: sum(
    jnp.tensordot(image, slope, 3)
    for image, slope in zip(images, gradients, strict=True)
  )


def test_penalties_of_a_linear_critic_over_a_pyramid():
  # The gradient at a scale is its slope: R1 sums over scales, WGAN-GP averages.
  gradients = [image[0] / 7 for image in REAL]
  norms = np.array([np.linalg.norm(np.ravel(slope)) for slope in gradients])
  fake = jax.tree.map(jnp.zeros_like, REAL)
  np.testing.assert_allclose(
    jax.jit(lambda: regularizers.r1(over(gradients), REAL))(),
    np.full(5, (norms**2).sum()),
    rtol=1e-5,
  )
  np.testing.assert_allclose(
    jax.jit(lambda: regularizers.wgan_gp(over(gradients), REAL, fake, KEY))(),
    np.full(5, ((norms - 1) ** 2).mean()),
    rtol=1e-4,
  )


def test_each_example_is_mixed_alike_at_all_scales():
  # Between 0 and a real x, the gradient of |x|^2 / 2 at one scale is epsilon x.
  fake = jax.tree.map(jnp.zeros_like, REAL)
  mixes = []
  for scale, image in enumerate(REAL):
    values = regularizers.wgan_gp(
      lambda images, scale=scale: (images[scale] ** 2).sum((1, 2, 3)) / 2,
      REAL,
      fake,
      KEY,
      target=0.0,
    )
    mixes.append(np.sqrt(3 * values / (image**2).sum((1, 2, 3))))
  np.testing.assert_allclose(mixes[1:], [mixes[0]] * 2, rtol=1e-4)
  assert len(np.unique(np.round(mixes[0], 3))) == 5
  assert 0 < mixes[0].min() < mixes[0].max() < 1


def test_statistics_are_where_they_are_said_to_be():
  # A block of one factory has one more channel than without: 9 numbers for
  # each of what comes out of its first convolution, here 8, 16 and 16.
  def parameters(**statistics):
    network = msg.discriminator(**SMALL, **statistics)
    return count(network, pyramid(4, 8, 16))

  none = parameters(block_statistics=None, map_statistics=None)
  assert parameters(block_statistics=None) == none + 9 * 16
  assert parameters(map_statistics=None) == none + 9 * (8 + 16)
  assert parameters() == none + 9 * (8 + 16 + 16)


def test_rematerialisation_and_bfloat16_leave_types_and_names_alone():
  def made(**arguments):
    arguments = {**SMALL, **arguments}
    generator = msg.generator(**arguments)
    discriminator = msg.discriminator(**arguments, combine=msg.lin_cat)

    def play(latents):
      made, _ = generator.init(KEY, latents)
      images, _ = generator.synthesis(made, {}, latents, None, True)
      judged, _ = discriminator.init(KEY, images)
      given = judged, {}, images, None, True
      logits, _ = discriminator.apply(*given)
      (same, features), _ = discriminator.with_features(*given)
      return made, judged, images, logits, same, features

    return jax.eval_shape(play, floats(4, 10))

  plain = made()
  assert made(remat=nn.remat, dtype=jnp.bfloat16) == plain
  assert {leaf.dtype for leaf in jax.tree.leaves(plain)} == {jnp.dtype('f4')}
  assert plain[-3] == plain[-2]
  assert plain[-1].shape == (4, 16)


@pytest.mark.parametrize('network', [msg.generator, msg.discriminator])
@pytest.mark.parametrize('resolution', [0, 2, 48])
def test_there_is_no_pyramid_of_such_images(network, resolution):
  with pytest.raises(ValueError, match=f'{resolution} pixels belong to no'):
    network(resolution)


@pytest.mark.parametrize('network', [msg.generator, msg.discriminator])
@pytest.mark.parametrize('side', [12, 64])
def test_there_is_no_such_connection(network, side):
  sentence = f'no images of {side} pixels to connect in a pyramid up to 32; '
  with pytest.raises(ValueError, match=f'{sentence}choose among 4, 8, 16, 32'):
    network(32, connections=(4, side))


def test_another_pyramid_is_refused():
  network = msg.discriminator(**SMALL)
  for images in pyramid(8, 16), pyramid(4, 8, 32), floats(3, 16, 16, 3):
    with pytest.raises(ValueError, match='same resolution and conn'):
      jax.eval_shape(network.init, KEY, images)


def test_groups_of_statistics_are_those_of_the_factory():
  # With groups of one, nothing varies, and an example is judged by itself.
  def alone():
    return layers.MinibatchStd(1)

  network = msg.discriminator(
    8, 16, 4, block_statistics=alone, map_statistics=alone
  )

  @jax.jit
  def judge(images):
    params, _ = network.init(KEY, images)
    return network.apply(params, {}, images, None, True)[0]

  logits = judge(jax.tree.map(lambda image: image[:4], REAL[:2]))
  others = judge(jax.tree.map(lambda image: image[:4][::-1], REAL[:2]))
  np.testing.assert_allclose(others, logits[::-1], rtol=1e-4)
  assert len(np.unique(np.round(logits, 4))) == 4
