"""Update rules: functions that make a training step of a game.

Each rule takes a `Game`, or a schedule `step -> Game`, and a `Pair` of optax
transformations, and returns `step(state, batch) -> (state, metrics)`, a pure
function that the caller compiles, scans, maps or shards. All its randomness
comes from `fold_in(state.key, state.step)`: the same state and batch make the
same step. A config can choose every public function here that has the argument
`ema_decay`.
"""

from collections.abc import Callable
from typing import Any

import flax
import jax
import jax.numpy as jnp

from ganjax import averages, labels, lookup, updates
from ganjax.arrays import Batch, Metrics, Scalar, Tree
from ganjax.data import order
from ganjax.game import Game
from ganjax.players import Pair

# Folded into the key of the run, as is the number of `order.data_key`; no step
# has these numbers.
_SAMPLE = 2**32 - 2


class TrainState(flax.struct.PyTreeNode):
  """The whole state of a training run between two steps.

  Attributes:
    step: int32, the number of steps so far.
    key: the key of the run; it never changes.
    params: a `Pair` of parameters.
    opt_state: a `Pair` of optax states.
    buffers: a `Pair` of what networks and regularisers carry along.
    ema_params: the moving average of the generator's parameters.
    ema_buffers: that of the buffers that `averages.averaged` chooses.
  """

  step: jax.Array
  key: jax.Array
  params: Pair
  opt_state: Pair
  buffers: Pair
  ema_params: Tree
  ema_buffers: Tree


Schedule = Callable[[jax.Array], Game]
Optimizers = Pair | Callable[[jax.Array], Pair]
Step = Callable[[TrainState, Batch], tuple[TrainState, Metrics]]


def schedule(value: Any) -> Callable[[jax.Array], Any]:
  """Returns a game or optimisers as a function of the step, if not one yet."""
  return value if callable(value) else lambda step: value


def init(
  game: Game | Schedule,
  optimizers: Optimizers,
  key: jax.Array,
) -> TrainState:
  """Returns the `TrainState` before the first step; it is slow unless jitted.

  Args:
    game: a `Game`, or `step -> Game`.
    optimizers: a `Pair` of optax transformations, or `step -> Pair`.
    key: of the run.
  """
  init_key, key = jax.random.split(key)
  step = jnp.int32(0)
  optimizers = schedule(optimizers)(step)
  params, buffers = schedule(game)(step).init(init_key)
  return TrainState(
    step=step,
    key=key,
    params=params,
    opt_state=_initial(optimizers, params),
    buffers=buffers,
    # Copies: a buffer that stands in a donated state twice is an error.
    ema_params=jax.tree.map(jnp.copy, params.generator),
    ema_buffers=jax.tree.map(jnp.copy, averages.averaged(buffers.generator)),
  )


def restart(optimizers: Optimizers, state: TrainState) -> TrainState:
  """Returns the state with both optimisers in their initial states.

  Growth needs it: parameters whose gradients were 0 under Adam so far would
  have a first update of (1 - b1) / sqrt(1 - b2) learning rates.
  """
  optimizers = schedule(optimizers)(state.step)
  return state.replace(opt_state=_initial(optimizers, state.params))


def weights(state: TrainState, which: str) -> tuple[Tree, Pair]:
  """Returns `(params, buffers)` of a generator, as `Game.sample` takes them.

  Args:
    state: a `TrainState`.
    which: 'ema', the moving averages of both; 'raw', both as they were trained;
      or 'ema_live', averaged parameters with buffers as they were trained.

  Raises:
    ValueError: if it is none of them.
  """
  buffers = averages.filled(state.ema_buffers, state.buffers.generator)
  found = {
    'ema': (state.ema_params, state.buffers._replace(generator=buffers)),
    'ema_live': (state.ema_params, state.buffers),
    'raw': (state.params.generator, state.buffers),
  }
  return lookup.choose('choice of weights', found, which)


def sample(
  game: Game | Schedule, classes: int = 0
) -> Callable[[TrainState, int], Tree]:
  """Returns `(state, number) -> images` of the same latents at every step.

  The images are those of the generator's moving average, in evaluation mode.

  Args:
    game: a `Game`, or `step -> Game`.
    classes: how many a conditional game has, which take turns: sample i is of
      class i modulo classes. 0 for an unconditional game.
  """
  at = schedule(game)

  def images(state, number):
    now = at(state.step)
    key = jax.random.fold_in(state.key, _SAMPLE)
    latents = now.prior(key, number)
    own = labels.in_turn(number, classes)
    return now.sample(*weights(state, 'ema'), latents, key, labels=own)

  return images


def run(
  step: Step,
  state: TrainState,
  batches: Callable[[jax.Array, jax.Array], Batch],
  number: int,
) -> tuple[TrainState, Metrics]:
  """Returns the state after `number` steps, and their stacked metrics.

  Args:
    step: `(state, batch) -> (state, metrics)`, of an update rule.
    state: the `TrainState` to start from.
    batches: `(key, step) -> Batch`, the data as a pure function.
    number: of steps, a Python int.
  """
  key = order.data_key(state.key)
  return jax.lax.scan(
    lambda state, _: step(state, batches(key, state.step)),
    state,
    length=number,
  )


def alternating(
  game: Game | Schedule,
  optimizers: Optimizers,
  critic_steps: int = 1,
  generator_steps: int = 1,
  generator_batches: int = 0,
  shared_latents: bool = False,
  ema_decay: averages.Decay = 0.999,
  skip_below: Scalar | None = None,
  unroll: int = 0,
  axis_name: str | None = None,
) -> Step:
  """Returns the step that updates the discriminator, then the generator.

  Goodfellow et al., "Generative Adversarial Nets", 2014, arXiv:1406.2661,
  algorithm 1.

  Args:
    game: a `Game`, or `step -> Game`.
    optimizers: a `Pair` of optax transformations, or `step -> Pair`.
    critic_steps: updates of the discriminator in a step (the paper's k, WGAN's
      n_critic), at least 1, each with N rows of its own, of the leaves
      `[(critic_steps + generator_batches) * N, ...]` of the `Batch`.
    generator_steps: updates of the generator in a step, at least 1.
    generator_batches: times N rows that only these updates take, in turns; 0:
      they all take the last N of the discriminator.
    shared_latents: whether these updates take the latents, labels and noise of
      the fakes of the discriminator's last update, as the code of DCGAN does,
      or draw their own, as the algorithm says. The fakes of the first are then
      computed once for both players.
    ema_decay: of the generator's moving average, as in `averages.update`.
    skip_below: the discriminator is not updated while its adversarial loss is
      below this; None always updates it. May be traced.
    unroll: updates of the discriminator, with the same batch and its own
      optimizer, through which the generator's gradient passes (Metz et al.,
      2017), as `updates.unrolled` says. The discriminator itself does not keep
      them. Adam needs an `eps_root` above 0 to be differentiated.
    axis_name: the name of the devices' axis under `jax.pmap`: gradients,
      buffers and metrics are averaged over it, and each device draws its own
      randomness. Batch statistics need the name as well.

  Raises:
    ValueError: when traced with a batch that cannot be divided so.
  """
  at, optimizers_at = schedule(game), schedule(optimizers)
  shares = critic_steps + generator_batches

  def step(state, batch):
    game, optimizers = at(state.step), optimizers_at(state.step)
    keys = jax.random.split(
      updates.step_key(state, axis_name), critic_steps + generator_steps
    )
    critic_keys, generator_keys = keys[:critic_steps], keys[critic_steps:]
    for number, critic_key in enumerate(critic_keys):
      share = _share(batch, number, shares)
      before = state
      drawn = updates.draw(game, optimizers, share, critic_key, axis_name)
      state, critic_metrics = updates.update(drawn, 'discriminator', state)
      if skip_below is not None:
        updated = critic_metrics['loss/discriminator'] >= skip_below
        state = _where(updated, state, before)
        critic_metrics['skipped'] = 1.0 - updated
    for number, key in enumerate(generator_keys):
      if generator_batches:
        share = _share(batch, critic_steps + number % generator_batches, shares)
      own = updates.draw(game, optimizers, share, key, axis_name)
      drawn = own._replace(fakes=drawn.fakes) if shared_latents else own
      state, metrics = updates.update(
        drawn, 'generator', state, updates.unrolled(unroll)
      )
    return _finish(state, ema_decay), critic_metrics | metrics

  return step


def simultaneous(
  game: Game | Schedule,
  optimizers: Optimizers,
  ema_decay: averages.Decay = 0.999,
  unroll: int = 0,
  axis_name: str | None = None,
) -> Step:
  """Returns the step that updates both players at once, with the same latents.

  For the arguments, see `alternating`.
  """
  at, optimizers_at = schedule(game), schedule(optimizers)

  def step(state, batch):
    key = updates.step_key(state, axis_name)
    game, optimizers = at(state.step), optimizers_at(state.step)
    drawn = updates.draw(game, optimizers, batch, key, axis_name)
    state, metrics = updates.update_both(
      drawn, state, state.params, updates.unrolled(unroll)
    )
    return _finish(state, ema_decay), metrics

  return step


def extragradient(
  game: Game | Schedule,
  optimizers: Optimizers,
  ema_decay: averages.Decay = 0.999,
  axis_name: str | None = None,
) -> Step:
  """Returns the step of extragradient, which extrapolates first.

  Gidel et al., "A Variational Inequality Perspective on Generative Adversarial
  Networks", 2019, arXiv:1802.10551, algorithms 1 and 4: both players are
  updated at once, and then again from where they were, with the gradients at
  the point that they had reached. With Adam, both gradients enter its moments.
  Those algorithms draw a second batch for the second gradient. Here both are
  of one batch and of the same latents and noise, as in their algorithm 5 (with
  re-used mini-batches, in the appendix), so that the second one is biased.

  For the arguments, see `alternating`.
  """
  at, optimizers_at = schedule(game), schedule(optimizers)

  def step(state, batch):
    key = updates.step_key(state, axis_name)
    game, optimizers = at(state.step), optimizers_at(state.step)
    drawn = updates.draw(game, optimizers, batch, key, axis_name)
    extrapolated, _ = updates.update_both(drawn, state, state.params)
    state, metrics = updates.update_both(drawn, extrapolated, state.params)
    return _finish(state, ema_decay), metrics

  return step


def _initial(optimizers, params):
  pairs = zip(optimizers, params, strict=True)
  return Pair(*(optimizer.init(own) for optimizer, own in pairs))


def _share(batch, number, shares):
  """Returns each `shares`-th row of the batch, from row `number` on."""

  # Strided, so that a sharded batch stays in place.
  def part(leaf):
    if leaf.shape[0] % shares:
      raise ValueError(
        f'A batch of {leaf.shape[0]} rows cannot be divided among {shares} '
        f'critic_steps and generator_batches; give it a multiple of {shares}.'
      )
    return leaf.reshape(-1, shares, *leaf.shape[1:])[:, number]

  return jax.tree.map(part, batch)


def _where(condition, yes, no):
  params, opt_state = jax.tree.map(
    lambda yes, no: jnp.where(condition, yes, no),
    (yes.params, yes.opt_state),
    (no.params, no.opt_state),
  )
  return yes.replace(params=params, opt_state=opt_state)


def _finish(state, ema_decay):
  return averages.update(state, ema_decay).replace(step=state.step + 1)
