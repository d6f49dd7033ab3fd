"""Steps of a game in PyTorch: as its users write them, tuned, compiled.

A game is two functions of dicts of tensors, and the turns that update them.
Their parameters are those of our networks, whose trees and names they keep, so
that a test can compare images, logits, values and gradients with ours.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax

from experiments.benchmark import (
  rounds,
  torch_device,
  torch_optimizers,
  torch_params,
)
from ganjax.players import PLAYERS, Pair


class Turn(NamedTuple):
  """An update of a player, in steps whose number `every` divides.

  Attributes:
    player: 'generator' or 'discriminator'.
    value: `params -> value`, which the player descends; the `Pair` of
      parameters are dicts of tensors, and the value draws what it needs.
    every: steps from one such update to the next.
  """

  player: str
  value: Callable
  every: int = 1


class Game(NamedTuple):
  """A game in PyTorch.

  Attributes:
    generate: `(params, latents) -> images`, or of styles; those of WGAN-GP are
      a tuple, of each resolution.
    judge: `(params, images) -> logits [N]`.
    turns: `(config, real, twice, once) -> turns` of a step, in their order. The
      reals `[N, C, H, W]` are those of a step; `twice` and `once` are `Pair`s
      of `generate` and `judge`: of those whose gradients can be differentiated
      again, and of those that may be compiled.
    dense: whether a path of names in our trees leads to a matrix that
      multiplies vectors; other matrices are 1x1 convolutions.
  """

  generate: Callable
  judge: Callable
  turns: Callable
  dense: Callable


class Tuning(NamedTuple):
  """How steps are computed.

  Attributes:
    tuned: a fused optimiser, and no gradients of the other player that are
      thrown away.
    channels_last: the order of images and kernels in memory.
    compiled: whether `torch.compile` has all that is differentiated once only;
      it cannot differentiate twice.
  """

  tuned: bool = False
  channels_last: bool = False
  compiled: bool = False


PEERS = {
  'torch': Tuning(),
  'torch, tuned': Tuning(tuned=True),
  'torch, tuned, channels last': Tuning(tuned=True, channels_last=True),
  'torch, compiled': Tuning(True, False, True),
  'torch, compiled, channels last': Tuning(True, True, True),
}


def side(game, config, params, images, number, tuning):
  """Returns the `rounds.Side` of a game.

  Args:
    game: a `Game`.
    config: of the run, whose optimisers and weights it has.
    params: a `Pair` of trees of our arrays, to start from.
    images: `[N, H, W, C]` in [-1, 1], float32, the batch of every step.
    number: of steps in a round.
    tuning: a `Tuning`.
  """
  import torch

  layout = torch_device.layout(tuning.channels_last)
  own = Pair(
    *(torch_params.tensors(tree, game.dense, layout) for tree in params)
  )
  leaves = Pair(*map(jax.tree.leaves, own))
  for leaf in (*leaves.generator, *leaves.discriminator):
    leaf.requires_grad_()
  average = [leaf.detach().clone() for leaf in leaves.generator]
  optimizers = {
    player: torch_optimizers.optimizer(config, player, given, tuning.tuned)
    for player, given in zip(PLAYERS, leaves, strict=True)
  }
  real = torch.tensor(
    images.transpose(0, 3, 1, 2), device=torch_device.name()
  ).contiguous(memory_format=layout)
  twice = once = Pair(game.generate, game.judge)
  if tuning.compiled:
    once = Pair(*torch_device.compiled(twice))
  turns = game.turns(config, real, twice, once)
  steps = 0

  def step():
    nonlocal steps
    for turn in turns:
      if steps % turn.every == 0:
        for player, given in zip(PLAYERS, leaves, strict=True):
          for leaf in given:
            leaf.requires_grad_(player == turn.player or not tuning.tuned)
        optimizer = optimizers[turn.player]
        optimizer.zero_grad()
        turn.value(own).backward()
        optimizer.step()
    with torch.no_grad():
      torch._foreach_lerp_(average, leaves.generator, 1e-3)
    steps += 1

  def run():
    for _ in range(number):
      step()
    return average[0].sum().item()  # It waits for the device.

  return rounds.Side(run, number, {})
