"""Seeing a game: its vector field, and the eigenvalues that turn or damp it.

Near an equilibrium the eigenvalues of the field's Jacobian decide: a negative
real part draws the players in, a positive one drives them out, an imaginary
part makes them turn around each other. Mescheder, Nowozin and Geiger, "The
Numerics of GANs", 2017, arXiv:1705.10461, section 3.

A field is a function `(params, *rest) -> velocities`, a tree like params; the
rest (buffers, batch, key) passes through. Products with a Jacobian are taken
by reverse mode, of its transpose, whose eigenvalues are the same: the fast
convolutions of `ganjax.networks.convolution` have no forward mode.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from scipy.sparse.linalg import LinearOperator, eigs

from ganjax.players import PLAYERS, Pair

_MOST = 5000  # a dense Jacobian of 100 to 200 MB, and a minute of eigvals


def field(game):
  """The field `(params, buffers, batch, key) -> Pair`, how both players move.

  It is minus the gradient of each player's value in its own parameters, with
  the same draws for both: plain simultaneous gradient descent follows it.

  Args:
    game: a `Game`. Keep the field for as long as it is looked at: what is
      compiled for it is kept with it.
  """

  def velocities(params, buffers, batch, key):
    def slope(player):
      def value(own):
        both = params._replace(**{player: own})
        return getattr(game, player)(both, buffers, batch, key)[0]

      return jax.grad(value)(getattr(params, player))

    return jax.tree.map(jnp.negative, Pair(*map(slope, PLAYERS)))

  return velocities


def jacobian(field, params, *rest):
  """The Jacobian `[P, P]` of a field at a point, exactly, P values in params.

  Args:
    field: `(params, *rest) -> velocities`.
    params: a tree of P values; P at most 5000.
    *rest: whatever else the field takes.

  Raises:
    ValueError: for a larger P.
  """
  flat, product = _transposed(field, params, *rest)
  if flat.size > _MOST:
    raise ValueError(
      f'The Jacobian of {flat.size} parameters is too large to be written '
      f'out; expected at most {_MOST}: ask for its leading eigenvalues.'
    )
  rows = jnp.eye(flat.size, dtype=flat.dtype)
  return jax.lax.map(product, rows)


def eigenvalues(field, params, *rest):
  """All eigenvalues `[P]` of a field's Jacobian at a point, complex, exactly.

  Args:
    field: `(params, *rest) -> velocities`; compiled once for each field.
    params: a tree of P values; P at most 5000.
    *rest: whatever else the field takes.

  Raises:
    ValueError: for a larger P.
  """
  return np.linalg.eigvals(np.asarray(_compiled_jacobian(field, params, *rest)))


def leading(field, params, *rest, number=8, which='LM'):
  """The leading eigenvalues `[number]` of a field's Jacobian, by Arnoldi.

  Lehoucq, Sorensen and Yang, "ARPACK Users' Guide", 1998: some hundreds of
  products with the Jacobian, which is never written out.

  Args:
    field: `(params, *rest) -> velocities`; compiled once for each field.
    params: a tree of P values.
    *rest: whatever else the field takes.
    number: of eigenvalues, at most P - 2.
    which: they lead by magnitude ('LM'), real part ('LR': what diverges
      first) or imaginary part ('LI': what turns fastest).

  Raises:
    ValueError: if P is too small for `number`.
    scipy.sparse.linalg.ArpackNoConvergence: if they do not settle; it holds
      those that did.
  """
  flat, _ = ravel_pytree(params)
  if number > flat.size - 2:
    raise ValueError(
      f'{number} leading eigenvalues were asked of {flat.size} parameters; '
      f'expected at most {flat.size - 2}: ask for all `eigenvalues`.'
    )
  operator = LinearOperator(
    (flat.size, flat.size),
    matvec=lambda row: np.asarray(_compiled_product(field, row, params, *rest)),
    dtype=flat.dtype,
  )
  # Any start in general position; the same at each call.
  start = np.cos(np.arange(flat.size)).astype(flat.dtype)
  return eigs(
    operator, number, which=which, v0=start, return_eigenvectors=False
  )


def grid(field, params, first, second, *rest):
  """The velocities `[B, A, 2]` of a game of two values, for a picture.

  Args:
    field: `(params, *rest) -> velocities`.
    params: a tree of two values, which says how the field takes them; what
      they are does not matter.
    first: `[A]`, values of the first, along the picture's horizontal.
    second: `[B]`, values of the second, along its vertical.
    *rest: whatever else the field takes.

  Raises:
    ValueError: if params hold more or fewer than two values.
  """
  flat, unravel = ravel_pytree(params)
  if flat.size != 2:
    raise ValueError(
      f'The field of {flat.size} parameters cannot be drawn in the plane; '
      'expected a game of 2, such as the Dirac-GAN.'
    )

  def velocity(one, other):
    point = unravel(jnp.stack([one, other]).astype(flat.dtype))
    return ravel_pytree(field(point, *rest))[0]

  across = jax.vmap(velocity, in_axes=(0, None))
  return jax.vmap(across, in_axes=(None, 0))(
    jnp.asarray(first), jnp.asarray(second)
  )


def monodromy(step, state, batch, number=1):
  """The Jacobian `[P, P]` of `number` steps in all that they carry along.

  Those are the parameters and the floats of the optimisers' memories (momenta,
  slow weights), P in all. Its eigenvalues multiply a small deviation: all
  within the unit circle, it dies out.

  Args:
    step: of an update rule.
    state: the `TrainState` at a fixed point of the step, whose optimisers have
      been there for a step: some make a first move of their own kind.
    batch: for each step.
    number: of steps, a Python int; as many as an optimiser's cycle has.
  """
  leaves, structure = jax.tree.flatten((state.params, state.opt_state))
  floats = [jnp.issubdtype(leaf.dtype, jnp.floating) for leaf in leaves]

  def moving(leaves):
    return [leaf for leaf, own in zip(leaves, floats, strict=True) if own]

  def after(values):
    values = iter(values)
    params, opt_state = jax.tree.unflatten(
      structure,
      [
        next(values) if own else leaf
        for leaf, own in zip(leaves, floats, strict=True)
      ],
    )
    moved = state.replace(params=params, opt_state=opt_state)
    for _ in range(number):
      moved, _ = step(moved, batch)
    return moving(jax.tree.leaves((moved.params, moved.opt_state)))

  return jacobian(after, moving(leaves))


def simultaneous(flow, h):
  """The multipliers of a step in which both move at once, of any flow."""
  return 1 + h * flow


def extragradient(flow, h):
  """The multipliers of a step of extragradient, of any flow."""
  return 1 + h * flow + (h * flow) ** 2


def optimistic(flow, h):
  """The multipliers, two for each of the flow's, of optimistic descent at once.

  Daskalakis et al., "Training GANs with Optimism", 2018, arXiv:1711.00141: the
  roots of z^2 - (1 + 2 h mu) z + h mu.
  """
  middle = (1 + 2 * h * flow) / 2
  root = np.emath.sqrt(middle**2 - h * flow)
  return np.concatenate([middle + root, middle - root])


def momentum(flow, h, keep):
  """The multipliers, two for each of the flow's, of heavy balls at once.

  Gidel et al., "Negative Momentum for Improved Game Dynamics", 2019,
  arXiv:1807.04740: the roots of z^2 - (1 + keep + h mu) z + keep.
  """
  middle = (1 + keep + h * flow) / 2
  root = np.emath.sqrt(middle**2 - keep)
  return np.concatenate([middle + root, middle - root])


def alternating_momentum(slope, h, keep):
  """The multipliers `[4]` of heavy balls in turns, by a flow of +-i slope.

  Gidel et al., "Negative Momentum for Improved Game Dynamics", 2019,
  arXiv:1807.04740: the roots of (z - 1)^2 (z - keep)^2 + (h slope)^2 z^3.
  """
  polynomial = np.poly([1, 1, keep, keep])
  polynomial[1] += (h * slope) ** 2
  return np.roots(polynomial)


def lookahead(flow, h, every, rate):
  """The multipliers of `every` steps, at once, that end in a look ahead.

  Chavdarova et al., "Taming GANs with Lookahead-Minmax", 2021,
  arXiv:2006.14567, algorithm 1. The slow weights add as many zeros: what they
  were is forgotten.
  """
  return np.concatenate(
    [1 - rate + rate * (1 + h * flow) ** every, np.zeros(len(flow))]
  )


def _transposed(field, params, *rest):
  """A point as `[P]`, and `[P] -> [P]`, the product with J transposed there."""
  flat, unravel = ravel_pytree(params)
  _, pull = jax.vjp(
    lambda flat: ravel_pytree(field(unravel(flat), *rest))[0], flat
  )
  return flat, lambda row: pull(row)[0]


# Loops on the host around what the caller passed: compiled once for a field.
_compiled_jacobian = jax.jit(jacobian, static_argnums=0)


@functools.partial(jax.jit, static_argnums=0)
def _compiled_product(field, row, params, *rest):
  return _transposed(field, params, *rest)[1](row)
