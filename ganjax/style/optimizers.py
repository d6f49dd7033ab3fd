"""Optimisers within bounds, with one evaluation of the objective a step.

Adam serves pictures, networks and latents; L-BFGS is made for pictures
`[N, H, W, 3]`, each of which it optimises by itself. There is no loop around
the evaluation, because XLA on a CPU runs a convolution inside a loop or a
condition about three times slower.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

UNBOUNDED = (-np.inf, np.inf)
"""Bounds that exclude no value."""

UNIT = (0.0, 1.0)
"""The bounds of the values of pictures."""


class Optimizer(NamedTuple):
  """An optimiser that chooses where the objective is evaluated next.

  Attributes:
    init: `params -> state`.
    update: `(params, losses, gradients, state) -> (next, best, state)`. Losses
      and gradients are those at `params`; `losses` is `[N]` for parameters that
      are optimised each by itself, or else a scalar. `next` is where they are
      to be evaluated next, and `best` is the best point so far, which for Adam
      is `next`.
    resize: `(state, pictures) -> state`, the state for pictures of another
      size.
  """

  init: Callable
  update: Callable
  resize: Callable


def from_optax(transformation, bounds=UNBOUNDED):
  """Returns the `Optimizer` that takes the steps of an optimiser of optax.

  At another size its moments are resized and its count goes on, so that the
  first steps there are no longer than those before.

  Args:
    transformation: an `optax.GradientTransformation`.
    bounds: the least and the largest value, to which parameters are clipped
      after each step.
  """

  def update(params, losses, gradients, state):
    updates, state = transformation.update(gradients, state, params)
    params = jax.tree.map(
      lambda leaf: jnp.clip(leaf, *bounds), optax.apply_updates(params, updates)
    )
    return params, params, state

  def resize(state, pictures):
    # The linear filter, because the mean squares must not become negative.
    return jax.tree.map(
      lambda leaf: (
        jax.image.resize(leaf, pictures.shape, 'linear') if leaf.ndim else leaf
      ),
      state,
    )

  return Optimizer(transformation.init, update, resize)


def adam(learning_rate=0.02, b1=0.9, b2=0.99, eps=1e-8, bounds=UNBOUNDED):
  """Returns the `Optimizer` of Kingma and Ba, 2015, arXiv:1412.6980.

  Args:
    learning_rate: in units of the parameters, such as pictures in [0, 1]; may
      be traced, or a function of the step.
    b1: of the moving average of the gradients; may be traced.
    b2: of the moving average of their squares; may be traced.
    eps: added to the root of the latter; may be traced.
    bounds: the least and the largest value of the parameters.
  """
  return from_optax(optax.adam(learning_rate, b1, b2, eps), bounds)


class _LbfgsState(NamedTuple):
  """The line search of one picture, and the curvature that it remembers."""

  best: Any  # [H, W, 3], where the search starts from
  loss: Any  # at the best picture
  gradient: Any  # at the best picture
  steps: Any  # [memory, H, W, 3], s_k of the book, the newest last
  changes: Any  # [memory, H, W, 3], y_k: of the gradient, over each step
  rhos: Any  # [memory], 1 / <s_k, y_k>, or 0 for a step not to be used
  length: Any  # factor of the direction, at most 1
  rejections: Any  # since the last accepted step


def lbfgs(memory=10, first_step=0.01, patience=6, bounds=UNBOUNDED):
  """Returns the `Optimizer` of limited-memory BFGS, one evaluation a step.

  Nocedal and Wright, "Numerical Optimization", 2006, algorithm 7.4, with
  backtracking: a step that does not lower the loss enough (equation 3.6a,
  c1 = 1e-4) is shortened to the minimum of a parabola. A rejected step counts
  as a step as well, so a budget of steps is a budget of evaluations. Each
  picture has its own search. At another size the search begins anew.

  Where the memory says nothing, steps are as smooth as natural pictures are:
  the initial inverse Hessian is a filter whose amplitude falls with the
  frequency, in place of the usual multiple of the identity. Olah, Mordvintsev
  and Schubert, "Feature Visualization", 2017, optimise in such coordinates.

  Within bounds it is a projected search (Bertsekas, "Projected Newton Methods
  for Optimization Problems with Simple Constraints", 1982): pixels that would
  leave the bounds are held there, and what is tested and remembered is the step
  after clipping.

  Args:
    memory: how many steps are remembered.
    first_step: the root mean square of the very first step, in units of the
      pictures, which lie in [0, 1]; may be traced.
    patience: rejections in a row after which the memory is cleared.
    bounds: the least and the largest value of pictures.
  """
  low, high = bounds

  def init(picture):
    steps = jnp.zeros((memory, *picture.shape), picture.dtype)
    zero = jnp.zeros_like(picture)
    # Below an infinite loss the first evaluation is accepted, whatever it is.
    return _LbfgsState(
      jnp.copy(picture),
      jnp.float32(jnp.inf),
      zero,
      steps,
      jnp.copy(steps),
      jnp.zeros(memory),
      jnp.float32(1),
      jnp.int32(0),
    )

  def update(picture, loss, gradient, state):
    step = picture - state.best
    expected = jnp.vdot(state.gradient, step)
    accepted = loss <= state.loss + 1e-4 * jnp.minimum(expected, 0)
    rejections = jnp.where(accepted, 0, state.rejections + 1)
    clear = rejections == patience
    moved = _where(
      accepted,
      _remember(state, step, gradient)._replace(
        best=picture, loss=loss, gradient=gradient
      ),
      state,
    )
    minimum = -expected / (2 * (loss - state.loss - expected))
    shorter = jnp.where(jnp.isfinite(minimum), jnp.clip(minimum, 0.1, 0.5), 0.1)
    moved = moved._replace(
      length=jnp.where(accepted | clear, 1, state.length * shorter),
      rejections=jnp.where(clear, 0, rejections),
      rhos=jnp.where(clear, 0, moved.rhos),
    )
    best, gradient = moved.best, moved.gradient
    held = ((best <= low) & (gradient > 0)) | ((best >= high) & (gradient < 0))
    free = moved._replace(gradient=jnp.where(held, 0, gradient))
    direction = _direction(free, first_step)
    step = jnp.where(held, 0, moved.length * direction)
    return jnp.clip(best + step, low, high), best, moved

  return Optimizer(
    jax.vmap(init),
    jax.vmap(update),
    lambda state, pictures: jax.vmap(init)(pictures),
  )


def _remember(state, step, gradient):
  """Returns the state with the newest step, if its curvature is positive.

  Without positive curvature the next direction could lead upwards.
  """
  change = gradient - state.gradient
  curvature = jnp.vdot(step, change)
  enough = 1e-6 * jnp.linalg.norm(step) * jnp.linalg.norm(change)
  usable = jnp.isfinite(state.loss) & (curvature > enough)

  def push(old, new):
    return jnp.concatenate([old[1:], new[None]])

  added = state._replace(
    steps=push(state.steps, step),
    changes=push(state.changes, change),
    rhos=push(state.rhos, 1 / curvature),
  )
  return _where(usable, added, state)


def _direction(state, first_step):
  """Returns minus the inverse Hessian times the gradient, algorithm 7.4."""

  def backward(vector, remembered):
    step, change, rho = remembered
    alpha = rho * jnp.vdot(step, vector)
    return vector - alpha * change, alpha

  def forward(vector, remembered):
    step, change, rho, alpha = remembered
    return vector + (alpha - rho * jnp.vdot(change, vector)) * step, None

  memory = state.steps, state.changes, state.rhos
  vector, alphas = jax.lax.scan(backward, state.gradient, memory, reverse=True)
  newest = state.changes[-1]
  vector, change = _smooth(jnp.stack([vector, newest]))
  squares = jnp.vdot(newest, change)
  width = jnp.sqrt(jnp.mean(vector**2))
  # The newest step sets the scale even where the memory has been cleared.
  scale = jnp.where(
    squares > 0,
    jnp.vdot(state.steps[-1], newest) / squares,
    first_step / jnp.maximum(width, jnp.finfo(width.dtype).tiny),
  )
  vector, _ = jax.lax.scan(forward, scale * vector, (*memory, alphas))
  return -vector


def _smooth(pictures):
  """Returns `[N, H, W, C]` under a filter of the amplitude 1 / (f + 5).

  `f` is the spatial frequency in periods on the longer side; the 5 keeps the
  amplitude of the mean finite.
  """
  height, width = size = pictures.shape[1:3]
  down, across = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)
  amplitude = 1 / (max(size) * np.hypot(down, across) + 5)
  spectrum = jnp.fft.rfft2(pictures, axes=(1, 2))
  return jnp.fft.irfft2(
    spectrum * amplitude[..., None].astype(np.float32), s=size, axes=(1, 2)
  )


def _where(condition, yes, no):
  return jax.tree.map(lambda yes, no: jnp.where(condition, yes, no), yes, no)
