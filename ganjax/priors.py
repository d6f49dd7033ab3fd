"""Priors, the distributions of latents: functions `(key, number) -> [N, Z]`.

A config can choose every public function here by its name.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

Prior = Callable[[jax.Array, int], jax.Array]


def normal(size: int) -> Prior:
  """Returns the prior `z ~ N(0, I)`: `(key, number) -> [number, size]`."""
  return lambda key, number: jax.random.normal(key, (number, size))


def uniform(size: int) -> Prior:
  """Returns the prior `z ~ U(-1, 1)`: `(key, number) -> [number, size]`.

  Radford, Metz and Chintala, "Unsupervised Representation Learning with Deep
  Convolutional Generative Adversarial Networks", 2016, arXiv:1511.06434.
  """
  return lambda key, number: jax.random.uniform(
    key, (number, size), minval=-1.0
  )


def sphere(size: int) -> Prior:
  """Returns the uniform prior on the sphere of radius `sqrt(size)`.

  It is a function `(key, number) -> [number, size]`.
  """

  def draw(key, number):
    latents = jax.random.normal(key, (number, size))
    return latents / jnp.sqrt(jnp.mean(latents**2, axis=1, keepdims=True))

  return draw
