"""The Dirac-GAN: a game of two numbers, and what theory says of its training.

Mescheder, Geiger and Nowozin, "Which Training Methods for GANs do actually
Converge?", 2018, arXiv:1801.04406. The reals are at c, which is 0 in the paper,
the fakes at theta, the critic is linear in psi, and the equilibrium is (c, 0).
The value is f(psi theta) + f(-psi c), where f(t) = -log(1 + exp(-t)): f'(0) =
1/2, f''(0) = -1/4. Only reals away from 0 show the gradient of their term.

The closed forms are NumPy's, of plain numbers. `slope` is f'(0): 1/2, and 1 for
the losses without a sigmoid; `h` is the learning rate; in alternating updates
the discriminator's is first. `ganjax.dirac_cases` puts theory and training side
by side.
"""

import jax.numpy as jnp
import numpy as np

from ganjax import regularizers
from ganjax.arrays import Scalar
from ganjax.game import Game, gan
from ganjax.losses import Loss
from ganjax.players import Discriminator, Generator, Pair
from ganjax.turns import Regularizer, stateless

linear = Discriminator(
  init=lambda key, images: (jnp.ones(images.shape[-1]), {}),
  apply=lambda psi, buffers, images, key, train: (-images @ psi, buffers),
)
"""The critic x -> -psi x; the sign makes logits high for reals, as everywhere.

In the paper they are high for fakes.
"""

affine = Discriminator(
  init=lambda key, images: ({'bias': jnp.zeros(()), 'psi': jnp.ones(1)}, {}),
  apply=lambda params, buffers, images, key, train: (
    0.5 + params['bias'] - images @ params['psi'],
    buffers,
  ),
)
"""The critic x -> 1/2 + bias - psi x, for least squares: 1/2 at equilibrium."""


def game(
  loss: Pair[Loss],
  terms: dict[str, Regularizer] | None = None,
  critic: Discriminator = linear,
) -> Game:
  """Returns the Dirac-GAN as a `Game`, which begins with theta and psi at 1.

  Theta is a scalar and psi is `[1]`; a batch is c everywhere, `[N, 1]`.

  Args:
    loss: a `Pair` of functions of logits.
    terms: the discriminator's regularisers by name, or None.
    critic: `linear`, `affine` or one of these transformed by a remedy; with
      packs of m, psi is `[m]`.
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


def r1(gamma: Scalar) -> Regularizer:
  """Returns the paper's R1 penalty: gamma / 2 times the squared gradient."""
  return stateless(
    lambda turn: gamma / 2 * regularizers.r1(turn.critic, turn.real)
  )


def r2(gamma: Scalar) -> Regularizer:
  """Returns the paper's R2 penalty: gamma / 2 times the squared gradient."""
  return stateless(
    lambda turn: gamma / 2 * regularizers.r2(turn.critic, turn.fake)
  )


def wgan_gp(gamma: Scalar, target: Scalar) -> Regularizer:
  """Returns the paper's gradient penalty, with the factor gamma / 2."""

  def values(turn):
    arguments = turn.critic, turn.real, turn.fake, turn.key
    return gamma / 2 * regularizers.wgan_gp(*arguments, target)

  return stateless(values)


def flow(
  slope: float, generator: float = 0.0, discriminator: float = 0.0
) -> np.ndarray:
  """Returns the eigenvalues `[2]` of the field's Jacobian at the equilibrium.

  The Jacobian is [[-a, -slope], [slope, -b]]. The dampings a of the generator
  and b of the discriminator are sums over the remedies:

  - R1 and R2: b = gamma each (theorem 4.1);
  - reals at c: b = -2 f''(0) c^2, of losses that are sums over reals and fakes;
  - instance noise: b = -2 f''(0) std^2 (lemma 3.3);
  - consensus, of weight gamma: a = b = gamma slope^2;
  - unrolling K steps of rate h where b = 0: a = 2 K h slope^2; half of that if
    no gradient flows through the unrolled steps. Where b > 0, see `unrolled`.

  Args:
    slope: f'(0) > 0; packing m multiplies it by sqrt(m) and adds m - 1
      eigenvalues of 0.
    generator: the damping a.
    discriminator: the damping b.
  """
  middle = -(generator + discriminator) / 2
  root = np.emath.sqrt(((generator - discriminator) / 2) ** 2 - slope**2)
  return np.array([middle + root, middle - root])


def unrolled(
  slope: float, h: float, number: int, discriminator: float = 0.0
) -> np.ndarray:
  """Returns the Jacobian `[2, 2]` of the field of an unrolled game.

  With d = 1 - h b, the discriminator after K updates is d^K psi + h slope (1 +
  d + ... + d^(K-1)) theta, near the equilibrium, and the value there is slope
  theta psi - b psi^2 / 2. The Jacobian is [[-a, -slope d^(2K)], [slope, -b]],
  with a = h slope^2 (1 + d + ... + d^(2K-1)).

  Args:
    slope: f'(0).
    h: learning rate of the discriminator.
    number: of unrolled updates K, at least 0.
    discriminator: its damping b, as in `flow`.
  """
  decay = (1 - h * discriminator) ** np.arange(2 * number + 1)
  damping = h * slope**2 * decay[:-1].sum()
  return np.array([[-damping, -slope * decay[-1]], [slope, -discriminator]])


def alternating(
  slope: float,
  h: float,
  critic_steps: int = 1,
  generator: float = 0.0,
  discriminator: float = 0.0,
) -> np.ndarray:
  """Returns the multipliers `[2]` of a step of alternating gradient descent.

  Without damping they lie on the unit circle while h slope sqrt(critic_steps)
  is at most 2; beyond that, one lies outside it (lemma 2.4).

  Args:
    slope: f'(0).
    h: learning rate of both players.
    critic_steps: updates of the discriminator for one of the generator.
    generator: the damping a of `flow`.
    discriminator: the damping b of `flow`.
  """
  decay = (1 - h * discriminator) ** np.arange(critic_steps + 1)
  coupling = h * slope
  critic = np.array([[1, 0], [coupling * decay[:-1].sum(), decay[-1]]])
  return np.linalg.eigvals(
    np.array([[1 - h * generator, -coupling], [0, 1]]) @ critic
  )


def minimax_radius(theta: float, psi: float, h: float) -> float:
  """Returns the squared radius after a simultaneous step of minimax.

  It is never smaller than before.
  """
  slope = 1 / (1 + np.exp(theta * psi))
  return (theta**2 + psi**2) * (1 + (h * slope) ** 2)


def wasserstein_invariant(theta: float, psi: float, h: float) -> float:
  """Returns what an alternating step with the Wasserstein loss conserves."""
  return theta**2 + psi**2 + h * theta * psi


def non_saturating_radius(square: float, time: float) -> float:
  """Returns the squared radius after a time of the non-saturating flow, nearly.

  It falls like 8 / time, and so does alternating descent, where `time` is h
  times the number of steps. Simultaneous descent ends on a cycle whose squared
  radius is 2 h.

  Args:
    square: the squared radius at time 0.
    time: at least 0.
  """
  return 1 / (1 / square + time / 8)
