"""Presets of residual networks: what they take from the codes, and steps."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import resnet
from ganjax import averages
from ganjax.arrays import Batch
from ganjax.config import runs, schedules

# Updates of the generator, batch size, critic_steps, b1, b2, classes, spectral
# normalisation of the generator, mirrored, and the decay of the average.
TABLE = {
  'cifar10': (50_000, 64, 5, 0.0, 0.9, False, False, False, 0.0),
  'sagan': (100_000, 64, 5, 0.5, 0.999, True, True, True, 0.0),
  'biggan_attention': (100_000, 64, 5, 0.5, 0.999, True, True, True, 0.9999),
  'biggan': (125_000, 50, 4, 0.0, 0.999, True, True, False, 0.9999),
}


def one_step(config, channels=1):
  """The shapes of the state before and after a step, and of the metrics."""
  side = config.data.resolution
  shape = side, side, channels
  [phase] = runs.phases(config, shape)
  batch = Batch(
    jax.ShapeDtypeStruct((phase.rows, *shape), jnp.float32),
    jax.ShapeDtypeStruct((phase.rows,), jnp.int32) if config.labels else None,
  )
  before = jax.eval_shape(runs.start(config, shape))
  return phase, before, *jax.eval_shape(phase.step, before, batch)


@pytest.mark.parametrize('name', TABLE)
def test_presets_have_the_table_of_the_codes(name):
  config = resnet.get_config(name)
  updates, batch, critic_steps, b1, b2, labels, spectral, mirror, decay = TABLE[
    name
  ]
  assert config.images == updates * critic_steps * batch
  assert (config.batch_size, config.critic_steps) == (batch, critic_steps)
  assert (config.labels, config.spectral.generator) == (labels, spectral)
  assert (config.data.mirror, config.ema_decay) == (mirror, decay)
  assert config.spectral.discriminator
  assert (config.loss, config.fake_labels.name) == ('hinge', 'uniform')
  for player in config.optimizers.values():
    assert (player.name, player.learning_rate) == ('adam', 2e-4)
    assert (player.b1, player.b2, player.eps) == (b1, b2, 1e-8)


@pytest.mark.parametrize('share', [0.0, 0.25, 1.0])
def test_the_learning_rate_of_sngan_falls_to_0_at_the_end(share):
  config = resnet.get_config('cifar10')
  for images in config.images, 1_000:
    config.images = images
    own = schedules.scheduled(config, share * images)
    for player in own.optimizers.values():
      np.testing.assert_allclose(
        player.learning_rate, 2e-4 * (1 - share), atol=1e-12
      )


def test_without_an_average_samples_are_the_generators(tiny):
  config = tiny(resnet.get_config(), {'ema_decay': 0.0, 'critic_steps': 2})
  phase, *_ = one_step(config)
  start = jax.jit(runs.start(config, (16, 16, 1)))()
  batch = Batch(jax.random.normal(jax.random.key(0), (16, 16, 16, 1)))
  state, metrics = jax.jit(phase.step)(start, batch)
  for name in 'loss/generator', 'loss/discriminator':
    assert np.isfinite(metrics[name])
  jax.tree.map(
    np.testing.assert_array_equal, state.ema_params, state.params.generator
  )
  jax.tree.map(
    np.testing.assert_array_equal,
    state.ema_buffers,
    averages.averaged(state.buffers.generator),
  )


@pytest.mark.parametrize(
  'name',
  [
    'biggan_lite',
    *(pytest.param(name, marks=pytest.mark.slow) for name in TABLE),
  ],
)
def test_presets_take_a_step(name):
  config = resnet.get_config(name)
  if config.labels:
    config.classes = 10
  _, before, after, metrics = one_step(config, channels=3)
  assert after == before
  assert {'loss/generator', 'loss/discriminator'} <= set(metrics)
