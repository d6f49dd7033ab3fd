"""Remedies against numpy, and on games whose gradients are known by hand.

The Dirac-GAN is that of Mescheder, Geiger and Nowozin, "Which Training Methods
for GANs do actually Converge?", 2018, arXiv:1801.04406: the reals lie at 0, the
fakes at theta, and the critic is x -> psi x.
"""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganjax import losses, priors, regularizers, remedies
from ganjax.arrays import Batch
from ganjax.augment.ada import ada
from ganjax.game import Game, gan
from ganjax.networks import dcgan, mlp
from ganjax.networks.layers import BatchNorm
from ganjax.players import PLAYERS, Discriminator, Generator, Pair
from ganjax.turns import stateless

KEY = jax.random.key(0)

# The network, its function that takes examples, and the examples' shape.
NETWORKS = {
  'dense discriminator': (mlp.discriminator(widths=(12,)), 'apply', (2, 5)),
  'conv discriminator': (
    dcgan.discriminator(16, channels=1, width=3),
    'apply',
    (2, 16, 16, 1),
  ),
  'conv generator': (
    dcgan.generator(16, channels=1, width=3),
    'synthesis',
    (2, 4),
  ),
}


def kernels(params):
  return {
    jax.tree_util.keystr(path): leaf
    for path, leaf in jax.tree_util.tree_leaves_with_path(params)
    if path[-1].key == 'kernel'
  }


@pytest.fixture(scope='module', params=NETWORKS)
def settled(request):
  """A normalised network after many passes, which returns its params."""
  network, function, shape = NETWORKS[request.param]
  echo = remedies.spectral(
    network._replace(
      **{function: lambda params, buffers, *_: (params, buffers)}
    )
  )
  run, examples = getattr(echo, function), jax.random.normal(KEY, shape)

  @jax.jit
  def settle(key):
    params, buffers = echo.init(key, examples)
    trained, _ = jax.lax.scan(
      lambda buffers, _: (run(params, buffers, examples, None, True)[1], None),
      buffers,
      length=2000,
    )
    seen, evaluated = run(params, trained, examples, None, False)
    return {
      'params': params,
      'before': buffers,
      'trained': trained,
      'seen': seen,
      'evaluated': evaluated,
    }

  return SimpleNamespace(
    network=network,
    function=function,
    examples=examples,
    run=run,
    **settle(KEY),
  )


def test_kernels_are_divided_by_their_largest_singular_value(settled):
  seen = kernels(settled.seen)
  assert len(seen) >= 2
  for name, kernel in kernels(settled.params).items():
    matrix = np.asarray(kernel).reshape(-1, kernel.shape[-1])
    value = np.linalg.svd(matrix, compute_uv=False)[0]
    np.testing.assert_allclose(seen[name], kernel / value, rtol=1e-3)


def test_what_is_not_a_kernel_is_left_alone(settled):
  raw = jax.tree_util.tree_leaves_with_path(settled.params)
  for (path, leaf), seen in zip(
    raw, jax.tree.leaves(settled.seen), strict=True
  ):
    assert path[-1].key == 'kernel' or (leaf == seen).all()


def test_only_training_moves_the_vectors(settled):
  jax.tree.map(
    np.testing.assert_array_equal, settled.trained, settled.evaluated
  )
  for name, vector in settled.trained['spectral'].items():
    moved = vector - settled.before['spectral'][name]
    assert vector.size == 1 or np.abs(moved).max() > 1e-3


def test_the_gradient_is_that_of_the_divided_kernel(settled):
  rng = np.random.default_rng(0)
  weights = {
    name: rng.normal(size=kernel.shape)
    for name, kernel in kernels(settled.params).items()
  }

  def by_iteration(params):
    seen, _ = settled.run(params, settled.trained, settled.examples, None, True)
    return kernels(seen)

  def by_decomposition(params):
    return {
      name: kernel
      / jnp.linalg.norm(kernel.reshape(-1, kernel.shape[-1]), ord=2)
      for name, kernel in kernels(params).items()
    }

  def gradients(divided):
    def inner(params):
      return sum(
        jnp.vdot(weights[name], kernel)
        for name, kernel in divided(params).items()
      )

    return kernels(jax.grad(inner)(settled.params))

  ours, theirs = jax.jit(
    lambda: (gradients(by_iteration), gradients(by_decomposition))
  )()
  for name, slope in theirs.items():
    np.testing.assert_allclose(
      ours[name], slope, rtol=1e-2, atol=1e-2 * jnp.abs(slope).max()
    )


def test_the_network_runs_with_the_divided_kernels(settled):
  wrapped = remedies.spectral(settled.network)
  assert type(wrapped) is type(settled.network)
  ours, expected = jax.jit(
    lambda examples: [
      getattr(network, settled.function)(
        params, buffers, examples, None, False
      )[0]
      for network, params, buffers in (
        (wrapped, settled.params, settled.trained),
        (settled.network, settled.seen, settled.trained['network']),
      )
    ]
  )(settled.examples)
  np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-6)


def test_the_features_are_those_of_the_divided_kernels():
  network, images = (
    mlp.discriminator(widths=(6,)),
    jax.random.normal(KEY, (4, 5)),
  )
  wrapped = remedies.spectral(
    network._replace(
      with_features=lambda params, buffers, *_: ((None, params), buffers)
    )
  )

  @jax.jit
  def both(key):
    params, buffers = wrapped.init(key, images)
    (_, features), after = wrapped.with_features(
      params, buffers, images, None, True
    )
    apply = remedies.spectral(
      network._replace(apply=lambda params, buffers, *_: (params, buffers))
    ).apply
    return (features, after), apply(params, buffers, images, None, True)

  jax.tree.map(np.testing.assert_array_equal, *both(KEY))


def test_the_gradient_does_not_pass_through_the_singular_vectors():
  # Not yet settled: where they are, the norm has no gradient in its vectors.
  network, images = mlp.discriminator(widths=()), jnp.ones((2, 5))
  echo = remedies.spectral(
    network._replace(apply=lambda params, buffers, *_: (params, buffers))
  )
  rng = np.random.default_rng(0)
  params, buffers = echo.init(KEY, images)
  matrix, weights = rng.normal(size=(2, 5, 3))
  [(name, _)] = kernels(params).items()
  buffers['spectral'] = {name: jnp.float32([1, 2, -1])}

  def inner(kernel):
    own = jax.tree.map(lambda leaf: kernel if leaf.ndim == 2 else leaf, params)
    seen, _ = echo.apply(own, buffers, images, None, True)
    return jnp.vdot(weights, kernels(seen)[name])

  left = matrix @ [1, 2, -1]
  left /= np.linalg.norm(left)
  right = matrix.T @ left
  right /= np.linalg.norm(right)

  def held(kernel):
    return jnp.vdot(weights, kernel) / (left @ kernel @ right)

  # The second vector shows in second derivatives only: of unit length, it has
  # none of the product's first one.
  point = jnp.float32(matrix), jnp.float32(weights)
  for ours, expected in zip(
    *(
      jax.jvp(jax.grad(value), point[:1], point[1:]) for value in (inner, held)
    ),
    strict=True,
  ):
    np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-4)


def sums(images):
  return sum(leaf.sum(range(1, leaf.ndim)) for leaf in jax.tree.leaves(images))


# A discriminator that shows what it is shown: the logits are the images' sums.
ECHO = Discriminator(
  init=lambda key, images: (images, {}),
  apply=lambda params, buffers, images, key, train: (sums(images), buffers),
  with_features=lambda params, buffers, images, key, train: (
    (sums(images), images),
    buffers,
  ),
)


@pytest.mark.parametrize('m', [1, 2, 3])
@pytest.mark.parametrize('shape', [(5,), (2, 3, 5)])
def test_a_pack_is_consecutive_images_side_by_side(m, shape):
  images = np.random.default_rng(0).normal(size=(6, *shape)).astype('f4')
  packed = remedies.pack(ECHO, m)
  (logits, packs), _ = packed.with_features({}, {}, images, None, True)
  assert packs.shape == (6 // m, *shape[:-1], 5 * m)
  for number, pack in enumerate(packs):
    whole = np.concatenate(images[number * m : (number + 1) * m], -1)
    np.testing.assert_array_equal(pack, whole)
  whole = images.reshape(6 // m, -1).sum(1)
  for found in (logits, packed.apply({}, {}, images, None, True)[0]):
    np.testing.assert_allclose(found, whole, rtol=1e-5)


def test_a_pack_is_initialised_by_as_many_examples_whatever_its_size():
  examples = {'low': jnp.zeros((12, 2, 2, 3)), 'high': jnp.zeros((12, 4, 4, 3))}
  params, _ = remedies.pack(ECHO, 5).init(KEY, examples)
  assert params['low'].shape == (12, 2, 2, 15)
  assert params['high'].shape == (12, 4, 4, 15)


def test_a_batch_that_the_pack_does_not_divide_is_refused():
  with pytest.raises(
    ValueError, match='8 images cannot be put into packs of 3'
  ):
    remedies.pack(ECHO, 3).apply({}, {}, jnp.zeros((8, 2)), None, True)


def test_instance_noise_has_its_deviation_and_only_in_training():
  images = {'low': jnp.ones((64, 8)), 'high': jnp.zeros((64, 32))}

  @jax.jit
  def noise(std):
    noisy = remedies.instance_noise(ECHO, std).with_features

    def see(key):
      (_, seen), _ = noisy({}, {}, images, key, True)
      return seen

    return [
      jax.tree.map(jnp.subtract, see(key), images)
      for key in jax.random.split(KEY)
    ]

  one, other = noise(0.3)
  for leaf, again in zip(*map(jax.tree.leaves, (one, other)), strict=True):
    np.testing.assert_allclose(leaf.std(), 0.3, rtol=0.1)
    assert abs(leaf.mean()) < 0.05
    assert abs(np.mean(leaf * again)) < 0.02
  assert abs(np.mean(one['low'] * one['high'][:, :8])) < 0.02
  for leaf in jax.tree.leaves(noise(0.0)):
    np.testing.assert_array_equal(leaf, 0)
  (_, seen), _ = remedies.instance_noise(ECHO, 0.3).with_features(
    {}, {}, images, None, False
  )
  assert seen is images


def test_instance_noise_passes_what_is_left_of_the_key_on():
  seen = []
  network = ECHO._replace(
    apply=lambda params, buffers, images, key, train: seen.append(key)
  )
  remedies.instance_noise(network, 0.0).apply({}, {}, jnp.ones(2), KEY, True)
  assert jnp.all(jax.random.key_data(seen[0]) != jax.random.key_data(KEY))


def shifted(images, key, p):
  """The augmentation that adds p U(0, 1) to each image."""
  keys = jax.random.split(key, len(images))
  return images + p * jax.vmap(jax.random.uniform)(keys)[:, None]


def test_augmented_images_are_seen_only_in_training():
  images = jnp.arange(8.0).reshape(4, 2)
  network = remedies.augmented(ECHO, shifted, 0.5)
  (logits, seen), _ = network.with_features({}, {}, images, KEY, True)
  added = seen - images
  np.testing.assert_allclose(added[:, 0], added[:, 1], atol=1e-6)
  assert ((added > 0) & (added < 0.5)).all()
  assert len(np.unique(added[:, 0])) == 4
  np.testing.assert_allclose(logits, seen.sum(1), rtol=1e-6)
  for key, train in ((KEY, False), (None, False)):
    (_, seen), _ = network.with_features({}, {}, images, key, train)
    assert seen is images
    assert network.apply({}, {}, images, key, train)[0].shape == (4,)


def test_augmentations_pass_what_is_left_of_the_key_on():
  keys = []
  network = ECHO._replace(
    apply=lambda params, buffers, images, key, train: keys.append(key)
  )
  recorded = remedies.augmented(
    network, lambda images, key, p: keys.append(key), 0.0
  )
  recorded.apply({}, {}, jnp.ones((2, 2)), KEY, True)
  words = [tuple(jax.random.key_data(key).tolist()) for key in (*keys, KEY)]
  assert len(set(words)) == 3


def test_penalties_are_those_of_the_images_before_augmentation():
  slope = jnp.float32([3, 4])
  linear = Discriminator(
    init=lambda key, images: (slope, {}),
    apply=lambda params, buffers, images, key, train: (
      images @ params,
      buffers,
    ),
  )
  game = gan(
    mlp.generator((2,), (4,)),
    remedies.augmented(linear, lambda images, key, p: p * images, 2.0),
    losses.wasserstein,
    priors.normal(2),
    Pair({}, {'r1': stateless(lambda t: regularizers.r1(t.critic, t.real))}),
  )
  params, buffers = game.init(KEY)
  _, (_, metrics) = game.discriminator(
    params, buffers, Batch(jnp.ones((4, 2))), KEY
  )
  # The logits are 2 <slope, x>.
  np.testing.assert_allclose(metrics['logits/real'], 14, rtol=1e-6)
  np.testing.assert_allclose(metrics['regularizer/r1'], 100, rtol=1e-6)


def test_a_pyramid_is_not_augmented():
  network = remedies.augmented(ECHO, shifted, 0.5)
  pyramid = jnp.ones((4, 4, 4, 1)), jnp.ones((4, 8, 8, 1))
  with pytest.raises(ValueError, match='take one array of images, not a tree'):
    network.init(KEY, pyramid)


def test_packs_and_noise_compose_with_augmentations():
  images = jnp.zeros((6, 16, 16, 1))
  wraps = [
    lambda network: remedies.pack(network, 3),
    lambda network: remedies.augmented(network, ada('bgc'), 0.7),
    lambda network: remedies.instance_noise(network, 0.1),
    remedies.spectral,
  ]
  # Packs of three grey images are images of three channels.
  for order in (wraps, wraps[::-1]):
    network = dcgan.discriminator(16, channels=3, width=4)
    for wrap in order:
      network = wrap(network)

    def run(key, network=network):
      params, buffers = network.init(key, images)
      return network.apply(params, buffers, images, key, True)[0]

    assert jax.eval_shape(run, KEY).shape == (2,)


@pytest.fixture
def x64():
  with jax.enable_x64(True):
    yield


def dirac(m):
  """The Dirac-GAN with packs of m."""
  discriminator = Discriminator(
    init=lambda key, images: (jnp.zeros(images.shape[1]), {}),
    apply=lambda params, buffers, images, key, train: (
      images @ params,
      buffers,
    ),
  )
  return gan(
    Generator(
      init=lambda key, latents: (jnp.zeros(()), {}),
      mapping=lambda params, buffers, latents, key, train: (latents, buffers),
      synthesis=lambda params, buffers, styles, key, train: (
        params * jnp.ones_like(styles),
        buffers,
      ),
    ),
    remedies.pack(discriminator, m),
    losses.minimax,
    lambda key, number: jnp.zeros((number, 1)),
  )


def eigenvalues(game):
  """Of the flow by both players' gradients, at the parameters 0."""

  def field(params):
    _, buffers = game.init(KEY)
    batch = Batch(jnp.zeros((12, 1)))
    return Pair(
      *(
        jax.tree.map(
          jnp.negative,
          jax.grad(
            lambda own, player=player: getattr(game, player)(
              params._replace(**{player: own}), buffers, batch, KEY
            )[0]
          )(getattr(params, player)),
        )
        for player in PLAYERS
      )
    )

  params, _ = game.init(KEY)
  jacobian = jax.jit(jax.jacobian(field))(params)
  return np.linalg.eigvals(
    np.block(
      [
        [np.reshape(leaf, (own.size, -1)) for leaf in row]
        for own, row in zip(params, jacobian, strict=True)
      ]
    )
  )


@pytest.mark.parametrize('m', [1, 2, 3])
def test_packing_turns_the_dirac_gan_faster_and_damps_nothing(x64, m):
  found = eigenvalues(dirac(m))
  expected = [1j * np.sqrt(m) / 2, -1j * np.sqrt(m) / 2] + [0] * (m - 1)
  np.testing.assert_allclose(
    np.sort_complex(found), np.sort_complex(expected), atol=1e-7
  )


@pytest.mark.parametrize('weight', [0.0, 0.4, 2.0])
def test_consensus_damps_the_dirac_gan(x64, weight):
  found = eigenvalues(remedies.consensus(dirac(1), weight))
  expected = np.array([-0.5j, 0.5j]) - weight / 4
  np.testing.assert_allclose(np.sort_complex(found), expected, atol=1e-12)


def of_values(generator, discriminator):
  """The game of two functions `(params, batch) -> value`; buffers count."""

  def objective(player, value):
    def turn(params, buffers, batch, key):
      own = value(params, batch)
      after = buffers._replace(**{player: getattr(buffers, player) + 1})
      return own, (after, {f'loss/{player}': own})

    return turn

  return Game(
    init=lambda key: (Pair(jnp.ones(2), jnp.ones(2)), Pair(0, 10)),
    generator=objective('generator', generator),
    discriminator=objective('discriminator', discriminator),
    prior=priors.normal(2),
    fake_labels=lambda key, labels: labels,
    sample=lambda params, buffers, latents, key=None, train=False: (
      params * latents + buffers.generator
    ),
  )


CUBIC = of_values(
  lambda params, batch: batch * jnp.vdot(params.generator**3, params[1]),
  lambda params, batch: jnp.vdot(params.generator, params[1] ** 2),
)


@pytest.mark.parametrize('player', PLAYERS)
def test_consensus_is_half_the_squared_field_of_both_players(player):
  game = remedies.consensus(CUBIC, 0.5)
  x, y, batch = np.float32([0.5, -1]), np.float32([2, 0.3]), 1.5

  def value(own):
    params = Pair(x, y)._replace(**{player: own})
    return getattr(game, player)(params, Pair(3, 4), batch, KEY)

  start = getattr(Pair(x, y), player)
  (total, (buffers, metrics)), slope = jax.jit(
    jax.value_and_grad(value, has_aux=True)
  )(start)
  # The field is (3 b x^2 y, 2 x y), by hand.
  term = 0.25 * np.sum(9 * batch**2 * x**4 * y**2 + 4 * x**2 * y**2)
  plain = Pair(batch * np.dot(x**3, y), np.dot(x, y**2))
  np.testing.assert_allclose(total, getattr(plain, player) + term, rtol=1e-5)
  np.testing.assert_allclose(metrics['regularizer/consensus'], term, rtol=1e-5)
  np.testing.assert_allclose(
    metrics[f'loss/{player}'], getattr(plain, player), rtol=1e-5
  )
  by_x = 3 * batch * x**2 * y + 9 * batch**2 * x**3 * y**2 + 2 * x * y**2
  by_y = 2 * x * y + 4.5 * batch**2 * x**4 * y + 2 * x**2 * y
  np.testing.assert_allclose(
    slope, getattr(Pair(by_x, by_y), player), rtol=1e-5
  )
  assert buffers == Pair(3, 4)._replace(**{player: getattr(Pair(4, 5), player)})


@pytest.mark.parametrize(
  ('player', 'other'), [PLAYERS, PLAYERS[::-1]], ids=PLAYERS
)
def test_historical_averaging_pulls_towards_the_mean_of_the_own_past(
  player, other
):
  game = remedies.historical_averaging(CUBIC, 0.7)
  path = np.random.default_rng(0).normal(size=(5, 2)).astype('f4')

  @jax.jit
  def turn(own, buffers):
    params = Pair(jnp.ones(2), jnp.ones(2))

    def value(own, game, buffers):
      there = params._replace(**{player: own})
      return getattr(game, player)(there, buffers, 1.5, KEY)

    gradients = jax.value_and_grad(value, has_aux=True)
    return gradients(own, game, buffers), gradients(own, CUBIC, Pair(0, 10))

  _, buffers = start = game.init(KEY)
  for number, own in enumerate(path, 1):
    ((total, (buffers, metrics)), slope), ((plain, _), force) = turn(
      own, buffers
    )
    away = own - path[:number].mean(0)
    np.testing.assert_allclose(
      total - plain, 0.7 * np.sum(away**2), rtol=1e-4, atol=1e-5
    )
    np.testing.assert_allclose(
      metrics['regularizer/historical_averaging'], total - plain, atol=1e-5
    )
    np.testing.assert_allclose(slope - force, 1.4 * away, rtol=1e-4, atol=1e-5)
  # Only the player's own inner buffers changed.
  inner = Pair(*(buffer['game'] for buffer in buffers))
  assert getattr(inner, player) == getattr(Pair(5, 15), player)
  jax.tree.map(
    np.testing.assert_array_equal,
    getattr(buffers, other),
    getattr(start[1], other),
  )
  images = game.sample(jnp.ones(2), buffers, jnp.zeros((3, 2)))
  np.testing.assert_array_equal(images, np.full((3, 2), inner.generator))


def test_remedies_stack_on_a_game_with_every_kind_of_buffer():
  discriminator = remedies.instance_noise(
    remedies.pack(remedies.spectral(mlp.discriminator(widths=(4,))), 2), 0.1
  )

  @jax.jit
  def play(weight, key):
    game = remedies.historical_averaging(
      remedies.consensus(
        gan(
          mlp.generator((2,), (4,), norm=BatchNorm),
          discriminator,
          losses.top_k(losses.non_saturating, weight),
          priors.normal(2),
        ),
        weight,
      ),
      weight,
    )
    params, buffers = game.init(key)
    for player in PLAYERS:
      value, (after, _) = getattr(game, player)(
        params, buffers, Batch(jnp.ones((8, 2))), key
      )
      assert jax.tree.structure(after) == jax.tree.structure(buffers)
      buffers = after
    images = game.sample(params.generator, buffers, jnp.ones((3, 2)))
    return value, buffers, images

  value, buffers, images = play(0.5, KEY)
  assert np.isfinite(value)
  assert images.shape == (3, 2)
  assert [buffer['memory']['count'] for buffer in buffers] == [1, 1]
