"""Pictures: where each pixel goes, and the way between two latents."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from ganjax import pictures


def test_grid_lays_images_row_by_row():
  # Flat images 1 pixel high and 2 wide; the last two lie outside [-1, 1].
  images = np.broadcast_to(
    np.float32([-1, 0, 1, 7, -7])[:, None, None, None], (5, 1, 2, 1)
  )
  picture = pictures.grid(images, columns=3, gap=1)
  assert picture.dtype == np.uint8
  np.testing.assert_array_equal(
    picture[..., 0],
    [
      [0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
      [0, 0, 0, 0, 128, 128, 0, 255, 255, 0],
      [0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
      [0, 255, 255, 0, 0, 0, 0, 0, 0, 0],
      [0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    ],
  )


def test_grid_without_a_gap_keeps_every_pixel():
  pixels = np.random.default_rng(0).integers(0, 256, (4, 3, 2, 3))
  picture = pictures.grid(pixels / 127.5 - 1, gap=0)
  np.testing.assert_array_equal(
    picture, np.block([[[pixels[0]], [pixels[1]]], [[pixels[2]], [pixels[3]]]])
  )


@pytest.mark.parametrize(
  ('number', 'rows', 'columns'), [(1, 1, 1), (4, 2, 2), (5, 2, 3), (9, 3, 3)]
)
def test_grid_is_about_square(number, rows, columns):
  picture = pictures.grid(np.zeros((number, 4, 6, 3)), gap=2)
  assert picture.shape == (6 * rows + 2, 8 * columns + 2, 3)


@pytest.mark.parametrize('channels', [1, 2, 3, 4])
def test_saved_pictures_read_back(tmp_path, channels):
  picture = np.random.default_rng(0).integers(
    0, 256, (2, 3, channels), dtype=np.uint8
  )
  pictures.save(tmp_path / 'picture.png', picture, zoom=2)
  read = np.asarray(Image.open(tmp_path / 'picture.png')).reshape(4, 6, -1)
  for corner in (read[::2, ::2], read[1::2, 1::2]):
    np.testing.assert_array_equal(corner, picture)


def test_finest_is_the_largest_of_a_pyramid():
  pyramid = {size: jnp.zeros((2, size, size, 3)) for size in (4, 16, 8)}
  assert pictures.finest(pyramid) is pyramid[16]


def test_interpolation_follows_the_great_circle():
  start, end = jax.random.normal(jax.random.key(0), (2, 3, 64))
  start, end = (
    latents / jnp.linalg.norm(latents, axis=-1, keepdims=True)
    for latents in (start, end)
  )
  way = pictures.interpolate(start, 5 * end, 5)
  np.testing.assert_allclose(way[0], start, atol=1e-6)
  np.testing.assert_allclose(way[-1], 5 * end, atol=1e-6)
  way = pictures.interpolate(start, end, 5)
  np.testing.assert_allclose(jnp.linalg.norm(way, axis=-1), 1, rtol=1e-5)
  # Equal steps turn by equal angles.
  angles = jnp.arccos(jnp.sum(way[1:] * way[:-1], -1))
  np.testing.assert_allclose(angles, angles[:1].repeat(4, 0), rtol=1e-3)


def test_interpolation_from_a_latent_to_itself_stays():
  latents = jax.random.normal(jax.random.key(0), (2, 8))
  way = pictures.interpolate(latents, latents, 3)
  np.testing.assert_allclose(way, jnp.stack([latents] * 3), rtol=1e-5)
