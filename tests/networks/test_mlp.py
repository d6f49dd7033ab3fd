"""Fully connected networks: parameters and shapes."""

import math

import jax
import jax.numpy as jnp

from ganjax.networks import mlp
from ganjax.networks.layers import (
  BatchNorm,
)

KEY = jax.random.key(0)
LATENTS = jnp.zeros((4, 100))


def shapes(network, examples):
  """The shapes of a network's params and buffers; nothing is computed."""
  return jax.eval_shape(lambda: network.init(KEY, examples))


def count(params):
  return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(params))


def test_dense_generator_has_its_parameters():
  widths = 256, 512, 1024
  network = mlp.generator((28, 28, 1), widths)
  params, buffers = shapes(network, LATENTS)
  assert count(params) == (
    101 * 256 + 257 * 512 + 513 * 1024 + 1025 * 784  # 1 for the bias
  )
  assert buffers == {}
  # The scales and biases of the normalisations.
  params, _ = shapes(
    mlp.generator((28, 28, 1), widths, norm=BatchNorm), LATENTS
  )
  assert count(params) == 1_489_936
  images, _ = jax.eval_shape(
    lambda params: network.synthesis(params, {}, LATENTS, None, True),
    shapes(network, LATENTS)[0],
  )
  assert images.shape == (4, 28, 28, 1)


def test_dense_discriminator_takes_any_shape():
  network = mlp.discriminator(widths=(8, 4))
  for shape in ((2,), (28, 28, 1)):
    examples = jnp.zeros((3, *shape))
    params, _ = shapes(network, examples)
    assert count(params) == (math.prod(shape) + 1) * 8 + 9 * 4 + 5
    logits, _ = jax.eval_shape(
      lambda params, examples=examples: network.apply(
        params, {}, examples, None, True
      ),
      params,
    )
    assert logits.shape == (3,)
