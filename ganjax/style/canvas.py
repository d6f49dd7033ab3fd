"""Pictures as what is optimised: sizes, starts and optimisers.

An optimiser here moves pictures `[N, H, W, 3]`, each by itself, with one
evaluation of the objective a step and no loop around it: XLA on a CPU runs a
convolution inside a loop or a condition about three times slower.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

ANYWHERE = (-np.inf, np.inf)
"""Bounds that bind nothing."""

UNIT = (0.0, 1.0)
"""The bounds of what can be shown."""


class Optimizer(NamedTuple):
  """How pictures move.

  Attributes:
    init: `pictures -> state`.
    update: `(pictures, values, gradients, state) -> (next, reached, state)`,
      where the objective's values `[N]` and gradients are those at the
      pictures; `next` is where it wants them next, `reached` the best so far,
      or what stands for it.
    carry: `(state, pictures) -> state`, to pictures of another size.
  """

  init: Callable
  update: Callable
  carry: Callable


# Sizes.


def sides(last, first=128, ratio=2**0.5):
  """The longer sides of the scales, from the smallest to `last`, a tuple.

  Each is the next one divided by `ratio`: 512 and 128 give 128, 181, 256, 362
  and 512, as in K. Crowson's style-transfer-pytorch (2021).

  Args:
    last: in pixels.
    first: none is smaller, except `last` itself.
    ratio: above 1.

  Raises:
    ValueError: if there is no such ratio or side.
  """
  if not (last >= 1 and first >= 1 and ratio > 1):
    raise ValueError(
      f'Sides from {first} to {last} pixels by a ratio of {ratio}: sides must '
      'be at least 1 and the ratio above 1.'
    )
  found, power = [last], 1
  while round(last / ratio**power) >= first:
    found.insert(0, round(last / ratio**power))
    power += 1
  return tuple(found)


def shape(height, width, side):
  """The (height, width) of a picture whose longer side becomes `side`."""
  longer = max(height, width)
  return tuple(max(1, round(old * side / longer)) for old in (height, width))


def resized(pictures, size):
  """The pictures `[N, *size, 3]` by the bicubic filter, clipped to [0, 1].

  Args:
    pictures: `[N, H, W, 3]` in [0, 1].
    size: (height, width), in pixels.
  """
  if pictures.shape[1:3] == tuple(size):
    return pictures
  # Smaller pictures are filtered over the whole area of a new pixel.
  new = (len(pictures), *size, pictures.shape[-1])
  return jnp.clip(jax.image.resize(pictures, new, 'bicubic'), 0, 1)


# Optimisers.


def adam(learning_rate=0.02, b1=0.9, b2=0.99, eps=1e-8, bounds=ANYWHERE):
  """The `Optimizer` of Kingma and Ba, 2015, arXiv:1412.6980.

  Its moments are carried to the next size, and its count goes on: the first
  steps there are no longer than those before.

  Args:
    learning_rate: in units of the pictures, which lie in [0, 1]; may be traced.
    b1: of the mean of gradients; may be traced.
    b2: of the mean of their squares; may be traced.
    eps: added to the root of the latter; may be traced.
    bounds: to which pictures are clipped after each step.
  """
  inner = optax.adam(learning_rate, b1, b2, eps)

  def update(pictures, values, gradients, state):
    updates, state = inner.update(gradients, state, pictures)
    pictures = jnp.clip(optax.apply_updates(pictures, updates), *bounds)
    return pictures, pictures, state

  def carry(state, pictures):
    # Linear, for the squares must not become negative.
    return jax.tree.map(
      lambda leaf: (
        jax.image.resize(leaf, pictures.shape, 'linear') if leaf.ndim else leaf
      ),
      state,
    )

  return Optimizer(inner.init, update, carry)


class _Search(NamedTuple):
  """Where a search stands, for one picture: at `base`, looking around."""

  base: Any
  value: Any
  slope: Any
  moves: Any  # [memory, H, W, 3], the newest last
  changes: Any  # of the slope, over each move
  weights: Any  # [memory], 1 / <move, change>, or 0 for a move not to be used
  length: Any  # by which the direction is shortened
  refusals: Any


def lbfgs(memory=10, first=0.01, patience=6, bounds=ANYWHERE):
  """The `Optimizer` of limited-memory BFGS, with one evaluation a step.

  Nocedal and Wright, "Numerical Optimization", 2006, algorithm 7.4, with
  backtracking: a move that does not lower the value enough (equation 3.6a,
  c1 = 1e-4) is shortened to where a parabola has its minimum. A refused move
  is a step as well, so a budget of steps is one of evaluations. Each picture
  has its own search. At a new size the search begins anew.

  Where nothing is remembered, moves are coarse as natural pictures are: the
  first guess of the inverse curvature is a filter whose amplitude falls with
  the frequency (Olah, Mordvintsev and Schubert, "Feature Visualization", 2017,
  descend in such coordinates), in place of the usual multiple of the identity.

  Within bounds it is a projected search (Bertsekas, "Projected Newton Methods
  for Optimization Problems with Simple Constraints", 1982): what would leave
  them stays, and what is judged, and remembered, is the move after clipping.

  Args:
    memory: how many moves are remembered.
    first: root mean square of the very first move, in units of the pictures,
      which lie in [0, 1]; may be traced.
    patience: refusals in a row after which the memory is forgotten.
    bounds: of the values of pictures.
  """
  low, high = bounds

  def init(picture):
    moves = jnp.zeros((memory, *picture.shape), picture.dtype)
    zero = jnp.zeros_like(picture)
    # Beneath infinity the first value is welcome whatever it is.
    return _Search(
      jnp.copy(picture),
      jnp.float32(jnp.inf),
      zero,
      moves,
      jnp.copy(moves),
      jnp.zeros(memory),
      jnp.float32(1),
      jnp.int32(0),
    )

  def update(picture, value, gradient, search):
    move = picture - search.base
    expected = jnp.vdot(search.slope, move)
    lower = value <= search.value + 1e-4 * jnp.minimum(expected, 0)
    refusals = jnp.where(lower, 0, search.refusals + 1)
    forget = refusals == patience
    moved = _where(
      lower,
      _remembered(search, move, gradient)._replace(
        base=picture, value=value, slope=gradient
      ),
      search,
    )
    minimum = -expected / (2 * (value - search.value - expected))
    shorter = jnp.where(jnp.isfinite(minimum), jnp.clip(minimum, 0.1, 0.5), 0.1)
    moved = moved._replace(
      length=jnp.where(lower | forget, 1, search.length * shorter),
      refusals=jnp.where(forget, 0, refusals),
      weights=jnp.where(forget, 0, moved.weights),
    )
    base, slope = moved.base, moved.slope
    held = ((base <= low) & (slope > 0)) | ((base >= high) & (slope < 0))
    free = moved._replace(slope=jnp.where(held, 0, slope))
    ahead = jnp.where(held, 0, moved.length * _direction(free, first))
    return jnp.clip(base + ahead, low, high), base, moved

  return Optimizer(
    jax.vmap(init),
    jax.vmap(update),
    lambda state, pictures: jax.vmap(init)(pictures),
  )


def _remembered(search, move, gradient):
  """The search with the newest move in memory, unless it bends the wrong way.

  Without curvature along the move the next direction could lead upwards.
  """
  change = gradient - search.slope
  bend = jnp.vdot(move, change)
  enough = 1e-6 * jnp.linalg.norm(move) * jnp.linalg.norm(change)
  usable = jnp.isfinite(search.value) & (bend > enough)

  def push(old, new):
    return jnp.concatenate([old[1:], new[None]])

  added = search._replace(
    moves=push(search.moves, move),
    changes=push(search.changes, change),
    weights=push(search.weights, 1 / bend),
  )
  return _where(usable, added, search)


def _direction(search, first):
  """The move to make next: minus the slope, by the remembered curvature."""

  def back(slope, pair):
    move, change, weight = pair
    share = weight * jnp.vdot(move, slope)
    return slope - share * change, share

  def forth(slope, pair):
    move, change, weight, share = pair
    return slope + (share - weight * jnp.vdot(change, slope)) * move, None

  pairs = search.moves, search.changes, search.weights
  slope, shares = jax.lax.scan(back, search.slope, pairs, reverse=True)
  newest = search.changes[-1]
  slope, change = _coarse(jnp.stack([slope, newest]))
  squares = jnp.vdot(newest, change)
  width = jnp.sqrt(jnp.mean(slope**2))
  # Of the newest move even where the weights are forgotten.
  scale = jnp.where(
    squares > 0,
    jnp.vdot(search.moves[-1], newest) / squares,
    first / jnp.maximum(width, jnp.finfo(width.dtype).tiny),
  )
  slope, _ = jax.lax.scan(forth, scale * slope, (*pairs, shares))
  return -slope


def _coarse(pictures):
  """`[N, H, W, C]` under a filter of the amplitude 1 / (f + 5).

  `f` is the spatial frequency in periods on the longer side; 5 of them keep
  the means finite.
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
