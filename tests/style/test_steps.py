"""The stepper of pictures, networks and latents, which inverts a generator."""

import jax
import jax.numpy as jnp
import numpy as np

from ganjax.networks import mlp
from ganjax.style import objective, optimizers, random_filters, steps


def test_latents_are_recovered_from_the_features_of_an_image():
  generator = mlp.generator((16, 16, 3), (32,))
  key = jax.random.key(0)
  wanted = jax.random.normal(key, (2, 4))
  params, buffers = generator.init(key, wanted)

  def render(latents):
    images, _ = generator.synthesis(params, buffers, latents, None, False)
    return (images + 1) / 2

  encoder = random_filters.encoder()
  terms = (objective.content_term(encoder.style),)
  targets = objective.targets(
    encoder, terms, encoder.params, render(wanted), ()
  )
  optimizer = optimizers.adam(0.05)
  step = jax.jit(steps.stepper(render, encoder, terms, optimizer))
  state, losses = steps.init(optimizer, wanted[::-1]), []
  for _ in range(150):
    state, best, values = step(state, encoder.params, targets, {'content': 1.0})
    losses.append(values['loss'])
  # Each image has latents, and a loss, of its own.
  assert losses[0].shape == (2,)
  assert jnp.all(losses[-1] < 1e-3 * losses[0])
  np.testing.assert_allclose(state.params, wanted, atol=0.05)
  np.testing.assert_array_equal(best, state.params)
  assert state.step == 150
