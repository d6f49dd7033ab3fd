"""Images through affine maps, against numpy, and functions on the plane."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganjax.augment import affine

RNG = np.random.default_rng(0)


@jax.jit
def resampled(image, matrix):
  return affine.resampled(image, matrix)


@pytest.mark.parametrize('shape', [(16, 16, 3), (7, 12, 1), (2, 3, 1)])
def test_the_identity_is_kept_although_it_is_resampled(shape):
  image = RNG.normal(size=shape).astype('f4')
  np.testing.assert_allclose(resampled(image, jnp.eye(3)), image, atol=1e-5)


def test_the_filter_is_orthogonal_to_its_shifts_by_two():
  taps = np.array(affine._SYM6)
  for shift in range(6):
    found = taps[2 * shift :] @ taps[: len(taps) - 2 * shift]
    np.testing.assert_allclose(found, float(shift == 0), atol=1e-11)
  # Six moments of its high-pass partner vanish.
  for power in range(6):
    moment = (taps * (-1.0) ** np.arange(12)) @ np.arange(12.0) ** power
    assert abs(moment) < 1e-11 * 12**power


@pytest.mark.parametrize('turns', range(4))
@pytest.mark.parametrize('flip', [1, -1])
def test_flips_and_quarter_turns_are_exact(turns, flip):
  image = RNG.normal(size=(6, 6, 2)).astype('f4')
  matrix = affine.product(
    [affine.scaling(flip, 1), affine.rotation(np.pi / 2 * turns)]
  )
  expected = np.rot90(image[:, ::flip], turns)
  np.testing.assert_array_equal(affine.gathered(image, matrix), expected)


@pytest.mark.parametrize('shift', [(2, -1), (-3, 0), (11, 17)])
def test_beyond_its_border_an_image_goes_on_as_its_reflection(shift):
  image = RNG.normal(size=(5, 8, 1)).astype('f4')
  matrix, (right, down) = affine.translation(*shift), shift
  around = np.pad(image, ((20, 20), (20, 20), (0, 0)), 'reflect')
  expected = around[20 + down :, 20 + right :][:5, :8]
  np.testing.assert_array_equal(affine.gathered(image, matrix), expected)
  # The filter is orthogonal to its shifts by whole pixels.
  np.testing.assert_allclose(resampled(image, matrix), expected, atol=1e-5)


def smooth(x, y):
  return np.cos(0.21 * x - 0.1 * y + 0.3) + 0.5 * np.sin(0.17 * y)


@pytest.mark.parametrize(
  'matrix',
  [
    affine.rotation(0.6),
    affine.scaling(0.8, 0.6),
    affine.scaling(1.15, 1 / 1.15),
    affine.translation(1.3, -0.7),
    affine.product(
      [
        affine.translation(0.4, 0.2),
        affine.rotation(-1.0),
        affine.scaling(0.9, 0.7),
      ]
    ),
  ],
  ids=['turned', 'larger', 'stretched', 'moved', 'all'],
)
def test_a_smooth_picture_is_taken_where_the_matrix_says(matrix):
  places = np.arange(32) - 15.5
  x, y = np.meshgrid(places, places)
  found = resampled(smooth(x, y)[..., None].astype('f4'), matrix)[..., 0]
  from_x, from_y, _ = np.einsum('ij,jhw->ihw', matrix, [x, y, np.ones_like(x)])
  inside = slice(7, -7), slice(7, -7)
  np.testing.assert_allclose(
    found[inside], smooth(from_x, from_y)[inside], atol=0.02
  )


def test_pixels_lie_where_tap_five_of_the_filter_is():
  # An x-flip is not exact, for the filter is not symmetric: by its taps, the
  # error is .154 of white noise, and .039 of noise smoothed by 1 2 3 2 1. If
  # pixels lay a quarter of a pixel beside, it would be .97 or .57 of white
  # noise.
  white = RNG.normal(size=(64, 64, 4)).astype('f4')
  around = np.pad(white, ((0, 0), (2, 2), (0, 0)), 'wrap')
  taps = zip((1, 2, 3, 2, 1), range(5), strict=True)
  softened = sum(tap * around[:, at : at + 64] for tap, at in taps)
  flip = affine.scaling(-1, 1)

  def error(image, beside):
    matrix = affine.product(
      [affine.translation(beside, 0), flip, affine.translation(-beside, 0)]
    )
    away = resampled(image, matrix) - image[:, ::-1]
    inner = slice(None), slice(16, -16)
    return np.sqrt(np.mean(away[inner] ** 2) / np.mean(image[inner] ** 2))

  np.testing.assert_allclose(error(white, 0), 0.154, rtol=0.05)
  np.testing.assert_allclose(error(softened, 0), 0.0387, rtol=0.1)
  np.testing.assert_allclose(error(white, 0.25), 0.967, rtol=0.05)
  np.testing.assert_allclose(error(white, -0.25), 0.566, rtol=0.05)


def test_matrices_are_those_of_their_names():
  points = np.float32([[3], [2], [1]])
  for matrix, expected in (
    (affine.scaling(2, -1), (6, -2)),
    (affine.translation(0.5, 1), (3.5, 3)),
    (affine.rotation(np.pi / 2), (-2, 3)),
    (
      affine.product([affine.scaling(2, 2), affine.translation(1, 0)]),
      (8, 4),
    ),
  ):
    np.testing.assert_allclose((matrix @ points)[:2, 0], expected, atol=1e-6)


def test_bilinear_interpolation_is_that_of_a_torus():
  images = RNG.normal(size=(2, 4, 6)).astype('f4')
  rows, columns = RNG.uniform(-9, 9, size=(2, 5, 7)).astype('f4')
  found = affine._bilinear(jnp.array(images), rows, columns)
  expected = np.zeros((2, 5, 7))
  for place in itertools.product(range(5), range(7)):
    row, column = rows[place], columns[place]
    for down, right in itertools.product((0, 1), repeat=2):
      at = int(np.floor(row)) + down, int(np.floor(column)) + right
      weight = (1 - abs(row - at[0])) * (1 - abs(column - at[1]))
      expected[:, *place] += weight * images[:, at[0] % 4, at[1] % 6]
  np.testing.assert_allclose(found, expected, atol=1e-5)
