"""The stepper of pictures, networks and latents, which inverts a generator."""

import jax
import jax.numpy as jnp
import numpy as np

from ganjax.networks import mlp
from ganjax.style import encoders, objective, optimizers, steps


def linear():
  """Returns an encoder of one layer, whose features are sums of colours."""

  def apply(params, pictures, layers):
    return dict.fromkeys(layers, pictures @ params)

  mixed = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
  return encoders.Encoder(
    'linear', mixed, apply, ('one',), ('one',), ('one',), 1
  )


def test_latents_are_recovered_from_the_features_of_an_image():
  generator = mlp.generator((8, 8, 3), (32,))
  key = jax.random.key(0)
  wanted = jax.random.normal(key, (2, 4))
  params, buffers = generator.init(key, wanted)

  def render(latents):
    images, _ = generator.synthesis(params, buffers, latents, None, False)
    return (images + 1) / 2

  encoder = linear()
  terms = (objective.content_term(encoder.content),)
  targets = objective.targets(
    encoder, terms, encoder.params, render(wanted), ()
  )
  optimizer = optimizers.adam(0.05)
  step = jax.jit(steps.stepper(render, encoder, terms, optimizer))
  state, losses = steps.init(optimizer, wanted[::-1]), []
  for _ in range(300):
    state, best, values = step(state, encoder.params, targets, {'content': 1.0})
    losses.append(values['loss'])
  # Each image has latents, and a loss, of its own.
  assert losses[0].shape == (2,)
  assert jnp.all(losses[-1] < 1e-3 * losses[0])
  np.testing.assert_allclose(state.params, wanted, atol=0.05)
  np.testing.assert_array_equal(best, state.params)
  assert state.step == 300
