"""The transforms, and convolutions by them, against the definition."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from ganjax.networks import winograd

# Of images [N, H, W, C]: many tiles, which are large, and few, which are small.
SHAPES = {'large tiles': (64, 9, 11, 4), 'small tiles': (3, 9, 6, 4)}


@pytest.mark.parametrize('tile', [1, 2, 3, 4])
@pytest.mark.parametrize('size', [2, 3])
def test_only_pixels_that_meet_are_multiplied(tile, size):
  images, kernel, features = map(np.array, winograd.transforms(tile, size))
  form = np.einsum('ip,ij,ik->kjp', images, kernel, features)
  wanted = [
    [[pixel == k + j for pixel in range(tile + size - 1)] for j in range(size)]
    for k in range(tile)
  ]
  np.testing.assert_allclose(form, wanted, atol=1e-14)


@pytest.fixture(scope='module', params=SHAPES)
def shape(request):
  return SHAPES[request.param]


@pytest.mark.parametrize(('size', 'padding'), [(2, 0), (2, 1), (3, 1), (3, 2)])
def test_the_three_maps_equal_lax(shape, size, padding):
  with jax.enable_x64(True):
    random = np.random.default_rng(0)
    images = random.normal(size=shape)
    kernel = random.normal(size=(size, size, shape[-1], 6))

    def direct(images, kernel, groups=1):
      return lax.conv_general_dilated(
        images,
        kernel,
        (1, 1),
        [(padding, padding)] * 2,
        dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
        feature_group_count=groups,
      )

    @jax.jit
    def compute():
      features, back = jax.vjp(direct, images, kernel)
      grouped, of_groups = jax.vjp(
        lambda kernel: direct(images, kernel, 2), kernel[:, :, :2]
      )
      y = jnp.sin(features)
      return [
        (winograd.convolution(images, kernel, padding), features),
        (winograd.transposed(y, kernel, padding, shape[1:3]), back(y)[0]),
        (winograd.correlation(images, y, padding, size), back(y)[1]),
        (
          winograd.correlation(images, jnp.sin(grouped), padding, size, 2),
          of_groups(jnp.sin(grouped))[0],
        ),
      ]

    for actual, expected in compute():
      np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-10)


def test_float32_has_an_error_of_a_millionth():
  random = np.random.default_rng(0)
  images = random.uniform(-1, 1, (64, 8, 8, 64))
  kernel = random.normal(size=(3, 3, 64, 8))
  with jax.enable_x64(True):
    wide = winograd.convolution(jnp.asarray(images), jnp.asarray(kernel), 1)
    exact = np.asarray(wide)
  images, kernel = np.float32(images), np.float32(kernel)
  error = np.asarray(winograd.convolution(images, kernel, 1)) - exact
  assert np.sqrt(np.mean(np.square(error))) < 2e-6 * np.std(exact)


def test_the_type_is_kept_where_others_are_wider():
  images, kernel = np.ones((2, 8, 8, 4), 'f4'), np.ones((3, 3, 4, 5), 'f4')
  with jax.enable_x64(True):
    features = winograd.convolution(images, kernel, 1)
    made = winograd.transposed(features, kernel, 1, (8, 8))
    found = winograd.correlation(images, features, 1, 3)
  assert {x.dtype for x in (features, made, found)} == {jnp.dtype('float32')}
