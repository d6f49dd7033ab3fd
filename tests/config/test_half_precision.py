"""Training in bfloat16 against training in float32, network by network."""

import fnmatch
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from configs import dcgan, msg, progressive, r3gan, resnet, stylegan2
from ganjax.arrays import Batch
from ganjax.config import networks, runs
from ganjax.data import images
from ganjax.networks import equalized, layers, modulation

SHAPE = (16, 16, 1)
CONFIGS = {
  'dcgan': dcgan.get_config,
  'msg': msg.get_config,
  'progressive': progressive.get_config,
  'r3gan': r3gan.get_config,
  'resnet': resnet.get_config,
  'stylegan2': stylegan2.get_config,
}
# No preset of digits has self-attention, and 8 channels have to be a group.
CHANGES = {
  'resnet': {
    'generator.attention': 8,
    'discriminator.attention': 8,
    'generator.width': 8,
    'discriminator.width': 8,
  },
  'r3gan': {'generator.group': 8, 'discriminator.group': 8},
}
LINEAR = (
  nn.Dense,
  layers.Conv,
  equalized.Conv,
  equalized.Dense,
  modulation.StyledConv,
  modulation.ToRGB,
)
# Layers of the first 4x4 pixels, of styles, of images and of logits.
EXACT = {
  'dcgan': {
    'generator': ('Dense_0', 'ConvTranspose_1'),
    'discriminator': ('Dense_0',),
  },
  'msg': {
    'generator': ('block4/*', 'rgb*'),
    'discriminator': ('block4/*', 'logits'),
  },
  'progressive': {
    'generator': ('block0/*', 'rgb*'),
    'discriminator': ('block0/*', 'logits'),
  },
  'r3gan': {
    'generator': ('start', 'block0_0/*', 'to_rgb'),
    'discriminator': ('block0_0/*', 'head'),
  },
  'resnet': {
    'generator': ('start', 'block0/shortcut', 'to_rgb'),
    'discriminator': ('head',),
  },
  'stylegan2': {
    'generator': ('layers/*', '*/affine', 'block4/*', '*/to_rgb'),
    'discriminator': ('conv', 'dense', 'head'),
  },
}
LOSSES = 'loss/generator', 'loss/discriminator'


@functools.cache
def digits():
  """All digits, [1797, 16, 16, 1] in [-1, 1]."""
  return images.scale(images.load('digits', None, 'train', 16).images)


def trained(config, number):
  """The losses `[number, 2]` of the last phase's first steps."""
  *before, phase = runs.phases(config, SHAPE)
  data = jnp.asarray(digits())
  first = sum(own.steps for own in before)

  def one(state, _):
    key = jax.random.fold_in(jax.random.key(7), state.step)
    rows = jax.random.randint(key, (phase.rows,), 0, len(data))
    state, metrics = phase.step(state, Batch(data[rows]))
    return state, jnp.stack([metrics[name] for name in LOSSES])

  def run():
    state = runs.start(config, SHAPE)().replace(step=jnp.int32(first))
    return jax.lax.scan(one, state, length=number)

  state, losses = jax.jit(run)()
  for leaf in jax.tree.leaves((state.params, state.ema_params)):
    assert leaf.dtype == jnp.float32
    assert np.isfinite(leaf).all()
  return np.asarray(losses)


def both(name, tiny, number):
  """The losses in float32 and in bfloat16."""
  found = []
  for dtype in 'float32', 'bfloat16':
    changes = CHANGES.get(name, {}) | {'dtype': dtype, 'images': 100_000}
    found.append(trained(tiny(CONFIGS[name](), changes), number))
  return found


def dtypes(config):
  """The names of dtypes of what linear layers return, by player and path."""
  found = {'generator': {}, 'discriminator': {}}

  def watch(player):
    def spy(call, arguments, named, context):
      outputs, module = call(*arguments, **named), context.module
      if context.method_name == '__call__' and isinstance(module, LINEAR):
        found[player]['/'.join(module.path)] = outputs.dtype.name
      return outputs

    return nn.intercept_methods(spy)

  def play(key):
    generator, discriminator = networks.networks(config, SHAPE)
    latents = jnp.zeros((4, config.prior.size))
    with watch('generator'):
      params, buffers = generator.init(key, latents)
      styles, _ = generator.mapping(params, buffers, latents, key, True)
      made, _ = generator.synthesis(params, buffers, styles, key, True)
    with watch('discriminator'):
      discriminator.init(key, made)
    return made

  made = jax.eval_shape(play, jax.random.key(0))
  assert {leaf.dtype.name for leaf in jax.tree.leaves(made)} == {'float32'}
  return found


@pytest.mark.parametrize('name', CONFIGS)
def test_the_ends_of_networks_stay_in_float32(name, tiny):
  changes = CHANGES.get(name, {}) | {'dtype': 'bfloat16'}
  for player, own in dtypes(tiny(CONFIGS[name](), changes)).items():
    exact = {path for path, dtype in own.items() if dtype == 'float32'}
    patterns = EXACT[name][player]
    matched = {
      path
      for path in own
      if any(fnmatch.fnmatch(path, one) for one in patterns)
    }
    assert exact == matched
    assert len(exact) < len(own)


@pytest.mark.parametrize(
  'name',
  # Each compiles two steps; the largest takes most of a minute.
  [
    name if name == 'dcgan' else pytest.param(name, marks=pytest.mark.slow)
    for name in CONFIGS
  ],
)
def test_the_first_losses_are_those_of_float32(name, tiny):
  exact, coarse = both(name, tiny, 3)
  assert (coarse != exact).any()
  np.testing.assert_allclose(coarse, exact, rtol=0.02, atol=0.05)


@pytest.mark.slow
@pytest.mark.parametrize('name', CONFIGS)
def test_the_mean_losses_of_200_steps_are_those_of_float32(name, tiny):
  # Two trainings part from one another, but not where they go: Wasserstein's
  # losses, which have no scale, vary by 2 or 3 within these steps.
  exact, coarse = both(name, tiny, 200)
  distance = np.abs(coarse.mean(0) - exact.mean(0))
  assert (distance <= 0.05 + exact.std(0) / 2).all(), distance
