"""Square roots of positive definite matrices, with gradients at no cost."""

import functools

import jax
import jax.numpy as jnp


def trace(matrices):
  """Returns the trace `[...]` of matrices `[..., C, C]`."""
  return jnp.trace(matrices, axis1=-2, axis2=-1)


def sqrt_and_inverse(matrices, iterations=12):
  """Returns the square root and the inverse square root, two `[..., C, C]`.

  The coupled Newton-Schulz iteration (Higham, "Functions of Matrices", 2008,
  equation 6.35) takes products only, which every device is fast at. An
  eigenvalue below about 2.25^-iterations of the matrix' norm has not converged:
  its root is then too small, and its inverse root is at most 1.5^iterations
  divided by the root of the norm.

  Args:
    matrices: `[..., C, C]`, symmetric and positive definite.
    iterations: how many steps of the iteration are taken.
  """
  norm = jnp.sqrt((matrices**2).sum((-2, -1), keepdims=True))
  norm = jnp.maximum(norm, jnp.finfo(matrices.dtype).tiny)
  one = jnp.eye(matrices.shape[-1], dtype=matrices.dtype)
  product = functools.partial(jnp.matmul, precision='highest')
  root, inverse = matrices / norm, jnp.broadcast_to(one, matrices.shape)
  for _ in range(iterations):
    correction = (3 * one - product(inverse, root)) / 2
    root = product(root, correction)
    inverse = product(correction, inverse)
  return root * jnp.sqrt(norm), inverse / jnp.sqrt(norm)


@jax.custom_vjp
def trace_sqrt(matrices):
  """Returns the trace of the square root of matrices, `[...]`.

  Its gradient is half the inverse root, which `sqrt_and_inverse` finds along
  with the root, so the backward pass costs nothing.

  Args:
    matrices: `[..., C, C]`, symmetric and positive definite.
  """
  return trace(sqrt_and_inverse(matrices)[0])


def _trace_forward(matrices):
  root, inverse = sqrt_and_inverse(matrices)
  return trace(root), inverse


def _trace_backward(inverse, gradient):
  return (gradient[..., None, None] * inverse / 2,)


trace_sqrt.defvjp(_trace_forward, _trace_backward)
