"""Networks that paint in one style: the architecture and the training."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from configs import style_network
from ganjax.arrays import Batch
from ganjax.style import (
  feedforward,
  image_transformation,
  objective,
  optimizers,
  statistics,
)

RANDOM = np.random.default_rng(0)
KEY = jax.random.key(0)
SMALL = image_transformation.johnson(width=2, blocks=1, outer_kernel=3)


class Encoder(NamedTuple):
  """The fields of `ganjax.style.encoders.Encoder` that are looked at."""

  name: str
  params: Any
  apply: Callable
  layers: tuple


def linear():
  """An encoder of one layer, each of whose features is a sum of colours."""

  def apply(params, pictures, layers):
    return dict.fromkeys(layers, pictures @ params)

  mixed = RANDOM.normal(size=(3, 4)).astype(np.float32)
  return Encoder('linear', mixed, apply, ('one',))


def pixels(*shape):
  return RANDOM.integers(0, 256, (*shape, 3), np.uint8)


@pytest.fixture(scope='module')
def painted():
  """`(params, apply)` of a small painter, the latter compiled."""
  params = jax.jit(SMALL.init)(KEY, jnp.zeros((1, 16, 16, 3)))
  return params, jax.jit(SMALL.apply)


# The network.


def test_instances_are_normalised_each_by_itself():
  features = RANDOM.normal(3, 2, (2, 5, 7, 4)).astype(np.float32)
  scale, bias = RANDOM.normal(size=(2, 4)).astype(np.float32)
  found = image_transformation.InstanceNorm().apply(
    {'params': {'scale': scale, 'bias': bias}}, features
  )
  for picture, normal in zip(features, found, strict=True):
    for channel in range(4):
      values = picture[..., channel].astype(np.float64)
      expected = (values - values.mean()) / np.sqrt(values.var() + 1e-5)
      np.testing.assert_allclose(
        normal[..., channel],
        expected * scale[channel] + bias[channel],
        atol=1e-5,
      )


def test_johnsons_network_has_his_number_of_parameters():
  painter = image_transformation.johnson(
    **style_network.get_config('johnson').network
  )
  params = jax.eval_shape(painter.init, KEY, jnp.zeros((1, 32, 32, 3)))
  # All have a bias in PyTorch's fast_neural_style; before a normalisation it
  # is without effect.
  without = 32 + 64 + 128 + 5 * 2 * 128 + 64 + 32
  number = sum(leaf.size for leaf in jax.tree.leaves(params))
  assert number == 1_679_235 - without


@pytest.mark.parametrize('size', [(5, 6), (17, 30), (33, 20)])
def test_pictures_of_any_size_keep_it(painted, size):
  params, apply = painted
  found = apply(params, RANDOM.random((2, *size, 3), np.float32))
  assert found.shape == (2, *size, 3)
  assert ((found > 0) & (found < 1)).all()


def test_what_is_painted_knows_no_contrast_and_no_brightness(painted):
  params, apply = painted
  picture = RANDOM.random((1, 16, 16, 3), np.float32)
  np.testing.assert_allclose(
    apply(params, 0.5 * picture + 0.2), apply(params, picture), atol=1e-3
  )


def test_a_picture_is_painted_alike_in_any_company(painted):
  params, apply = painted
  several = RANDOM.random((2, 16, 16, 3), np.float32)
  np.testing.assert_allclose(
    apply(params, several)[1:], apply(params, several[1:]), atol=1e-5
  )


def test_a_picture_too_small_is_refused(painted):
  params, apply = painted
  with pytest.raises(ValueError, match='4x9 pixels'):
    apply(params, np.zeros((1, 4, 9, 3), np.float32))


def test_a_kernel_without_a_middle_is_refused():
  with pytest.raises(ValueError, match='outer_kernel is 4'):
    image_transformation.johnson(outer_kernel=4)


# The training.


def test_crops_are_parts_of_their_pictures():
  whole = jnp.arange(3 * 7 * 9 * 3).reshape(3, 7, 9, 3)
  found = np.asarray(feedforward.random_crops(KEY, whole, 4))
  corners = found[:, 0, 0, 0] - np.asarray(whole)[:, 0, 0, 0]
  for picture, part, corner in zip(whole, found, corners, strict=True):
    row, column = divmod(corner // 3, 9)
    np.testing.assert_array_equal(
      part, picture[row : row + 4, column : column + 4]
    )
  np.testing.assert_array_equal(feedforward.random_crops(KEY, found, 4), found)


def test_a_crop_larger_than_the_picture_is_refused():
  with pytest.raises(ValueError, match='7x9 pixels has no crop of 8'):
    feedforward.random_crops(KEY, jnp.zeros((1, 7, 9, 3)), 8)


def test_every_crop_is_drawn():
  row = jnp.arange(5)[None, None, :, None] * jnp.ones((200, 3, 1, 3))
  found = feedforward.random_crops(KEY, row, 3)[:, 0, 0, 0]
  np.testing.assert_array_equal(np.unique(found), [0, 1, 2])


def test_a_step_is_the_one_by_hand():
  """A painter p x, and the content's mean square error: (p - 1)^2 E x^2."""
  painter = image_transformation.Painter(
    lambda key, pictures: jnp.float32(3.0), lambda p, pictures: p * pictures
  )
  terms = (objective.content_term([objective.PIXELS], statistics.content_mse),)
  optimizer = optimizers.from_optax(optax.sgd(0.25))
  state = feedforward.init(painter, optimizer, KEY)
  step = feedforward.stepper(painter, linear(), terms, optimizer, 6)
  shown = pixels(2, 6, 6)
  state, losses = step(
    state, Batch(shown), None, {}, {'content': jnp.float32(2)}
  )
  square = ((shown / 255) ** 2).mean()
  np.testing.assert_allclose(losses['content'], 4 * square, rtol=1e-5)
  np.testing.assert_allclose(losses['loss'], 8 * square, rtol=1e-5)
  np.testing.assert_allclose(state.params, 3 - 0.25 * 2 * 4 * square, rtol=1e-5)
  assert state.step == 1


def test_the_style_is_one_and_the_content_each_pictures_own():
  encoder = linear()
  terms = (
    objective.content_term(['one']),
    objective.style_term(['one']),
    objective.variation_term(),
  )
  contents = RANDOM.random((2, 6, 6, 3), np.float32)
  marc = objective.Exemplar(RANDOM.random((1, 9, 8, 3), np.float32))
  aims = feedforward.style_targets(
    encoder, terms, encoder.params, marc.picture, 6
  )
  for order in (1, -1):
    targets = feedforward.with_contents(
      aims, encoder, terms, encoder.params, contents
    )
    found = objective.losses(
      encoder, terms, encoder.params, contents[::order], targets
    )
    if order == 1:
      np.testing.assert_array_equal(found['content'], [0, 0])
    wanted = objective.targets(
      encoder, terms, encoder.params, contents, (marc,)
    )
    expected = objective.losses(
      encoder, terms, encoder.params, contents[::order], wanted
    )
    for name, values in expected.items():
      np.testing.assert_allclose(found[name], values, rtol=1e-5, err_msg=name)


def test_training_paints_in_the_colours_of_the_style():
  encoder = linear()
  terms = (objective.content_term(['one']), objective.style_term(['one']))
  red = np.float32([0.9, 0.2, 0.1]) * np.ones((1, 8, 8, 1), np.float32)
  aims = feedforward.style_targets(encoder, terms, encoder.params, red, 12)
  optimizer = optimizers.adam(0.05)
  step = jax.jit(feedforward.stepper(SMALL, encoder, terms, optimizer, 12))
  state = jax.jit(lambda: feedforward.init(SMALL, optimizer, KEY))()
  # Weights are traced: one program serves for all.
  weights, values = {'content': 0.0, 'style': 1.0}, []
  shown = pixels(2, 16, 16)
  for _ in range(30):
    state, losses = step(state, Batch(shown), encoder.params, aims, weights)
    values.append(float(losses['loss']))
  assert values[-1] < 0.02 * values[0]
  weights = {'content': 1.0, 'style': 0.0}
  _, losses = step(state, Batch(shown), encoder.params, aims, weights)
  np.testing.assert_allclose(losses['loss'], losses['content'])
  painted = SMALL.apply(state.params, feedforward.scale(shown))
  np.testing.assert_allclose(painted.mean((0, 1, 2)), red[0, 0, 0], atol=0.1)
