"""Lazy regularisation: penalties that are descended in updates of their own.

Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", 2020,
arXiv:1912.04958, section 3.1 and appendix B. `turns.lazily` has the same mean
penalty in another way: it adds a penalty to the value of every k-th update.
"""

import functools

import jax
import jax.numpy as jnp

from ganjax import averages, steps, updates
from ganjax.arrays import Scalar
from ganjax.game import Game
from ganjax.players import PLAYERS, Pair


def corrected(
  every: int, learning_rate: Scalar, b1: Scalar, b2: Scalar
) -> tuple[Scalar, Scalar, Scalar]:
  """Returns the learning rate and decays of an optimiser with more updates.

  A player with penalties has `every` + 1 updates in `every` steps. With
  c = every / (every + 1), the learning rate is c times, and decays are to the
  power c, so that a step moves as far, and forgets as much, as without them.

  Args:
    every: steps from one update of the penalties to the next; 0: there is none,
      and nothing is corrected.
    learning_rate: as without penalties; may be traced.
    b1: the decay of the mean of the gradient, likewise, at least 0.
    b2: that of the mean of its square, likewise.

  Raises:
    ValueError: if `b1` is below 0.
  """
  if isinstance(b1, float | int) and b1 < 0:
    raise ValueError(
      f'b1 is {b1}, and a negative momentum cannot be spread over more '
      'updates; give one of at least 0, or choose another update rule than '
      'lazy_regularization.'
    )
  share = every / (every + 1) if every else 1.0
  return share * learning_rate, b1**share, b2**share


def lazy_regularization(
  game: Game | steps.Schedule,
  optimizers: steps.Optimizers,
  every: Pair[int],
  ema_decay: averages.Decay = 0.999,
  axis_name: str | None = None,
) -> steps.Step:
  """Returns the step in which penalties have updates of their own.

  As in the paper's code, the generator is updated first, and then the
  discriminator. After each, in steps 0, `every`, 2 `every` and so on, the same
  optimiser takes the gradient of the player's penalties alone, times `every`,
  at fresh latents and the same reals. Metrics of penalties are these values,
  and 0 in between, so that their means are those of the penalties.

  Under `vmap` the penalties are computed in every step, and then left out.

  Args:
    game: a `Game` with `penalties`, or `step -> Game`.
    optimizers: a `Pair` of optax transformations, or `step -> Pair`, whose
      numbers are as `corrected` returns them.
    every: for each player, steps from one update of its penalties to the next;
      0 for a player without any.
    ema_decay: as in `steps.alternating`.
    axis_name: likewise.

  Raises:
    ValueError: when traced with a game without penalties.
  """
  at, optimizers_at = steps.schedule(game), steps.schedule(optimizers)

  def step(state, batch):
    game, optimizers = at(state.step), optimizers_at(state.step)
    if game.penalties is None:
      raise ValueError(
        'lazy_regularization updates the penalties of a game, and this one '
        'has none; give `gan` penalties, or use steps.alternating.'
      )
    adversarial = game._replace(penalties=None)
    penalties = adversarial._replace(**game.penalties._asdict())
    keys = jax.random.split(updates.step_key(state, axis_name), (2, 2))
    metrics = {}
    for player, interval, own_keys in zip(PLAYERS, every, keys, strict=True):
      drawn = functools.partial(
        updates.draw, optimizers=optimizers, batch=batch, axis_name=axis_name
      )
      state, found = updates.update(
        drawn(adversarial, key=own_keys[0]), player, state
      )
      metrics |= found
      if interval:
        penalized = functools.partial(
          _penalized, drawn, penalties, own_keys[1], player, interval
        )
        state, found = _every(interval, penalized, state)
        metrics |= found
    state = averages.update(state, ema_decay)
    return state.replace(step=state.step + 1), metrics

  return step


def _penalized(drawn, penalties, key, player, interval, state):
  """Returns the state after an update of penalties, and their metrics."""

  def objective(drawn, player, state):
    value = updates.objective(drawn, player, state)

    def times_interval(own):
      total, (buffers, metrics) = value(own)
      metrics = {
        name: interval * metric
        for name, metric in metrics.items()
        if name.startswith('regularizer/')
      }
      return interval * total, (buffers, metrics)

    return times_interval

  state, metrics = updates.update(
    drawn(penalties, key=key), player, state, objective
  )
  del metrics[f'gradient/{player}']  # That of the loss has this name.
  return state, metrics


def _every(interval, update, state):
  """Returns `update(state)` at each step that the interval divides."""

  def left_out(state):
    _, metrics = jax.eval_shape(update, state)
    return state, {
      name: jnp.zeros(metric.shape, metric.dtype)
      for name, metric in metrics.items()
    }

  return jax.lax.cond(state.step % interval == 0, update, left_out, state)
