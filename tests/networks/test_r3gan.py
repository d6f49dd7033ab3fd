"""R3GAN against its published counts, and its state before any update."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganjax.networks import r3gan
from ganjax.networks.r3gan import Residual

KEY = jax.random.key(0)
WIDE = (768,) * 4
# Widths, other arguments, and the counts of the two networks.
COUNTS = {
  'stacked_mnist': (WIDE, {}, 20_732_160, 20_683_776),
  'cifar10': (WIDE, {'classes': 10}, 20_781_952, 21_280_512),
  'ffhq64': ((*WIDE, 384), {}, 22_429_824, 22_381_440),
  'ffhq256': ((*WIDE, 384, 192, 96), {}, 23_057_952, 23_009_568),
  'imagenet32': (
    (1536,) * 4,
    {'classes': 1000, 'group': 32},
    82_914_304,
    86_548_992,
  ),
  'imagenet64': (
    (1536,) * 5,
    {'classes': 1000, 'group': 32},
    103_570_432,
    107_205_120,
  ),
  'mini 128': ((128,) * 4, {'blocks': 1}, 422_272, 414_208),
  'mini 96': ((96,) * 4, {'blocks': 1}, 267_552, 261_504),
}


def played(widths, channels=3, **arguments):
  """Both networks' parameters, the images and their logits."""
  generator = r3gan.generator(widths, channels, **arguments)
  discriminator = r3gan.discriminator(widths, **arguments)
  own = (
    (jnp.arange(4) % arguments['classes'],) if 'classes' in arguments else ()
  )
  latents = jax.random.normal(KEY, (4, 64))
  params, buffers = generator.init(KEY, latents, *own)
  images, _ = generator.synthesis(params, buffers, latents, None, True, *own)
  critic, buffers = discriminator.init(KEY, images, *own)
  logits, _ = discriminator.apply(critic, buffers, images, None, True, *own)
  return params, critic, images, logits


def count(params):
  return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(params))


@pytest.mark.parametrize('name', COUNTS)
def test_counts_are_the_published_ones(name):
  widths, arguments, of_generator, of_discriminator = COUNTS[name]
  generator, critic, images, logits = jax.eval_shape(
    functools.partial(played, widths, **arguments)
  )
  assert count(generator) == of_generator
  assert count(critic) == of_discriminator
  side = 4 * 2 ** (len(widths) - 1)
  assert images.shape == (4, side, side, 3)
  assert logits.shape == (4,)
  assert images.dtype == logits.dtype == jnp.float32


@pytest.fixture(scope='module')
def small():
  """Networks of two stages with a change of width, and classes."""
  function = functools.partial(played, (64, 32), channels=1, classes=3)
  return jax.jit(function)()


def test_every_block_is_the_identity_at_first():
  images = jax.random.normal(KEY, (2, 4, 4, 32))
  block = Residual(blocks=4, expansion=2, group=16, dtype=jnp.float32)
  outputs, variables = block.init_with_output(KEY, images)
  np.testing.assert_array_equal(outputs, images)
  moved = jax.tree.map(lambda leaf: leaf + 1e-2, variables)
  assert np.abs(block.apply(moved, images) - images).max() > 1e-3


def test_blocks_of_both_networks_begin_as_the_identity(small):
  for params in small[:2]:
    names = [name for name in params if name.startswith('block')]
    assert len(names) == 4
    for name in names:
      np.testing.assert_array_equal(params[name]['narrow']['kernel'], 0)


def test_initial_scales(small):
  generator, critic, *_ = small

  def std(*path):
    params = generator if path[0] == 'generator' else critic
    return float(jnp.std(functools.reduce(dict.__getitem__, path[1:], params)))

  # Four blocks: (2 / 1.04)^(1/2) 4^(-1/4) = .980581.
  expected = {
    ('generator', 'block0_0', 'widen', 'kernel'): 0.980581 / 64**0.5,
    ('generator', 'block0_0', 'kernel'): 0.980581 / 144**0.5,
    ('critic', 'block1_1', 'widen', 'kernel'): 0.980581 / 32**0.5,
    ('generator', 'basis'): 1.0,
    ('generator', 'start', 'kernel'): 128**-0.5,
    ('generator', 'classes'): 3**-0.5,
    ('critic', 'classes'): (3 * 64) ** -0.5,
    ('critic', 'basis'): 1 / 4,
    ('critic', 'head', 'kernel'): 64**-0.5,
    ('critic', 'from_rgb', 'kernel'): 1.0,
  }
  for path, deviation in expected.items():
    number = {'from_rgb': 32, 'classes': 192}.get(path[1], 1000)
    np.testing.assert_allclose(
      std(*path), deviation, rtol=3 / number**0.5, err_msg=str(path)
    )


@pytest.mark.parametrize(
  ('blocks', 'gain'), [(8, 0.824567), (10, 0.779827), (14, 0.716913)]
)
def test_gain_falls_with_the_blocks_of_the_network(blocks, gain):
  block = Residual(blocks=blocks, expansion=2, group=16, dtype=jnp.float32)
  init = functools.partial(block.init, KEY, jnp.zeros((1, 4, 4, 256)))
  kernel = jax.jit(init)()['params']['widen']['kernel']
  np.testing.assert_allclose(jnp.std(kernel), gain / 16, rtol=1e-2)


def test_labels_change_images_and_logits(small):
  generator, critic, images, _ = small
  latents = jnp.ones((3, 64))
  labels = jnp.arange(3)
  drawn, _ = r3gan.generator((64, 32), 1, classes=3).synthesis(
    generator, {}, latents, None, True, labels
  )
  assert np.abs(drawn[0] - drawn[1:]).max((1, 2, 3)).min() > 1e-2
  judge = r3gan.discriminator((64, 32), classes=3)
  same = jnp.repeat(images[:1], 3, 0)
  logits, _ = judge.apply(critic, {}, same, None, True, labels)
  assert len(np.unique(logits.round(4))) == 3
  # A label as weights of the classes lies between them.
  between, _ = judge.apply(
    critic, {}, same[:1], None, True, jnp.full((1, 3), 1 / 3)
  )
  np.testing.assert_allclose(between[0], logits.mean(), rtol=1e-4)


def test_features_are_what_the_head_takes(small):
  _, critic, images, logits = small
  judge = r3gan.discriminator((64, 32), classes=3)
  labels = jnp.arange(4) % 3
  (again, features), _ = judge.with_features(
    critic, {}, images, None, True, labels
  )
  head = features @ critic['head']['kernel']
  expected = (head * critic['classes'][labels]).sum(-1)
  np.testing.assert_allclose(expected, logits, rtol=1e-4, atol=1e-5)
  np.testing.assert_allclose(again, logits, rtol=1e-5)


def test_low_precision_begins_at_the_highest_resolution(monkeypatch):
  seen = {}

  def spy(self, *inputs):
    seen[self.name] = self.dtype
    return inputs[0].astype(self.dtype)

  monkeypatch.setattr(Residual, '__call__', spy)
  for widths, expected in (
    ((16,) * 4, 'fbbb'),
    ((16,) * 5, 'fbbbb'),
    ((16,) * 7, 'fffbbbb'),
  ):
    seen.clear()
    jax.eval_shape(functools.partial(played, widths, dtype=jnp.bfloat16))
    letters = ''.join(
      'b' if seen[f'block{stage}_0'] == jnp.bfloat16 else 'f'
      for stage in range(len(widths))
    )
    assert letters == expected


def test_other_sides_and_groups_are_refused():
  with pytest.raises(ValueError, match='2 times 20 channels .* groups of 16'):
    r3gan.generator((20,))
  with pytest.raises(ValueError, match='2 widths takes images of 8x8.*16x16'):
    r3gan.discriminator((16, 16)).init(KEY, jnp.zeros((1, 16, 16, 3)))
