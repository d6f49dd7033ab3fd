"""The game on a ring of Gaussians that the benchmark trains."""

from typing import NamedTuple

import jax
import optax

from ganjax import losses, priors, steps
from ganjax.arrays import Batch
from ganjax.data import order, toy
from ganjax.game import gan
from ganjax.networks import mlp
from ganjax.players import Pair
from ganjax.training import population


class Ring(NamedTuple):
  """The game, and the optimiser of both players."""

  modes: int = 8
  std: float = 0.01
  latents: int = 2
  widths: tuple = (128, 128)
  learning_rate: float = 1e-3


def training(ring, number, batch):
  """Returns the `population.Training` of a run.

  Args:
    ring: a `Ring`.
    number: of steps of a run.
    batch: points in a step.
  """
  game = gan(
    mlp.generator((2,), ring.widths),
    mlp.discriminator(ring.widths),
    losses.non_saturating,
    priors.normal(ring.latents),
  )
  adam = optax.adam(ring.learning_rate)
  optimizers = Pair(adam, adam)
  update = steps.alternating(game, optimizers)
  points = toy.mixture(toy.ring(ring.modes), ring.std)

  def step(state, numbers, data):
    key = jax.random.fold_in(order.data_key(state.key), state.step)
    return update(state, Batch(points(key, batch)))

  return population.Training(
    init=lambda key, numbers, data: steps.init(game, optimizers, key),
    step=step,
    evaluate=lambda state, numbers, data: (),
    steps=number,
    every=number,
  )
