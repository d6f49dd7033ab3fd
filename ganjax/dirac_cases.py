"""Cases of the Dirac-GAN: ways to train it, each with what theory says of it.

Mescheder, Geiger and Nowozin, "Which Training Methods for GANs do actually
Converge?", 2018, arXiv:1801.04406, and the papers of the remedies. A case can
be run, for its trajectory and for the Jacobian of its steps, to compare.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.flatten_util import ravel_pytree

from ganjax import dirac, dynamics, losses, optimizers, remedies, steps
from ganjax.arrays import Array, Batch
from ganjax.game import Game
from ganjax.players import Pair


class Case(NamedTuple):
  """A way to train the Dirac-GAN, and what theory says of it.

  Attributes:
    name: of the loss, the remedy and the order of the updates.
    game: a `Game`.
    multipliers: by theory, the eigenvalues of the Jacobian of `every` steps at
      the equilibrium; None where the field has a kink there.
    verdict: 'converges', 'cycles' or 'diverges', for the nonlinear game: some
      of the paper's cases leave the equilibrium and end on a cycle around it.
    rule: `(game, optimizers) -> step`.
    optimizers: a `Pair` of optax transformations.
    rows: of a batch.
    data: where the reals are.
    every: the number of steps that `multipliers` are for.
    tolerance: how far from the multipliers measured ones may lie.
  """

  name: str
  game: Game
  multipliers: np.ndarray | None
  verdict: str
  rule: Callable
  optimizers: Pair[optax.GradientTransformation]
  rows: int = 1
  data: float = 0.0
  every: int = 1
  tolerance: float = 1e-10


def cases(h: float = 0.2) -> tuple[Case, ...]:
  """Returns all `Case`s, a tuple.

  Args:
    h: learning rate; the verdicts are those for 0.2, the paper's.
  """
  sgd = optax.sgd(h)
  simultaneous = partial(
    Case, rule=steps.simultaneous, optimizers=Pair(sgd, sgd)
  )
  alternating = partial(Case, rule=steps.alternating, optimizers=Pair(sgd, sgd))
  # The multipliers of the two, from a flow and from a slope.
  of_flow = partial(dynamics.simultaneous, h=h)
  of_slope = partial(dirac.alternating, h=h)
  free, std = dirac.flow(0.5), 0.7  # no remedy; deviation of the instance noise
  minimax = dirac.game(losses.minimax)
  non_saturating = dirac.game(losses.non_saturating)
  relativistic = dirac.game(losses.relativistic)
  wasserstein = dirac.game(losses.wasserstein)

  def both(optimizer):
    return {'optimizers': Pair(optimizer, optimizer)}

  return (
    simultaneous('minimax, simultaneous', minimax, of_flow(free), 'diverges'),
    alternating('minimax, alternating', minimax, of_slope(0.5), 'cycles'),
    alternating(
      'minimax, 5 critic steps, alternating',
      minimax,
      of_slope(0.5, critic_steps=5),
      'cycles',
      rule=partial(steps.alternating, critic_steps=5),
      rows=5,
    ),
    simultaneous(
      'minimax, a generator 4 times as slow, simultaneous',
      minimax,
      of_flow(free / 2),
      'diverges',
      optimizers=Pair(optax.sgd(h / 4), sgd),
    ),
    simultaneous(
      'non-saturating, simultaneous', non_saturating, of_flow(free), 'cycles'
    ),
    *(
      alternating(
        f'{name}, alternating',
        game,
        of_slope(0.5, discriminator=damping),
        'converges',
        rows=3,
        data=data,
      )
      for name, game, damping, data in (
        ('non-saturating', non_saturating, 0.0, 0.0),
        ('relativistic', relativistic, 0.0, 0.0),
        ('minimax, data at 1', minimax, 0.5, 1.0),
        ('relativistic, data at 1', relativistic, 0.0, 1.0),
      )
    ),
    simultaneous(
      'least squares, simultaneous',
      dirac.game(losses.least_squares, critic=dirac.affine),
      of_flow(np.append(free, -2)),
      'cycles',
    ),
    alternating(
      'hinge, alternating', dirac.game(losses.hinge), of_slope(1.0), 'cycles'
    ),
    simultaneous(
      'Wasserstein, simultaneous',
      wasserstein,
      of_flow(dirac.flow(1.0)),
      'diverges',
    ),
    alternating(
      'Wasserstein, alternating', wasserstein, of_slope(1.0), 'cycles'
    ),
    simultaneous(
      'Wasserstein, clipped at 1, simultaneous',
      wasserstein,
      of_flow(dirac.flow(1.0)),
      'cycles',
      optimizers=Pair(sgd, optimizers.clipped(sgd, 1.0)),
    ),
    alternating(
      'Wasserstein, gradient penalty .7, alternating',
      dirac.game(losses.wasserstein, {'wgan_gp': dirac.wgan_gp(0.7, 1.0)}),
      None,
      'cycles',
    ),
    simultaneous(
      'minimax, R1 .3, simultaneous',
      dirac.game(losses.minimax, {'r1': dirac.r1(0.3)}),
      of_flow(dirac.flow(0.5, discriminator=0.3)),
      'converges',
    ),
    alternating(
      'non-saturating, R2 .3, alternating',
      dirac.game(losses.non_saturating, {'r2': dirac.r2(0.3)}),
      of_slope(0.5, discriminator=0.3),
      'converges',
    ),
    alternating(
      'relativistic, R1 and R2 .3, alternating',
      dirac.game(
        losses.relativistic, {'r1': dirac.r1(0.3), 'r2': dirac.r2(0.3)}
      ),
      of_slope(0.5, discriminator=0.6),
      'converges',
    ),
    simultaneous(
      'minimax, instance noise .7, simultaneous',
      dirac.game(
        losses.minimax, critic=remedies.instance_noise(dirac.linear, std)
      ),
      of_flow(dirac.flow(0.5, discriminator=std**2 / 2)),
      'converges',
      rows=4096,
      # Five standard errors of that many squares.
      tolerance=2e-3,
    ),
    simultaneous(
      'minimax, consensus 1, simultaneous',
      remedies.consensus(minimax, 1.0),
      of_flow(dirac.flow(0.5, generator=0.25, discriminator=0.25)),
      'converges',
    ),
    *(
      simultaneous(
        f'{name}, unrolled 5, simultaneous',
        game,
        of_flow(np.linalg.eigvals(dirac.unrolled(slope, h, 5, damping))),
        'converges',
        rule=partial(steps.simultaneous, unroll=5),
        rows=3,
        data=data,
      )
      for name, game, slope, damping, data in (
        ('minimax', minimax, 0.5, 0.0, 0.0),
        ('minimax, data at 1', minimax, 0.5, 0.5, 1.0),
        ('non-saturating, data at 1', non_saturating, 0.5, 0.5, 1.0),
        ('Wasserstein, data at 1', wasserstein, 1.0, 0.0, 1.0),
      )
    ),
    alternating(
      'minimax, packing 2, alternating',
      dirac.game(losses.minimax, critic=remedies.pack(dirac.linear, 2)),
      np.append(of_slope(np.sqrt(2) / 2), 1),
      'cycles',
      rows=2,
    ),
    simultaneous(
      'minimax, extragradient',
      minimax,
      dynamics.extragradient(free, h),
      'converges',
      rule=steps.extragradient,
    ),
    simultaneous(
      'minimax, optimistic, simultaneous',
      minimax,
      dynamics.optimistic(free, h),
      'converges',
      **both(optax.optimistic_gradient_descent(h)),
    ),
    simultaneous(
      'minimax, lookahead 5, simultaneous',
      minimax,
      dynamics.lookahead(free, h, 5, 0.5),
      'converges',
      **both(optimizers.lookahead(sgd, every=5, rate=0.5)),
      every=5,
    ),
    alternating(
      'minimax, momentum -.5, alternating',
      minimax,
      dynamics.alternating_momentum(0.5, h, -0.5),
      'converges',
      **both(optax.sgd(h, momentum=-0.5)),
    ),
  )


def trajectory(case: Case, key: jax.Array, number: int) -> jax.Array:
  """Returns both players at all steps, seen from the equilibrium.

  The columns of `[number + 1, P]` begin with theta - c, where c is where the
  reals are, and the rows with (1, ..., 1).

  Args:
    case: a `Case`.
    key: of the training run.
    number: of steps, a Python int.
  """
  step, state, batch = _begin(case, key)

  def position(state):
    theta, psi = state.params
    return ravel_pytree((theta - case.data, psi))[0]

  state, before = jax.lax.scan(
    lambda state, _: (step(state, batch)[0], position(state)),
    state,
    length=number,
  )
  return jnp.concatenate([before, position(state)[None]])


def linearized(case: Case, key: jax.Array) -> jax.Array:
  """Returns the measured Jacobian `[P, P]` of `case.every` steps.

  It is taken at the equilibrium; its eigenvalues are comparable with
  `case.multipliers`. P also counts the states of the optimisers.

  Args:
    case: a `Case`.
    key: of the training run.
  """
  step, state, batch = _begin(case, key)
  rest = jax.tree.map(jnp.zeros_like, state.params)
  rest = rest._replace(generator=rest.generator + case.data)
  state = steps.restart(case.optimizers, state.replace(params=rest))
  state, _ = step(state, batch)
  return dynamics.monodromy(step, state.replace(params=rest), batch, case.every)


class Comparison(NamedTuple):
  """A case as it was measured, beside theory.

  Attributes:
    verdict: that of the trajectory.
    measured: the spectral radius of the measured Jacobian; this and the next
      two are None where theory has no multipliers.
    theory: the spectral radius by theory.
    difference: the largest difference between the coefficients of the two
      characteristic polynomials.
    agrees: whether the verdicts are equal and the difference is tolerated.
  """

  verdict: str
  measured: float | None
  theory: float | None
  difference: float | None
  agrees: bool


def compare(case: Case, matrix: Array, positions: Array) -> Comparison:
  """Returns the `Comparison` of a case.

  Args:
    case: a `Case`.
    matrix: `[P, P]`, of `linearized`.
    positions: `[number, P]`, of `trajectory`.
  """
  found = dynamics.verdict(positions)
  agrees = found == case.verdict
  if case.multipliers is None:
    return Comparison(found, None, None, None, agrees)
  difference = np.abs(np.poly(matrix) - np.poly(case.multipliers)).max()
  return Comparison(
    found,
    measured=np.abs(np.linalg.eigvals(matrix)).max(),
    theory=np.abs(case.multipliers).max(),
    difference=difference,
    agrees=agrees and bool(difference <= case.tolerance),
  )


def _begin(case, key):
  step = case.rule(case.game, case.optimizers)
  state = steps.init(case.game, case.optimizers, key)
  theta, psi = state.params
  state = state.replace(params=Pair(theta + case.data, psi))
  return step, state, Batch(jnp.full((case.rows, 1), case.data))
