"""Formulations of convolutions, with the derivatives that a penalty takes."""

import functools

import jax
import jax.numpy as jnp
from jax import lax

from experiments.benchmark import flops, rounds
from ganjax.networks import grouped, modulation


def in_groups(task):
  """Returns the row of the grouped convolutions of R3GAN, at two sizes."""
  batch, width, group = (2, 32, 4) if task.tiny else (64, 1536, 16)
  makers = {}
  for side in (4, 8) if task.tiny else (8, 32):
    images, kernel = _drawn((batch, side, side, width), (3, 3, group, width))
    groups = width // group
    for name, function in (
      ('ganjax', grouped.convolution),
      ('products', functools.partial(grouped.convolution_by_products, groups)),
      ('lax', functools.partial(of_lax, groups=groups)),
    ):
      makers[f'{name}, {side} pixels'] = functools.partial(
        _side, function, images, kernel
      )
  return rounds.compare(task, makers, batch)


def modulated(task):
  """Returns the row of StyleGAN2's modulated convolution at 32 pixels.

  By groups, each example has a kernel of its own.
  """
  batch, side, width = (2, 8, 8) if task.tiny else (32, 32, 512)
  images, kernel, style = _drawn(
    (batch, side, side, width), (3, 3, width, width), (batch, width)
  )

  def free(images, kernel):
    kernel = kernel.astype(jnp.float32)
    return modulation.modulated(
      images, kernel, style.astype(jnp.float32), modulation.same
    )

  def by_groups(images, kernel):
    own = kernel * style[:, None, None, :, None]
    own *= lax.rsqrt((own**2).sum((1, 2, 3), keepdims=True) + 1e-8)
    one = functools.partial(of_lax, groups=1)
    return jax.vmap(lambda image, own: one(image[None], own)[0])(images, own)

  makers = {
    name: functools.partial(_side, function, images, kernel)
    for name, function in (('free of groups', free), ('by groups', by_groups))
  }
  return rounds.compare(task, makers, batch)


def _drawn(*shapes):
  keys = jax.random.split(jax.random.key(0), len(shapes))
  return tuple(
    jax.random.normal(key, shape).astype(jnp.bfloat16)
    for key, shape in zip(keys, shapes, strict=True)
  )


def of_lax(images, kernel, groups):
  """Returns XLA's own convolution in groups, of the same height and width."""
  return lax.conv_general_dilated(
    images,
    kernel,
    (1, 1),
    'SAME',
    dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
    feature_group_count=groups,
  )


def _side(function, images, kernel):
  """Returns the `Side` of the gradient of a penalty on the gradient."""

  def total(images, kernel):
    return jnp.tanh(function(images, kernel)).astype(jnp.float32).sum()

  def penalty(kernel, images):
    gradient = jax.grad(total)(images, kernel)
    return total(images, kernel) + jnp.square(gradient).mean()

  traced = jax.jit(jax.value_and_grad(penalty)).trace(kernel, images)
  program = traced.lower().compile()

  def run():
    jax.block_until_ready(program(kernel, images))

  return rounds.Side(run, 1, {}, 'bf16', flops.of(traced.jaxpr))
