"""Progressive growing: exact continuity, one tree, and the paper's formulas."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from ganjax import losses, priors, regularizers, remedies
from ganjax.arrays import Batch
from ganjax.game import gan
from ganjax.networks import equalized, layers, norms, progressive, resample
from ganjax.players import Pair
from ganjax.turns import stateless

KEY = jax.random.key(0)
LATENTS = jax.random.normal(jax.random.key(1), (4, 16))
REAL = jax.random.normal(jax.random.key(2), (4, 16, 16, 3))

generator = functools.partial(
  progressive.generator, 16, base=64, max_channels=16
)
discriminator = functools.partial(
  progressive.discriminator, 16, base=64, max_channels=16
)


def images(network, params, latents=LATENTS):
  """The images of a `Generator` without buffers."""
  styles, _ = network.mapping(params, {}, latents, None, True)
  return network.synthesis(params, {}, styles, None, True)[0]


def logits(network, params, images):
  """The logits of a `Discriminator` without buffers."""
  return network.apply(params, {}, images, None, True)[0]


@functools.cache
def parameters():
  """Parameters of both players, moved so that no bias is 0."""

  @jax.jit
  def make():
    params = generator().init(KEY, LATENTS), discriminator().init(KEY, REAL)
    leaves, structure = jax.tree.flatten(
      Pair(*(params for params, _ in params))
    )
    keys = jax.random.split(KEY, len(leaves))
    return structure.unflatten(
      leaf + 0.3 * jax.random.normal(key, leaf.shape)
      for leaf, key in zip(leaves, keys, strict=True)
    )

  return make()


def count(params):
  return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(params))


@pytest.mark.parametrize(
  'resolution, sizes, latent, expected',
  [
    (32, {}, 512, (20_719_628, 20_726_785)),
    (64, {}, 512, (22_490_383, 22_498_049)),
    (128, {}, 512, (22_933_394, 22_941_313)),
    (256, {}, 512, (23_044_309, 23_052_353)),
    (1024, {}, 512, (23_079_115, 23_087_249)),
    (32, {'base': 4096, 'max_channels': 128}, 128, (1_296_908, 1_298_689)),
  ],
)
def test_parameters_are_as_many_as_in_the_original(
  resolution, sizes, latent, expected
):
  # With the layers that take and give colours, of every resolution.
  networks = Pair(
    progressive.generator(resolution, **sizes),
    progressive.discriminator(resolution, **sizes),
  )
  examples = jnp.zeros((4, latent)), jnp.zeros((4, 4, 4, 3))
  made = tuple(
    count(jax.eval_shape(network.init, KEY, example)[0])
    for network, example in zip(networks, examples, strict=True)
  )
  assert made == expected


def test_every_stage_begins_with_the_same_parameters():
  @jax.jit
  def begin():
    # A game shows the discriminator images of the stage, of any number.
    return [
      (
        generator(stage=stage, alpha=0.5).init(KEY, LATENTS),
        discriminator(stage=stage, alpha=0.5).init(
          KEY, jnp.zeros((12 + stage, 4 * 2**stage, 4 * 2**stage, 3))
        ),
      )
      for stage in range(3)
    ]

  first, *others = begin()
  names = {f'{part}{stage}' for part in ('block', 'rgb') for stage in range(3)}
  assert [set(params) - {'logits'} for params, _ in first] == [names] * 2
  for other in others:
    jax.tree.map(np.testing.assert_array_equal, first, other)


def test_a_pack_of_images_has_their_channels_together():
  packed = remedies.pack(discriminator(stage=1), 2)
  real = packed.prepare_real(REAL)

  def judge():
    params, buffers = packed.init(KEY, real)
    return params, packed.apply(params, buffers, real, None, True)[0]

  params, judged = jax.eval_shape(judge)
  assert judged.shape == (2,)
  kernels = [params[f'rgb{stage}']['kernel'].shape for stage in range(3)]
  assert kernels == [(1, 1, 6, 16), (1, 1, 6, 16), (1, 1, 6, 8)]


def test_alpha_zero_of_the_generator_is_the_stage_before():
  @jax.jit
  def both(params, alpha):
    return [
      (
        images(generator(stage=stage, alpha=alpha), params),
        resample.nearest(images(generator(stage=stage - 1), params)),
      )
      for stage in (1, 2)
    ] + [
      # The first has none before it.
      tuple(images(generator(stage=0, alpha=a), params) for a in (alpha, 1.0))
    ]

  for faded, before in both(parameters().generator, 0.0):
    np.testing.assert_array_equal(faded, before)
    assert before.std() > 0.1


def test_alpha_zero_of_the_discriminator_is_the_stage_before():
  @jax.jit
  def both(params, alpha):
    averaged = resample.pyramid(REAL)
    return [
      (
        logits(discriminator(stage=stage, alpha=alpha), params, now),
        logits(discriminator(stage=stage - 1), params, before),
      )
      for stage, before, now in zip(
        (1, 2), averaged[:2], averaged[1:], strict=True
      )
    ]

  for faded, before in both(parameters().discriminator, 0.0):
    np.testing.assert_array_equal(faded, before)
    assert before.std() > 0.01


def test_reals_are_seen_as_the_stage_shows_its_images():
  levels = resample.pyramid(REAL)
  for stage, level in enumerate(levels):
    alone = discriminator(stage=stage).prepare_real(REAL)
    np.testing.assert_array_equal(alone, level)
    before = discriminator(stage=stage, alpha=0.0).prepare_real(REAL)
    # 4x4 pixels have nothing before them.
    coarse = resample.nearest(levels[stage - 1]) if stage else level
    np.testing.assert_array_equal(before, coarse)
    between = discriminator(stage=stage, alpha=0.25).prepare_real(REAL)
    np.testing.assert_allclose(between, 0.75 * coarse + level / 4, atol=1e-6)


def test_parameters_that_a_stage_has_no_use_for_have_zero_gradients():
  @jax.jit
  def gradients(params, alpha):
    def value(params):
      made = images(generator(stage=1, alpha=alpha), params.generator)
      judge = discriminator(stage=1, alpha=alpha)
      return (logits(judge, params.discriminator, made) ** 2).mean()

    return jax.grad(value)(params)

  # At alpha 1, what the stage before has of its own rests as well.
  for alpha, idle in ((0.5, ()), (1.0, ('rgb0',))):
    for player in gradients(parameters(), alpha):
      for name, part in player.items():
        moves = {bool(slope.any()) for slope in jax.tree.leaves(part)}
        assert moves == {name not in ('block2', 'rgb2', *idle)}, name


# The formulas again, in numpy.


def convolved(images, params, gain=2**0.5):
  kernel, bias = (np.asarray(params[name]) for name in ('kernel', 'bias'))
  size, _, channels, _ = kernel.shape
  pad = size // 2
  padded = np.pad(images, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
  height, width = images.shape[1:3]
  outputs = sum(
    padded[:, i : i + height, j : j + width] @ kernel[i, j]
    for i in range(size)
    for j in range(size)
  )
  return outputs * gain / math.sqrt(size**2 * channels) + bias


def leaky(images):
  return np.where(images > 0, images, 0.2 * images)


def normed(images):
  return images / np.sqrt((images**2).mean(-1, keepdims=True) + 1e-8)


def doubled(images):
  return images.repeat(2, 1).repeat(2, 2)


def halved(images):
  return sum(images[:, i::2, j::2] for i in range(2) for j in range(2)) / 4


def test_the_generator_is_the_papers_formula():
  params = parameters().generator
  start = params['block0']['Conv_0']
  # Over a pixel, a convolution turns its kernel by half a turn.
  matrix = np.asarray(start['kernel'])[::-1, ::-1].transpose(2, 0, 1, 3)
  hidden = normed(np.asarray(LATENTS)) @ matrix.reshape(16, 256)
  # A dense layer of gain sqrt(2) / 4.
  hidden = hidden.reshape(4, 4, 4, 16) * math.sqrt(2) / 4 / math.sqrt(16)
  hidden = normed(leaky(hidden + start['bias']))
  hidden = normed(leaky(convolved(hidden, params['block0']['Conv_1'])))
  before = convolved(hidden, params['rgb0'], gain=1)
  hidden = doubled(hidden)
  for layer in 'Conv_0', 'Conv_1':
    hidden = normed(leaky(convolved(hidden, params['block1'][layer])))
  now = convolved(hidden, params['rgb1'], gain=1)
  expected = 0.7 * doubled(before) + 0.3 * now
  made = jax.jit(images, static_argnums=0)(
    generator(stage=1, alpha=0.3), params
  )
  np.testing.assert_allclose(made, expected, rtol=1e-4, atol=1e-4)


def test_the_discriminator_is_the_papers_formula():
  params = parameters().discriminator
  real = halved(np.asarray(REAL))
  hidden = leaky(convolved(real, params['rgb1']))
  for layer in 'Conv_0', 'Conv_1':
    hidden = leaky(convolved(hidden, params['block1'][layer]))
  before = leaky(convolved(halved(real), params['rgb0']))
  hidden = 0.7 * before + 0.3 * halved(hidden)
  deviation = np.sqrt(hidden.var(0) + 1e-8).mean()
  hidden = np.concatenate([hidden, np.full((4, 4, 4, 1), deviation)], -1)
  hidden = leaky(convolved(hidden, params['block0']['Conv_0']))
  last = params['block0']['Conv_1']
  features = hidden.reshape(4, -1) @ np.asarray(last['kernel']).reshape(256, 16)
  features = leaky(features * math.sqrt(2 / 256) + last['bias'])
  weights = np.asarray(params['logits']['kernel'])[:, 0] / math.sqrt(16)
  expected = features @ weights + params['logits']['bias']
  network = discriminator(stage=1, alpha=0.3)

  @jax.jit
  def judge(params, real):
    (same, shown), _ = network.with_features(params, {}, real, None, True)
    return logits(network, params, real), same, shown

  found = judge(params, jnp.asarray(real))
  for value, form in zip(found, (expected, expected, features), strict=True):
    np.testing.assert_allclose(value, form, rtol=1e-4, atol=1e-4)


def test_gradient_penalties_have_derivatives():
  # A smooth activation, for a leaky ReLU's derivative jumps.
  network = discriminator(stage=1, alpha=0.3, activation=jnp.tanh)
  params, real = parameters().discriminator, resample.average(REAL)
  keys = iter(jax.random.split(KEY, 100))
  way = jax.tree.map(
    lambda leaf: jax.random.normal(next(keys), leaf.shape), params
  )

  @jax.jit
  @jax.value_and_grad
  def penalty(step):
    moved = jax.tree.map(lambda leaf, to: leaf + step * to, params, way)
    critic = functools.partial(logits, network, moved)
    return regularizers.r1(critic, real).mean()

  h = 1e-2
  expected = (penalty(h)[0] - penalty(-h)[0]) / (2 * h)
  assert abs(expected) > 1e-3
  np.testing.assert_allclose(penalty(0.0)[1], expected, rtol=1e-2)


def test_a_game_of_a_stage_has_finite_values_while_alpha_is_traced():
  terms = {
    'gradient_penalty': stateless(
      lambda turn: regularizers.wgan_gp(
        turn.critic, turn.real, turn.fake, turn.key
      )
    )
  }

  @jax.jit
  def values(alpha):
    game = gan(
      generator(stage=1, alpha=alpha),
      discriminator(stage=1, alpha=alpha),
      losses.wasserstein,
      priors.normal(16),
      Pair({}, terms),
    )
    params, buffers = game.init(KEY)
    return [
      value(params, buffers, Batch(REAL), KEY)
      for value in (game.generator, game.discriminator)
    ]

  for leaf in jax.tree.leaves(values(0.5)):
    assert jnp.isfinite(leaf).all()


def test_batch_normalisation_runs_where_the_stage_is():
  normalized = functools.partial(norms.batch, momentum=0.5)
  network = generator(
    stage=1, norm=normalized, activation=nn.relu, output=jnp.tanh
  )

  @jax.jit
  def train():
    params, buffers = network.init(KEY, LATENTS)
    made, after = network.synthesis(params, buffers, LATENTS, KEY, True)
    return buffers, made, after

  before, made, after = train()
  assert jax.tree.structure(before) == jax.tree.structure(after)
  assert jnp.abs(made).max() < 1
  before, after = before['batch_stats'], after['batch_stats']
  jax.tree.map(np.testing.assert_array_equal, before['block2'], after['block2'])
  moved = jax.tree.map(
    lambda old, new: bool((old != new).any()),
    *(
      [stats[f'block{stage}'] for stage in (0, 1)] for stats in (before, after)
    ),
  )
  assert all(jax.tree.leaves(moved))


def test_every_row_of_the_ladder_builds():
  plain = {
    'norm': norms.none,
    'scaling': equalized.at_init,
    'activation': nn.relu,
  }
  few = functools.partial(layers.MinibatchDiscrimination, 7, 2)
  network = discriminator(
    norm=norms.layer,
    scaling=equalized.at_init,
    map_statistics=None,
    statistics=few,
  )
  params, _ = jax.eval_shape(network.init, KEY, REAL)
  assert params['logits']['kernel'].shape == (16 + 7, 1)
  assert params['block0']['Conv_0']['kernel'].shape == (3, 3, 16, 16)
  scales = [part for part in params if 'LayerNorm_0' in params[part]]
  assert scales == [name for name in params if name.startswith('block')]
  shown = jax.eval_shape(lambda params: logits(network, params, REAL), params)
  assert shown.shape == (4,)
  params, _ = jax.jit(generator(**plain).init)(KEY, LATENTS)
  kernel = params['block1']['Conv_0']['kernel']
  np.testing.assert_allclose(kernel.std(), math.sqrt(2 / (9 * 16)), rtol=0.1)


def test_blocks_computed_again_give_the_same():
  def value(params, remat):
    made = images(generator(stage=1, alpha=0.5, remat=remat), params.generator)
    judge = discriminator(stage=1, alpha=0.5, remat=remat)
    return logits(judge, params.discriminator, made).sum()

  def slope(remat):
    return jax.grad(functools.partial(value, remat=remat))

  values = [
    jax.jit(slope(remat))(parameters())
    for remat in (nn.remat, lambda module: module)
  ]
  jax.tree.map(
    functools.partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-5), *values
  )
  again = str(jax.make_jaxpr(slope(nn.remat))(parameters()))
  # Two blocks of each player.
  assert again.count('remat2[') + again.count('checkpoint[') >= 4


def test_half_precision_stays_inside():
  networks = (
    generator(stage=1, alpha=0.5, dtype=jnp.bfloat16),
    discriminator(stage=1, alpha=0.5, dtype=jnp.bfloat16),
  )

  @jax.jit
  def both(params):
    made = images(networks[0], params.generator)
    return made, logits(networks[1], params.discriminator, made)

  exact = images(generator(stage=1, alpha=0.5), parameters().generator)
  made, judged = both(parameters())
  assert made.dtype == judged.dtype == jnp.float32
  distance = jnp.abs(made - exact).mean() / jnp.abs(exact).mean()
  # Eight bits of mantissa, over five layers.
  assert 1e-4 < distance < 2e-2
  begun = jax.eval_shape(networks[0].init, KEY, LATENTS)
  assert {leaf.dtype.name for leaf in jax.tree.leaves(begun)} == {'float32'}


@pytest.mark.parametrize('resolution', [0, 2, 3, 48, -8])
def test_resolutions_are_powers_of_two(resolution):
  for player in progressive.generator, progressive.discriminator:
    with pytest.raises(ValueError, match=f'{resolution} pixels belong to no'):
      player(resolution)


@pytest.mark.parametrize('stage', [-1, 3])
def test_stages_end_at_the_resolution(stage):
  for player in generator, discriminator:
    with pytest.raises(ValueError, match=f'no stage {stage}: .* 16 at stage 2'):
      player(stage=stage)


def test_images_of_another_stage_are_refused():
  with pytest.raises(ValueError, match='Stage 1 takes images of 8x8 pixels'):
    logits(discriminator(stage=1), parameters().discriminator, REAL)
