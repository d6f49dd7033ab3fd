"""The benchmark of a training step of DCGAN, beside PyTorch."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.benchmark import compiled, dcgan_torch, peers
from ganjax import losses, priors, regularizers, steps
from ganjax.arrays import Batch
from ganjax.game import gan
from ganjax.networks import dcgan
from ganjax.players import Pair
from ganjax.turns import stateless


class Case(NamedTuple):
  """A training step to time.

  Attributes:
    name: of the case.
    resolution: of the images, in pixels.
    channels: of the images.
    width: of both networks.
    penalty: the weight of R1, gamma / 2.
    steps: in a round.
    batch: images in a step.
    latents: size of the latents.
    adam: learning rate and b1 of both players.
  """

  name: str
  resolution: int
  channels: int
  width: int
  penalty: float
  steps: int
  batch: int = 64
  latents: int = 100
  adam: tuple = (2e-4, 0.5)


CASES = (
  Case('DCGAN-64, width 64', 64, 3, 64, 0.0, 1),
  Case('DCGAN-32, width 32', 32, 1, 32, 0.0, 8),
  Case('DCGAN-32, width 32, R1', 32, 1, 32, 5.0, 5),
)


def row(measure, case, torch_too):
  """Returns the row of a case, and a sentence about it.

  Args:
    measure: `(name, batch, sides) -> row, sentence`, of `rounds.measure`.
    case: a `Case`.
    torch_too: whether PyTorch is installed.
  """
  images, others = batch(case), {}
  if torch_too:
    others = {
      name: functools.partial(dcgan_torch.side, case, images, options)
      for name, options in dcgan_torch.PEERS.items()
    }
  own = ganjax_side(case, images)
  return peers.row(measure, case.name, case.batch, own, others)


def batch(case):
  """Returns the images of every step of a case, `[N, H, W, C]` in [-1, 1]."""
  shape = case.batch, case.resolution, case.resolution, case.channels
  return np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)


def ganjax_side(
  case, images, dtype=jnp.float32, precision=None, precision_name=''
):
  """Returns the `Side` of ganjax, with one step in each dispatch.

  Args:
    case: a `Case`.
    images: `[N, H, W, C]` in [-1, 1], the batch of every step.
    dtype: of both networks.
    precision: as in `compiled.side`, with its name.
    precision_name: likewise.
  """
  game, optimizers = game_of(case, dtype)
  state = jax.jit(lambda key: steps.init(game, optimizers, key))(
    jax.random.key(0)
  )
  return compiled.side(
    steps.alternating(game, optimizers),
    state,
    (Batch(jnp.asarray(images)),),
    case.steps,
    precision,
    precision_name,
  )


def game_of(case, dtype=jnp.float32):
  """Returns the `Game` of a case, and its `Pair` of optimisers.

  Args:
    case: a `Case`.
    dtype: of both networks.
  """
  term = stateless(
    lambda turn: case.penalty * regularizers.r1(turn.critic, turn.real)
  )
  shape = case.resolution, case.channels, case.width
  game = gan(
    dcgan.generator(*shape, dtype=dtype),
    dcgan.discriminator(*shape, dtype=dtype),
    losses.non_saturating,
    priors.normal(case.latents),
    Pair({}, {'r1': term} if case.penalty else {}),
  )
  rate, b1 = case.adam
  return game, Pair(optax.adam(rate, b1), optax.adam(rate, b1))
