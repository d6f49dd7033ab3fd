"""Moving averages of parameters and buffers, against their definitions."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from ganjax import averages, losses, priors, remedies, steps
from ganjax.arrays import Batch
from ganjax.game import Fake, gan
from ganjax.networks import mlp
from ganjax.networks.layers import BatchNorm
from ganjax.players import Pair

KEY = jax.random.key(0)
OPTIMIZERS = Pair(optax.sgd(0.1), optax.sgd(0.1))
STEPS, DECAY = 12, 0.3


@pytest.fixture(scope='module')
def states():
  """A game with statistics, vectors and a memory, and its states."""
  game = remedies.historical_averaging(
    gan(
      remedies.spectral(mlp.generator((2,), (8,), norm=BatchNorm)),
      mlp.discriminator((8,)),
      losses.non_saturating,
      priors.normal(2),
    ),
    0.1,
  )
  step = jax.jit(steps.alternating(game, OPTIMIZERS, ema_decay=DECAY))
  found = [steps.init(game, OPTIMIZERS, KEY)]
  for number in range(STEPS):
    images = jax.random.normal(jax.random.key(number), (16, 2))
    found.append(step(found[-1], Batch(images))[0])
  return game, found


def network(buffers):
  """What samples are made from, below the memories of the game."""
  return buffers['game']['network']


def test_buffers_are_averaged_as_parameters_are(states):
  _, found = states
  parts = [
    (state.params.generator, network(state.buffers.generator))
    for state in found
  ]
  average = jax.tree.map(np.float64, parts[0])
  for t, now in enumerate(parts[1:]):
    keep = min(DECAY, (1 + t) / (10 + t))
    average = jax.tree.map(
      lambda old, new, keep=keep: keep * old + (1 - keep) * np.float64(new),
      average,
      now,
    )
  params, buffers = steps.weights(found[-1], 'ema')
  jax.tree.map(
    lambda own, expected: np.testing.assert_allclose(own, expected, 1e-4, 1e-6),
    (params, network(buffers.generator)),
    average,
  )
  live = jax.tree.leaves(network(found[-1].buffers.generator))
  assert len(live) == len(jax.tree.leaves(found[-1].ema_buffers)) == 4


def test_memories_and_the_other_player_are_read_as_they_are(states):
  _, found = states
  state = found[-1]
  _, buffers = steps.weights(state, 'ema')
  assert buffers.generator['memory']['count'] == STEPS
  jax.tree.map(
    np.testing.assert_array_equal,
    (buffers.discriminator, buffers.generator['memory']),
    (state.buffers.discriminator, state.buffers.generator['memory']),
  )


def test_integers_and_keys_are_not_averaged():
  buffers = {
    'network': {'count': jnp.int32(3), 'key': KEY, 'mean': jnp.ones(2)}
  }
  average = averages.averaged(buffers)
  assert [leaf.shape for leaf in jax.tree.leaves(average)] == [(2,)]
  other = {'network': {'count': jnp.int32(5), 'key': KEY, 'mean': jnp.zeros(2)}}
  filled = averages.filled(average, other)['network']
  assert filled['count'] == 5
  assert filled['key'] == KEY
  np.testing.assert_array_equal(filled['mean'], 1)


def test_samples_are_those_of_the_named_weights(states):
  game, found = states
  state, latents = found[-1], jax.random.normal(KEY, (5, 2))
  with_statistics = {
    name: game.sample(*steps.weights(state, name), latents)
    for name in ('ema', 'ema_live', 'raw')
  }
  own = state.replace(
    params=state.params._replace(generator=state.ema_params),
    buffers=steps.weights(state, 'ema')[1],
  )
  raw = steps.weights(own, 'raw')
  np.testing.assert_array_equal(
    game.sample(*raw, latents), with_statistics['ema']
  )
  for one, other in (('ema', 'ema_live'), ('ema', 'raw'), ('ema_live', 'raw')):
    difference = with_statistics[one] - with_statistics[other]
    assert np.abs(difference).max() > 1e-3


def test_an_averaged_vector_gives_the_norm_of_the_averaged_kernel(states):
  _, found = states
  params, buffers = steps.weights(found[-1], 'ema')
  vectors = network(buffers.generator)['spectral']
  kernels = {
    jax.tree_util.keystr(path): leaf
    for path, leaf in jax.tree_util.tree_leaves_with_path(params)
  }
  assert len(vectors) == 2
  for name, vector in vectors.items():
    found_norm, _ = remedies._largest(kernels[name], vector)
    norm = np.linalg.svd(kernels[name], compute_uv=False)[0]
    np.testing.assert_allclose(found_norm, norm, rtol=2e-2)


def test_a_generator_without_buffers_has_no_more_leaves():
  game = gan(
    mlp.generator((2,), (8,)),
    remedies.spectral(mlp.discriminator((8,))),
    losses.non_saturating,
    priors.normal(2),
  )
  state = steps.init(game, OPTIMIZERS, KEY)
  assert jax.tree.leaves(state.buffers.discriminator)
  assert not jax.tree.leaves(state.ema_buffers)
  assert steps.weights(state, 'ema')[1] == state.buffers


def test_other_weights_are_refused_in_a_sentence(states):
  _, found = states
  with pytest.raises(ValueError, match="no choice of weights 'emma'; did you"):
    steps.weights(found[-1], 'emma')


def test_standing_statistics_are_those_of_the_parameters(states):
  """Those of the only layer, of 200,000 latents, divided by its norm."""
  game, found = states
  params, buffers = steps.weights(found[-1], 'ema_live')
  own = jax.jit(functools.partial(averages.standing, game))(
    params, jax.tree.map(lambda leaf: leaf + 3, buffers), KEY
  )
  vectors = network(own.generator)['spectral']
  dense = {
    jax.tree_util.keystr(path): leaf
    for path, leaf in jax.tree_util.tree_leaves_with_path(params)
  }
  [kernel] = [own for own in dense if dense[own].shape == (2, 8)]
  divided = dense[kernel] / np.linalg.norm(dense[kernel], 2)
  latents = np.random.default_rng(0).normal(size=(200_000, 2))
  hidden = latents @ divided + dense[kernel.replace('kernel', 'bias')]
  hidden = np.maximum(hidden, 0)
  mean, variance = jax.tree.leaves(network(own.generator)['network'])
  np.testing.assert_allclose(mean, hidden.mean(0), atol=0.02)
  np.testing.assert_allclose(variance, hidden.var(0), rtol=0.1, atol=0.02)
  right = np.linalg.svd(dense[kernel])[2][0]
  np.testing.assert_allclose(np.abs(right @ vectors[kernel]), 1, rtol=1e-4)


def test_classes_take_turns_in_standing_statistics():
  labels = jnp.zeros(5, jnp.int32)
  game = gan(
    mlp.generator((2,), (8,)),
    mlp.discriminator((8,)),
    losses.non_saturating,
    priors.normal(2),
  )
  told = game._replace(
    fake=lambda params, buffers, latents, key, labels: Fake(
      latents, labels, latents, latents, {'labels': labels}
    )
  )
  buffers = Pair({'network': {'labels': labels}, 'memory': {}}, {})
  own = averages.standing(told, {}, buffers, KEY, classes=3, batches=2, rows=5)
  np.testing.assert_array_equal(
    own.generator['network']['labels'], [0, 1, 2, 0, 1]
  )
  with pytest.raises(ValueError, match='Statistics cannot be recomputed'):
    averages.standing(game._replace(fake=None), {}, buffers, KEY)


def test_the_initial_values_weigh_a_half_after_a_half_life():
  """Parameters of 1 whose average begins at 0, without a ramp to speak of."""
  decay = averages.half_life(640.0, 1e9, 64, lambda step: 64 * (step + 1.0))
  state = steps.TrainState(
    step=jnp.int32(0),
    key=KEY,
    params=Pair(jnp.ones(()), {}),
    opt_state=Pair({}, {}),
    buffers=Pair({'network': {'mean': jnp.ones(())}}, {}),
    ema_params=jnp.zeros(()),
    ema_buffers={'network': {'mean': jnp.zeros(())}},
  )
  for _ in range(10):
    state = averages.update(state, decay)
    state = state.replace(step=state.step + 1)
  np.testing.assert_allclose(
    jax.tree.leaves((state.ema_params, state.ema_buffers)), 0.5, rtol=1e-6
  )


def test_a_half_life_ramps_with_the_images_seen():
  decay = averages.half_life(1000.0, 0.05, 50, lambda step: 50.0 * step)
  now = [decay(jnp.int32(step)) for step in (0, 1, 20, 400, 4000)]
  # Half-lives of 0, 2.5, 50, 1000 and again 1000 images.
  np.testing.assert_allclose(
    now, [0, 0.5**20, 0.5, 0.5**0.05, 0.5**0.05], rtol=1e-5
  )


def test_a_half_life_of_nothing_is_no_average_and_half_a_one_without_a_ramp():
  none, some = (
    averages.half_life(images, None, 64, lambda step: 64.0 * step)
    for images in (0.0, 640.0)
  )
  assert none(jnp.int32(7)) == 0
  np.testing.assert_allclose(some(jnp.int32(0)) ** 10, 0.5, rtol=1e-6)
