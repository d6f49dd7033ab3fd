"""One update of a player, or of both: what the update rules of `steps` share.

The states are `steps.TrainState`s.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from ganjax.arrays import Batch
from ganjax.game import Game
from ganjax.players import PLAYERS, Pair

_FAKES = 2**32 - 3  # folded into the key of a draw, for its latents


class Draw(NamedTuple):
  """The batch and the random draws that one or several updates share.

  Attributes:
    game: a `Game`.
    optimizers: a `Pair` of optax transformations.
    batch: a `Batch`.
    key: for everything that an update draws.
    axis_name: the name of the devices' axis under `jax.pmap`, or None.
    fakes: `(params, buffers) -> (Fake,)`, of the same latents at each call; or
      `()`, for a game that cannot share its fakes.
  """

  game: Game
  optimizers: Pair
  batch: Batch
  key: jax.Array
  axis_name: str | None
  fakes: Callable


def step_key(state, axis_name):
  """Returns the key for everything that the next step of a state draws."""
  key = jax.random.fold_in(state.key, state.step)
  if axis_name is None:
    return key
  # Without it, every device would draw the same latents.
  return jax.random.fold_in(key, jax.lax.axis_index(axis_name))


def draw(game, optimizers, batch, key, axis_name):
  """Returns a `Draw`, whose latents and labels are drawn here, and only once.

  Random draws are loops to XLA, which does not find out that two of them are
  equal, and then computes twice all that follows from them.

  Raises:
    TypeError: if the batch of a game of networks is no `Batch`.
    ValueError: if the game has penalties, which are no part of its values.
  """
  if game.penalties is not None:
    raise ValueError(
      'This game has penalties for updates of their own, which this update '
      'rule does not make; use lazy.lazy_regularization, or give them to `gan` '
      'as regularizers.'
    )

  def fakes(params, buffers):
    return (game.fake(params, buffers, latents, fakes_key, labels),)

  if game.fake is None:
    return Draw(game, optimizers, batch, key, axis_name, lambda *pairs: ())
  if not isinstance(batch, Batch):
    raise TypeError(
      f'A step takes a Batch, not {type(batch).__name__}; give it '
      'Batch(images), or Batch(images, labels) in a conditional game.'
    )
  latents_key, fakes_key = jax.random.split(jax.random.fold_in(key, _FAKES))
  latents = game.prior(latents_key, jax.tree.leaves(batch.images)[0].shape[0])
  labels = game.fake_labels(latents_key, batch.labels)
  return Draw(game, optimizers, batch, key, axis_name, fakes)


def objective(drawn, player, state):
  """Returns a player's value as a function of its own parameters.

  Args:
    drawn: a `Draw`.
    player: 'generator' or 'discriminator'.
    state: a `TrainState`, which everything else is taken from.
  """

  def value(own):
    params = state.params._replace(**{player: own})
    fakes = drawn.fakes(params, state.buffers)
    return getattr(drawn.game, player)(
      params, state.buffers, drawn.batch, drawn.key, *fakes
    )

  return value


def unrolled(number):
  """Returns the `objective` of a generator that unrolls the discriminator.

  Metz et al., "Unrolled Generative Adversarial Networks", 2017,
  arXiv:1611.02163, equation 7. With g and d the two players' values, and d_K
  the discriminator after K updates, which depends on the generator's
  parameters, the value is

    g(generator, d_K held fixed) - d(generator held fixed, d_K).

  Through the unrolled updates the gradient thus is that of minus the whole
  value of the discriminator, including the term of the reals and its
  regularisers: the generator counters what the discriminator would do, and has
  nothing to counter where that is at its best. For a saddle f, where d is -f
  and g has the same gradient in the fakes as f, this is the gradient of
  equation 7. The paper and its authors' notebook have such a saddle only; for
  other losses, such as the non-saturating one, the equilibrium is right too,
  but what is descended is no longer the gradient of one function.

  All updates take the same fakes, through which the gradient passes once.

  Args:
    number: of unrolled updates, a Python int; 0 for the plain `objective`.
  """
  if not number:
    return objective

  def unrolled_objective(drawn, player, state):
    def respond(own):
      params = state.params._replace(generator=own)
      fakes = drawn.fakes(params, state.buffers)
      with_fakes = drawn._replace(fakes=lambda params, buffers: fakes)
      after = state.replace(params=params)
      for _ in range(number):
        after, _ = update(with_fakes, 'discriminator', after)
      return after.params.discriminator, after.buffers, fakes

    # Held fixed as constants of `value`, and not by `stop_gradient`, so that
    # the whole step can be differentiated as well.
    fixed, buffers, fixed_fakes = respond(state.params.generator)
    rest = buffers, drawn.batch, drawn.key

    def value(own):
      response, _, fakes = respond(own)
      gain, aux = drawn.game.generator(Pair(own, fixed), *rest, *fakes)
      loss, _ = drawn.game.discriminator(
        state.params._replace(discriminator=response), *rest, *fixed_fakes
      )
      return gain - loss, aux

    return value

  return unrolled_objective


def update(drawn, player, state, objective=objective):
  """Returns the state after an update of one player, and its metrics.

  Args:
    drawn: a `Draw`.
    player: 'generator' or 'discriminator'.
    state: a `TrainState`.
    objective: `(drawn, player, state) -> (own -> value, (buffers, metrics))`.
  """
  gradient, own_buffers, metrics = _gradient(drawn, player, state, objective)
  state = _apply(drawn, player, gradient, own_buffers, state, state.params)
  return state, metrics


def update_both(drawn, state, origin, generator_objective=objective):
  """Returns the state after an update of both players at once, and metrics.

  The gradients are taken at `state`, and the updates applied to `origin`.

  Args:
    drawn: a `Draw`.
    state: a `TrainState`.
    origin: a `Pair` of parameters.
    generator_objective: as in `update`.
  """
  after, metrics = state, {}
  objectives = generator_objective, objective
  for player, own_objective in zip(PLAYERS, objectives, strict=True):
    gradient, own_buffers, own_metrics = _gradient(
      drawn, player, state, own_objective
    )
    after = _apply(drawn, player, gradient, own_buffers, after, origin)
    metrics |= own_metrics
  return after, metrics


def _gradient(drawn, player, state, objective):
  """Returns a player's gradient, its buffers after the update, and metrics."""
  value = objective(drawn, player, state)
  gradient, (buffers, metrics) = jax.grad(value, has_aux=True)(
    getattr(state.params, player)
  )
  gradient, own, metrics = _mean(
    (gradient, getattr(buffers, player), metrics), drawn.axis_name
  )
  metrics[f'gradient/{player}'] = optax.tree.norm(gradient)
  return gradient, own, metrics


def _apply(drawn, player, gradient, own_buffers, state, origin):
  """Returns the state with the player's update applied to its `origin`."""
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
  """Returns the tree with its floats averaged over the devices of an axis."""
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
