"""Floating-point operations of matrix products and convolutions in a program.

XLA counts a program that is not compiled yet on a CPU only, and on a GPU leaves
out what libraries compute. This counts the same on every device: convolutions
by their definition, with the zeros around images and without those between
pixels, and nothing on which no result depends. The body of `while` counts once,
and of branches the largest.
"""

import math


def of(jaxpr):
  """Returns the operations, of which an addition and a product are two.

  Args:
    jaxpr: as `jax.jit(f).trace(...).jaxpr` or `jax.make_jaxpr` return it.
  """
  jaxpr = getattr(jaxpr, 'jaxpr', jaxpr)
  total, needed = 0.0, set(map(id, jaxpr.outvars))
  for equation in reversed(jaxpr.eqns):
    if needed.isdisjoint(map(id, equation.outvars)):
      continue
    needed.update(map(id, equation.invars))
    total += _of_equation(equation)
  return total


def _of_equation(equation):
  name, given = equation.primitive.name, equation.params
  if name == 'dot_general':
    return 2.0 * _size(equation.outvars[0]) * _contracted(equation)
  if name == 'conv_general_dilated':
    return 2.0 * _size(equation.outvars[0]) * _taps(equation)
  if name == 'cond':
    return _of_branches(given)
  inner = [of(value) for value in given.values() if _is_program(value)]
  return sum(inner) * (given['length'] if name == 'scan' else 1)


def _of_branches(given):
  """Returns the largest branch; of those by platform, that of all others."""
  branches = given['branches']
  for own, platforms in zip(
    branches, given.get('branches_platforms') or (), strict=False
  ):
    if platforms is None:
      return of(own)
  return max(map(of, branches))


def _contracted(equation):
  (left, _), _ = equation.params['dimension_numbers']
  shape = equation.invars[0].aval.shape
  return math.prod(shape[axis] for axis in left)


def _taps(equation):
  """Returns how many products one number of a convolution sums."""
  given, kernel = equation.params, equation.invars[1].aval.shape
  features = kernel[given['dimension_numbers'].rhs_spec[0]]
  return math.prod(kernel) / features / math.prod(given['lhs_dilation'])


def _size(variable):
  return math.prod(variable.aval.shape)


def _is_program(value):
  return hasattr(getattr(value, 'jaxpr', value), 'eqns')
