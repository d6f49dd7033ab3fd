"""Descents: transforms of one player's optimiser, beside those that optax has.

Each takes an `optax.GradientTransformation` and returns another, which needs
the parameters at its `update`.
"""

import jax
import jax.numpy as jnp
import optax


def clipped(optimizer, bound):
  """The optimiser after whose moves no parameter lies beyond `bound`.

  Arjovsky, Chintala and Bottou, "Wasserstein GAN", 2017, arXiv:1701.07875,
  algorithm 1, which has a bound of 0.01.

  Args:
    optimizer: any optax transformation.
    bound: of each parameter's absolute value; may be traced.
  """

  def update(slopes, state, params):
    moves, state = optimizer.update(slopes, state, params)
    within = jax.tree.map(
      lambda own, move: jnp.clip(move, -bound - own, bound - own),
      params,
      moves,
    )
    return within, state

  return optax.GradientTransformation(optimizer.init, update)


def lookahead(optimizer, every=5, rate=0.5):
  """The optimiser that comes back to a slow copy of the parameters.

  Zhang et al., "Lookahead Optimizer: k steps forward, 1 step back", 2019,
  arXiv:1907.08610, algorithm 1; for both players of a game, Chavdarova et al.,
  "Taming GANs with Lookahead-Minmax", 2021, arXiv:2006.14567. At each
  `every`-th move, slow <- slow + rate (fast - slow) and fast <- slow. That
  paper counts the generator's moves: a discriminator that moves n times as
  often takes n times its `every`, to come back at the same time.

  Args:
    optimizer: any optax transformation, whose state goes on undisturbed.
    every: own moves from one return to the next, at least 1; may be traced.
    rate: share of the way that is kept, in [0, 1]; may be traced.

  Returns:
    An optax transformation, whose state also holds the slow parameters.
  """

  def init(params):
    # A copy: a buffer that stands in a donated state twice is an error.
    return optimizer.init(params), jax.tree.map(jnp.copy, params), jnp.int32(0)

  def update(slopes, state, params):
    inner, slow, count = state
    moves, inner = optimizer.update(slopes, inner, params)
    count = (count + 1) % every
    returns = count == 0
    slow = jax.tree.map(
      lambda old, own, move: jnp.where(
        returns, old + rate * (own + move - old), old
      ),
      slow,
      params,
      moves,
    )
    moves = jax.tree.map(
      lambda new, own, move: jnp.where(returns, new - own, move),
      slow,
      params,
      moves,
    )
    return moves, (inner, slow, count)

  return optax.GradientTransformation(init, update)
