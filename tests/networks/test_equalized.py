"""Equalised layers and resampling against numpy, scipy and their moments."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from ganjax.networks import equalized, resample

KEY = jax.random.key(0)
IMAGES = jax.random.normal(jax.random.key(1), (3, 8, 6, 5))

# Layers of a fan-in of 75, and inputs on which each output sums all of it.
LAYERS = {
  'conv': (equalized.Conv, {'size': 5, 'padding': 0}, (1000, 5, 5, 3)),
  'dense': (equalized.Dense, {}, (1000, 75)),
  'slow dense': (equalized.Dense, {'rate': 0.01}, (1000, 75)),
}


@pytest.mark.parametrize('scaling', [equalized.equalized, equalized.at_init])
@pytest.mark.parametrize('name', LAYERS)
def test_outputs_have_the_deviation_of_the_gain(name, scaling):
  layer, arguments, shape = LAYERS[name]
  layer = layer(64, gain=1.5, scaling=scaling, **arguments)
  inputs = jax.random.normal(KEY, shape)
  outputs, variables = layer.init_with_output(KEY, inputs)
  # Over 64 * 75 weights, a deviation is known to 1% and more.
  np.testing.assert_allclose(outputs.std(), 1.5, rtol=0.05)
  he, rate = 1.5 / np.sqrt(75), arguments.get('rate', 1.0)
  drawn = {equalized.equalized: 1 / rate, equalized.at_init: he / rate}
  kernel = variables['params']['kernel']
  np.testing.assert_allclose(kernel.std(), drawn[scaling], rtol=0.05)


@pytest.mark.parametrize('name', LAYERS)
def test_weights_are_multiplied_when_they_are_used(name):
  layer, arguments, shape = LAYERS[name]
  inputs, kernel = np.random.default_rng(0).normal(size=(2, 4, 75))
  kernel, bias = kernel.T, np.arange(4.0)
  rate = arguments.get('rate', 1.0)
  expected = rate * (np.sqrt(2 / 75) * inputs @ kernel + bias)
  # Kernels [height, width, C, F] and images [height, width, C] flatten alike.
  params = {'kernel': kernel.reshape(*shape[1:], 4), 'bias': bias}
  outputs = layer(4, **arguments).apply(
    {'params': params}, inputs.reshape(4, *shape[1:])
  )
  np.testing.assert_allclose(outputs.reshape(4, 4), expected, rtol=1e-4)


def test_biases_begin_with_the_offset_whatever_their_rate():
  layer = equalized.Dense(3, rate=0.01, offset=1.0)
  outputs, variables = layer.init_with_output(KEY, jnp.zeros((2, 5)))
  np.testing.assert_allclose(outputs, np.ones((2, 3)), rtol=1e-6)
  np.testing.assert_allclose(variables['params']['bias'], 100, rtol=1e-6)


def test_convolutions_keep_the_size_unless_told():
  def shape(**arguments):
    layer = equalized.Conv(4, **arguments)
    outputs, _ = jax.eval_shape(lambda: layer.init_with_output(KEY, IMAGES))
    return outputs.shape

  assert shape() == (3, 8, 6, 4)
  assert shape(size=1, bias=False) == (3, 8, 6, 4)
  assert shape(stride=2) == (3, 4, 3, 4)
  assert shape(size=4, padding=0) == (3, 5, 3, 4)
  variables = equalized.Conv(4, bias=False).init(KEY, IMAGES)
  assert list(variables['params']) == ['kernel']


def test_computations_are_in_half_precision_and_parameters_are_not():
  for layer in equalized.Conv(2), equalized.Dense(2):
    layer = layer.clone(dtype=jnp.bfloat16)
    outputs, variables = jax.eval_shape(
      lambda layer=layer: layer.init_with_output(KEY, IMAGES)
    )
    assert outputs.dtype == jnp.bfloat16
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {
      jnp.dtype('float32')
    }


def test_pixel_norm_divides_by_the_root_of_the_mean_square():
  inputs = np.asarray(IMAGES)
  expected = inputs / np.sqrt((inputs**2).mean(-1, keepdims=True) + 1e-8)
  outputs = equalized.pixel_norm(IMAGES)
  np.testing.assert_allclose(outputs, expected, rtol=1e-5)
  np.testing.assert_allclose((outputs**2).mean(-1), 1, rtol=1e-5)
  assert not equalized.pixel_norm(jnp.zeros((1, 4))).any()
  gradients = jax.grad(lambda x: equalized.pixel_norm(x).sum())(
    jnp.zeros((1, 4))
  )
  assert jnp.isfinite(gradients).all()


def test_channels_are_those_of_the_papers_table():
  resolutions = [4, 8, 16, 32, 64, 128, 256, 512, 1024]
  assert [equalized.channels(resolution) for resolution in resolutions] == [
    *(512, 512, 512, 512, 256, 128, 64, 32, 16)
  ]
  assert equalized.channels(32, base=4096, max_channels=128) == 128


def test_nearest_repeats_each_pixel():
  expected = np.repeat(np.repeat(IMAGES, 2, axis=1), 2, axis=2)
  np.testing.assert_array_equal(resample.nearest(IMAGES), expected)


def test_average_is_the_mean_of_four():
  corners = [
    np.asarray(IMAGES[:, i::2, j::2]) for i in range(2) for j in range(2)
  ]
  outputs = resample.average(IMAGES)
  np.testing.assert_allclose(outputs, sum(corners) / 4, rtol=1e-5, atol=1e-6)
  doubled = resample.nearest(IMAGES)
  np.testing.assert_array_equal(resample.average(doubled), IMAGES)


def test_bilinear_lies_a_quarter_from_the_old_pixels():
  def double(rows):
    before = np.concatenate([rows[:1], rows[:-1]])
    after = np.concatenate([rows[1:], rows[-1:]])
    both = (3 * rows + before) / 4, (3 * rows + after) / 4
    return np.stack(both, 1).reshape(-1, *rows.shape[1:])

  def image(pixels):
    return double(double(pixels).swapaxes(0, 1)).swapaxes(0, 1)

  expected = np.stack([image(pixels) for pixels in np.asarray(IMAGES)])
  outputs = resample.bilinear(IMAGES)
  np.testing.assert_allclose(outputs, expected, rtol=1e-5, atol=1e-6)


def test_blur_is_a_binomial_kernel_with_black_around():
  expected = np.asarray(IMAGES)
  for axis in 1, 2:
    expected = ndimage.correlate1d(
      expected, [0.25, 0.5, 0.25], axis, mode='constant'
    )
  outputs = resample.blur(IMAGES)
  np.testing.assert_allclose(outputs, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
  'function, size',
  [
    (resample.nearest, (16, 12)),
    (resample.bilinear, (16, 12)),
    (resample.average, (4, 3)),
    (resample.blur, (8, 6)),
  ],
)
def test_resampling_takes_axes_in_front_and_keeps_the_type(function, size):
  images = jnp.stack([IMAGES, 2 * IMAGES]).astype(jnp.bfloat16)
  outputs = function(images)
  assert outputs.shape == (2, 3, *size, 5)
  assert outputs.dtype == jnp.bfloat16
  np.testing.assert_array_equal(outputs[0], function(images[0]))


def test_a_pyramid_averages_down_to_the_smallest():
  images = jax.random.normal(KEY, (2, 16, 16, 3))
  levels = resample.pyramid(images)
  assert [level.shape[1] for level in levels] == [4, 8, 16]
  np.testing.assert_array_equal(levels[2], images)
  tiles = np.asarray(images).reshape(2, 4, 4, 4, 4, 3)
  np.testing.assert_allclose(levels[0], tiles.mean((2, 4)), atol=1e-6)
  assert len(resample.pyramid(images, smallest=16)) == 1


def test_an_odd_side_cannot_be_halved():
  with pytest.raises(ValueError, match='8x5 pixels cannot be halved'):
    resample.average(IMAGES[:, :, :5])
