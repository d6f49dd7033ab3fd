"""Truncation to the mean of styles that training tracks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganjax import losses, priors, remedies
from ganjax.game import gan
from ganjax.networks import mlp, stylegan2
from ganjax.truncation import tracked, truncated

KEY = jax.random.key(0)
LATENTS = jax.random.normal(jax.random.key(1), (3, 6))


@pytest.fixture(scope='module')
def game():
  shared = {'base': 16, 'max_channels': 4}
  return gan(
    stylegan2.generator(8, 1, style=5, depth=1, **shared),
    stylegan2.discriminator(8, **shared),
    losses.non_saturating,
    priors.normal(6),
  )


@pytest.mark.parametrize(
  'wrap',
  [lambda game: game, lambda game: remedies.historical_averaging(game, 0.1)],
  ids=['plain', 'historical_averaging'],
)
def test_styles_are_drawn_to_the_tracked_mean(game, wrap):
  own = wrap(game)
  params, buffers = jax.jit(own.init)(KEY)
  fake = own.fake(params, buffers, LATENTS, KEY)
  inner = buffers.generator
  while 'game' in inner:
    inner = inner['game']
  before = inner['network']['mapping']['average']['styles']
  np.testing.assert_array_equal(before, 0)
  inner['network'] = fake.buffers
  after = fake.buffers['mapping']['average']['styles']
  given = params.generator, buffers, LATENTS
  styles = own.mapping(*given)
  np.testing.assert_allclose(after, 0.005 * styles[:, 0].mean(0), rtol=1e-5)
  np.testing.assert_allclose(
    tracked(own, 0.25).mapping(*given),
    after + 0.25 * (styles - after),
    rtol=1e-5,
  )
  np.testing.assert_allclose(
    tracked(own, 1.0).sample(*given), own.sample(*given), atol=1e-5
  )
  none_left = tracked(own, 0.0).sample(*given)
  np.testing.assert_allclose(none_left, none_left[:1].repeat(3, 0), atol=1e-6)
  # From a certain layer on, styles can be left as they are.
  psi = jnp.array([0.5, 0.5, 1.0, 1.0])[:, None]
  np.testing.assert_allclose(
    tracked(own, psi).mapping(*given)[:, 2:], styles[:, 2:], rtol=1e-6
  )


def test_the_mean_of_drawn_latents_is_another(game):
  params, buffers = jax.jit(game.init)(KEY)
  given = params.generator, buffers, LATENTS
  expected = game.mapping(*given)[:, 0].mean(0)
  found = truncated(game, 0.0, LATENTS).mapping(*given)
  np.testing.assert_allclose(found, jnp.broadcast_to(expected, found.shape))


def test_a_generator_that_tracks_nothing_is_answered():
  plain = gan(
    mlp.generator((2,), (4,)),
    mlp.discriminator((4,)),
    losses.non_saturating,
    priors.normal(6),
  )
  params, buffers = plain.init(KEY)
  with pytest.raises(ValueError, match='hold no mean of its styles; truncate'):
    tracked(plain, 0.5).sample(params.generator, buffers, LATENTS)
