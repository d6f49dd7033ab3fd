"""What a regulariser sees in an update of a player, and what it is."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from ganjax.arrays import Tree


class Turn(NamedTuple):
  """What a regulariser can use in an update of a player.

  In conditional games labels are bound: those of the reals, or of the fakes.

  Attributes:
    real: the reals, prepared for the discriminator: images `[N, ...]`, or a
      tree of them.
    fake: the generator's images, likewise, as a function of its parameters.
    labels: int32 `[N]`, those of the reals; None in unconditional games.
    fake_labels: those of the fakes, likewise.
    real_logits: `[M]`, the logits of the reals; M is N, except with packs.
    fake_logits: `[M]`, the logits of the fakes.
    gradients: `() -> (real, fake)`, those of the sum of all logits in the
      images of both, as `ganjax.passes` computes them.
    latents: `[N, Z]`, from which the fakes are made.
    styles: the latents after the mapping.
    critic: images -> logits `[M]`, with the parameters and labels of the reals
      bound; it also takes what lies between reals and fakes.
    fake_critic: the same with the labels of the fakes.
    features: images -> the critic's last activations `[M, D]`, with the labels
      of the reals.
    fake_features: the same with the labels of the fakes.
    heads: images -> what the auxiliary heads of the critic say, with the draws
      and the labels of the reals.
    fake_heads: the same with those of the fakes.
    generate: latents -> images, with the parameters and labels bound.
    synthesis: styles -> images, likewise.
    key: for the random draws of the regulariser.
  """

  real: Tree
  fake: Tree
  labels: jax.Array | None
  fake_labels: jax.Array | None
  real_logits: jax.Array
  fake_logits: jax.Array
  gradients: Callable[[], tuple[Tree, Tree]]
  latents: jax.Array
  styles: Tree
  critic: Callable[[Tree], jax.Array]
  fake_critic: Callable[[Tree], jax.Array]
  features: Callable[[Tree], jax.Array]
  fake_features: Callable[[Tree], jax.Array]
  heads: Callable[[Tree], Tree]
  fake_heads: Callable[[Tree], Tree]
  generate: Callable[[jax.Array], Tree]
  synthesis: Callable[[Tree], Tree]
  key: jax.Array


class Regularizer(NamedTuple):
  """A term added to a player's value, with a memory from update to update.

  Attributes:
    apply: `(turn, memory) -> (values [N], memory)`; the mean of the values is
      added.
    init: `() -> memory`, any tree of arrays.
  """

  apply: Callable[[Turn, Tree], tuple[jax.Array, Tree]]
  init: Callable[[], Tree]


def stateless(values: Callable[[Turn], jax.Array]) -> Regularizer:
  """Returns the `Regularizer` of `turn -> values [N]`, without a memory."""
  return Regularizer(lambda turn, memory: (values(turn), memory), lambda: ())


def lazily(regularizer: Regularizer, every: int) -> Regularizer:
  """Returns the `Regularizer` applied at each `every`-th update, times `every`.

  Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", 2020,
  arXiv:1912.04958, section 3.1. Under `vmap` both branches are computed, so
  that it saves nothing; and training with the relativistic loss fails when R1
  and R2 are lazy.

  Args:
    regularizer: any `Regularizer`.
    every: updates of the player from one application to the next, at least 1.
  """

  def apply(turn, memory):
    count, inner = memory

    def applied(inner):
      values, inner = regularizer.apply(turn, inner)
      return every * values, inner

    def left_out(inner):
      values, _ = jax.eval_shape(applied, inner)
      return jnp.zeros(values.shape, values.dtype), inner

    values, inner = jax.lax.cond(count % every == 0, applied, left_out, inner)
    return values, (count + 1, inner)

  return Regularizer(apply, lambda: (jnp.int32(0), regularizer.init()))
