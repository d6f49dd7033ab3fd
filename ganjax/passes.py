"""How a discriminator runs on reals and fakes: in a pass for each, or in one.

`gan` takes one of these functions, which a config can choose by its name:
`(apply, buffers, real, fake) -> Passed`, where `apply` is `(batch, buffers,
which) -> (logits [M], buffers)` with the parameters bound, `which` is 'real' or
'fake' and says whose key the discriminator draws from, and `real` and `fake`
are `Batch`es.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from ganjax.arrays import Batch, Tree

# Rows of a batch that is traced, and never computed: a prime number, of which
# no other axis of a network is a multiple.
_PRIME = 10_007


class Passed(NamedTuple):
  """What a discriminator makes of reals and fakes.

  Attributes:
    real_logits: `[M]`.
    fake_logits: `[M]`.
    buffers: those of the discriminator's network afterwards.
    gradients: `() -> (real, fake)`, the gradients of the sum of all logits in
      the images of both.
  """

  real_logits: jax.Array
  fake_logits: jax.Array
  buffers: Tree
  gradients: Callable[[], tuple[Tree, Tree]]


def separate(
  apply: Callable, buffers: Tree, real: Batch, fake: Batch
) -> Passed:
  """Returns the `Passed` of a pass over the reals and another over the fakes.

  Batch statistics are those of the reals, or of the fakes. Gradients take two
  further passes, unless the compiler finds out that they are the same.
  """
  real_logits, buffers = apply(real, buffers, 'real')
  fake_logits, buffers = apply(fake, buffers, 'fake')

  def gradients():
    def total(images):
      return sum(
        apply(batch._replace(images=own), buffers, which)[0].sum()
        for batch, own, which in zip(
          (real, fake), images, ('real', 'fake'), strict=True
        )
      )

    return jax.grad(total)((real.images, fake.images))

  return Passed(real_logits, fake_logits, buffers, gradients)


def joint(apply: Callable, buffers: Tree, real: Batch, fake: Batch) -> Passed:
  """Returns the `Passed` of one pass over reals and fakes, side by side.

  The gradients go back through this pass, so that R1 and R2 cost one backward
  pass and no forward one. Logits and gradients are those of `separate` where no
  example has an effect on the logits of others. What the discriminator draws
  for itself, such as noise, is drawn for each example.

  Raises:
    ValueError: when traced with a discriminator that mixes the examples of a
      batch, by its normalisation, statistics or packs.
  """
  if reason := mixing(lambda batch: apply(batch, buffers, 'real')[0], real):
    raise ValueError(
      'Reals and fakes cannot be passed through this discriminator together, '
      f'for {reason}; choose the pass separate, or a discriminator without '
      'batch normalisation, statistics of the batch and packs.'
    )

  def run(images):
    # Each real beside its fake, so that a sharded batch stays in place.
    batch = jax.tree.map(
      lambda real, fake: jnp.stack([real, fake], 1).reshape(
        -1, *real.shape[1:]
      ),
      real._replace(images=images[0]),
      fake._replace(images=images[1]),
    )
    return apply(batch, buffers, 'real')

  logits, backward, after = jax.vjp(
    run, (real.images, fake.images), has_aux=True
  )
  real_logits, fake_logits = logits.reshape(-1, 2).T
  return Passed(
    real_logits,
    fake_logits,
    after,
    lambda: backward(jnp.ones_like(logits))[0],
  )


def mixing(critic: Callable[[Batch], jax.Array], batch: Batch) -> str:
  """Returns how a critic mixes examples, in words, or an empty string.

  The critic is traced, and not computed, with a batch of a prime number of
  rows. It mixes examples where an operation loses the axis of the rows, as a
  mean over the batch does, or has a second one, as the distances of all
  examples from one another have. It cannot see an operation that reorders rows.

  Args:
    critic: `Batch -> logits`.
    batch: any `Batch`, of which only the shapes after the first axis matter.
  """
  rows = jax.tree.map(
    lambda leaf: jax.ShapeDtypeStruct((_PRIME, *leaf.shape[1:]), leaf.dtype),
    batch,
  )
  try:
    jaxpr = jax.make_jaxpr(critic)(rows)
  except ValueError as error:  # such as of packs, which do not divide the batch
    return f'it cannot take just any number of them ({error})'
  return next(_mixing(jaxpr.jaxpr), '')


def _mixing(jaxpr):
  """Yields the operations of a jaxpr that mix examples, in words."""
  for equation in jaxpr.eqns:
    inner = [
      getattr(value, 'jaxpr', value)
      for parameter in equation.params.values()
      for value in (
        parameter if isinstance(parameter, tuple | list) else (parameter,)
      )
    ]
    inner = [own for own in inner if hasattr(own, 'eqns')]
    for own in inner:
      yield from _mixing(own)
    if inner or not any(map(_axes, equation.invars)):
      continue
    # Outputs without elements, such as empty slices, say nothing.
    if any(own.aval.size and _axes(own) != 1 for own in equation.outvars):
      yield f'{equation.primitive.name} mixes the examples of a batch'


def _axes(variable):
  """Returns how often the number of rows divides the size of a variable."""
  size, number = getattr(variable.aval, 'size', 0), 0
  while size and size % _PRIME == 0:
    size, number = size // _PRIME, number + 1
  return number
