"""Mixtures and curves in the plane: a key in, points out, perhaps labelled.

The cases on which mode collapse is measured, since the true modes are known.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from ganjax.arrays import Array, Scalar, Tree
from ganjax.data import order

Sample = Callable[[jax.Array, int], Tree]


def ring(modes: int = 8, radius: Scalar = 1.0) -> jax.Array:
  """Returns centres evenly spaced on a circle, [modes, 2].

  Angles are 2 pi i / modes: a linspace that includes its end would lay the
  last mode on the first one, as some published scripts do. PacGAN (Zinan Lin
  et al., 2018, arXiv:1712.04086) has 8 modes at radius 1 with std 0.01.
  """
  angles = 2 * jnp.pi * jnp.arange(modes) / modes
  return radius * jnp.stack([jnp.cos(angles), jnp.sin(angles)], axis=-1)


def grid(side: int = 5, spacing: Scalar = 2.0) -> jax.Array:
  """Returns centres of a square grid around the origin, [side^2, 2].

  PacGAN (Zinan Lin et al., 2018, arXiv:1712.04086): side 5, spacing 2, so
  {-4, -2, 0, 2, 4}^2, with std 0.05.
  """
  line = spacing * (jnp.arange(side) - (side - 1) / 2)
  return jnp.stack(jnp.meshgrid(line, line, indexing='ij'), -1).reshape(-1, 2)


def mixture(centres: Array, std: Scalar) -> Sample:
  """Returns `sample(key, number) -> [number, D]` of equally likely Gaussians.

  Args:
    centres: the means, [K, D].
    std: standard deviation along each axis, at least 0; may be traced.
  """

  return lambda key, number: _of_mixture(centres, std, key, number)[0]


def labelled_mixture(centres: Array, std: Scalar, labels: Array) -> Sample:
  """Returns `sample(key, number)` of the points of `mixture`, with labels.

  It returns points `[number, D]`, the same as those of `mixture`, and the
  labels of the Gaussians that they are from, int32 `[number]`.

  Args:
    centres: the means, [K, D].
    std: standard deviation along each axis, at least 0; may be traced.
    labels: of the Gaussians, from 0 on, int32 [K].
  """

  def sample(key, number):
    points, modes = _of_mixture(centres, std, key, number)
    return points, jnp.asarray(labels)[modes]

  return sample


def _of_mixture(centres, std, key, number):
  """Returns points `[number, D]` and the Gaussians that they are from."""
  choice, noise = jax.random.split(key)
  modes = jax.random.randint(choice, (number,), 0, len(centres))
  points = jnp.asarray(centres)[modes]
  return points + std * jax.random.normal(noise, points.shape), modes


def spiral(noise: Scalar = 0.25, divisor: Scalar = 7.5) -> Sample:
  """Returns `sample(key, number) -> [number, 2]` of a Swiss roll in the plane.

  Points t (cos t, sin t) with t uniform in [1.5 pi, 4.5 pi], plus Gaussian
  noise, all divided; the defaults are those of Ishaan Gulrajani et al.,
  "Improved Training of Wasserstein GANs", 2017, arXiv:1704.00028.

  Args:
    noise: standard deviation along each axis, before the division.
    divisor: what the points are divided by; 7.5 brings them to about [-2, 2].
  """

  def sample(key, number):
    place, jitter = jax.random.split(key)
    t = jax.random.uniform(
      place, (number,), minval=1.5 * jnp.pi, maxval=4.5 * jnp.pi
    )
    points = t[:, None] * jnp.stack([jnp.cos(t), jnp.sin(t)], axis=-1)
    return (points + noise * jax.random.normal(jitter, points.shape)) / divisor

  return sample


def coil(modes: int = 200, divisor: Scalar = 7.5) -> jax.Array:
  """Returns points along the middle of `spiral`, equally likely, [modes, 2].

  A curve has no modes; the stretches around these points stand for them.
  """
  t = jnp.pi * (1.5 + 3 * (jnp.arange(modes) + 0.5) / modes)
  return t[:, None] * jnp.stack([jnp.cos(t), jnp.sin(t)], axis=-1) / divisor


def pool(
  sample: Sample, size: int, packing: int = 1
) -> tuple[Callable[[jax.Array], Tree], Callable[..., Tree]]:
  """Returns `tables(key)` and `batch(tables, key, first, number)`: fixed data.

  PacGAN (Zinan Lin et al., 2018, arXiv:1712.04086) draws all points once, and
  then `size` rows of `packing` points each from them, with replacement; the
  rows are shuffled in each epoch.

  Args:
    sample: `(key, number) -> [number, D]`, or a tree of arrays of which each
      has `number` rows, such as points and their labels.
    size: how many points there are, and how many rows.
    packing: points in a row; it divides `number` and `first`.
  """

  def tables(key):
    points_key, rows_key = jax.random.split(key)
    rows = jax.random.randint(rows_key, (size, packing), 0, size)
    return jax.tree.map(lambda leaf: leaf[rows], sample(points_key, size))

  def batch(tables, key, first, number):
    rows = order.indices(key, first // packing, number // packing, size)
    return jax.tree.map(
      lambda leaf: leaf[rows].reshape(number, *leaf.shape[2:]), tables
    )

  return tables, batch
