"""The Dirac-GAN: two numbers, and all that is known of how they move.

Mescheder, Geiger and Nowozin, "Which Training Methods for GANs do actually
Converge?", 2018, arXiv:1801.04406. The reals lie at 0, the fakes at theta, the
critic is linear in psi, and the equilibrium is (0, 0). The value is f(psi
theta) + f(0), where f(t) = -log(1 + exp(-t)): f'(0) = 1/2, f''(0) = -1/4.

The closed forms are NumPy's, of plain numbers: what a laboratory prints beside
its measurements. `slope` is f'(0), which is 1/2, and 1 for the losses without a
sigmoid; `h` is the learning rate; in turns, the discriminator moves first.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.flatten_util import ravel_pytree

from ganjax import dynamics, losses, optimizers, regularizers, remedies, steps
from ganjax.game import Game, gan, stateless
from ganjax.players import Discriminator, Generator, Pair

linear = Discriminator(
  init=lambda key, images: (jnp.ones(images.shape[-1]), {}),
  apply=lambda psi, buffers, images, key, train: (-images @ psi, buffers),
)
"""The critic x -> -psi x: logits are high for reals, the paper's for fakes."""

affine = Discriminator(
  init=lambda key, images: ({'bias': jnp.zeros(()), 'psi': jnp.ones(1)}, {}),
  apply=lambda params, buffers, images, key, train: (
    0.5 + params['bias'] - images @ params['psi'],
    buffers,
  ),
)
"""The critic x -> 1/2 + bias - psi x: with least squares it rests at 1/2."""


def game(loss, terms=None, critic=linear):
  """The Dirac-GAN as a `Game`: theta, a number, and psi, `[1]`, from (1, 1).

  Its batch is zeros `[N, 1]`.

  Args:
    loss: a `Pair` of functions of logits.
    terms: the discriminator's regularisers by name, or None.
    critic: `linear` or `affine`, or what a remedy makes of it; packed m at a
      time, psi is `[m]`.
  """
  generator = Generator(
    init=lambda key, latents: (jnp.ones(()), {}),
    mapping=lambda theta, buffers, latents, key, train: (latents, buffers),
    synthesis=lambda theta, buffers, styles, key, train: (
      theta * jnp.ones_like(styles),
      buffers,
    ),
  )
  return gan(
    generator,
    critic,
    loss,
    lambda key, number: jnp.zeros((number, 1)),
    Pair({}, terms or {}),
  )


def r1(gamma):
  """The paper's penalty on reals, gamma / 2 times the squared gradient."""
  return stateless(
    lambda turn: gamma / 2 * regularizers.r1(turn.critic, turn.real)
  )


def r2(gamma):
  """The paper's penalty on fakes, gamma / 2 times the squared gradient."""
  return stateless(
    lambda turn: gamma / 2 * regularizers.r2(turn.critic, turn.fake)
  )


def wgan_gp(gamma, target):
  """The paper's gradient penalty, gamma / 2 times the squared distance."""

  def values(turn):
    seen = turn.critic, turn.real, turn.fake, turn.key
    return gamma / 2 * regularizers.wgan_gp(*seen, target)

  return stateless(values)


def flow(slope, generator=0.0, discriminator=0.0):
  """The eigenvalues `[2]` of the flow's Jacobian at the equilibrium.

  The Jacobian is [[-a, -slope], [slope, -b]]. The dampings a, of the generator,
  and b, of the discriminator, add up over the remedies:

  - R1 and R2: b = gamma each (theorem 4.1);
  - instance noise: b = -2 f''(0) std^2 (lemma 3.3);
  - consensus, of weight gamma: a = b = gamma slope^2;
  - unrolling K steps of rate h: a = 2 K h slope^2; half of that if no gradient
    flows through the unrolled steps.

  Args:
    slope: f'(0) > 0. Packing m multiplies it by sqrt(m), and adds m - 1 zeros.
    generator: the damping a.
    discriminator: the damping b.
  """
  middle = -(generator + discriminator) / 2
  root = np.emath.sqrt(((generator - discriminator) / 2) ** 2 - slope**2)
  return np.array([middle + root, middle - root])


def alternating(slope, h, critic_steps=1, generator=0.0, discriminator=0.0):
  """The multipliers `[2]` of a step in turns, the discriminator's first.

  Without damping they lie on the unit circle up to h slope sqrt(critic_steps)
  = 2, and one leaves it from there on (lemma 2.4).

  Args:
    slope: f'(0).
    h: learning rate of both.
    critic_steps: moves of the discriminator for one of the generator.
    generator: the damping a of `flow`.
    discriminator: its damping b.
  """
  kept = (1 - h * discriminator) ** np.arange(critic_steps + 1)
  push = h * slope
  critic = np.array([[1, 0], [push * kept[:-1].sum(), kept[-1]]])
  return np.linalg.eigvals(
    np.array([[1 - h * generator, -push], [0, 1]]) @ critic
  )


def outward(theta, psi, h):
  """The squared radius after a step of minimax at once; it only grows."""
  slope = 1 / (1 + np.exp(theta * psi))
  return (theta**2 + psi**2) * (1 + (h * slope) ** 2)


def conserved(theta, psi, h):
  """What a Wasserstein critic and generator in turns leave as it is."""
  return theta**2 + psi**2 + h * theta * psi


def inward(square, time):
  """The squared radius after a time of the non-saturating flow, nearly.

  It falls like 8 / time. So does descent in turns, where `time` is h times the
  steps; at once, it ends on a cycle whose squared radius is 2 h.
  """
  return 1 / (1 / square + time / 8)


class Case(NamedTuple):
  """One way to train the Dirac-GAN, and what the theory says of it.

  Attributes:
    name: of the loss, the remedy and the order.
    game: a `Game`.
    multipliers: the theory's eigenvalues of `every` steps at the equilibrium;
      None where the field has a kink there.
    verdict: 'converges', 'cycles' or 'diverges', of the nonlinear game: some
      of the paper's cases leave the equilibrium, for a cycle around it.
    rule: `(game, optimizers) -> step`.
    optimizers: a `Pair` of optax transformations.
    rows: of a batch.
    every: steps that `multipliers` stand for.
    tolerance: how far from the multipliers a measurement may lie.
  """

  name: str
  game: Game
  multipliers: Any
  verdict: str
  rule: Callable
  optimizers: Pair
  rows: int = 1
  every: int = 1
  tolerance: float = 1e-10


def cases(h=0.2):
  """The named cases, a tuple of `Case`.

  Args:
    h: learning rate; the verdicts are those of 0.2, the paper's.
  """
  sgd = optax.sgd(h)
  at_once = partial(Case, rule=steps.simultaneous, optimizers=Pair(sgd, sgd))
  in_turns = partial(Case, rule=steps.alternating, optimizers=Pair(sgd, sgd))
  moved, turned = partial(dynamics.simultaneous, h=h), partial(alternating, h=h)
  free, std = flow(0.5), 0.7
  minimax = game(losses.minimax)
  heuristic, paired = game(losses.non_saturating), game(losses.relativistic)
  wasserstein = game(losses.wasserstein)

  def both(optimizer):
    return {'optimizers': Pair(optimizer, optimizer)}

  return (
    at_once('minimax, at once', minimax, moved(free), 'diverges'),
    in_turns('minimax, in turns', minimax, turned(0.5), 'cycles'),
    in_turns(
      'minimax, 5 critic steps, in turns',
      minimax,
      turned(0.5, critic_steps=5),
      'cycles',
      rule=partial(steps.alternating, critic_steps=5),
      rows=5,
    ),
    at_once(
      'minimax, a generator 4 times as slow, at once',
      minimax,
      moved(free / 2),
      'diverges',
      optimizers=Pair(optax.sgd(h / 4), sgd),
    ),
    at_once('non-saturating, at once', heuristic, moved(free), 'cycles'),
    in_turns('non-saturating, in turns', heuristic, turned(0.5), 'converges'),
    in_turns('relativistic, in turns', paired, turned(0.5), 'converges'),
    at_once(
      'least squares, at once',
      game(losses.least_squares, critic=affine),
      moved(np.append(free, -2)),
      'cycles',
    ),
    in_turns('hinge, in turns', game(losses.hinge), turned(1.0), 'cycles'),
    at_once('Wasserstein, at once', wasserstein, moved(flow(1.0)), 'diverges'),
    in_turns('Wasserstein, in turns', wasserstein, turned(1.0), 'cycles'),
    at_once(
      'Wasserstein, clipped at 1, at once',
      wasserstein,
      moved(flow(1.0)),
      'cycles',
      optimizers=Pair(sgd, optimizers.clipped(sgd, 1.0)),
    ),
    in_turns(
      'Wasserstein, gradient penalty .7, in turns',
      game(losses.wasserstein, {'wgan_gp': wgan_gp(0.7, 1.0)}),
      None,
      'cycles',
    ),
    at_once(
      'minimax, R1 .3, at once',
      game(losses.minimax, {'r1': r1(0.3)}),
      moved(flow(0.5, discriminator=0.3)),
      'converges',
    ),
    in_turns(
      'non-saturating, R2 .3, in turns',
      game(losses.non_saturating, {'r2': r2(0.3)}),
      turned(0.5, discriminator=0.3),
      'converges',
    ),
    in_turns(
      'relativistic, R1 and R2 .3, in turns',
      game(losses.relativistic, {'r1': r1(0.3), 'r2': r2(0.3)}),
      turned(0.5, discriminator=0.6),
      'converges',
    ),
    at_once(
      'minimax, instance noise .7, at once',
      game(losses.minimax, critic=remedies.instance_noise(linear, std)),
      moved(flow(0.5, discriminator=std**2 / 2)),
      'converges',
      rows=4096,
      # Five standard errors of that many squares.
      tolerance=2e-3,
    ),
    at_once(
      'minimax, consensus 1, at once',
      remedies.consensus(minimax, 1.0),
      moved(flow(0.5, generator=0.25, discriminator=0.25)),
      'converges',
    ),
    at_once(
      'minimax, unrolled 5, at once',
      minimax,
      moved(flow(0.5, generator=5 * h / 2)),
      'converges',
      rule=partial(steps.simultaneous, unroll=5),
    ),
    in_turns(
      'minimax, packing 2, in turns',
      game(losses.minimax, critic=remedies.pack(linear, 2)),
      np.append(turned(np.sqrt(2) / 2), 1),
      'cycles',
      rows=2,
    ),
    at_once(
      'minimax, extragradient',
      minimax,
      dynamics.extragradient(free, h),
      'converges',
      rule=steps.extragradient,
    ),
    at_once(
      'minimax, optimistic, at once',
      minimax,
      dynamics.optimistic(free, h),
      'converges',
      **both(optax.optimistic_gradient_descent(h)),
    ),
    at_once(
      'minimax, lookahead 5, at once',
      minimax,
      dynamics.lookahead(free, h, 5, 0.5),
      'converges',
      **both(optimizers.lookahead(sgd, every=5, rate=0.5)),
      every=5,
    ),
    in_turns(
      'minimax, momentum -.5, in turns',
      minimax,
      dynamics.alternating_momentum(0.5, h, -0.5),
      'converges',
      **both(optax.sgd(h, momentum=-0.5)),
    ),
  )


def trajectory(case, key, number):
  """Both players' parameters `[number + 1, P]` from their start, theta first.

  Args:
    case: a `Case`.
    key: of the run.
    number: of steps, a Python int.
  """
  step, state, batch = _begin(case, key)

  def position(state):
    return ravel_pytree(state.params)[0]

  state, before = jax.lax.scan(
    lambda state, _: (step(state, batch)[0], position(state)),
    state,
    length=number,
  )
  return jnp.concatenate([before, position(state)[None]])


def linearized(case, key):
  """The Jacobian `[P, P]` of `case.every` steps at the equilibrium, measured.

  Its eigenvalues are to be compared with `case.multipliers`; of optimisers
  with a memory it has a row and a column for that too.

  Args:
    case: a `Case`.
    key: of the run.
  """
  step, state, batch = _begin(case, key)
  rest = jax.tree.map(jnp.zeros_like, state.params)
  state = steps.restart(case.optimizers, state.replace(params=rest))
  state, _ = step(state, batch)
  return dynamics.monodromy(step, state.replace(params=rest), batch, case.every)


def verdict(positions):
  """'converges', 'cycles' or 'diverges': where a trajectory was going at last.

  The largest radius of its last quarter is compared with that of its second:
  a fifth less is convergence, a tenth more divergence. A quarter has to be a
  turn, 2 pi / (h slope) steps, at least.

  Args:
    positions: `[number, P]`, of `trajectory`.
  """
  _, before, _, late = (
    np.linalg.norm(quarter, axis=1).max()
    for quarter in np.array_split(positions, 4)
  )
  if late < 0.8 * before:
    return 'converges'
  return 'diverges' if late > 1.1 * before else 'cycles'


def _begin(case, key):
  step = case.rule(case.game, case.optimizers)
  return (
    step,
    steps.init(case.game, case.optimizers, key),
    jnp.zeros((case.rows, 1)),
  )
