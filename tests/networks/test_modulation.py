"""Modulated convolutions against kernels for each example, and definitions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from ganjax.networks import convolution, equalized, modulation, resample

PRODUCTS = {
  'same': modulation.same,
  'up': modulation.up,
  'down': modulation.down,
}


@pytest.fixture(autouse=True, scope='module')
def x64():
  with jax.enable_x64(True):
    yield


@pytest.fixture(scope='module')
def arrays():
  """Images `[3, 4, 6, 4]`, a kernel `[3, 3, 4, 2]` and a style `[3, 4]`."""
  random = np.random.default_rng(0)
  return tuple(
    jnp.asarray(random.normal(size=shape))
    for shape in ((3, 4, 6, 4), (3, 3, 4, 2), (3, 4))
  )


def correlated(images, kernel, stride=1, groups=1, **options):
  """The convolution of a library, whose kernel is not flipped."""
  return lax.conv_general_dilated(
    images,
    kernel,
    (stride, stride),
    **{'padding': [(1, 1)] * 2} | options,
    dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
    feature_group_count=groups,
  )


def filtered(images, padding, gain):
  """The filter 1 3 3 1 of each channel, by a grouped convolution."""
  taps = jnp.array([1, 3, 3, 1]) / 8
  channels = images.shape[-1]
  kernel = gain * jnp.tile(
    jnp.outer(taps, taps)[:, :, None, None], (1, 1, 1, channels)
  )
  around = [(padding, padding)] * 2
  return correlated(images, kernel, groups=channels, padding=around)


def by_definition(name, images, kernel, groups=1):
  """The product of a name in the two steps that the paper's code takes."""
  if name == 'same':
    return correlated(images, kernel, groups=groups)
  if name == 'down':
    blurred = filtered(images, 2, 1)
    return correlated(blurred, kernel, 2, groups, padding='VALID')
  # Zeros between pixels, under the flipped kernel.
  large = correlated(
    images,
    kernel[::-1, ::-1],
    groups=groups,
    padding=[(2, 2)] * 2,
    lhs_dilation=(2, 2),
  )
  return filtered(large, 1, 4)


@pytest.mark.parametrize('name', PRODUCTS)
def test_products_are_those_of_the_definition(name, arrays):
  images, kernel, _ = arrays
  found = PRODUCTS[name](images, kernel)
  factor = {'same': 1, 'up': 2, 'down': 0.5}[name]
  assert found.shape == (3, 4 * factor, 6 * factor, 2)
  np.testing.assert_allclose(
    found, by_definition(name, images, kernel), rtol=1e-12, atol=1e-12
  )


def test_the_large_images_are_a_transposed_convolution(arrays):
  images, kernel, _ = arrays
  large = convolution.transposed(images, kernel.swapaxes(2, 3), 2, 0)
  np.testing.assert_allclose(
    modulation.up(images, kernel),
    4 * resample.fir(large, 1),
    rtol=1e-12,
    atol=1e-12,
  )


def test_up_is_four_times_the_transpose_of_down(arrays):
  images, kernel, _ = arrays
  large = jnp.zeros((3, 8, 12, 2))
  flipped = kernel.swapaxes(2, 3)
  transposed = jax.vjp(lambda own: modulation.down(own, flipped), large)[1]
  np.testing.assert_allclose(
    modulation.up(images, kernel), 4 * transposed(images)[0], rtol=1e-12
  )


def test_kernels_of_one_pixel_commute_with_the_filter(arrays):
  images, kernel, _ = arrays
  point = jnp.zeros_like(kernel).at[1, 1].set(kernel[1, 1])
  np.testing.assert_allclose(
    modulation.down(images, point)[:, 1:-1, 1:-1],
    (resample.fir_down(images) @ kernel[1, 1])[:, 1:-1, 1:-1],
    atol=1e-12,
  )


def for_each_example(name, images, kernel, style):
  """A kernel for each example, as a convolution of as many groups."""
  rows, height, width, channels = images.shape
  own = style[:, None, None, :, None] * kernel
  squares = (own**2).sum((1, 2, 3), keepdims=True)
  own = own * lax.rsqrt(squares + 1e-8)
  together = images.transpose(1, 2, 0, 3).reshape(
    1, height, width, rows * channels
  )
  kernels = own.transpose(1, 2, 3, 0, 4).reshape(3, 3, channels, -1)
  outputs = by_definition(name, together, kernels, rows)
  _, height, width, _ = outputs.shape
  return outputs.reshape(height, width, rows, -1).transpose(2, 0, 1, 3)


@pytest.mark.parametrize('name', PRODUCTS)
def test_a_shared_kernel_is_one_for_each_example(name, arrays):
  def found(*arrays):
    return modulation.modulated(*arrays, PRODUCTS[name])

  def expected(*arrays):
    return for_each_example(name, *arrays)

  directions = jax.tree.map(jnp.cos, arrays)

  def derivatives(function):
    """Values, gradients, and the gradient of a gradient's product."""

    def value(*arrays):
      return (function(*arrays) ** 3).sum()

    def slope(*arrays):
      gradients = jax.grad(value, (0, 1, 2))(*arrays)
      return sum(map(jnp.vdot, gradients, directions))

    return (
      function(*arrays),
      jax.grad(value, (0, 1, 2))(*arrays),
      jax.grad(slope, (0, 1, 2))(*arrays),
    )

  jax.tree.map(
    lambda one, other: np.testing.assert_allclose(
      one, other, rtol=1e-9, atol=1e-9
    ),
    jax.jit(lambda: derivatives(found))(),
    jax.jit(lambda: derivatives(expected))(),
  )


def test_factors_of_kernels_and_styles_are_demodulated(arrays):
  images, kernel, style = arrays
  found = modulation.modulated(images, kernel, style, modulation.same)
  scaled = modulation.modulated(
    images, 3 * kernel, 0.5 * style, modulation.same
  )
  np.testing.assert_allclose(scaled, found, rtol=1e-6)


def test_channels_of_unit_variance_keep_it():
  random = np.random.default_rng(1)
  images, kernel, style = (
    jnp.asarray(random.normal(size=shape))
    for shape in ((2, 32, 32, 16), (3, 3, 16, 8), (2, 16))
  )
  found = modulation.modulated(images, kernel, style, modulation.same)
  inner = found[:, 1:-1, 1:-1]
  np.testing.assert_allclose(inner.std((1, 2)), 1, atol=0.12)
  np.testing.assert_allclose(inner.std(), 1, atol=0.03)


def test_noise_is_one_image_for_all_channels_and_off_at_first(arrays):
  images, _, _ = arrays
  style = jnp.ones((3, 7))
  conv = modulation.StyledConv(2, modulation.same, jnp.float64)
  key = jax.random.key(0)
  variables = conv.init(key, images, style)

  def run(strength, **rngs):
    params = variables['params'] | {'strength': jnp.float64(strength)}
    return conv.apply({'params': params}, images, style, rngs=rngs)

  plain = run(0.0)
  np.testing.assert_array_equal(run(0.0, noise=key), plain)
  np.testing.assert_array_equal(run(2.0), plain)

  def before_activation(outputs):
    outputs = outputs / equalized.GAIN
    return jnp.where(outputs < 0, outputs / 0.2, outputs)

  noise = before_activation(run(2.0, noise=key)) - before_activation(plain)
  np.testing.assert_allclose(noise[..., 0], noise[..., 1], atol=1e-6)
  assert 1 < noise.std() < 3
  assert np.abs(noise[0] - noise[1]).max() > 0.1


def test_an_image_is_linear_in_style_and_channels(arrays):
  images, _, style = arrays
  module = modulation.ToRGB(3)
  params = module.init(jax.random.key(0), images, style)['params']
  params['bias'] += 0.5
  found = module.apply({'params': params}, images, style)
  affine = params['affine']
  factors = style @ affine['kernel'] / 2 + affine['bias']
  expected = np.einsum(
    'nhwc,nc,cf->nhwf', images, factors / 2, params['kernel']
  )
  np.testing.assert_allclose(found, expected + 0.5, rtol=1e-5, atol=1e-5)
  np.testing.assert_array_equal(affine['bias'], 1)
