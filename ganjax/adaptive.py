"""Adaptive augmentation (ADA, APA): a probability p follows overfitting."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from ganjax.arrays import Batch, Scalar
from ganjax.game import Game
from ganjax.memory import carrying
from ganjax.players import Pair


def augmentation(
  make: Callable[[Scalar], Game],
  rows: int,
  target: Scalar = 0.6,
  images: Scalar = 500_000,
  every: int = 4,
  most: Scalar = jnp.inf,
  name: str = 'augment',
) -> Game:
  """Returns the `Game` whose p, the strength of augmentation, is adapted.

  Karras et al., "Training Generative Adversarial Networks with Limited Data",
  2020, arXiv:2006.06676, section 3.1: r is the mean sign of the logits of
  reals, which tends to 1 as the discriminator overfits. After each `every`-th
  update of the discriminator p rises if r, over these updates, is above the
  target, and falls if it is below, by as much as would take it from 0 to 1 in
  `images` images; it begins at 0 and is never below.

  Args:
    make: `p -> Game`, such as `gan` with `remedies.augmented(discriminator,
      augmentation, p)`, or with `pseudo(p)`; `p` is traced, and does not change
      the game's parameters and buffers.
    rows: images in an update of the discriminator, on all devices together.
    target: of r, in [-1, 1]; the paper tried .5 to .7.
    images: in which p could go from 0 to 1; 100,000 when networks are
      fine-tuned, in the paper's code.
    every: updates of the discriminator from one change of p to the next.
    most: the largest p; the paper has none.
    name: of the metrics.

  Returns:
    A `Game` that carries p, the sum of the signs' means, and their count, in
    the memory of the discriminator. Its metrics have `<name>/p`, as it was in
    the update, and `<name>/sign`, the mean sign of its reals.
  """

  def init(params):
    own = {'p': jnp.float32(0), 'sum': jnp.float32(0), 'count': jnp.int32(0)}
    return Pair((), own)

  def update(player, memory, params, metrics):
    if player == 'generator':
      return memory
    total, count = memory['sum'] + metrics[f'{name}/sign'], memory['count'] + 1
    ready = count == every
    change = jnp.sign(total / every - target) * every * rows / images
    p = jnp.clip(memory['p'] + jnp.where(ready, change, 0), 0, most)
    return {
      'p': p.astype(jnp.float32),
      'sum': jnp.where(ready, 0, total),
      'count': jnp.where(ready, 0, count),
    }

  def at(memory):
    p = memory.discriminator['p']
    game = make(p)

    def discriminator(*arguments):
      total, (buffers, metrics) = game.discriminator(*arguments)
      # Logits of 0 count as half right, and their sign is 0.
      sign = 2 * metrics['accuracy/real'] - 1
      metrics = metrics | {f'{name}/p': p, f'{name}/sign': sign}
      return total, (buffers, metrics)

    return game._replace(discriminator=discriminator)

  return carrying(make(0.0), at, init, update)


def pseudo(p: Scalar) -> Callable[[Batch, Batch, jax.Array], Batch]:
  """Returns what shows the discriminator fakes as reals, with probability p.

  Jiang, Dai, Wu and Loy, "Deceive D: Adaptive Pseudo Augmentation for GAN
  Training with Limited Data", 2021, arXiv:2111.06849 (APA): a discriminator
  that takes the reals for known cannot when some of them are fakes. These are
  fakes of the same update, as in StudioGAN's code, where the authors' own draws
  others; and each takes the place of the real beside the next fake, so that no
  loss compares a fake with itself. Its label comes with it. To adapt p, give
  this function to `augmentation`.

  Args:
    p: of a real to be replaced; may be traced. At 1 there are no reals left.

  Returns:
    A function for the argument `reals` of `game.gan`.
  """

  def replaced(real, fake, key):
    rows = len(jax.tree.leaves(real)[0])
    taken = jax.random.uniform(key, (rows,)) < p

    def choose(real, fake):
      here = taken.reshape(-1, *[1] * (real.ndim - 1))
      fake = jnp.roll(jax.lax.stop_gradient(fake), 1, 0)
      return jnp.where(here, fake, real)

    return jax.tree.map(choose, real, fake)

  return replaced
