"""Whole augmentations: identities, gradients, and draws of each image."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganjax.augment import geometric, per_image
from ganjax.augment.ada import PIPES, ada
from ganjax.augment.diffaugment import diffaugment

KEY = jax.random.key(0)
AUGMENTATIONS = {
  **{f'ada {name}': ada(name) for name in ('blit', 'bgcfnc', 'r3gan')},
  'diffaugment': diffaugment(),
}
IMAGES = np.random.default_rng(0).normal(size=(3, 16, 16, 3)).astype('f4')


@pytest.fixture(scope='module', params=AUGMENTATIONS)
def compiled(request):
  """An augmentation, and the product of its transposed Jacobian."""
  augment = AUGMENTATIONS[request.param]

  @jax.jit
  def both(images, key, p, cotangent):
    value, pull = jax.vjp(lambda images: augment(images, key, p), images)
    return value, pull(cotangent)[0]

  return lambda images, key=KEY, p=1.0, cotangent=IMAGES: both(
    images, key, p, cotangent
  )


def test_at_p_0_it_is_the_identity(compiled):
  value, gradient = compiled(IMAGES, p=0.0)
  np.testing.assert_allclose(value, IMAGES, atol=1e-5)
  np.testing.assert_allclose(gradient, IMAGES, atol=1e-5)


def test_the_gradient_is_that_of_an_affine_map(compiled):
  # All transforms are affine in the image, so that a difference is exact.
  rng = np.random.default_rng(1)
  step, cotangent = rng.normal(size=(2, *IMAGES.shape)).astype('f4')
  for key in jax.random.split(KEY, 2):
    value, gradient = compiled(IMAGES, key, 0.8, cotangent)
    moved, _ = compiled(IMAGES + step, key, 0.8, cotangent)
    assert np.abs(value - IMAGES).max() > 0.1
    assert np.isfinite(gradient).all()
    np.testing.assert_allclose(
      np.vdot(moved - value, cotangent),
      np.vdot(step, gradient),
      rtol=1e-3,
      atol=1e-2,
    )


def test_each_image_draws_alone(compiled):
  value, _ = compiled(IMAGES)
  alike, _ = compiled(np.broadcast_to(IMAGES[1], IMAGES.shape))
  np.testing.assert_allclose(alike[1], value[1], atol=1e-6)
  assert np.abs(alike[0] - alike[1]).max() > 1e-3
  other, _ = compiled(IMAGES, jax.random.key(1))
  assert np.abs(other - value).max() > 1e-3


@pytest.mark.parametrize('channels', [1, 4])
@pytest.mark.parametrize('side', [8, 12])
def test_grey_and_transparent_images_of_any_size(channels, side):
  shape = (2, side, side, channels)
  for augment in (ada('bgcfnc'), diffaugment()):
    shapes = jax.eval_shape(augment, jnp.ones(shape), KEY, 0.5)
    assert (shapes.shape, shapes.dtype) == (shape, jnp.float32)


def test_flips_turns_and_shifts_alone_move_pixels_and_change_none():
  images = np.random.default_rng(0).normal(size=(8, 16, 16, 1)).astype('f4')
  found = np.asarray(jax.jit(ada('blit'))(images, KEY, 1.0))
  for image, moved in zip(images, found, strict=True):
    assert set(moved.ravel()) <= set(image.ravel())
    # A shift by an eighth of both sides, at most, reflects the rest.
    assert len(set(moved.ravel())) >= 14 * 14


def test_r3gan_takes_half_of_p_for_colours(monkeypatch):
  seen = {}

  def recorded(name, value):
    def transform(key, p, *size):
      seen[name] = p
      return value

    return transform

  monkeypatch.setattr(geometric, 'BLIT', (recorded('blit', jnp.eye(3)),))
  monkeypatch.setattr(
    'ganjax.augment.color.COLOR', (recorded('color', jnp.eye(4)),)
  )
  augment = ada('r3gan')
  jax.eval_shape(lambda image: augment(image, KEY, 0.5), jnp.ones((1, 8, 8, 3)))
  assert seen == {'blit': 0.5, 'color': 0.25}


def test_an_unknown_pipe_is_answered_by_the_nearest():
  with pytest.raises(ValueError, match="pipe of ADA 'bgd'; did you mean 'bg"):
    ada('bgd')


def test_points_are_no_images():
  with pytest.raises(ValueError, match=r'not an array of shape \[4, 2\]'):
    ada('bg')(jnp.ones((4, 2)), KEY, 0.5)


def test_a_transform_is_used_with_its_probability():
  keys = jax.random.split(KEY, 2000)
  used = jax.vmap(per_image.used, (0, None))
  assert not used(keys, 0.0).any()
  assert used(keys, 1.0).all()
  assert abs(used(keys, 0.3).mean() - 0.3) < 0.04


@pytest.mark.parametrize('name', PIPES)
def test_every_pipe_is_the_groups_that_its_name_says(name):
  letters = {'b': 'blit', 'g': 'geom', 'f': 'filter', 'n': 'noise'}
  groups = set(PIPES[name])
  if name[:2] != 'bg':
    assert groups == {name} or name == 'r3gan'
    return
  expected = {letters.get(letter) for letter in name} - {None}
  # The first c is that of colour, and the second that of cutout.
  expected |= set(('color', 'cutout')[: name.count('c')])
  assert groups == expected
  assert set(PIPES[name].values()) == {1.0}
