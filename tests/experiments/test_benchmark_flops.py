"""Operations of programs whose number is known."""

import functools

import jax
import jax.numpy as jnp
import pytest

from experiments.benchmark import flops
from ganjax.networks import convolution

IMAGES, KERNEL = jnp.ones((2, 8, 8, 32)), jnp.ones((4, 4, 32, 64))
# 2 images of 4x4 pixels, 64 features, each a sum over 4x4 pixels of 32.
CONVOLVED = 2 * (2 * 16) * 64 * (16 * 32)


def convolved(images, kernel):
  return (convolution.convolution(images, kernel, 2, 1) ** 2).sum()


def counted(function, *arguments):
  return flops.of(jax.make_jaxpr(function)(*arguments))


def test_products_of_matrices_and_loops_are_counted():
  left, right = jnp.ones((3, 4, 5)), jnp.ones((3, 5, 7))
  assert counted(jnp.matmul, left, right) == 2 * 3 * 4 * 7 * 5

  def loop(square):
    def step(square, _):
      return (square @ square, None)

    return jax.lax.scan(step, square, length=6)[0]

  assert counted(loop, jnp.ones((4, 4))) == 6 * 2 * 4**3
  assert counted(jax.jit(loop), jnp.ones((4, 4))) == 6 * 2 * 4**3


@pytest.mark.parametrize(
  ('arguments', 'times'), [((), 1), (0, 2), (1, 2), ((0, 1), 3)]
)
def test_a_convolution_and_its_transposes_cost_the_same(arguments, times):
  function = jax.grad(convolved, arguments) if times > 1 else convolved
  assert counted(function, IMAGES, KERNEL) == times * CONVOLVED


def test_what_is_not_needed_is_not_counted():
  def unneeded(images, kernel):
    _, transpose = jax.vjp(functools.partial(convolved, images), kernel)
    transpose(1.0)
    return images.sum()

  assert counted(unneeded, IMAGES, KERNEL) == 0
