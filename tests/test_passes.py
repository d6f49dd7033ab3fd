"""One pass over reals and fakes against a pass for each, and its refusals."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganjax import labels, losses, passes, priors, regularizers, remedies
from ganjax.arrays import Batch
from ganjax.augment import ada
from ganjax.game import gan
from ganjax.networks import (
  conditional,
  dcgan,
  layers,
  mlp,
  norms,
  r3gan,
  resnet,
)
from ganjax.players import Discriminator, Generator, Pair
from ganjax.turns import stateless

KEY = jax.random.key(0)
R1_R2 = stateless(
  lambda turn: regularizers.r1_r2(turn.gradients, turn.real_logits)
)
R1 = stateless(lambda turn: regularizers.r1(turn.critic, turn.real))
R2 = stateless(lambda turn: regularizers.r2(turn.fake_critic, turn.fake))
IMAGES = jax.random.normal(jax.random.key(1), (6, 8, 8, 1))
LABELS = jnp.arange(6) % 3


@pytest.fixture
def x64():
  with jax.enable_x64(True):
    yield


def players(classes):
  """Small networks of R3GAN; a block that is the identity would hide much."""
  pair = Pair(
    r3gan.generator((8, 8), 1, blocks=1, group=8, classes=classes),
    r3gan.discriminator((8, 8), blocks=1, group=8, classes=classes),
  )
  return Pair(*map(moved, pair))


def moved(network):
  """The network with other initial values, none of which is 0."""

  def init(*arguments):
    params, buffers = network.init(*arguments)
    return jax.tree.map(lambda leaf: leaf + 0.05, params), buffers

  return network._replace(init=init)


def turn(critic_pass, terms, classes, player='discriminator'):
  """The value, its gradient and the metrics of a player's update."""
  game = gan(
    *players(classes),
    losses.relativistic,
    priors.normal(4),
    Pair({}, terms),
    labels.paired() if classes else None,
    critic_pass=critic_pass,
  )
  batch = Batch(IMAGES, LABELS if classes else None)

  def value(own, params, buffers):
    params = params._replace(**{player: own})
    return getattr(game, player)(params, buffers, batch, KEY)

  params, buffers = game.init(KEY)
  if jax.config.jax_enable_x64:
    params = jax.tree.map(lambda leaf: leaf.astype(jnp.float64), params)
  differentiated = jax.jit(jax.value_and_grad(value, has_aux=True))
  (total, (_, metrics)), slope = differentiated(
    getattr(params, player), params, buffers
  )
  return total, slope, metrics


@pytest.mark.parametrize('classes', [0, 3])
def test_one_pass_is_two_passes(x64, classes):
  together = turn(passes.joint, {'r1_r2': R1_R2}, classes)
  apart = turn(passes.separate, {'r1_r2': R1_R2}, classes)
  by_themselves = turn(passes.separate, {'r1': R1, 'r2': R2}, classes)
  for other in (apart, by_themselves):
    jax.tree.map(
      functools.partial(np.testing.assert_allclose, rtol=2e-5, atol=1e-7),
      together[:2],
      other[:2],
    )
  metrics = by_themselves[-1]
  np.testing.assert_allclose(
    together[-1]['regularizer/r1_r2'],
    metrics['regularizer/r1'] + metrics['regularizer/r2'],
    rtol=1e-5,
  )
  assert together[-1]['regularizer/r1_r2'] > 1e-4


def test_the_generator_has_the_same_value_either_way():
  found = (
    turn(critic_pass, {}, 3, 'generator')[:2]
    for critic_pass in (passes.joint, passes.separate)
  )
  jax.tree.map(np.testing.assert_array_equal, *found)


def test_gradients_and_logits_by_hand():
  """Of a quadratic critic, exact in float64 and for a tree of images."""
  real, fake = np.random.default_rng(0).normal(size=(2, 4, 3))

  def apply(batch, buffers, which):
    one, two = batch.images
    return (one**2).sum(1) / 2 + 2 * two[:, 0], buffers

  for function in (passes.joint, passes.separate):
    with jax.enable_x64(True):
      found = function(
        apply,
        'buffers',
        Batch((jnp.asarray(real), jnp.ones((4, 2)))),
        Batch((jnp.asarray(fake), jnp.zeros((4, 2)))),
      )
      gradients = found.gradients()
    assert found.buffers == 'buffers'
    np.testing.assert_allclose(found.real_logits, (real**2).sum(1) / 2 + 2)
    np.testing.assert_allclose(found.fake_logits, (fake**2).sum(1) / 2)
    for own, images in zip(gradients, (real, fake), strict=True):
      np.testing.assert_allclose(own[0], images)
      np.testing.assert_allclose(own[1], [[2, 0]] * 4)


def test_no_second_forward_pass():
  """The critic of the loss is traced twice: to be checked, and to be run."""
  calls = []

  def apply(params, buffers, images, key, train):
    calls.append(len(images))
    return jnp.tanh(images @ params), buffers

  game = gan(
    mlp.generator((3,), (4,)),
    Discriminator(lambda key, images: (jnp.ones(3), {}), apply),
    losses.relativistic,
    priors.normal(2),
    Pair({}, {'r1_r2': R1_R2}),
    critic_pass=passes.joint,
  )

  def play():
    params, buffers = game.init(KEY)
    calls.clear()
    return game.discriminator(params, buffers, Batch(jnp.ones((5, 3))), KEY)

  jax.eval_shape(play)
  assert calls == [passes._PRIME, 10]


SPREAD = functools.partial(layers.MinibatchStd, None)
CRITICS = {
  'batch normalisation': (
    lambda: dcgan.discriminator(16, 1, 4),
    'reduce_sum mixes the examples',
  ),
  'ghost batches': (
    lambda: dcgan.discriminator(16, 1, 4, groups=2),
    'cannot take just any number',
  ),
  'minibatch deviation': (
    lambda: mlp.discriminator((4,), statistics=SPREAD),
    'mixes the examples',
  ),
  'groups of the deviation': (
    lambda: mlp.discriminator((4,), statistics=layers.MinibatchStd),
    'cannot take just any number',
  ),
  'minibatch discrimination': (
    lambda: mlp.discriminator((4,), statistics=layers.MinibatchDiscrimination),
    'mixes the examples',
  ),
  'packs': (
    lambda: remedies.pack(mlp.discriminator((4,)), 2),
    'put into packs of 2',
  ),
}
ALONE = {
  'layer normalisation': lambda: dcgan.discriminator(
    16, 1, 4, norm=norms.layer
  ),
  'spectral normalisation': lambda: remedies.spectral(
    dcgan.discriminator(16, 1, 4, norm=norms.none)
  ),
  'noise': lambda: remedies.instance_noise(mlp.discriminator((4,)), 0.1),
  'augmentations': lambda: remedies.augmented(
    mlp.discriminator((4,)), ada.ada('r3gan'), 0.5
  ),
  'r3gan': lambda: r3gan.discriminator((16,) * 3, dtype=jnp.bfloat16),
  'attention': lambda: remedies.spectral(
    resnet.discriminator(16, width=8, attention=8, dtype=jnp.bfloat16)
  ),
}


def traced(discriminator, classes=()):
  """Traces the discriminator's update of a game with one pass."""
  generator = Generator(
    lambda key, latents, *own: ({}, {}),
    lambda params, buffers, latents, key, train, *own: (latents, buffers),
    lambda params, buffers, styles, key, train, *own: (
      jnp.zeros((len(styles), 16, 16, 1)),
      buffers,
    ),
  )
  game = gan(
    generator,
    discriminator,
    losses.relativistic,
    priors.normal(2),
    Pair({}, {'r1_r2': R1_R2}),
    labels.paired() if classes else None,
    critic_pass=passes.joint,
  )
  batch = Batch(jnp.zeros((4, 16, 16, 1)), *classes)
  jax.eval_shape(lambda: game.discriminator(*game.init(KEY), batch, KEY))


@pytest.mark.parametrize('name', CRITICS)
def test_critics_that_mix_examples_are_refused(name):
  make, reason = CRITICS[name]
  says = f'cannot be passed through this discriminator together.*{reason}'
  with pytest.raises(ValueError, match=says):
    traced(make())


@pytest.mark.parametrize('name', ALONE)
def test_other_critics_are_taken(name):
  traced(ALONE[name]())


def test_classes_do_not_mix_examples():
  judge = conditional.projected(
    dcgan.discriminator(16, 1, 4, norm=norms.none), 3
  )
  traced(judge, (jnp.zeros(4, jnp.int32),))


def test_paired_draws_take_a_pass_for_each():
  with pytest.raises(
    ValueError, match='paired_draws is True, but a joint pass'
  ):
    gan(
      *players(0),
      losses.relativistic,
      priors.normal(4),
      paired_draws=True,
      critic_pass=passes.joint,
    )
