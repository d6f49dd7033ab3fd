"""Lazy regularisation against Adam by hand, and in games with a memory."""

import json
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from ganjax import adaptive, lazy, losses, priors, remedies, steps
from ganjax.arrays import Batch
from ganjax.game import gan
from ganjax.networks import mlp
from ganjax.networks.layers import BatchNorm
from ganjax.players import PLAYERS, Pair
from ganjax.training import population
from ganjax.turns import Regularizer, stateless
from tests.test_parallel import ROOT, environment

KEY = jax.random.key(0)
EVERY = Pair(4, 16)
BATCH = Batch(jax.random.normal(KEY, (8, 2)))


def counted(weight=1.0):
  """A term that counts its own applications, and is their number."""
  return Regularizer(
    lambda turn, count: (
      weight * (turn.fake_logits**2).mean()[None],
      count + 1,
    ),
    lambda: jnp.int32(0),
  )


def made(weight=1.0, **arguments):
  """A game with a penalty for each player, and batch statistics."""
  return gan(
    mlp.generator((2,), (4,), norm=BatchNorm),
    mlp.discriminator((4,)),
    losses.non_saturating,
    priors.normal(2),
    penalties=Pair({'own': counted(weight)}, {'its': counted(weight)}),
    **arguments,
  )


def adam(every, rate=2.5e-3):
  return optax.adam(*lazy.corrected(every, rate, 0.0, 0.99))


OPTIMIZERS = Pair(*map(adam, EVERY))


def played(game, number=16, every=EVERY, optimizers=OPTIMIZERS):
  """The state after some steps, and their metrics."""

  @jax.jit
  def run():
    step = lazy.lazy_regularization(game, optimizers, every)
    return jax.lax.scan(
      lambda state, _: step(state, BATCH),
      steps.init(game, optimizers, KEY),
      length=number,
    )

  return run()


@pytest.fixture(scope='module')
def after():
  return played(made())


def test_the_generator_has_20_updates_in_16_steps_and_the_critic_17(after):
  state, _ = after
  counts = Pair(*(own[0].count for own in state.opt_state))
  assert counts == Pair(20, 17)
  memories = Pair(*(own['memory'] for own in state.buffers))
  assert memories == Pair({'own': 4}, {'its': 1})
  assert state.step == 16


def test_metrics_are_every_times_the_penalty_and_0_between(after):
  _, metrics = after
  own, its = metrics['regularizer/own'], metrics['regularizer/its']
  assert (np.flatnonzero(own) == [0, 4, 8, 12]).all()
  assert (np.flatnonzero(its) == [0]).all()
  # The norm is that of the loss, which is never 0.
  assert (metrics['gradient/generator'] > 0).all()
  assert {f'loss/{player}' for player in PLAYERS} <= set(metrics)
  assert (metrics['loss/discriminator'] > 0).all()


def test_rates_and_decays_are_those_of_the_paper():
  np.testing.assert_allclose(
    lazy.corrected(4, 2.5e-3, 0.0, 0.99), (0.002, 0, 0.991992), atol=1e-6
  )
  np.testing.assert_allclose(
    lazy.corrected(16, 2.5e-3, 0.0, 0.99),
    (0.00235294, 0, 0.990585),
    atol=1e-6,
  )
  assert lazy.corrected(0, 2.5e-3, 0.5, 0.99) == (2.5e-3, 0.5, 0.99)
  # Momentum and learning rate reach as far over k steps of k + 1 updates.
  rate, keep, _ = lazy.corrected(4, 1.0, 0.5, 0.99)
  np.testing.assert_allclose((5 * rate, keep**5), (4.0, 0.5**4))
  with pytest.raises(ValueError, match='b1 is -0.5, and a negative momentum'):
    lazy.corrected(4, 1.0, -0.5, 0.99)


def test_a_step_is_a_loss_and_a_penalty_of_sgd_by_hand():
  # Penalties in the parameters alone, so that nothing that is drawn matters.
  rate, game = 0.1, made()

  def value(params, buffers, batch, key, fake=None):
    return jnp.sum(params.generator**2), (buffers, {'loss/generator': 0.0})

  def penalty(params, buffers, batch, key, fake=None):
    total = jnp.sum(jnp.exp(params.generator))
    return total, (buffers, {'regularizer/own': total, 'loss/generator': 0.0})

  def critic(params, buffers, batch, key, fake=None):
    return jnp.sum(params.discriminator * params.generator), (buffers, {})

  game = game._replace(
    init=lambda key: (Pair(jnp.ones(()), jnp.ones(())), Pair({}, {})),
    generator=value,
    discriminator=critic,
    fake=None,
    penalties=Pair(penalty, critic),
  )
  optimizers = Pair(optax.sgd(rate), optax.sgd(rate))
  state, metrics = played(game, 3, Pair(2, 0), optimizers)
  theta, psi, values = 1.0, 1.0, []
  for number in range(3):
    theta -= rate * 2 * theta
    values.append(0 if number % 2 else 2 * np.exp(theta))
    theta -= rate * values[-1]
    # The discriminator comes last, and meets the generator after both.
    psi -= rate * theta
  np.testing.assert_allclose(state.params, (theta, psi), rtol=1e-5)
  np.testing.assert_allclose(metrics['regularizer/own'], values, rtol=1e-5)


def test_a_player_without_penalties_has_none():
  state, metrics = played(made(), 4, Pair(0, 2))
  assert Pair(*(own[0].count for own in state.opt_state)) == Pair(4, 6)
  assert 'regularizer/own' not in metrics
  assert state.buffers.generator['memory'] == {'own': 0}


@pytest.mark.parametrize(
  'wrap',
  [
    lambda game: remedies.historical_averaging(game, 0.1),
    lambda game: adaptive.augmentation(lambda p: game, 8, every=16),
  ],
  ids=['historical_averaging', 'ada'],
)
def test_penalties_reach_the_buffers_of_a_game_with_a_memory(wrap, after):
  game = wrap(made())
  state, metrics = played(game)
  inner = Pair(*(own['game']['memory'] for own in state.buffers))
  assert inner == Pair({'own': 4}, {'its': 1})
  counts = [
    leaf
    for path, leaf in jax.tree_util.tree_leaves_with_path(state.buffers)
    if getattr(path[-1], 'key', '') == 'count'
  ]
  # Of updates of the loss alone.
  assert set(map(int, counts)) in ({16}, {0})
  assert (np.flatnonzero(metrics['regularizer/own']) == [0, 4, 8, 12]).all()


def test_other_rules_refuse_penalties_and_this_one_their_absence():
  state = jax.eval_shape(lambda: steps.init(made(), OPTIMIZERS, KEY))
  with pytest.raises(ValueError, match='penalties for updates of their own'):
    jax.eval_shape(steps.alternating(made(), OPTIMIZERS), state, BATCH)
  without = made()._replace(penalties=None)
  rule = lazy.lazy_regularization(without, OPTIMIZERS, EVERY)
  with pytest.raises(ValueError, match='this one has none; give `gan` penalt'):
    jax.eval_shape(rule, state, BATCH)


def test_a_population_of_weights_is_each_run_alone():
  def training():
    def step(state, weight, data):
      return lazy.lazy_regularization(made(weight), OPTIMIZERS, EVERY)(
        state, BATCH
      )

    return population.Training(
      init=lambda key, weight, data: steps.init(made(weight), OPTIMIZERS, key),
      step=step,
      evaluate=lambda state, weight, data: state.params.generator,
      steps=6,
      every=6,
    )

  own, weights = training(), jnp.array([0.5, 3.0])
  keys = jax.random.split(KEY, 2)
  found = population.train(own, keys, weights, mapping='vmap')
  run = jax.jit(population.whole(own))
  for number, weight in enumerate(weights):
    alone, _ = run(keys[number], weight)
    jax.tree.map(
      lambda one, other, number=number: np.testing.assert_allclose(
        one[number], other, rtol=2e-4, atol=1e-5
      ),
      found.states.params,
      alone.params,
    )
  assert found.states.opt_state.generator[0].count.tolist() == [8, 8]


def test_penalties_see_the_same_reals_and_other_fakes():
  seen = []

  def spy(turn):
    jax.debug.callback(lambda *both: seen.append(both), turn.real, turn.latents)
    return turn.fake_logits

  term = stateless(spy)
  game = gan(
    mlp.generator((2,), (4,)),
    mlp.discriminator((4,)),
    losses.non_saturating,
    priors.normal(2),
    regularizers=Pair({'loss': term}, {}),
    penalties=Pair({'own': term}, {}),
  )
  played(game, 1, Pair(1, 0))
  jax.effects_barrier()
  (real, one), (again, other) = seen[:2]
  np.testing.assert_array_equal(real, BATCH.images)
  np.testing.assert_array_equal(again, BATCH.images)
  assert not np.allclose(one, other)


# In a process with two devices; it writes JSON.
SCRIPT = """
import json, sys
import jax, numpy as np
from ganjax import lazy, parallel, steps
from ganjax.players import Pair
from tests.test_lazy import BATCH, KEY, OPTIMIZERS, made

found = []
for number in 1, 2:
  mesh = parallel.mesh(number)
  rule = lazy.lazy_regularization(made(), OPTIMIZERS, Pair(1, 2))
  state = jax.jit(
    lambda: steps.init(made(), OPTIMIZERS, KEY),
    out_shardings=parallel.whole(mesh),
  )()
  step = parallel.over_mesh(rule, mesh)
  for _ in range(3):
    state, metrics = step(state, BATCH)
  tree = jax.device_get((state.params, state.buffers, metrics))
  found.append([np.ravel(leaf).tolist() for leaf in jax.tree.leaves(tree)])
mapped = lazy.lazy_regularization(
  made(), OPTIMIZERS, Pair(1, 2), axis_name='data'
)
state, metrics = parallel.over_pmap(mapped)(
  steps.init(made(), OPTIMIZERS, KEY), BATCH
)
copies = [
  [np.ravel(shard.data).tolist() for shard in leaf.addressable_shards]
  for leaf in jax.tree.leaves((state.params, state.buffers))
  if hasattr(leaf, 'addressable_shards')
]
with open(sys.argv[1], 'w') as file:
  json.dump([*found, copies], file)
"""


def test_two_devices_compute_what_one_does(tmp_path):
  path = tmp_path / 'found.json'
  done = subprocess.run(
    [sys.executable, '-c', SCRIPT, str(path)],
    cwd=ROOT,
    env=environment(2),
    capture_output=True,
    text=True,
    timeout=300,
  )
  assert done.returncode == 0, done.stderr
  one, two, copies = json.loads(path.read_text())
  for left, right in zip(one, two, strict=True):
    np.testing.assert_allclose(left, right, rtol=1e-4, atol=1e-5)
  # Under pmap both hold the same, by the mean of their gradients.
  assert copies
  for first, second in copies:
    np.testing.assert_allclose(first, second, rtol=1e-6)
