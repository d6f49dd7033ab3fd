"""Moving averages of a generator: of parameters, and of buffers that fit them.

Batch statistics of the parameters as they are now do not fit the averaged ones.
The states are `steps.TrainState`s.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

from ganjax import labels
from ganjax.arrays import Scalar, Tree
from ganjax.game import Game
from ganjax.players import Pair

Decay = Scalar | Callable[[jax.Array], Scalar]
"""A number, or a function from a step to one."""


def averaged(buffers: Tree) -> Tree:
  """Returns those buffers of a generator that are averaged, and None elsewhere.

  They are the floats that samples are made from: batch statistics, and singular
  vectors, whose mean need not be of norm 1, for evaluation takes a power step
  from it. Integers and keys have no mean. Memories, of regularisers and of
  `memory.carrying`, are counts and means already, and can be as large as the
  parameters.

  Args:
    buffers: of a generator, which a game may have wrapped.
  """

  def own(path, leaf):
    names = (getattr(key, 'key', None) for key in path)
    first = next((name for name in names if name in ('network', 'memory')), '')
    if first == 'memory' or not jnp.issubdtype(leaf.dtype, jnp.floating):
      return None
    return leaf

  return jax.tree_util.tree_map_with_path(own, buffers)


def filled(average: Tree, buffers: Tree) -> Tree:
  """Returns buffers with averages in the place of what was averaged.

  Args:
    average: as `averaged` returns it.
    buffers: of the generator.
  """
  return jax.tree.map(
    lambda own, now: now if own is None else own,
    average,
    buffers,
    is_leaf=lambda leaf: leaf is None,
  )


def half_life(
  images: Decay,
  ramp: Scalar | None,
  rows: int,
  images_seen: Callable[[jax.Array], Scalar],
) -> Callable[[jax.Array], Scalar]:
  """Returns `step -> decay` of an average whose half-life is in images.

  Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", 2020,
  arXiv:1912.04958, and, with the ramp, "Training Generative Adversarial
  Networks with Limited Data", 2020, arXiv:2006.06676, whose code has a ramp of
  .05. It does not depend on the batch size.

  Args:
    images: the half-life, at least 0, or a function `step -> half-life`; may
      be traced. At 0 the average is what it is of, without a past.
    ramp: the share of the images seen so far that the half-life is at most,
      above 0; may be traced. The first step, before which none was seen, keeps
      nothing of the initial values. None sets no such bound.
    rows: images in a step.
    images_seen: `step -> images` before the step.
  """

  def decay(step):
    now = images(step) if callable(images) else images
    if ramp is not None:
      now = jnp.minimum(now, ramp * images_seen(step))
    return 0.5 ** (rows / jnp.maximum(now, 1e-8))

  return decay


def update(state, ema_decay: Decay):
  """Returns the state with both averages after a step, not yet counted.

  Args:
    state: a `TrainState`.
    ema_decay: a number in [0, 1], of which the first steps have a smaller one;
      or a function `step -> decay`, such as `half_life`, which is taken as is.
  """
  if callable(ema_decay):
    decay = ema_decay(state.step)
  else:
    # A long average would keep the random initial values in it for too long.
    decay = jnp.minimum(ema_decay, (1.0 + state.step) / (10.0 + state.step))
  params, buffers = optax.incremental_update(
    (state.params.generator, averaged(state.buffers.generator)),
    (state.ema_params, state.ema_buffers),
    1 - decay,
  )
  return state.replace(ema_params=params, ema_buffers=buffers)


def standing(
  game: Game,
  params: Tree,
  buffers: Pair,
  key: jax.Array,
  classes: int = 0,
  batches: int = 64,
  rows: int = 256,
) -> Pair:
  """Returns buffers that are recomputed for the parameters of a generator.

  Brock, Donahue and Simonyan, "Large Scale GAN Training for High Fidelity
  Natural Image Synthesis", 2019, arXiv:1809.11096, call them standing
  statistics. The generator runs in training mode on batches of fresh latents,
  so that its running statistics become those of the given parameters. With a
  momentum of .9, 64 batches leave .1 % of the former statistics, and the mean
  has the variance of one over 19 batches.

  Args:
    game: a `Game`, which can share its fakes.
    params: of the generator, such as averaged ones.
    buffers: the `Pair` to start from.
    key: of the latents.
    classes: how many a conditional game has, which take turns in each batch; 0
      for an unconditional game.
    batches: how many.
    rows: latents in a batch.

  Raises:
    ValueError: if the game cannot share its fakes.
  """
  if game.fake is None:
    raise ValueError(
      'Statistics cannot be recomputed for a game whose `fake` is None, as '
      'with consensus; sample with its averaged statistics, those of ema.'
    )
  own_labels = labels.in_turn(rows, classes)

  def one(buffers, key):
    latents = game.prior(key, rows)
    fake = game.fake(Pair(params, None), buffers, latents, key, own_labels)
    own = _with_network(buffers.generator, fake.buffers)
    return buffers._replace(generator=own), None

  return jax.lax.scan(one, buffers, jax.random.split(key, batches))[0]


def _with_network(buffers, network):
  """Returns a generator's buffers with others of its network."""
  if 'game' in buffers:
    return {**buffers, 'game': _with_network(buffers['game'], network)}
  return {**buffers, 'network': network}
