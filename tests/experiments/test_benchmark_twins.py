"""Games in PyTorch against ours: images, logits, values and gradients.

Everything is in float32. Parameters are drawn anew, for many begin at 0.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import base
from experiments.benchmark import (
  configured,
  msg_torch,
  progressive_torch,
  r3gan_torch,
  stylegan2_torch,
  stylegan2_torch_networks,
  torch_optimizers,
  torch_params,
  wgan_gp_torch,
)
from ganjax import losses, regularizers
from ganjax.arrays import Batch
from ganjax.config import games, networks
from ganjax.networks import resample
from ganjax.players import Pair

torch = pytest.importorskip('torch', reason='torch is not installed')
torch.set_num_threads(1)  # Threads that wait for a busy core take long.

BOUND = 1e-5  # of the norm of a difference, over that of what is compared


class Both(NamedTuple):
  """A game, with the same parameters and draws in JAX and in PyTorch."""

  config: object
  game: object
  params: Pair
  buffers: Pair
  batch: Batch
  latents: jax.Array
  own: Pair  # the parameters as tensors

  def differentiate(self, player, objective):
    """Returns a value and its gradient in a player's parameters."""

    def value(own):
      return objective(self.params._replace(**{player: own}))

    own = getattr(self.params, player)
    return jax.jit(jax.value_and_grad(value))(own)


def both(name):
  (case,) = (case for case in configured.CASES if name in case.name)
  config, twin = case.config(True), case.games['']
  game = games.schedule(config, case.shape)(jnp.int32(0))
  state = configured.initial(config, case.shape)
  drawn = np.random.default_rng(1)
  params = jax.tree.map(
    lambda leaf: jnp.asarray(
      leaf + 0.1 * drawn.standard_normal(leaf.shape), jnp.float32
    ),
    state.params,
  )
  rows, size = config.batch_size, config.prior.size
  batch = Batch(configured.batch(config, case.shape).images[:rows])
  latents = drawn.standard_normal((rows, size)).astype(np.float32)
  own = Pair(*(torch_params.tensors(tree, twin.dense) for tree in params))
  for leaf in jax.tree.leaves(own):
    leaf.requires_grad_()
  return Both(
    config,
    game,
    params,
    state.buffers,
    batch,
    latents,
    own,
  )


def channels_first(images):
  return torch.tensor(np.asarray(images)).permute(0, 3, 1, 2).contiguous()


def channels_last(images):
  return images.permute(0, 2, 3, 1).detach().numpy()


def far(found, expected):
  found, expected = (np.asarray(own, np.float64) for own in (found, expected))
  return np.linalg.norm(found - expected) / np.linalg.norm(expected)


def check_gradients(dense, own, value, expected_value, gradients):
  """Checks a value of PyTorch, and its gradient in each tensor of `own`."""
  assert far(value.item(), expected_value) < BOUND
  leaves = jax.tree.leaves(own)
  for leaf in leaves:
    leaf.grad = None
  value.backward()
  expected = torch_params.tensors(gradients, dense)
  paths = jax.tree_util.tree_leaves_with_path(expected)
  whole = np.sqrt(sum(leaf.square().sum().item() for _, leaf in paths))
  for leaf, (path, gradient) in zip(leaves, paths, strict=True):
    # PyTorch has none of what the value does not depend on.
    found = torch.zeros_like(leaf) if leaf.grad is None else leaf.grad
    error = np.linalg.norm(found - gradient)
    bound = BOUND * (np.linalg.norm(gradient) + 0.01 * whole)
    assert error < bound, jax.tree_util.keystr(path)


@pytest.fixture(scope='module')
def r3gan():
  return both('R3GAN')


def test_r3gan_has_the_same_images_logits_values_and_gradients(r3gan):
  game, params, buffers = r3gan.game, r3gan.params, r3gan.buffers
  key, twin = jax.random.key(2), r3gan_torch.GAME
  real, latents = channels_first(r3gan.batch.images), r3gan.latents

  def fake(params):
    return game.fake(params, buffers, latents, key)

  def of_discriminator(params):
    return game.discriminator(
      params, buffers, r3gan.batch, key, jax.lax.stop_gradient(fake(params))
    )[0]

  def of_generator(params):
    return game.generator(params, buffers, r3gan.batch, key, fake(params))[0]

  images = twin.generate(r3gan.own.generator, torch.tensor(latents))
  ours = jax.jit(fake)(params).images
  assert far(channels_last(images), ours) < BOUND
  judge = functools.partial(twin.judge, r3gan.own.discriminator)
  weight = r3gan.config.regularizers.discriminator.r1_r2.weight
  check_gradients(
    twin.dense,
    r3gan.own.discriminator,
    r3gan_torch.discriminator_value(judge, real, images.detach(), weight),
    *r3gan.differentiate('discriminator', of_discriminator),
  )
  check_gradients(
    twin.dense,
    r3gan.own.generator,
    r3gan_torch.generator_value(
      judge, real, twin.generate(r3gan.own.generator, torch.tensor(latents))
    ),
    *r3gan.differentiate('generator', of_generator),
  )


@pytest.fixture(scope='module')
def stylegan2():
  """Both games, the functions of our networks without noise, and styles."""
  found = both('StyleGAN2')
  pair = networks.networks(found.config, (32, 32, 3))
  own = [buffers['network'] for buffers in found.buffers]

  def mapped(params):
    styles, _ = pair.generator.mapping(
      params.generator, own[0], found.latents, None, True
    )
    return styles

  def synthesized(params, styles):
    return pair.generator.synthesis(
      params.generator, own[0], styles, None, True
    )[0]

  def judged(params, images):
    return pair.discriminator.apply(
      params.discriminator, own[1], images, None, True
    )[0]

  return found, mapped, synthesized, judged


def without_strengths(tree):
  """The tree without the strengths of noise, of which there is none here."""
  if not isinstance(tree, dict):
    return tree
  return {
    name: without_strengths(own)
    for name, own in tree.items()
    if name != 'strength'
  }


@pytest.mark.parametrize('way', ['by_factors', 'by_groups'])
def test_stylegan2_has_the_same_losses_and_path_lengths(stylegan2, way):
  found, mapped, synthesized, judged = stylegan2
  twin, own = stylegan2_torch.BY_FACTORS, found.own
  key, rows = jax.random.key(3), found.config.batch_size // 2

  def fool(params):
    logits = judged(params, synthesized(params, mapped(params)))
    return jax.nn.softplus(-logits).mean()

  def lengths(params):
    values, mean = regularizers.path_length(
      mapped(params)[:rows],
      lambda styles: synthesized(params, styles),
      key,
      jnp.float32(0.1),
      shrink=1,
    )
    return values.mean()

  synthesize = functools.partial(
    stylegan2_torch_networks.synthesized,
    getattr(stylegan2_torch_networks, way),
    torch.zeros_like,
    own.generator,
  )

  def styles():
    latents = torch.tensor(found.latents)
    return stylegan2_torch.styles(own.generator, latents, 0.0, 8)

  fake = synthesize(styles())
  ours = jax.jit(lambda params: synthesized(params, mapped(params)))
  assert far(channels_last(fake), ours(found.params)) < BOUND
  logits = twin.judge(own.discriminator, fake)
  noise = jax.random.normal(jax.random.split(key, 1)[0], (rows, 32, 32, 3))
  penalty, _ = stylegan2_torch.path_length(
    synthesize, styles()[:rows], channels_first(noise), torch.tensor(0.1)
  )
  for value, objective in (
    (torch.nn.functional.softplus(-logits).mean(), fool),
    (penalty, lengths),
  ):
    expected, gradients = found.differentiate('generator', objective)
    check_gradients(
      twin.dense,
      without_strengths(own.generator),
      value,
      expected,
      without_strengths(gradients),
    )


def test_stylegan2_judges_alike_and_has_the_same_r1(stylegan2):
  found, _, _, judged = stylegan2
  twin, own = stylegan2_torch.BY_FACTORS, found.own.discriminator

  def loss_and_r1(params):
    real = found.batch.images
    penalty = regularizers.r1(lambda images: judged(params, images), real)
    return jax.nn.softplus(-judged(params, real)).mean() + penalty.mean()

  real = channels_first(found.batch.images)
  judge = functools.partial(twin.judge, own)
  check_gradients(
    twin.dense,
    own,
    torch.nn.functional.softplus(-judge(real)).mean()
    + stylegan2_torch.r1(judge, real),
    *found.differentiate('discriminator', loss_and_r1),
  )


@pytest.fixture(scope='module', params=['progressive', 'MSG'])
def grown(request):
  return both(request.param)


def test_wgan_gp_has_the_same_images_values_and_gradients(grown):
  game, params, buffers = grown.game, grown.params, grown.buffers
  pair = networks.networks(grown.config, (32, 32, 3))
  is_pyramid = grown.config.network == 'msg'
  twin = (msg_torch if is_pyramid else progressive_torch).GAME
  own, key = grown.own, jax.random.key(4)
  rows = len(grown.latents)

  def fake(params):
    return game.fake(params, buffers, grown.latents, key)

  images = jax.jit(fake)(params).images

  def of_critic(params):
    def judged(images):
      return pair.discriminator.apply(
        params.discriminator, {}, images, None, True
      )[0]

    real = resample.pyramid(grown.batch.images)
    real = real if is_pyramid else real[-1]
    penalty = regularizers.wgan_gp(judged, real, images, key)
    loss = losses.wasserstein.discriminator(judged(real), judged(images))
    drift = regularizers.drift(judged(real))
    return (loss + 10 * penalty + 1e-3 * drift).mean()

  def of_generator(params):
    return game.generator(params, buffers, grown.batch, key, fake(params))[0]

  made = twin.generate(own.generator, torch.tensor(grown.latents))
  assert len(made) == (4 if is_pyramid else 1)
  for found, expected in zip(made, jax.tree.leaves(images), strict=True):
    assert far(channels_last(found), expected) < BOUND
  real = channels_first(grown.batch.images)
  judge = functools.partial(twin.judge, own.discriminator)
  check_gradients(
    twin.dense,
    own.discriminator,
    wgan_gp_torch.critic_value(
      (judge, judge),
      msg_torch.pyramid(real) if is_pyramid else (real,),
      tuple(map(channels_first, jax.tree.leaves(images))),
      torch.tensor(np.asarray(jax.random.uniform(key, (rows,)))),
      10.0,
      1e-3,
    ),
    *grown.differentiate('discriminator', of_critic),
  )
  check_gradients(
    twin.dense,
    own.generator,
    -judge(made).mean(),
    *grown.differentiate('generator', of_generator),
  )


@pytest.mark.parametrize('name', ['adam', 'rmsprop'])
def test_optimizers_move_as_ours(name):
  config = base.get_config()
  for section in config.optimizers.values():
    section.update(name=name, learning_rate=1e-2, b1=0.5, b2=0.9)
  start = np.array([1.0, -2.0, 3e-3], np.float32)
  own = games.optimizer_pair(config).generator
  params = jnp.asarray(start)
  state = own.init(params)
  leaf = torch.tensor(start, requires_grad=True)
  other = torch_optimizers.optimizer(config, 'generator', [leaf], tuned=True)
  for _ in range(3):
    updates, state = own.update(params**2, state, params)
    params = params + updates
    leaf.grad = leaf.detach() ** 2
    other.step()
  moved = leaf.detach().numpy() - start
  assert far(moved, params - start) < BOUND
