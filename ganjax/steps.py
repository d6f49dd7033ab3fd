"""Update rules: from a game and two optimisers to `step(state, batch)`.

Each rule takes a `Game`, or a schedule `step -> Game`, and a `Pair` of optax
transformations, and returns `step(state, batch) -> (state, metrics)`, a pure
function to be jitted, scanned, mapped or sharded by the caller. Randomness is
`fold_in(state.key, state.step)`: the same state makes the same step.
"""

from typing import Any

import flax
import jax
import jax.numpy as jnp
import optax

from ganjax import updates
from ganjax.players import Pair

# Folded into the run's key; no step is ever numbered so.
_DATA, _VIEW = 2**32 - 1, 2**32 - 2


@flax.struct.dataclass
class TrainState:
  """All that a training run is, between two steps.

  Attributes:
    step: int32, updates of the generator so far.
    key: the run's key; it never changes.
    params: a `Pair` of parameters.
    opt_state: a `Pair` of optax states.
    buffers: a `Pair` of what the game carries.
    ema_params: the moving average of the generator's parameters.
  """

  step: jax.Array
  key: jax.Array
  params: Pair
  opt_state: Pair
  buffers: Pair
  ema_params: Any


def schedule(game):
  """The game as a function `step -> Game`, which it may be already."""
  return game if callable(game) else lambda step: game


def init(game, optimizers, key):
  """The `TrainState` before the first step; unless jitted, it is slow."""
  init_key, key = jax.random.split(key)
  step = jnp.int32(0)
  params, buffers = schedule(game)(step).init(init_key)
  return TrainState(
    step=step,
    key=key,
    params=params,
    opt_state=_initial(optimizers, params),
    buffers=buffers,
    # A copy: a buffer that stands in a donated state twice is an error.
    ema_params=jax.tree.map(jnp.copy, params.generator),
  )


def restart(optimizers, state):
  """The state with both optimisers at their beginning, as growth asks for.

  Parameters that sat idle under Adam would make a first move of
  (1 - b1) / sqrt(1 - b2) learning rates.
  """
  return state.replace(opt_state=_initial(optimizers, state.params))


def data_key(state):
  """The run's key for the order or the draws of its data."""
  return jax.random.fold_in(state.key, _DATA)


def sample(game):
  """The function `(state, number) -> images` of the same latents at every step.

  Images are the moving average's, in evaluation mode.
  """
  at = schedule(game)

  def images(state, number):
    now = at(state.step)
    key = jax.random.fold_in(state.key, _VIEW)
    latents = now.prior(key, number)
    return now.sample(state.ema_params, state.buffers, latents, key)

  return images


def run(step, state, batches, number):
  """The state after `number` steps and their stacked metrics: a training.

  Args:
    step: of an update rule.
    state: the `TrainState` to start from.
    batches: `(key, step) -> batch`, the data as a pure function.
    number: of steps, a Python int.
  """
  key = data_key(state)
  return jax.lax.scan(
    lambda state, _: step(state, batches(key, state.step)),
    state,
    length=number,
  )


def alternating(
  game,
  optimizers,
  critic_steps=1,
  generator_steps=1,
  ema_decay=0.999,
  skip_below=None,
  unroll=0,
  axis_name=None,
):
  """The rule of two phases: the discriminator moves, then the generator.

  Goodfellow et al., "Generative Adversarial Nets", 2014, arXiv:1406.2661,
  algorithm 1.

  Args:
    game: a `Game`, or `step -> Game`.
    optimizers: a `Pair` of optax transformations.
    critic_steps: moves of the discriminator for one of the generator (the
      paper's k, WGAN's n_critic). Every leaf of the batch is
      `[critic_steps * N, ...]`, and each move sees its own N.
    generator_steps: moves of the generator in a step, all on the last N.
    ema_decay: of the generator's moving average, which starts out faster.
    skip_below: the discriminator stands still while its adversarial loss is
      under this; None lets it always move. May be traced.
    unroll: moves of the discriminator, on the batch at hand and with its own
      optimizer, that the generator foresees: its gradient goes through them
      (Metz et al., "Unrolled Generative Adversarial Networks", 2017,
      arXiv:1611.02163, equation 7). The discriminator itself makes none of
      them. Adam needs an `eps_root` above 0 to be differentiated.
    axis_name: of the devices under `jax.pmap`: gradients, buffers and metrics
      are averaged over it, and each device draws its own randomness. Batch
      statistics need the name as well.

  Raises:
    ValueError: when traced with a batch that `critic_steps` does not divide.
  """
  at = schedule(game)

  def step(state, batch):
    game = at(state.step)
    keys = jax.random.split(
      _step_key(state, axis_name), critic_steps + generator_steps
    )
    critic_keys, generator_keys = keys[:critic_steps], keys[critic_steps:]
    for turn, critic_key in enumerate(critic_keys):
      share = _share(batch, turn, critic_steps)
      before = state
      drawn = updates.draw(game, optimizers, share, critic_key, axis_name)
      state, critic_metrics = updates.update(drawn, 'discriminator', state)
      if skip_below is not None:
        moves = critic_metrics['loss/discriminator'] >= skip_below
        state = _where(moves, state, before)
        critic_metrics['skipped'] = 1.0 - moves
    for key in generator_keys:
      drawn = updates.draw(game, optimizers, share, key, axis_name)
      state, metrics = updates.update(
        drawn, 'generator', state, updates.unrolled(drawn, unroll)
      )
    return _finish(state, ema_decay), critic_metrics | metrics

  return step


def simultaneous(game, optimizers, ema_decay=0.999, unroll=0, axis_name=None):
  """The rule in which both players move at once, with the same latents.

  Args:
    game: a `Game`, or `step -> Game`.
    optimizers: a `Pair` of optax transformations.
    ema_decay: of the generator's moving average.
    unroll: as in `alternating`.
    axis_name: as in `alternating`.
  """
  at = schedule(game)

  def step(state, batch):
    key = _step_key(state, axis_name)
    drawn = updates.draw(at(state.step), optimizers, batch, key, axis_name)
    state, metrics = updates.update_both(
      drawn, state, state.params, updates.unrolled(drawn, unroll)
    )
    return _finish(state, ema_decay), metrics

  return step


def extragradient(game, optimizers, ema_decay=0.999, axis_name=None):
  """The rule that looks ahead, and steps from here with the gradients there.

  Gidel et al., "A Variational Inequality Perspective on Generative Adversarial
  Networks", 2019, arXiv:1802.10551, algorithms 1 and 4: with Adam, its moments
  move at both gradients.

  Args:
    game: a `Game`, or `step -> Game`.
    optimizers: a `Pair` of optax transformations.
    ema_decay: of the generator's moving average.
    axis_name: as in `alternating`.
  """
  at = schedule(game)

  def step(state, batch):
    key = _step_key(state, axis_name)
    drawn = updates.draw(at(state.step), optimizers, batch, key, axis_name)
    ahead, _ = updates.update_both(drawn, state, state.params)
    state, metrics = updates.update_both(drawn, ahead, state.params)
    return _finish(state, ema_decay), metrics

  return step


def _initial(optimizers, params):
  return Pair(
    *(
      optimizer.init(own)
      for optimizer, own in zip(optimizers, params, strict=True)
    )
  )


def _step_key(state, axis_name):
  key = jax.random.fold_in(state.key, state.step)
  if axis_name is None:
    return key
  # Without this every device would draw the same latents.
  return jax.random.fold_in(key, jax.lax.axis_index(axis_name))


def _share(batch, turn, turns):
  """Rows `turn, turn + turns, ...`: a stride keeps a sharded batch in place."""

  def part(leaf):
    if leaf.shape[0] % turns:
      raise ValueError(
        f'A batch of {leaf.shape[0]} rows cannot be divided among {turns} '
        'critic_steps; each of them needs as many rows as the others.'
      )
    return leaf.reshape(-1, turns, *leaf.shape[1:])[:, turn]

  return jax.tree.map(part, batch)


def _where(condition, yes, no):
  return yes.replace(
    params=jax.tree.map(
      lambda yes, no: jnp.where(condition, yes, no), yes.params, no.params
    ),
    opt_state=jax.tree.map(
      lambda yes, no: jnp.where(condition, yes, no), yes.opt_state, no.opt_state
    ),
  )


def _finish(state, ema_decay):
  # Early on, an average as long as the run would keep the random start.
  decay = jnp.minimum(ema_decay, (1.0 + state.step) / (10.0 + state.step))
  return state.replace(
    step=state.step + 1,
    ema_params=optax.incremental_update(
      state.params.generator, state.ema_params, 1 - decay
    ),
  )
