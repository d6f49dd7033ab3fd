"""The game that `gan` builds: its buffers, values, terms and samples."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from ganjax import dirac, losses, priors, regularizers, remedies, steps
from ganjax.arrays import Batch
from ganjax.game import gan
from ganjax.networks import mlp
from ganjax.networks.layers import BatchNorm
from ganjax.players import PLAYERS, Discriminator, Generator, Pair
from ganjax.truncation import truncated
from ganjax.turns import Regularizer, lazily, stateless

KEY = jax.random.key(0)
R1 = stateless(lambda turn: regularizers.r1(turn.critic, turn.real))


def only(name, term):
  """The regularisers in which the discriminator has this one."""
  return Pair({}, {name: term})


@pytest.fixture(scope='module')
def game():
  """A game in which all buffers are in use, and an update of each player."""
  game = gan(
    mlp.generator((2,), widths=(8,), norm=BatchNorm),
    remedies.spectral(mlp.discriminator(widths=(8,))),
    losses.wasserstein,
    priors.normal(2),
    only('r1', lazily(R1, 2)),
  )

  @jax.jit
  def play(key):
    params, buffers = game.init(key)
    batch = Batch(jax.random.normal(key, (8, 2)))
    latents = game.prior(key, 4)
    return (
      buffers,
      Pair(
        *(
          getattr(game, player)(params, buffers, batch, key)
          for player in PLAYERS
        )
      ),
      game.sample(params.generator, buffers, latents),
      game.sample(params.generator, buffers, latents.at[1:].set(0)),
      game.sample(params.generator, buffers, latents, train=True),
      game.sample(params.generator, buffers, 2 * latents, train=True),
    )

  return play(KEY)


@pytest.mark.parametrize(
  ('player', 'other'), [PLAYERS, PLAYERS[::-1]], ids=PLAYERS
)
def test_an_update_changes_only_the_players_own_buffers(game, player, other):
  before, turns, *_ = game
  after = getattr(turns, player)[1][0]
  jax.tree.map(
    np.testing.assert_array_equal, getattr(after, other), getattr(before, other)
  )
  moved = jax.tree.map(
    lambda after, before: bool((after != before).any()),
    getattr(after, player),
    getattr(before, player),
  )
  assert all(jax.tree.leaves(moved))


def test_metrics_have_their_names(game):
  _, turns, *_ = game
  generator, discriminator = (metrics for _, (_, metrics) in turns)
  assert set(generator) == {'loss/generator'}
  assert set(discriminator) == {
    'loss/discriminator',
    'logits/real',
    'logits/fake',
    'accuracy/real',
    'accuracy/fake',
    'regularizer/r1',
  }


@pytest.mark.parametrize('paired', [False, True])
def test_the_discriminator_draws_for_each_index_alone_or_for_a_pair(paired):
  shaken = Discriminator(
    init=lambda key, images: ({}, {}),
    apply=lambda params, buffers, images, key, train: (
      images.sum(1) * 0 + jax.random.normal(key, images.shape[:1]),
      buffers,
    ),
  )
  game = gan(
    mlp.generator((2,), widths=(4,)),
    shaken,
    losses.relativistic,
    priors.normal(2),
    paired_draws=paired,
  )
  params, buffers = game.init(KEY)
  values = [
    getattr(game, player)(params, buffers, Batch(jnp.ones((8, 2))), KEY)[0]
    for player in PLAYERS
  ]
  # Logits that are equal in each pair cost log 2.
  assert np.allclose(values, np.log(2), rtol=1e-6) is paired


def test_a_logit_of_0_is_right_by_half():
  logits = jnp.float32([1, 0, 0, -2])
  game = gan(
    mlp.generator((2,), widths=(4,)),
    Discriminator(
      init=lambda key, images: ({}, {}),
      apply=lambda params, buffers, images, key, train: (logits, buffers),
    ),
    losses.wasserstein,
    priors.normal(2),
  )
  params, buffers = game.init(KEY)
  batch = Batch(jnp.ones((4, 2)))
  _, (_, metrics) = game.discriminator(params, buffers, batch, KEY)
  assert metrics['accuracy/real'] == metrics['accuracy/fake'] == 0.5


def test_values_and_metrics_are_means_over_the_batch():
  # The critic is x -> -x, and the fakes are at 1.
  term = stateless(lambda turn: 3 * turn.real_logits**2)
  game = dirac.game(losses.wasserstein, {'term': term})
  params, buffers = game.init(KEY)
  batch = Batch(jnp.array([[-1.0], [2.0], [3.0], [-6.0]]))
  value, (_, metrics) = game.discriminator(params, buffers, batch, KEY)
  expected = {
    'loss/discriminator': -1 - 0.5,
    'logits/real': 0.5,
    'logits/fake': -1,
    'accuracy/real': 0.5,
    'accuracy/fake': 1,
    'regularizer/term': 3 * 12.5,
  }
  assert metrics == pytest.approx(expected)
  assert value == pytest.approx(37.5 - 1.5)
  value, _ = game.generator(params, buffers, batch, KEY)
  assert value == pytest.approx(1)


def test_the_value_is_the_loss_and_its_terms(game):
  _, turns, *_ = game
  value, (_, metrics) = turns.discriminator
  np.testing.assert_allclose(
    value, metrics['loss/discriminator'] + metrics['regularizer/r1'], rtol=1e-6
  )
  np.testing.assert_allclose(
    metrics['loss/discriminator'],
    metrics['logits/fake'] - metrics['logits/real'],
    rtol=1e-6,
  )


def test_players_of_one_key_meet_the_same_fakes(game):
  # Though only the discriminator has a term that takes a key of its own.
  _, turns, *_ = game
  metrics = turns.generator[1][1] | turns.discriminator[1][1]
  np.testing.assert_allclose(
    metrics['loss/generator'], -metrics['logits/fake'], rtol=1e-6
  )


def test_samples_are_made_in_evaluation_mode(game):
  _, _, images, others, *_ = game
  assert images.shape == (4, 2)
  # In training mode an image would depend on the others of its batch.
  np.testing.assert_allclose(images[0], others[0], rtol=1e-5)
  assert np.abs(images[1:] - others[1:]).min() > 0


def test_samples_may_be_normalised_by_their_own_batch(game):
  # By their own statistics, the biases being 0, the double is the same.
  *_, images, doubled = game
  np.testing.assert_allclose(images, doubled, atol=1e-2)
  assert np.abs(images - game[2]).max() > 0.1


def test_a_regulariser_sees_the_logits_and_the_features_of_its_turn():
  seen = {}

  def look(turn):
    seen.update(
      logits=jnp.stack([turn.real_logits, turn.fake_logits]),
      critic=jnp.stack([turn.critic(turn.real), turn.fake_critic(turn.fake)]),
      features=turn.features(turn.fake),
      fake_features=turn.fake_features(turn.fake),
      images=turn.fake,
    )
    return turn.real_logits

  discriminator = Discriminator(
    init=lambda key, images: (jnp.arange(1.0, 5), {}),
    apply=lambda params, buffers, images, key, train: (
      images @ params,
      buffers,
    ),
    with_features=lambda params, buffers, images, key, train: (
      (images @ params, images * params),
      buffers,
    ),
  )
  game = gan(
    mlp.generator((2,), widths=(8,)),
    remedies.pack(discriminator, 2),
    losses.non_saturating,
    priors.normal(2),
    only('look', stateless(look)),
  )

  @jax.jit
  def play(key):
    params, buffers = game.init(key)
    batch = Batch(jnp.ones((6, 2)))
    value, _ = game.discriminator(params, buffers, batch, key)
    return value, dict(seen)

  _, found = play(KEY)
  assert found['logits'].shape == (2, 3)
  np.testing.assert_allclose(found['logits'], found['critic'], rtol=1e-6)
  np.testing.assert_allclose(found['logits'][0], [10, 10, 10])
  for name in ('features', 'fake_features'):
    np.testing.assert_allclose(
      found[name],
      np.reshape(found['images'], (3, 4)) * np.arange(1, 5),
      rtol=1e-6,
    )


def test_a_discriminator_without_features_says_so_when_it_is_asked():
  with pytest.raises(ValueError, match='has no features, which feature'):
    PYRAMID[1].with_features({}, {}, None, None, True)


def test_lazily_is_every_times_as_strong_at_every_kth_turn():
  counting = Regularizer(
    lambda turn, memory: (turn, memory + 1), lambda: jnp.int32(0)
  )
  lazy = lazily(counting, 3)
  values, memory = [], lazy.init()
  for turn in jnp.arange(1.0, 7.0)[:, None]:
    value, memory = lazy.apply(turn, memory)
    values.append(float(value[0]))
  assert values == [3, 0, 0, 12, 0, 0]
  assert [int(count) for count in memory] == [6, 2]


def test_lazily_has_the_mean_of_always():
  lazy = lazily(stateless(lambda turn: turn**2), 4)

  def turn(memory, _):
    slope = jax.value_and_grad(lambda x: lazy.apply(x, memory)[0].sum())
    return lazy.apply(jnp.ones(1), memory)[1], slope(jnp.full(1, 3.0))

  _, (values, gradients) = jax.lax.scan(turn, lazy.init(), length=8)
  np.testing.assert_allclose(values.mean(), 9)
  np.testing.assert_allclose(gradients.mean(), 6)


def show(images):
  """The pyramid of images `[N, 4, 4, 1]`: halved and whole."""
  halved = images.reshape(-1, 2, 2, 2, 2, 1).mean((2, 4))
  return halved, images


PYRAMID = Pair(
  Generator(
    init=lambda key, latents: (jax.random.normal(key, (2, 16)), {}),
    mapping=lambda params, buffers, latents, key, train: (latents, buffers),
    synthesis=lambda params, buffers, styles, key, train: (
      show((styles @ params).reshape(-1, 4, 4, 1)),
      buffers,
    ),
  ),
  # Linear in the pyramid, so that R1 is the squared norm of its parameters.
  Discriminator(
    init=lambda key, images: (
      jax.tree.map(lambda leaf: jax.random.normal(key, leaf[0].shape), images),
      {},
    ),
    apply=lambda params, buffers, images, key, train: (
      sum(map(lambda x, w: jnp.tensordot(x, w, 3), images, params)),
      buffers,
    ),
    prepare_real=show,
  ),
)


def test_pyramids_and_schedules_pass_through_a_run():
  def annealed(step):
    term = stateless(
      lambda turn: step * regularizers.r1(turn.critic, turn.real)
    )
    return gan(*PYRAMID, losses.wasserstein, priors.normal(2), only('r1', term))

  @jax.jit
  def train(key):
    optimizers = Pair(optax.sgd(0.0), optax.sgd(0.0))
    return steps.run(
      steps.alternating(annealed, optimizers),
      steps.init(annealed, optimizers, key),
      lambda key, step: Batch(jnp.ones((6, 4, 4, 1))),
      3,
    )

  state, metrics = train(KEY)
  weights = state.params.discriminator
  square = sum(float((leaf**2).sum()) for leaf in weights)
  np.testing.assert_allclose(
    metrics['regularizer/r1'], [0, square, 2 * square], rtol=1e-5
  )
  # A white real is white at both levels.
  logit = sum(float(leaf.sum()) for leaf in weights)
  np.testing.assert_allclose(metrics['logits/real'], [logit] * 3, rtol=1e-5)
  assert (metrics['gradient/generator'] > 0).all()


def test_hyperparameters_may_be_traced_through_a_whole_run():
  def train(weight, learning_rate):
    term = stateless(
      lambda turn: weight / 2 * regularizers.r1(turn.critic, turn.real)
    )
    game = gan(
      *PYRAMID, losses.non_saturating, priors.normal(2), only('r1', term)
    )
    optimizers = Pair(optax.sgd(learning_rate), optax.adam(learning_rate))
    return steps.run(
      steps.alternating(game, optimizers),
      steps.init(game, optimizers, KEY),
      lambda key, step: Batch(jnp.ones((6, 4, 4, 1))),
      5,
    )

  weights, rates = jnp.array([0.0, 1.0]), jnp.array([1e-2, 1e-3])
  together, apart = jax.jit(
    lambda *rows: (
      jax.vmap(train)(*rows),
      jax.lax.map(lambda row: train(*row), rows),
    )
  )(weights, rates)
  jax.tree.map(
    lambda one, other: np.testing.assert_allclose(
      one, other, rtol=1e-4, atol=1e-5
    ),
    *((state.params, metrics) for state, metrics in (together, apart)),
  )
  for metric in ('loss/generator', 'regularizer/r1'):
    assert together[1][metric][0, -1] != together[1][metric][1, -1]


def test_truncation_draws_styles_towards_their_mean():
  squares = Generator(
    init=lambda key, latents: ({}, {}),
    mapping=lambda params, buffers, latents, *rest: (latents**2, buffers),
    synthesis=lambda params, buffers, styles, *rest: (styles + 1, buffers),
  )
  game = gan(squares, None, losses.hinge, priors.normal(2))
  own, sample = jnp.array([[1.0, 2.0], [3.0, 0.0]]), jnp.array([[0.0, 2.0]] * 3)
  buffers = Pair({'network': {}}, {})
  for psi in (0.0, 0.25, 1.0, jnp.array([0.0, 1.0])):
    cut = truncated(game, psi, sample)
    styles = jnp.array([0.0, 4.0]) * (1 - psi) + psi * own**2
    np.testing.assert_allclose(cut.mapping({}, buffers, own), styles)
    np.testing.assert_allclose(cut.sample({}, buffers, own), styles + 1)
