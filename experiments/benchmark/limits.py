"""The limits of a machine: its rates of matrix products and of copying."""

import functools

import jax
import jax.numpy as jnp

from experiments.benchmark import rounds

NAME = 'limits'

# By the name of a precision: the type, and jax's own name of the precision.
PRECISIONS = {
  'float32': (jnp.float32, 'highest'),
  'tf32': (jnp.float32, None),
  'bf16': (jnp.bfloat16, None),
}


def usual():
  """Returns the name of the precision of products unless another is chosen."""
  return 'float32' if jax.default_backend() == 'cpu' else 'tf32'


def measured(size, numbers, precisions, task):
  """Returns the row of the limits.

  Its `rates` are FLOP/s by precision, and for 'copy' bytes a second, of those
  that are read and those that are written.

  Args:
    size: of the matrices.
    numbers: of float32 to copy, more than caches hold.
    precisions: of `PRECISIONS`.
    task: a `task.Task`.
  """
  size, numbers = (128, 2**16) if task.tiny else (size, numbers)
  makers = {
    f'product in {name}': functools.partial(product, name, size)
    for name in precisions
  } | {'copy': functools.partial(copy, numbers)}
  found = rounds.compare(task, makers, 1, 'products', 'product')
  sides, rates = found['sides'], {}
  for name in precisions:
    if 'median' in sides[f'product in {name}']:
      rates[name] = sides[f'product in {name}']['flops_per_second']
  if 'median' in sides['copy']:
    rates['copy'] = sides['copy']['moved'] / sides['copy']['median']
  words = [f'{name} {rate / 1e9:.4g}' for name, rate in rates.items()]
  return found | {
    'rates': rates,
    'words': f'Products of {size}x{size} matrices in GFLOP/s, and copies in '
    f'GB/s (read and written): {", ".join(words)}.',
  }


def product(name, size):
  """Returns the `rounds.Side` of products of matrices in a precision.

  Args:
    name: of `PRECISIONS`.
    size: of the matrices.
  """
  dtype, precision = PRECISIONS[name]
  scale = size**-0.5  # so that products of products stay as large
  left, right = (
    (jax.random.normal(key, (size, size)) * scale**power).astype(dtype)
    for power, key in enumerate(jax.random.split(jax.random.key(0)))
  )
  with jax.default_matmul_precision(precision):
    multiply = jax.jit(jnp.matmul).lower(left, right).compile()
  side = _repeated(lambda left: multiply(left, right), left)
  return side._replace(precision=name, flops=2.0 * size**3)


def copy(size):
  """Returns the `rounds.Side` of copies of an array of float32.

  Args:
    size: how many numbers are read, and as many are written.
  """
  side = _repeated(jax.jit(jnp.negative), jnp.ones(size))
  return side._replace(moved=2 * 4 * size)


def _repeated(function, array):
  number = 8

  def run():
    nonlocal array
    for _ in range(number):
      array = function(array)
    array.block_until_ready()

  return rounds.Side(run, number, {})
