"""Turns: how a player moves, which the update rules of `steps` are made of.

A `Draw` is what moves share: the game as it stands, the batch, the random
draws. States are `steps.TrainState`s.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from ganjax.game import Game
from ganjax.players import PLAYERS, Pair

_FAKES = 2**32 - 3  # folded into the draw's key, for its latents


class Draw(NamedTuple):
  """What moves share that are made at once, or in foresight of one another.

  Attributes:
    game: a `Game`.
    optimizers: a `Pair` of optax transformations.
    batch: images `[N, ...]`, or a tree of them.
    key: for all that is drawn.
    axis_name: of the devices under `jax.pmap`, or None.
    fakes: `(params, buffers) -> (Fake,)`, or `()` of a game that shares none.
  """

  game: Game
  optimizers: Pair
  batch: Any
  key: jax.Array
  axis_name: str | None
  fakes: Callable


def draw(game, optimizers, batch, key, axis_name):
  """The `Draw` whose latents are drawn now, and only once.

  Draws are loops to XLA, which does not find out that two of them are equal,
  and then computes all that follows from them twice.
  """

  def fakes(params, buffers):
    return (game.fake(params, buffers, latents, fakes_key),)

  if game.fake is None:
    return Draw(game, optimizers, batch, key, axis_name, lambda *pairs: ())
  latents_key, fakes_key = jax.random.split(jax.random.fold_in(key, _FAKES))
  latents = game.prior(latents_key, jax.tree.leaves(batch)[0].shape[0])
  return Draw(game, optimizers, batch, key, axis_name, fakes)


def as_it_is(state, shared):
  """The state as it is: what a player without foresight sees."""
  return state


def unrolled(drawn, moves):
  """The function `(state, shared) -> state` after moves of the discriminator.

  All of them see the fakes that the generator has made, which are thus
  differentiated once.
  """

  def foreseen(state, shared):
    same = drawn._replace(fakes=lambda params, buffers: shared)
    for _ in range(moves):
      state, _ = update(same, 'discriminator', state)
    return state

  return foreseen


def update(drawn, player, state, foreseen=as_it_is):
  """The state after a player's move, and its metrics.

  Args:
    drawn: a `Draw`.
    player: its name.
    state: a `TrainState`.
    foreseen: `(state, shared) -> state`, that in which the player judges its
      move; its gradient goes through.
  """
  gradient, own_buffers, metrics = _gradient(drawn, player, state, foreseen)
  state = _descend(drawn, player, gradient, own_buffers, state, state.params)
  return state, metrics


def update_both(drawn, state, origin, foreseen=as_it_is):
  """The state after both moved away from `origin`, by the gradients at `state`.

  Args:
    drawn: a `Draw`.
    state: a `TrainState`.
    origin: a `Pair` of parameters.
    foreseen: as in `move`, by the generator.
  """
  moved, metrics = state, {}
  for player, ahead in zip(PLAYERS, (foreseen, as_it_is), strict=True):
    gradient, own_buffers, own_metrics = _gradient(drawn, player, state, ahead)
    moved = _descend(drawn, player, gradient, own_buffers, moved, origin)
    metrics |= own_metrics
  return moved, metrics


def _gradient(drawn, player, state, foreseen):
  """One player's gradient, and its buffers and metrics after the turn."""

  def value(own):
    params = state.params._replace(**{player: own})
    shared = drawn.fakes(params, state.buffers)
    then = foreseen(state.replace(params=params), shared)
    return getattr(drawn.game, player)(
      then.params, then.buffers, drawn.batch, drawn.key, *shared
    )

  gradient, (buffers, metrics) = jax.grad(value, has_aux=True)(
    getattr(state.params, player)
  )
  gradient, own, metrics = _mean(
    (gradient, getattr(buffers, player), metrics), drawn.axis_name
  )
  metrics[f'gradient/{player}'] = optax.tree.norm(gradient)
  return gradient, own, metrics


def _descend(drawn, player, gradient, own_buffers, state, origin):
  """The state in which the player has moved away from its `origin`."""
  params = getattr(origin, player)
  updates, opt_state = getattr(drawn.optimizers, player).update(
    gradient, getattr(state.opt_state, player), params
  )
  params = optax.apply_updates(params, updates)
  return state.replace(
    params=state.params._replace(**{player: params}),
    opt_state=state.opt_state._replace(**{player: opt_state}),
    buffers=state.buffers._replace(**{player: own_buffers}),
  )


def _mean(tree, axis_name):
  if axis_name is None:
    return tree
  return jax.tree.map(
    lambda leaf: (
      jax.lax.pmean(leaf, axis_name)
      if jnp.issubdtype(leaf.dtype, jnp.floating)
      else leaf
    ),
    tree,
  )
