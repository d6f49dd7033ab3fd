"""The limits of the device: its rates of matrix products and of copying."""

import functools

import jax
import jax.numpy as jnp

from experiments.benchmark import rounds
from experiments.benchmark.accelerator import comparison

# By the name of a precision: the type, and jax's own name of the precision.
PRECISIONS = {
  'float32': (jnp.float32, 'highest'),
  'tf32': (jnp.float32, None),
  'bf16': (jnp.bfloat16, None),
}


def measured(task):
  """Returns the row of the limits.

  Its `rates` are FLOP/s by precision, and for 'copy' bytes a second, of those
  that are read and those that are written.
  """
  size = 128 if task.tiny else 8192
  makers = {
    f'product in {name}': functools.partial(product, name, size)
    for name in PRECISIONS
  } | {'copy': functools.partial(copy, size**2 * 4)}
  found = comparison.compare(task, makers, 1, 'products')
  sides, rates = found['sides'], {}
  for name in PRECISIONS:
    if 'median' in sides[f'product in {name}']:
      rates[name] = sides[f'product in {name}']['flops_per_second']
  if 'median' in sides['copy']:
    rates['copy'] = 2 * 4 * size**2 * 4 / sides['copy']['median']
  words = [f'{name} {rate / 1e12:.3g}' for name, rate in rates.items()]
  return found | {
    'rates': rates,
    'words': f'Products of {size}x{size} matrices in TFLOP/s, and copies in '
    f'TB/s (read and written): {", ".join(words)}.',
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
  return _repeated(jax.jit(jnp.negative), jnp.ones(size))


def _repeated(function, array):
  number = 8

  def run():
    nonlocal array
    for _ in range(number):
      array = function(array)
    array.block_until_ready()

  return rounds.Side(run, number, {})
