"""Inversion against least squares, and of what a generator has made itself."""

import pathlib
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganjax import inversion, latent_spaces, losses, priors, steps
from ganjax.game import gan
from ganjax.inversion import Method
from ganjax.networks import mlp, stylegan
from ganjax.players import Pair
from ganjax.style import encoders

SIDE = 4


def linear(given, latents, key, labels):
  """A generator whose images are linear in latents, with a bias by class."""
  kernel, bias = given
  images = latents @ kernel
  if labels is not None:
    images += bias[labels]
  return images.reshape(-1, SIDE, SIDE, 1)


@pytest.fixture(scope='module')
def given():
  rng = np.random.default_rng(0)
  kernel = rng.normal(size=(3, SIDE * SIDE)).astype(np.float32) / 8
  return kernel, rng.normal(size=(2, SIDE * SIDE)).astype(np.float32)


@pytest.fixture(scope='module')
def images():
  drawn = np.random.default_rng(1).uniform(-1, 1, (5, SIDE, SIDE, 1))
  return drawn.astype(np.float32)


@pytest.fixture(scope='module')
def invert():
  space = latent_spaces.latents(linear, priors.normal(3), SIDE)
  return inversion.inverter(space, Method(steps=300, draws=20, restarts=2))


def test_a_linear_generator_is_inverted_by_least_squares(given, images, invert):
  found = invert(jax.random.key(0), given, images)
  flat = images.reshape(5, -1)
  wanted, residual, *_ = np.linalg.lstsq(given[0].T, flat.T, rcond=None)
  np.testing.assert_allclose(found.points, wanted.T, atol=0.01)
  # Halved differences in [0, 1], and the mean of 16 pixels.
  np.testing.assert_allclose(found.error, residual / 4 / 16, rtol=1e-3)
  np.testing.assert_allclose(
    found.images, linear(given, found.points, None, None), atol=1e-5
  )
  assert found.features is None and found.labels is None
  # The mean of N(0, I) is about 0, and the root mean square length sqrt(3).
  lengths = np.linalg.norm(found.points, axis=1) / np.sqrt(3)
  np.testing.assert_allclose(found.radius, lengths, rtol=0.5)


def test_the_same_seed_finds_the_same_bits(given, images, invert):
  key = jax.random.key(3)
  first, again = (invert(key, given, images) for _ in range(2))
  jax.tree.map(np.testing.assert_array_equal, first, again)
  other = invert(jax.random.key(4), given, images)
  assert (first.points != other.points).any()


def test_many_images_are_inverted_in_parts(given, images, invert, monkeypatch):
  key, reports = jax.random.key(0), []
  whole = invert(key, given, images)
  monkeypatch.setattr(inversion, '_PART', 3)  # of 5 images with 2 starts each
  parts = invert(
    key, given, images, report=lambda *numbers: reports.append(numbers)
  )
  np.testing.assert_allclose(parts.points, whole.points, atol=1e-5)
  assert (reports[0], reports[-1]) == ((0, 4 * 300), (4 * 300, 4 * 300))


def test_the_path_goes_from_the_nearest_draw_to_the_end(given, images, invert):
  found = invert(jax.random.key(0), given, images, frames=9)
  # 300 steps in tens.
  assert found.path.shape == (11, 5, 3)
  np.testing.assert_array_equal(found.path[-1], found.points)
  draw_key, _ = jax.random.split(jax.random.key(0))
  draws = priors.normal(3)(draw_key, 20)
  made = linear(given, draws, None, None)
  error = np.mean((made[None] - images[:, None]) ** 2, (2, 3, 4))
  two = draws[np.argsort(error, 1)[:, :2]]
  assert (found.path[0][:, None] == two).all(2).any(1).all()


def test_a_label_is_kept_and_without_one_the_best_is_found(
  given, images, invert
):
  bias = given[1].reshape(2, SIDE, SIDE, 1)
  own = linear(given, 0.1 * np.ones((2, 3)), None, None) + bias[[1, 0]]
  key = jax.random.key(0)
  found = invert(key, given, own, classes=2)
  np.testing.assert_array_equal(found.labels, [1, 0])
  assert (found.error < 1e-6).all()
  found = invert(key, given, own, labels=np.array([0, 0]), classes=2)
  np.testing.assert_array_equal(found.labels, [0, 0])
  assert found.error[1] < 1e-6 < found.error[0]


def test_an_infinite_generator_is_a_sentence(given, images, invert):
  with pytest.raises(FloatingPointError, match='5 of 5 images ended'):
    invert(jax.random.key(0), (np.inf * given[0], given[1]), images)


def test_rates_rise_fall_and_end_at_nothing():
  rate = inversion.learning_rate(Method(steps=1000, learning_rate=0.1))
  rates = [float(rate(step)) for step in (0, 25, 50, 750, 875, 1000)]
  np.testing.assert_allclose(rates, [0, 0.05, 0.1, 0.1, 0.05, 0], atol=1e-6)


@pytest.fixture(scope='module')
def small():
  """A generator of one hidden layer, as an encoder's subject."""
  generator = mlp.generator((8, 8, 3), (32,))
  params, buffers = generator.init(jax.random.key(0), jnp.zeros((2, 4)))

  def generate(given, latents, key, labels):
    return generator.synthesis(*given, latents, key, False)[0]

  return generate, (params, buffers)


@pytest.mark.parametrize('features', [0.0, 1.0])
def test_what_a_generator_made_is_found_again(small, features):
  generate, given = small
  wanted = jax.random.normal(jax.random.key(5), (3, 4))
  made = generate(given, wanted, None, None)
  mixed = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
  encoder = encoders.Encoder(
    'linear',
    mixed,
    lambda params, pictures, layers: dict.fromkeys(layers, pictures @ params),
    ('one',),
    ('one',),
    ('one',),
    1,
  )
  found = inversion.inverter(
    latent_spaces.latents(generate, priors.normal(4), 8),
    Method(steps=300, draws=100, restarts=2, features=features),
    encoder,
  )(jax.random.key(0), given, made)
  assert (found.error < 1e-6).all()
  assert (found.features < 1e-4).all()
  np.testing.assert_allclose(found.points, wanted, atol=0.02)


def game_of(generator, size=4):
  """A game with that generator, and the weights that it samples with."""
  game = gan(
    generator,
    mlp.discriminator((4,)),
    losses.non_saturating,
    priors.normal(size),
  )
  latents = jnp.zeros((2, size))
  params, buffers = jax.jit(generator.init)(jax.random.key(0), latents)
  network = {'network': buffers, 'memory': {}}
  return game, (params, Pair(network, network))


def test_styles_begin_at_their_mean_and_find_what_was_made():
  game, given = game_of(
    stylegan.generator(4, 1, style=4, depth=1, base=32, connections=())
  )
  latents = game.prior(jax.random.key(9), 2)
  [made] = game.sample(*given, latents)
  space = latent_spaces.styles(game, 4)
  own = space.draw(jax.random.key(0), given, 5, 0)
  assert own.points.shape == (1, 1, 4)
  drawn = game.mapping(*given, game.prior(jax.random.key(1), 4000))[:, 0]
  np.testing.assert_allclose(own.points[0, 0], drawn.mean(0), atol=0.05)
  spread = np.sqrt(np.sum(np.var(drawn, 0)))
  np.testing.assert_allclose(own.spread, spread, rtol=0.05)
  found = inversion.inverter(space, Method(steps=200, restarts=2, noise=0.05))(
    jax.random.key(0), given, made
  )
  begun = space.render(given, own.points.repeat(2, 0), None)
  at_first = np.mean((made - begun) ** 2, (1, 2, 3)) / 4
  assert (found.error < 0.01 * at_first).all()
  assert found.points.shape == (2, 1, 4)


def test_a_generator_without_a_mapping_has_no_styles():
  game, given = game_of(mlp.generator((8, 8, 1), (4,)))
  space = latent_spaces.styles(game, 8)
  with pytest.raises(ValueError, match='no mapping'):
    space.draw(jax.random.key(0), given, 5, 0)


def test_the_snippet_of_the_page_runs(monkeypatch):
  page = pathlib.Path(__file__).resolve().parents[1] / 'docs' / 'inversion.md'
  [snippet] = re.findall(r'```python\n(.*?)```', page.read_text(), re.DOTALL)
  game, (params, buffers) = game_of(mlp.generator((32, 32, 1), (4,)), 2)
  monkeypatch.setattr(steps, 'weights', lambda *_: (params, buffers))
  images = game.sample(params, buffers, jnp.ones((1, 2)))
  names = {'game': game, 'state': None, 'images': images}
  exec(compile(snippet, page.name, 'exec'), names)
  found = names['found']
  assert found.error < 1e-4 < np.mean((images - images.mean()) ** 2)
  np.testing.assert_allclose(found.images, images, atol=0.05)
