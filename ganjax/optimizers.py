"""Optimisers of one player: constructors, and transforms of optimisers.

A config can choose every public function here whose first argument is
`learning_rate`; all of these take the same three, so that a config can change
the optimiser and nothing else. The others take an optimiser, any
`optax.GradientTransformation`, and return another one, which needs the
parameters at its `update`.
"""

import jax
import jax.numpy as jnp
import optax

from ganjax.arrays import Scalar


def adam(
  learning_rate: Scalar | optax.Schedule, b1: Scalar, b2: Scalar
) -> optax.GradientTransformation:
  """Returns Adam, which can be differentiated twice.

  Kingma and Ba, "Adam: A Method for Stochastic Optimization", 2015,
  arXiv:1412.6980. Unrolling differentiates the root of a second moment that may
  be 0, hence the tiny `eps_root`.

  Args:
    learning_rate: a number or an optax schedule; may be traced.
    b1: decay of the mean of the gradient, in [0, 1).
    b2: decay of the mean of its square, in [0, 1).
  """
  return optax.adam(learning_rate, b1, b2, eps_root=1e-16)


def optimistic_adam(
  learning_rate: Scalar | optax.Schedule, b1: Scalar, b2: Scalar
) -> optax.GradientTransformation:
  """Returns Adam with an optimistic correction by the gradient before.

  Daskalakis et al., "Training GANs with Optimism", 2018, arXiv:1711.00141,
  algorithm 1. For the arguments, see `adam`.
  """
  return optax.optimistic_adam_v2(learning_rate, b1=b1, b2=b2, nesterov=False)


def rmsprop(
  learning_rate: Scalar | optax.Schedule, b1: Scalar, b2: Scalar
) -> optax.GradientTransformation:
  """Returns RMSprop, with `b2` as its decay and `b1` as its momentum.

  Tieleman and Hinton, "Lecture 6.5 - rmsprop", 2012. For the ranges, see
  `adam`.
  """
  return optax.rmsprop(learning_rate, decay=b2, momentum=b1)


def sgd(
  learning_rate: Scalar | optax.Schedule, b1: Scalar, b2: Scalar
) -> optax.GradientTransformation:
  """Returns gradient descent with the momentum `b1`; `b2` has no meaning."""
  return optax.sgd(learning_rate, momentum=b1)


def clipped(
  optimizer: optax.GradientTransformation, bound: Scalar
) -> optax.GradientTransformation:
  """Returns the optimiser with all parameters clipped after each update.

  Arjovsky, Chintala and Bottou, "Wasserstein GAN", 2017, arXiv:1701.07875,
  algorithm 1, where the bound is 0.01.

  Args:
    optimizer: any optax transformation.
    bound: the largest absolute value of a parameter; may be traced.
  """

  def update(gradients, state, params):
    updates, state = optimizer.update(gradients, state, params)
    clipped_updates = jax.tree.map(
      lambda param, update: jnp.clip(update, -bound - param, bound - param),
      params,
      updates,
    )
    return clipped_updates, state

  return optax.GradientTransformation(optimizer.init, update)


def lookahead(
  optimizer: optax.GradientTransformation, every: Scalar = 5, rate: Scalar = 0.5
) -> optax.GradientTransformation:
  """Returns the optimiser that goes back to slow weights every few updates.

  Zhang et al., "Lookahead Optimizer: k steps forward, 1 step back", 2019,
  arXiv:1907.08610, algorithm 1; for both players of a game, Chavdarova et al.,
  "Taming GANs with Lookahead-Minmax", 2021, arXiv:2006.14567. At each
  `every`-th update, slow <- slow + rate (fast - slow) and fast <- slow. That
  paper counts the generator's updates: a discriminator with n updates for each
  of these takes n times its `every`, to synchronise at the same time.

  Args:
    optimizer: any optax transformation, whose own state is never reset.
    every: updates of this player between two synchronisations, at least 1; may
      be traced.
    rate: step size of the slow weights, in [0, 1]; may be traced.

  Returns:
    An optax transformation, whose state also holds the slow weights.
  """

  def init(params):
    # A copy: a buffer that stands in a donated state twice is an error.
    return optimizer.init(params), jax.tree.map(jnp.copy, params), jnp.int32(0)

  def update(gradients, state, params):
    inner, slow, count = state
    updates, inner = optimizer.update(gradients, inner, params)
    count = (count + 1) % every
    synchronise = count == 0
    slow = jax.tree.map(
      lambda old, param, update: jnp.where(
        synchronise, old + rate * (param + update - old), old
      ),
      slow,
      params,
      updates,
    )
    updates = jax.tree.map(
      lambda new, param, update: jnp.where(synchronise, new - param, update),
      slow,
      params,
      updates,
    )
    return updates, (inner, slow, count)

  return optax.GradientTransformation(init, update)
