"""The benchmark of a training step of DCGAN, beside PyTorch."""

import time
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.benchmark import dcgan_torch, rounds
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
  shape = case.batch, case.resolution, case.resolution, case.channels
  images = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
  sides = {'ganjax': ganjax_side(case, images)}
  if torch_too:
    run = dcgan_torch.round_of_steps(case, images)
    sides['torch'] = rounds.Side(run, case.steps, {})
  found, words = measure(case.name, case.batch, sides)
  before = sides['ganjax'].seconds
  return found | {'before': before}, (
    f'{words}; traced in {before["traced"]:.1f} s, compiled in '
    f'{before["compiled"]:.1f} s'
  )


def ganjax_side(case, images):
  """Returns the `Side` of ganjax, with one step in each dispatch.

  Args:
    case: a `Case`.
    images: `[N, H, W, C]` in [-1, 1], the batch of every step.
  """
  term = stateless(
    lambda turn: case.penalty * regularizers.r1(turn.critic, turn.real)
  )
  game = gan(
    dcgan.generator(case.resolution, case.channels, case.width),
    dcgan.discriminator(case.resolution, case.channels, case.width),
    losses.non_saturating,
    priors.normal(case.latents),
    Pair({}, {'r1': term} if case.penalty else {}),
  )
  rate, b1 = case.adam
  optimizers = Pair(optax.adam(rate, b1), optax.adam(rate, b1))
  state = jax.jit(lambda key: steps.init(game, optimizers, key))(
    jax.random.key(0)
  )
  batch = Batch(jnp.asarray(images))
  step = steps.alternating(game, optimizers)
  begun = time.perf_counter()
  lowered = jax.jit(step, donate_argnums=0).lower(state, batch)
  traced = time.perf_counter()
  program = lowered.compile()
  seconds = {'traced': traced - begun, 'compiled': time.perf_counter() - traced}

  def run():
    nonlocal state
    for _ in range(case.steps):
      state, metrics = program(state, batch)
    jax.block_until_ready(metrics)

  return rounds.Side(run, case.steps, seconds)
