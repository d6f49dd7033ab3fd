"""The dynamics of a game: its vector field, and the eigenvalues at a point.

Near an equilibrium the eigenvalues of the field's Jacobian decide: along one
with a negative real part the players converge, with a positive one they
diverge, and an imaginary part makes them rotate. Mescheder, Nowozin and Geiger,
"The Numerics of GANs", 2017, arXiv:1705.10461, section 3.

A field is a function `(params, *rest) -> velocities`, a tree like params; the
rest (buffers, batch, key) is passed on. Products with a Jacobian are those of
its transpose, by reverse mode, which has the same eigenvalues: the fast
convolutions of `ganjax.networks.convolution` have no forward mode.

The multipliers of an update rule are the eigenvalues of a step's Jacobian at an
equilibrium; below they are given in closed form, from the eigenvalues `flow` of
the field and the learning rate `h`.
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jax.typing import ArrayLike
from scipy.sparse.linalg import LinearOperator, eigs

from ganjax.arrays import Tree
from ganjax.game import Game
from ganjax.players import PLAYERS, Pair
from ganjax.steps import Step, TrainState

Field = Callable[..., Tree]

# A dense Jacobian of 100 to 200 MB, and a minute of numpy.linalg.eigvals.
_MAX_PARAMS = 5000


def field(game: Game) -> Field:
  """Returns the vector field `(params, buffers, batch, key) -> Pair` of a game.

  It is minus the gradient of each player's value in its own parameters, with
  the same random draws for both, which simultaneous gradient descent follows.

  Args:
    game: a `Game`. Functions below compile once for each field, so make it
      once and use it again.
  """

  def velocities(params, buffers, batch, key):
    def gradient(player):
      def value(own):
        both = params._replace(**{player: own})
        return getattr(game, player)(both, buffers, batch, key)[0]

      return jax.grad(value)(getattr(params, player))

    return jax.tree.map(jnp.negative, Pair(*map(gradient, PLAYERS)))

  return velocities


def jacobian(field: Field, params: Tree, *rest: Tree) -> jax.Array:
  """Returns the Jacobian `[P, P]` of a field at a point.

  Args:
    field: `(params, *rest) -> velocities`.
    params: a tree of P values; P is at most 5000.
    *rest: the other arguments of the field.

  Raises:
    ValueError: if P is larger.
  """
  flat, product = _transposed(field, params, *rest)
  if flat.size > _MAX_PARAMS:
    raise ValueError(
      f'The Jacobian of {flat.size} parameters is too large to be written '
      f'out; expected at most {_MAX_PARAMS}: use `leading` for some of its '
      'eigenvalues.'
    )
  rows = jnp.eye(flat.size, dtype=flat.dtype)
  return jax.lax.map(product, rows)


def eigenvalues(field: Field, params: Tree, *rest: Tree) -> np.ndarray:
  """Returns all eigenvalues `[P]` of a field's Jacobian at a point, complex.

  Args:
    field: `(params, *rest) -> velocities`; compiled once for each field.
    params: a tree of P values; P is at most 5000.
    *rest: the other arguments of the field.

  Raises:
    ValueError: if P is larger.
  """
  return np.linalg.eigvals(np.asarray(_compiled_jacobian(field, params, *rest)))


def leading(
  field: Field, params: Tree, *rest: Tree, number: int = 8, which: str = 'LM'
) -> np.ndarray:
  """Returns leading eigenvalues `[number]` of a field's Jacobian, by Arnoldi.

  Lehoucq, Sorensen and Yang, "ARPACK Users' Guide", 1998: some hundreds of
  products with the Jacobian, which is never written out.

  Args:
    field: `(params, *rest) -> velocities`; compiled once for each field.
    params: a tree of P values.
    *rest: the other arguments of the field.
    number: of eigenvalues, at most P - 2.
    which: those with the largest magnitude ('LM'), real part ('LR', which
      diverge first) or imaginary part ('LI', which rotate fastest).

  Raises:
    ValueError: if P is too small for `number`.
    scipy.sparse.linalg.ArpackNoConvergence: if some do not converge; it holds
      those that did.
  """
  flat, _ = ravel_pytree(params)
  if number > flat.size - 2:
    raise ValueError(
      f'{number} leading eigenvalues of {flat.size} parameters are too many; '
      f'expected at most {flat.size - 2}: use `eigenvalues` for all of them.'
    )
  operator = LinearOperator(
    (flat.size, flat.size),
    matvec=lambda row: np.asarray(_compiled_product(field, row, params, *rest)),
    dtype=flat.dtype,
  )
  # Any vector in general position will do, the same at each call.
  start = np.cos(np.arange(flat.size)).astype(flat.dtype)
  return eigs(
    operator, number, which=which, v0=start, return_eigenvectors=False
  )


def grid(
  field: Field, params: Tree, first: ArrayLike, second: ArrayLike, *rest: Tree
) -> jax.Array:
  """Returns the velocities `[B, A, 2]` of two parameters on a grid of values.

  Args:
    field: `(params, *rest) -> velocities`.
    params: a tree of two values, of which only the structure matters.
    first: `[A]`, values of the first, horizontal in a picture.
    second: `[B]`, values of the second, vertical in a picture.
    *rest: the other arguments of the field.

  Raises:
    ValueError: if params hold more or fewer than two values.
  """
  flat, unravel = ravel_pytree(params)
  if flat.size != 2:
    raise ValueError(
      f'The field of {flat.size} parameters cannot be drawn in the plane; '
      'expected 2 parameters, as of the Dirac-GAN.'
    )

  def velocity(one, other):
    point = unravel(jnp.stack([one, other]).astype(flat.dtype))
    return ravel_pytree(field(point, *rest))[0]

  across = jax.vmap(velocity, in_axes=(0, None))
  return jax.vmap(across, in_axes=(None, 0))(
    jnp.asarray(first), jnp.asarray(second)
  )


def monodromy(
  step: Step, state: TrainState, batch: Tree, number: int = 1
) -> jax.Array:
  """Returns the Jacobian `[P, P]` of `number` steps at a fixed point.

  Its P variables are the parameters and the floats of the optimisers' states
  (momenta, slow weights). Its eigenvalues multiply a small deviation: if all of
  them lie within the unit circle, the deviation dies out.

  Args:
    step: `(state, batch) -> (state, metrics)`, of an update rule.
    state: the `TrainState` at a fixed point of the step, after a step there:
      the first update of some optimisers differs from the others.
    batch: the same for each step.
    number: of steps, a Python int: the period of the optimiser.
  """
  leaves, structure = jax.tree.flatten((state.params, state.opt_state))
  floats = [jnp.issubdtype(leaf.dtype, jnp.floating) for leaf in leaves]

  def variables(leaves):
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
    stepped = state.replace(params=params, opt_state=opt_state)
    for _ in range(number):
      stepped, _ = step(stepped, batch)
    return variables(jax.tree.leaves((stepped.params, stepped.opt_state)))

  return jacobian(after, variables(leaves))


def simultaneous(flow: np.ndarray, h: float) -> np.ndarray:
  """Returns the multipliers `[P]` of simultaneous gradient descent."""
  return 1 + h * flow


def extragradient(flow: np.ndarray, h: float) -> np.ndarray:
  """Returns the multipliers `[P]` of extragradient."""
  return 1 + h * flow + (h * flow) ** 2


def optimistic(flow: np.ndarray, h: float) -> np.ndarray:
  """Returns the multipliers `[2 P]` of simultaneous optimistic descent.

  Daskalakis et al., "Training GANs with Optimism", 2018, arXiv:1711.00141: the
  roots of z^2 - (1 + 2 h mu) z + h mu.
  """
  middle = (1 + 2 * h * flow) / 2
  root = np.emath.sqrt(middle**2 - h * flow)
  return np.concatenate([middle + root, middle - root])


def momentum(flow: np.ndarray, h: float, beta: float) -> np.ndarray:
  """Returns the multipliers `[2 P]` of simultaneous descent with momentum.

  Gidel et al., "Negative Momentum for Improved Game Dynamics", 2019,
  arXiv:1807.04740: the roots of z^2 - (1 + beta + h mu) z + beta.
  """
  middle = (1 + beta + h * flow) / 2
  root = np.emath.sqrt(middle**2 - beta)
  return np.concatenate([middle + root, middle - root])


def alternating_momentum(rotation: float, h: float, beta: float) -> np.ndarray:
  """Returns the multipliers `[4]` of alternating descent with momentum.

  Gidel et al., "Negative Momentum for Improved Game Dynamics", 2019,
  arXiv:1807.04740: the roots of (z - 1)^2 (z - beta)^2 + (h rotation)^2 z^3,
  where the eigenvalues of the field are +-i rotation.
  """
  polynomial = np.poly([1, 1, beta, beta])
  polynomial[1] += (h * rotation) ** 2
  return np.roots(polynomial)


def lookahead(
  flow: np.ndarray, h: float, every: int, rate: float
) -> np.ndarray:
  """Returns the multipliers `[2 P]` of `every` steps of simultaneous lookahead.

  Chavdarova et al., "Taming GANs with Lookahead-Minmax", 2021,
  arXiv:2006.14567, algorithm 1, with the step size `rate` of the slow weights.
  The slow weights are overwritten, which adds P zeros.
  """
  return np.concatenate(
    [1 - rate + rate * (1 + h * flow) ** every, np.zeros(len(flow))]
  )


def verdict(positions: ArrayLike) -> str:
  """Returns 'converges', 'cycles' or 'diverges', judged by a trajectory.

  The largest radius in its last quarter is compared with that in its second
  quarter: a fifth less is convergence, a tenth more is divergence. A quarter
  has to be a whole rotation, 2 pi / (h slope) steps, at least.

  Args:
    positions: `[number, P]`, seen from the equilibrium.
  """
  _, before, _, late = (
    np.linalg.norm(quarter, axis=1).max()
    for quarter in np.array_split(positions, 4)
  )
  if late < 0.8 * before:
    return 'converges'
  return 'diverges' if late > 1.1 * before else 'cycles'


def _transposed(field, params, *rest):
  """Returns params as `[P]`, and `[P] -> [P]`, the product with J^T there."""
  flat, unravel = ravel_pytree(params)
  _, pull = jax.vjp(
    lambda flat: ravel_pytree(field(unravel(flat), *rest))[0], flat
  )
  return flat, lambda row: pull(row)[0]


# For loops on the host over a field of the caller's: compiled once for each.
_compiled_jacobian = jax.jit(jacobian, static_argnums=0)


@functools.partial(jax.jit, static_argnums=0)
def _compiled_product(field, row, params, *rest):
  return _transposed(field, params, *rest)[1](row)
