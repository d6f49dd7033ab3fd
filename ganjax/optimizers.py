"""Optimisers of one player: constructors, and transforms of optimisers.

A config can choose every public function here whose first argument is
`learning_rate`; all of these take the same five arguments, so that a config can
change the optimiser and nothing else. The others take an optimiser, any
`optax.GradientTransformation`, and return another one, which needs the
parameters at its `update`. What each paper's code has for the two epsilons is
in docs/epsilons.md.
"""

import jax
import jax.numpy as jnp
import optax

from ganjax.arrays import Scalar


def adam(
  learning_rate: Scalar | optax.Schedule,
  b1: Scalar,
  b2: Scalar,
  eps: Scalar = 1e-8,
  eps_root: Scalar = 1e-16,
) -> optax.GradientTransformation:
  """Returns Adam, which can be differentiated twice.

  Kingma and Ba, "Adam: A Method for Stochastic Optimization", 2015,
  arXiv:1412.6980, algorithm 1, as in PyTorch. TensorFlow 1 adds its epsilon
  before the bias of the second moment is corrected: at the first step its 1e-8
  are 1e-8 / sqrt(1 - b2) here, and 1e-8 in the end.

  Args:
    learning_rate: a number or an optax schedule; may be traced.
    b1: decay of the mean of the gradient, in [0, 1).
    b2: decay of the mean of its square, in [0, 1).
    eps: added to the root of the second moment, in units of the gradient.
    eps_root: added under the root, in their square. Unrolling differentiates
      the root of a second moment that may be 0, hence it is not 0.
  """
  return optax.adam(learning_rate, b1, b2, eps, eps_root)


def optimistic_adam(
  learning_rate: Scalar | optax.Schedule,
  b1: Scalar,
  b2: Scalar,
  eps: Scalar = 1e-8,
  eps_root: Scalar = 1e-16,
) -> optax.GradientTransformation:
  """Returns Adam with an optimistic correction by the gradient before.

  Daskalakis et al., "Training GANs with Optimism", 2018, arXiv:1711.00141,
  algorithm 1. For the arguments, see `adam`.
  """
  return optax.optimistic_adam_v2(
    learning_rate, b1=b1, b2=b2, eps=eps, eps_root=eps_root, nesterov=False
  )


def rmsprop(
  learning_rate: Scalar | optax.Schedule,
  b1: Scalar,
  b2: Scalar,
  eps: Scalar = 1e-8,
  eps_root: Scalar = 1e-16,
) -> optax.GradientTransformation:
  """Returns RMSprop, with `b2` as its decay and `b1` as its momentum.

  Tieleman and Hinton, "Lecture 6.5 - rmsprop", 2012. The gradient is divided by
  sqrt(mean of its square + eps_root) + eps. PyTorch has an eps of 1e-8 and no
  eps_root; TensorFlow 1 has an eps_root of 1e-10 and no eps, and its mean
  begins with 1 in place of 0. optax takes 1e-8 for eps_root, which leaves a
  gradient of 1e-6 a hundredth of its move. For the ranges, see `adam`.
  """

  def init(params):
    return optax.ScaleByRmsState(nu=optax.tree.zeros_like(params))

  def update(gradients, state, params=None):
    mean = optax.tree.update_moment_per_elem_norm(gradients, state.nu, b2, 2)
    scaled = jax.tree.map(
      lambda gradient, square: gradient / (jnp.sqrt(square + eps_root) + eps),
      gradients,
      mean,
    )
    return scaled, optax.ScaleByRmsState(nu=mean)

  return optax.chain(
    optax.GradientTransformation(init, update),
    optax.scale_by_learning_rate(learning_rate),
    optax.trace(b1),
  )


def sgd(
  learning_rate: Scalar | optax.Schedule,
  b1: Scalar,
  b2: Scalar,
  eps: Scalar = 1e-8,
  eps_root: Scalar = 1e-16,
) -> optax.GradientTransformation:
  """Returns gradient descent with the momentum `b1`.

  The other numbers, those of `adam`, have no meaning here.
  """
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
