"""Priors, what latents are drawn from: `(key, number) -> latents [N, Z]`."""

import jax
import jax.numpy as jnp


def normal(size):
  """The prior `z ~ N(0, I)` over `[N, size]`."""
  return lambda key, number: jax.random.normal(key, (number, size))


def uniform(size):
  """The prior `z ~ U(-1, 1)` over `[N, size]`, DCGAN's own.

  Radford, Metz and Chintala, "Unsupervised Representation Learning with Deep
  Convolutional Generative Adversarial Networks", 2016, arXiv:1511.06434.
  """
  return lambda key, number: jax.random.uniform(
    key, (number, size), minval=-1.0
  )


def sphere(size):
  """The uniform prior over `[N, size]` on the sphere of radius `sqrt(size)`."""

  def draw(key, number):
    latents = jax.random.normal(key, (number, size))
    return latents / jnp.sqrt(jnp.mean(latents**2, axis=1, keepdims=True))

  return draw
