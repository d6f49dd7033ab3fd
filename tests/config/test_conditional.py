"""Kinds of conditional GANs by name: they train, and mistakes are told."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import dcgan, mode_collapse, r3gan
from ganjax import steps
from ganjax.arrays import Batch
from ganjax.config import conditional, games, networks
from ganjax.networks import conditional as of_networks
from ganjax.networks import toy

KEY = jax.random.key(0)
CLASSES = 3
LABELS = jnp.arange(6, dtype=jnp.int32) % CLASSES
HEADS = tuple(conditional.kind_names())


def config_of(**changes):
  """The config of a labelled ring, tiny; changes are of dotted fields."""
  config = mode_collapse.get_config('ring').copy_and_resolve_references()
  config.generator.widths, config.prior.size = (6,), 3
  config.batch_size, config.labels, config.classes = 6, True, CLASSES
  config.update_from_flattened_dict(changes)
  return config


def step_of(config):
  """A step of a config's game, and the state that it begins with."""
  game = games.schedule(config, (2,))
  step = games.update_step(config, game)
  return jax.jit(step), steps.init(game, games.optimizer_pair(config), KEY)


def test_there_are_heads_of_five_kinds():
  assert HEADS == ('acgan', 'tacgan', 'adcgan', 'contragan', 'reacgan')


@pytest.mark.parametrize('name', ('projection', 'concatenation', *HEADS))
def test_every_kind_makes_a_finite_step(name):
  config = config_of(**{'conditional.name': name})
  if name in ('contragan', 'reacgan'):
    config.conditional.size = 4
  step, state = step_of(config)
  batch = Batch(jax.random.normal(KEY, (6, 2)), LABELS)
  after, metrics = step(state, batch)
  assert np.isfinite(list(metrics.values())).all(), metrics
  assert (f'regularizer/{name}' in metrics) == (name in HEADS)
  for own, other in zip(after.params, state.params, strict=True):
    moved = jax.tree.map(lambda a, b: bool((a != b).any()), own, other)
    assert all(jax.tree.leaves(moved)), moved


def test_the_projection_is_what_it_was_to_the_bit():
  pair, plain = networks.networks(config_of(), (2,)), toy.plain((6,))
  latents, points = jnp.ones((6, 3)), jnp.ones((6, 2))
  for own, other, inputs in (
    (
      pair.generator,
      of_networks.concatenated(plain.generator, CLASSES),
      latents,
    ),
    (
      pair.discriminator,
      of_networks.projected(plain.discriminator, CLASSES),
      points,
    ),
  ):
    jax.tree.map(
      np.testing.assert_array_equal,
      *(network.init(KEY, inputs, LABELS) for network in (own, other)),
    )


def labelled(config, **changes):
  config = config.copy_and_resolve_references()
  config.labels, config.classes = True, CLASSES
  config.update_from_flattened_dict(changes)
  return config


@pytest.mark.parametrize('module', [dcgan, r3gan])
def test_heads_take_the_place_of_a_networks_own_projection(module):
  shape = (16, 16, 1)
  config = labelled(
    module.get_config(), **{'conditional.name': 'acgan'}, prior=config_prior()
  )
  images, latents = jnp.zeros((6, *shape)), jnp.zeros((6, 8))

  def shapes(config):
    generator, discriminator = networks.networks(config, shape)
    return jax.eval_shape(
      lambda: (
        generator.init(KEY, latents, LABELS)[0],
        discriminator.init(KEY, images, LABELS)[0],
      )
    )

  generator, discriminator = shapes(config)
  assert discriminator.keys() == {'network', 'heads'}
  assert 'classes' not in discriminator['network']
  own, judge = shapes(labelled(module.get_config()))
  assert generator == own
  assert 'classes' in judge


def config_prior():
  return {'name': 'normal', 'size': 8}


def test_the_strength_follows_its_schedule_in_both_players():
  config = config_of(
    **{
      'conditional.name': 'acgan',
      'conditional.strength': 0.0,
      'schedules.conditional.strength': {
        'name': 'linear',
        'to': 1.0,
        'images': 12.0,
        'start': 6.0,
      },
    }
  )
  game = games.schedule(config, (2,))
  params, buffers = game(0).init(KEY)
  batch, latents = Batch(jnp.ones((6, 2)), LABELS), jnp.ones((6, 3))

  def at(step):
    _, (_, metrics) = game(step).discriminator(params, buffers, batch, KEY)
    images = game(step).sample(
      params.generator, buffers, latents, labels=LABELS
    )
    return metrics['regularizer/acgan'], images

  # A step is 6 images: the strengths are 0, 0, .5 and 1.
  (first, same), (second, _), (half, _), (whole, apart) = map(at, range(4))
  assert first == second == 0
  np.testing.assert_allclose(half, whole / 2, rtol=1e-5)
  assert 0 < half < whole
  np.testing.assert_array_equal(same, same[::-1])
  assert np.abs(apart[0] - apart[1]).max() > 1e-3


def test_a_game_that_begins_at_0_begins_without_classes():
  pair = networks.networks(config_of(**{'conditional.zero': True}), (2,))
  points = jnp.ones((6, 2))
  params, buffers = pair.discriminator.init(KEY, points, LABELS)
  logits, _ = pair.discriminator.apply(
    params, buffers, points, None, True, LABELS
  )
  np.testing.assert_array_equal(logits, logits[::-1])
  params, _ = pair.generator.init(KEY, jnp.ones((6, 3)), LABELS)
  assert not params['classes']['table'].any()


MISTAKES = {
  'an unknown kind': (
    {'conditional.name': 'acgn'},
    "no kind of conditional GAN 'acgn'; did you mean 'acgan'",
  ),
  'no labels': (
    {'labels': False, 'conditional.name': 'acgan'},
    "conditional.name is 'acgan', but labels is false, .* set labels to true",
  ),
  'no labels to begin at 0': (
    {'labels': False, 'conditional.zero': True},
    'conditional.zero is true, but labels is false',
  ),
  'packs': (
    {'conditional.name': 'tacgan', 'pack': 2},
    "'tacgan' and pack is 2, but an auxiliary head .* set pack to 1",
  ),
  'an argument of another kind': (
    {'conditional.name': 'acgan', 'conditional.margin': 0.9},
    "conditional.margin is 0.9, but the kind 'acgan' takes no margin; leave",
  ),
  'an argument of none': (
    {'conditional.weight': 2.0},
    "conditional.weight is 2.0, but the kind 'projection' takes no weight",
  ),
  'no table': (
    {'conditional.name': 'concatenation', 'conditional.zero': True},
    'the concatenation has no vectors of the classes that could begin at 0',
  ),
}


@pytest.mark.parametrize('name', MISTAKES)
def test_what_cannot_be_is_said_before_anything_is_computed(name):
  changes, words = MISTAKES[name]
  with pytest.raises(ValueError, match=words):
    games.schedule(config_of(**changes), (2,))
