"""Augmentations by name: what a config chooses, and what it is told."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import dense, msg
from ganjax import adaptive, augment, remedies
from ganjax.arrays import Batch
from ganjax.config import augmentations, games, runs
from ganjax.lookup import gather

SHAPE = (16, 16, 1)


@pytest.fixture
def config(tiny):
  return tiny(dense.get_config())


def one_step(config):
  """The shapes of the state and the metrics after one step."""
  [phase] = runs.phases(config, SHAPE)
  batch = Batch(jnp.zeros((phase.rows, *SHAPE)))

  def one():
    return phase.step(runs.start(config, SHAPE)(), batch)

  return jax.eval_shape(one)


@pytest.mark.parametrize('name', augmentations.augmentation_names())
def test_every_augmentation_makes_a_step(name, config):
  config.augment.name = name
  state, found = one_step(config)
  # As published: ADA's p is adapted, and DiffAugment's is 1.
  assert ('augment/p' in found) == (name == 'ada')
  assert ('game' in state.buffers.discriminator) == (name == 'ada')
  config.augment.p = 0.5
  state, found = one_step(config)
  assert 'augment/p' not in found
  assert 'game' not in state.buffers.discriminator


def recorded(monkeypatch, config, step=0):
  """The augmentation's p, as the config's game is given it at a step."""
  seen = []

  def spy(discriminator, augmentation, p):
    seen.append(p)
    return discriminator

  monkeypatch.setattr(remedies, 'augmented', spy)
  games.schedule(config, SHAPE)(step)
  return seen[-1]


def test_p_can_be_fixed_or_ramped(config, monkeypatch):
  config.augment.name = 'diffaugment'
  assert recorded(monkeypatch, config) == 1
  config.augment.p = 0.25
  assert recorded(monkeypatch, config) == 0.25
  # As R3GAN's: at half of its ramp, half of p.
  config.augment.update(name='ada', policy='r3gan', p=0.0)
  config.schedules.augment.p.update(name='cosine', to=0.55, images=800.0)
  for step, expected in ((0, 0), (25, 0.0805456), (50, 0.275), (200, 0.55)):
    np.testing.assert_allclose(
      recorded(monkeypatch, config, step), expected, atol=1e-6
    )


def test_the_controller_gets_the_fields_of_the_config(config, monkeypatch):
  given = []
  monkeypatch.setattr(
    adaptive, 'augmentation', lambda make, *own: given.append(own) or make(0.0)
  )
  config.augment.update(name='ada', target=0.5, images=7_000)
  games.schedule(config, SHAPE)
  assert given == [(8, 0.5, 7_000)]


def test_populations_may_have_a_p_each(config):
  config.augment.update(name='ada', policy='cutout')

  def loss(p):
    own = config.copy_and_resolve_references()
    with own.ignore_type():
      own.augment.p = p
    game = games.schedule(own, SHAPE)(0)
    params, buffers = game.init(jax.random.key(0))
    batch = Batch(jnp.ones((8, *SHAPE)))
    return game.discriminator(params, buffers, batch, jax.random.key(1))[0]

  losses = jax.vmap(loss)(jnp.array([0.0, 1.0, 1.0]))
  assert losses[0] != losses[1] == losses[2]


def test_pairs_draw_alike_where_the_config_says_so(config, monkeypatch):
  given = []
  original = games.gan

  def spy(*arguments, **named):
    given.append(named['paired_draws'])
    return original(*arguments, **named)

  monkeypatch.setattr(games, 'gan', spy)
  for paired in (False, True):
    config.augment.paired = paired
    games.schedule(config, SHAPE)
  assert given == [False, True]


def test_the_augmentations_are_gathered_from_the_files_of_the_package():
  assert augmentations.augmentation_names() == gather(augment, 'AUGMENTATIONS')


@pytest.mark.parametrize(
  ('changes', 'says'),
  [
    ({'name': 'adda'}, "no augmentation 'adda'; did you mean 'ada'"),
    ({'name': 'ada', 'policy': 'bcg'}, "no pipe of ADA 'bcg'"),
    ({'name': 'diffaugment', 'policy': 'bgc'}, "no part of a policy 'bgc'"),
    ({'name': 'ada', 'p': 1.5}, r'augment.p is 1.5; a probability is in \[0'),
  ],
)
def test_what_there_is_not_is_answered_before_the_first_step(
  changes, says, config
):
  config.augment.update(changes)
  with pytest.raises(ValueError, match=says):
    games.schedule(config, SHAPE)


def test_a_schedule_needs_a_number_to_begin_with(config):
  config.augment.name = 'ada'
  config.schedules.augment.p.name = 'linear'
  with pytest.raises(ValueError, match='the value of augment.p, which is None'):
    games.schedule(config, SHAPE)


def test_pyramids_are_refused_before_the_first_step(tiny):
  config = tiny(msg.get_config(), {'augment.name': 'diffaugment'})
  with pytest.raises(ValueError, match='not a tree of 3'):
    jax.eval_shape(runs.start(config, SHAPE))


def test_fakes_for_reals_are_fixed_or_adapted(config):
  state, found = one_step(config)
  assert 'apa/p' not in found
  config.apa.p = 0.3
  state, found = one_step(config)
  assert 'game' not in state.buffers.discriminator
  config.apa.update(p=0.0, adapted=True)
  state, found = one_step(config)
  assert {'apa/p', 'apa/sign'} <= set(found)
  # Beside ADA, each has a p of its own.
  config.augment.name = 'ada'
  state, found = one_step(config)
  assert {'apa/p', 'augment/p'} <= set(found)
  memories = (
    state.buffers.discriminator['memory'],
    state.buffers.discriminator['game']['memory'],
  )
  assert all(set(own) == {'p', 'sum', 'count'} for own in memories)
  config.apa.p = 0.1
  with pytest.raises(ValueError, match=r'apa.adapted is true and apa.p is 0.1'):
    games.schedule(config, SHAPE)


def test_an_adapted_share_of_fakes_is_a_probability(config, monkeypatch):
  given = []
  monkeypatch.setattr(
    adaptive,
    'augmentation',
    lambda make, *own, **named: given.append((own, named)) or make(0.0),
  )
  config.apa.update(adapted=True, target=0.5, images=7_000)
  games.schedule(config, SHAPE)
  assert given == [((8, 0.5, 7_000), {'most': 1.0, 'name': 'apa'})]
