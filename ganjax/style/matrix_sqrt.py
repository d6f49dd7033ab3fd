"""Roots of positive definite matrices, whose gradient comes with them."""

import functools

import jax
import jax.numpy as jnp


def trace(matrices):
  """The trace `[...]` of matrices `[..., C, C]`."""
  return jnp.trace(matrices, axis1=-2, axis2=-1)


def roots(matrices, iterations=12):
  """The root and the inverse root of positive definite matrices.

  The coupled Newton-Schulz iteration (Higham, "Functions of Matrices", 2008,
  equation 6.35): products only, which every device is fast at. An eigenvalue
  under about 2.25^-iterations of the matrix' norm has not converged: its root
  is too small, and its inverse root at most 1.5^iterations by the norm's root.

  Args:
    matrices: `[..., C, C]`, symmetric.
    iterations: how many.
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
def trace_of_root(matrices):
  """The trace of the root of positive definite matrices, `[...]`.

  Its gradient is half the inverse root, which `roots` finds along with the
  root: the backward pass costs nothing.

  Args:
    matrices: `[..., C, C]`, symmetric.
  """
  return trace(roots(matrices)[0])


def _trace_forward(matrices):
  root, inverse = roots(matrices)
  return trace(root), inverse


def _trace_backward(inverse, slope):
  return (slope[..., None, None] * inverse / 2,)


trace_of_root.defvjp(_trace_forward, _trace_backward)
