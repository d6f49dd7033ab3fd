"""The controller of ADA and APA by its arithmetic, and pseudo reals."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from ganjax import adaptive, losses, priors, remedies, steps
from ganjax.arrays import Batch
from ganjax.augment.ada import ada
from ganjax.game import gan
from ganjax.networks import mlp
from ganjax.players import PLAYERS, Discriminator, Pair
from ganjax.training import population
from ganjax.turns import stateless

KEY = jax.random.key(0)


def rated(p):
  """The game whose reals are their own logits, whatever p is."""
  del p
  discriminator = Discriminator(
    init=lambda key, images: (jnp.zeros(()), {}),
    apply=lambda params, buffers, images, key, train: (
      images[:, 0] + 0 * params,
      buffers,
    ),
  )
  return gan(
    mlp.generator((1,), (2,)),
    discriminator,
    losses.wasserstein,
    priors.normal(2),
  )


def signs(positive, rows=10):
  """Reals of which so many are positive, and the others negative."""
  return Batch(jnp.where(jnp.arange(rows) < positive, 1.0, -1.0)[:, None])


@pytest.fixture(scope='module')
def played():
  """`(positive, **arguments) -> p after each update, metrics`."""

  def play(positive, **arguments):
    game = adaptive.augmentation(rated, rows=10, **arguments)
    params, buffers = game.init(KEY)

    @jax.jit
    def update(buffers, batch):
      _, (buffers, metrics) = game.discriminator(params, buffers, batch, KEY)
      return buffers, metrics

    found, metrics = [], {}
    for number in positive:
      buffers, metrics = update(buffers, signs(number))
      found.append(float(buffers.discriminator['memory']['p']))
    return np.array(found), metrics

  return play


def test_p_rises_by_four_batches_of_the_images_at_each_fourth_update(played):
  found, metrics = played([10] * 12, images=5_000)
  # 4 * 10 / 5000 each time.
  expected = 0.008 * (np.arange(1, 13) // 4)
  np.testing.assert_allclose(found, expected, rtol=1e-6)
  # The last update was made with the p before it.
  np.testing.assert_allclose(metrics['augment/p'], 0.016, rtol=1e-6)
  assert metrics['augment/sign'] == 1
  # CIFAR-10 in the paper's code, of 64 images: .000512 a time.
  np.testing.assert_allclose(4 * 64 / 500_000, 0.000512)


def test_at_the_target_p_stays(played):
  # 8 of 10: a mean sign of .6 exactly.
  found, metrics = played([10] * 4 + [8] * 8, images=5_000)
  np.testing.assert_allclose(found[3:], 0.008, rtol=1e-6)
  np.testing.assert_allclose(metrics['augment/sign'], 0.6, rtol=1e-6)
  # The mean over the four updates counts, not the last one.
  found, _ = played([10, 10, 9, 3], images=5_000)
  np.testing.assert_array_equal(found, 0)


def test_p_falls_and_stays_at_0_and_at_the_most(played):
  found, _ = played([10] * 8 + [7] * 12, images=5_000)
  np.testing.assert_allclose(
    found[3::4], [0.008, 0.016, 0.008, 0, 0], atol=1e-8
  )
  found, _ = played([10] * 3, images=10, every=1, most=2.5)
  np.testing.assert_allclose(found, [1, 2, 2.5])
  found, _ = played([6] * 2, images=100, every=1, target=0.1)
  np.testing.assert_allclose(found, [0.1, 0.2], rtol=1e-6)


def test_the_generator_leaves_p_alone():
  game = adaptive.augmentation(rated, rows=10)
  params, buffers = game.init(KEY)
  _, (after, metrics) = game.generator(params, buffers, signs(10), KEY)
  jax.tree.map(np.testing.assert_array_equal, after, buffers)
  assert 'augment/p' not in metrics


def images_game(scale=1.0):
  """The adaptive game of small images, p rising all the time."""

  def make(p):
    critic = mlp.discriminator((4,))
    return gan(
      mlp.generator((8, 8, 1), (4,)),
      remedies.augmented(critic, ada('blit'), p),
      losses.non_saturating,
      priors.normal(4),
    )

  return adaptive.augmentation(make, 8, target=-2, images=40 * scale, every=2)


OPTIMIZERS = Pair(optax.adam(1e-3), optax.adam(1e-3))


def batches(key, step):
  return Batch(jax.random.normal(jax.random.fold_in(key, step), (8, 8, 8, 1)))


def pseudo_game():
  """The adaptive game of small images with fakes for reals, p rising."""

  def make(p):
    return gan(
      mlp.generator((8, 8, 1), (4,)),
      mlp.discriminator((6,)),
      losses.non_saturating,
      priors.normal(4),
      reals=adaptive.pseudo(p),
    )

  return adaptive.augmentation(
    make, 8, target=-2, images=40, every=2, name='apa'
  )


@pytest.mark.parametrize('make', [images_game, pseudo_game])
def test_p_and_the_signs_are_in_the_state_and_resume_to_the_bit(make):
  game = make()
  step = steps.alternating(game, OPTIMIZERS)
  start = jax.jit(lambda key: steps.init(game, OPTIMIZERS, key))(KEY)
  run = jax.jit(lambda state: step(state, batches(KEY, state.step)))
  state, saved = start, None
  for number in range(6):
    state, metrics = run(state)
    if number == 2:  # between two changes of p
      saved = jax.tree.map(np.asarray, jax.device_get(_without_key(state)))
  memory = state.buffers.discriminator['memory']
  np.testing.assert_allclose(memory['p'], 3 * 2 * 8 / 40, rtol=1e-6)
  assert saved.buffers.discriminator['memory']['count'] == 1
  assert saved.buffers.discriminator['memory']['sum'] != 0
  resumed = jax.tree.map(jnp.asarray, saved).replace(key=start.key)
  for _ in range(3):
    resumed, again = run(resumed)
  pair = map(_without_key, (resumed, state))
  jax.tree.map(np.testing.assert_array_equal, *pair)
  jax.tree.map(np.testing.assert_array_equal, again, metrics)


def _without_key(state):
  return state.replace(key=None)


def test_a_population_adapts_each_of_its_members():
  def final_p(key, images):
    game = images_game(images / 40)
    state, metrics = steps.run(
      steps.alternating(game, OPTIMIZERS),
      steps.init(game, OPTIMIZERS, key),
      batches,
      4,
    )
    return state.buffers.discriminator['memory']['p'], metrics['augment/p']

  members = population.cross(jax.random.split(KEY, 2), jnp.float32([40, 160]))
  found, path = jax.jit(jax.vmap(final_p))(*members)
  np.testing.assert_allclose(found, [0.8, 0.8, 0.2, 0.2], rtol=1e-6)
  np.testing.assert_allclose(path[:2], [[0, 0, 0.4, 0.4]] * 2, rtol=1e-6)


@pytest.mark.parametrize('outside', [True, False])
def test_it_is_the_same_inside_and_outside_of_other_games(outside):
  def wrap(game):
    game = remedies.consensus(game, 0.1)
    return remedies.historical_averaging(game, 0.1)

  if outside:
    game = adaptive.augmentation(lambda p: wrap(rated(p)), 10, images=5_000)
  else:
    game = wrap(adaptive.augmentation(rated, 10, images=5_000))

  @jax.jit
  def play():
    params, buffers = game.init(KEY)
    for _ in range(4):
      for player in PLAYERS:
        _, (buffers, metrics) = getattr(game, player)(
          params, buffers, signs(10), KEY
        )
    return buffers, metrics

  buffers, metrics = play()
  own = buffers.discriminator
  memory = own['memory'] if outside else own['game']['memory']
  np.testing.assert_allclose(memory['p'], 0.008, rtol=1e-6)
  assert {'augment/p', 'regularizer/consensus'} <= set(metrics)


@pytest.mark.parametrize('p', [0.0, 0.3, 1.0])
def test_pseudo_reals_are_fakes_of_the_next_row_with_their_labels(p):
  number = 4_000
  rows = jnp.arange(number, dtype=jnp.float32)
  real = Batch((rows, rows[:, None] + 0.25), jnp.zeros(number, jnp.int32))
  fake = Batch((-rows - 1, -rows[:, None] - 1), 1 + jnp.arange(number))
  found = adaptive.pseudo(p)(real, fake, KEY)
  (one, other), own = found.images, found.labels
  taken = np.asarray(own > 0)
  # Four standard errors.
  assert abs(taken.mean() - p) <= 4 * (p * (1 - p) / number) ** 0.5
  beside = np.roll(-np.arange(number) - 1, 1)
  np.testing.assert_array_equal(one, np.where(taken, beside, rows))
  np.testing.assert_array_equal(
    other[:, 0], np.where(taken, beside, rows + 0.25)
  )
  np.testing.assert_array_equal(own, np.where(taken, -beside, 0))
  slopes = jax.grad(
    lambda images: adaptive.pseudo(p)(
      Batch(rows), Batch(images), KEY
    ).images.sum()
  )(-rows)
  np.testing.assert_array_equal(slopes, 0)


def test_only_the_discriminator_takes_fakes_for_reals():
  """With p = 1 it sees fakes alone, and the generator sees the reals."""

  def game(p):
    return gan(
      mlp.generator((2,), (4,)),
      mlp.discriminator((4,)),
      losses.wasserstein._replace(generator=lambda real, fake: real),
      priors.normal(4),
      reals=None if p is None else adaptive.pseudo(p),
    )

  params, buffers = game(None).init(KEY)
  batch = Batch(10 + jax.random.normal(KEY, (8, 2)))

  def values(p):
    return {
      player: getattr(game(p), player)(params, buffers, batch, KEY)
      for player in PLAYERS
    }

  plain, none, all_ = values(None), values(0.0), values(1.0)
  jax.tree.map(np.testing.assert_array_equal, plain, none)
  jax.tree.map(
    np.testing.assert_array_equal, plain['generator'], all_['generator']
  )
  value, (_, metrics) = all_['discriminator']
  assert abs(plain['discriminator'][0]) > 1e-2
  np.testing.assert_allclose(value, 0, atol=1e-5)
  np.testing.assert_allclose(
    metrics['logits/real'], metrics['logits/fake'], rtol=1e-5
  )


def test_penalties_are_those_of_what_is_taken_for_real():
  seen = {}

  def spy(turn):
    seen['real'], seen['fake'] = turn.real, turn.fake
    return turn.real_logits

  made = gan(
    mlp.generator((2,), (4,)),
    mlp.discriminator((4,)),
    losses.hinge,
    priors.normal(4),
    Pair({}, {'spy': stateless(spy)}),
    reals=adaptive.pseudo(1.0),
  )
  params, buffers = made.init(KEY)
  made.discriminator(params, buffers, Batch(jnp.ones((6, 2))), KEY)
  np.testing.assert_array_equal(seen['real'], jnp.roll(seen['fake'], 1, 0))
