"""Labels: bound in a turn, drawn for fakes, and passed on by every wrapper."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from ganjax import (
  adaptive,
  labels,
  losses,
  priors,
  regularizers,
  remedies,
  steps,
)
from ganjax.arrays import Batch
from ganjax.game import gan
from ganjax.networks import conditional, mlp
from ganjax.players import PLAYERS, Discriminator, Generator, Pair
from ganjax.truncation import truncated
from ganjax.turns import stateless

KEY = jax.random.key(0)
CLASSES = 3
VECTORS = np.float32([[1, 0], [0, 2], [3, 4]])  # of the linear critic


def linear(**terms):
  """The game of D(x, y) = <psi_y, x> and G(z, y) = theta_y."""
  generator = Generator(
    init=lambda key, latents, labels: (jnp.zeros((CLASSES, 2)), {}),
    mapping=lambda params, buffers, z, key, train, labels: (z, buffers),
    synthesis=lambda params, buffers, styles, key, train, labels: (
      params[labels],
      buffers,
    ),
  )

  def judged(params, buffers, images, key, train, labels):
    return ((params[labels] * images).sum(-1), images), buffers

  discriminator = Discriminator(
    init=lambda key, images, labels: (jnp.asarray(VECTORS), {}),
    apply=lambda *arguments: (judged(*arguments)[0][0], arguments[1]),
    with_features=judged,
  )
  return gan(
    generator,
    discriminator,
    losses.wasserstein,
    priors.normal(2),
    Pair({}, {name: stateless(term) for name, term in terms.items()}),
    labels.uniform(CLASSES),
  )


def test_penalties_are_taken_at_the_labels_of_their_images():
  found = {}

  def look(turn):
    found['r1'] = regularizers.r1(turn.critic, turn.real)
    found['r2'] = regularizers.r2(turn.fake_critic, turn.fake)
    return found['r1']

  game = linear(look=look)
  params, buffers = game.init(KEY)
  real = jnp.int32([0, 1, 2, 2, 1, 0])
  batch = Batch(jax.random.normal(KEY, (6, 2)), real)
  fakes = game.fake(params, buffers, jnp.zeros((6, 2)), KEY, jnp.int32(6 * [2]))
  game.discriminator(params, buffers, batch, KEY, fakes)
  squares = (VECTORS**2).sum(1)
  np.testing.assert_allclose(found['r1'], squares[real])
  np.testing.assert_allclose(found['r2'], squares[np.full(6, 2)])


def test_logits_are_those_of_the_labels_and_fakes_have_their_own():
  game = linear()
  params, buffers = game.init(KEY)
  params = params._replace(generator=jnp.float32([[1, 1], [2, 2], [3, 3]]))
  images, real = jax.random.normal(KEY, (6, 2)), jnp.int32([0, 0, 1, 1, 2, 2])
  fakes = game.fake(params, buffers, jnp.zeros((6, 2)), KEY, real[::-1])
  _, (_, metrics) = game.discriminator(
    params, buffers, Batch(images, real), KEY, fakes
  )
  at_real = (VECTORS[real] * images).sum(1).mean()
  at_fake = np.mean([1, 2 * 2, 3 * 7])
  np.testing.assert_allclose(metrics['logits/real'], at_real, rtol=1e-6)
  np.testing.assert_allclose(metrics['logits/fake'], at_fake, rtol=1e-6)


def test_labels_of_fakes_are_paired_shuffled_or_uniform():
  real = jnp.repeat(jnp.arange(CLASSES), jnp.array([600, 300, 100]))
  np.testing.assert_array_equal(labels.paired()(KEY, real), real)
  shuffled = labels.shuffled()(KEY, real)
  np.testing.assert_array_equal(np.bincount(shuffled), np.bincount(real))
  # At random, 600^2 + 300^2 + 100^2 of 1000^2 pairs agree.
  assert abs(np.mean(shuffled == real) - 0.46) < 0.08
  uniform = labels.uniform(CLASSES)(KEY, real)
  assert uniform.dtype == jnp.int32
  np.testing.assert_allclose(np.bincount(uniform), 1000 / 3, atol=60)


def networks(classes):
  """A generator with a norm and a discriminator, conditional or not."""
  generator = mlp.generator((2,), widths=(8,))
  discriminator = mlp.discriminator(widths=(8,))
  if not classes:
    return generator, discriminator
  return (
    conditional.concatenated(generator, classes),
    conditional.projected(discriminator, classes),
  )


def built(classes, wrap_network, wrap_game):
  generator, discriminator = networks(classes)
  game = gan(
    generator,
    wrap_network(discriminator),
    losses.non_saturating,
    priors.normal(2),
    Pair({}, {'r1': stateless(lambda t: regularizers.r1(t.critic, t.real))}),
    labels.shuffled() if classes else None,
  )
  return wrap_game(game)


def moved(images, key, p):
  return images + p * jax.random.normal(key, images.shape)


NETWORKS = {
  'spectral': remedies.spectral,
  'pack': lambda network: remedies.pack(network, 2),
  'instance noise': lambda network: remedies.instance_noise(network, 0.1),
  'augmented': lambda network: remedies.augmented(network, moved, 0.5),
}
GAMES = {
  'consensus': lambda game: remedies.consensus(game, 0.1),
  'historical averaging': lambda game: remedies.historical_averaging(game, 0.1),
  'adaptive': lambda game: adaptive.augmentation(lambda p: game, 4),
  'truncated': lambda game: truncated(
    game, 0.5, jnp.ones((CLASSES, 2)), mean_labels(game)
  ),
}


def mean_labels(game):
  """The labels for the mean of the styles, where the game is conditional."""
  try:
    return game.fake_labels(KEY, jnp.arange(CLASSES))
  except ValueError:
    return None


def composed(functions):
  def apply(value):
    for function in functions:
      value = function(value)
    return value

  return apply


WRAPPERS = [
  pair
  for number in (1, 2)
  for pair in itertools.permutations([*NETWORKS, *GAMES], number)
  # Networks are wrapped before games.
  if len(pair) == 1 or not (pair[0] in GAMES and pair[1] in NETWORKS)
]


@pytest.mark.parametrize('classes', [0, CLASSES])
@pytest.mark.parametrize('names', WRAPPERS, ids=' then '.join)
def test_every_function_of_a_game_passes_through_every_wrapper(names, classes):
  game = built(
    classes,
    composed([NETWORKS[name] for name in names if name in NETWORKS]),
    composed([GAMES[name] for name in names if name in GAMES]),
  )
  own = jnp.arange(4) % classes if classes else None

  def everything(key):
    params, buffers = game.init(key)
    batch, latents = Batch(jnp.ones((4, 2)), own), game.prior(key, 4)
    fakes = game.fake_labels(key, own)
    arguments = params.generator, buffers
    styles = game.mapping(*arguments, latents, labels=own)
    drawn = [
      *(
        getattr(game, player)(params, buffers, batch, key) for player in PLAYERS
      ),
      game.sample(*arguments, latents, key, labels=own),
      game.synthesis(*arguments, styles, key, labels=own),
    ]
    if game.fake:
      fake = game.fake(params, buffers, latents, key, fakes)
      drawn += [
        getattr(game, player)(params, buffers, batch, key, fake)
        for player in PLAYERS
      ]
    return buffers, drawn

  # Traced and not compiled: shapes and structures are what a wrapper breaks.
  buffers, (generator, discriminator, sample, synthesis, *_) = jax.eval_shape(
    everything, KEY
  )
  assert sample.shape == synthesis.shape == (4, 2)
  for _, (after, _) in (generator, discriminator):
    assert jax.tree.structure(after) == jax.tree.structure(buffers)


def test_historical_averaging_can_be_truncated():
  game = built(0, lambda network: network, GAMES['historical averaging'])
  plain = built(0, lambda network: network, lambda game: game)
  params, buffers = game.init(KEY)
  latents = game.prior(KEY, 4)
  found = truncated(game, 0.5, latents).sample(
    params.generator, buffers, latents
  )
  np.testing.assert_array_equal(
    found,
    truncated(plain, 0.5, latents).sample(
      params.generator, plain.init(KEY)[1], latents
    ),
  )


@pytest.fixture(scope='module')
def trained():
  """A conditional game, its step, and the state after one step."""
  game = built(CLASSES, remedies.spectral, lambda game: game)
  optimizers = Pair(optax.adam(1e-2), optax.adam(1e-2))
  step = jax.jit(steps.alternating(game, optimizers, critic_steps=2))
  batch = Batch(jax.random.normal(KEY, (12, 2)), jnp.arange(12) % CLASSES)
  state, _ = step(steps.init(game, optimizers, KEY), batch)
  return game, state


def test_samples_of_a_grid_take_turns_among_the_classes(trained):
  game, state = trained
  drawn = steps.sample(game, CLASSES)(state, 7)
  key = jax.random.fold_in(state.key, steps._SAMPLE)
  own = game.sample(
    *steps.weights(state, 'ema'),
    game.prior(key, 7),
    key,
    labels=jnp.int32([0, 1, 2, 0, 1, 2, 0]),
  )
  np.testing.assert_array_equal(drawn, own)


def test_weights_of_the_classes_are_labels_too(trained):
  game, state = trained
  latents = game.prior(KEY, CLASSES)

  def sample(own):
    return game.sample(*steps.weights(state, 'ema'), latents, labels=own)

  at_classes = sample(jnp.arange(CLASSES))
  np.testing.assert_allclose(
    sample(jnp.eye(CLASSES)), at_classes, rtol=1e-5, atol=1e-6
  )
  between = sample(jnp.full((CLASSES, CLASSES), 1 / CLASSES))
  assert np.abs(between - at_classes).max() > 1e-3


def test_images_alone_are_no_batch():
  game = built(0, lambda network: network, lambda game: game)
  optimizers = Pair(optax.sgd(0.1), optax.sgd(0.1))
  step = steps.alternating(game, optimizers)
  state = steps.init(game, optimizers, KEY)
  with pytest.raises(TypeError, match=r'takes a Batch, not .*Array.*; give it'):
    step(state, jnp.ones((4, 2)))


@pytest.mark.parametrize('own', [None, jnp.arange(4)], ids=['without', 'with'])
def test_labels_that_the_game_has_no_use_for_are_refused(own):
  game = built(
    CLASSES if own is None else 0, lambda network: network, lambda game: game
  )
  says = 'conditional, but there are no' if own is None else 'there are 4 label'
  with pytest.raises(ValueError, match=says):
    params, buffers = game.init(KEY)
    game.generator(params, buffers, Batch(jnp.ones((4, 2)), own), KEY)
