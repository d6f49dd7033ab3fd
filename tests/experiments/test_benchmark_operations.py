"""What is counted of the operations of a compiled step."""

import jax
import jax.numpy as jnp

from experiments.benchmark import operation_times
from ganjax.networks import convolution


def step(state, images):
  features = convolution.convolution(images, state, 1, 1)
  few = convolution.convolution(images[..., :3], state[:, :, :3], 1, 1)
  return state * jnp.tanh(features.mean() + few.mean()), features.std()


def test_products_are_found_in_fusions_and_times_by_kind():
  kernel, images = jnp.ones((3, 3, 32, 64)), jnp.ones((64, 8, 8, 32))
  program = jax.jit(step, donate_argnums=0).lower(kernel, images).compile()
  found = operation_times.of(program, (kernel, images), steps=2)
  assert found.keys() >= {
    operation_times.PRODUCTS,
    operation_times.TRANSFORMS,
    operation_times.CONVOLUTIONS,
  }
  assert all(seconds > 0 for seconds, _ in found.values())
  # Of 36 points: 64 x 4 tiles of 32 channels, and the kernel's 9 pixels.
  counted = 2 * 36 * (64 * 4 * 32 * 64 + 9 * 32 * 64)
  assert found[operation_times.PRODUCTS][1] == counted
