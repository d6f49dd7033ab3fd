"""Steps that are dispatched together, as a training run does it."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from experiments.benchmark import (
  dcgan,
  dcgan_cases,
  flops,
  ring_game,
  rounds,
)
from ganjax import parallel, steps
from ganjax.arrays import Batch
from ganjax.data import images
from ganjax.training import dispatch

_TOGETHER = 1, 8, 32, 128


def of_dcgan(task):
  """Returns the row of DCGAN-32 in batches of 32, by steps in a dispatch."""
  case = dcgan_cases.Case('DCGAN-32', 32, 1, 32, 0.0, 1, batch=32)
  if task.tiny:
    case = case._replace(resolution=16, width=4, batch=8)
  game, optimizers = dcgan.game_of(case)
  state = jax.jit(lambda key: steps.init(game, optimizers, key))
  shape = 1024, case.resolution, case.resolution, case.channels
  pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
  phase = dispatch.Phase(
    steps.alternating(game, optimizers),
    sample=lambda state, number: (),
    rows=case.batch,
    steps=2**30,
    preprocess=lambda batch, key, first: Batch(images.scale(batch.images)),
  )
  return _row(task, phase, state, pixels, case.batch)


def of_ring(task):
  """Returns the row of a run on a ring of Gaussians, likewise."""
  points = 16 if task.tiny else 256
  training = ring_game.training(ring_game.Ring(), 1, points)
  phase = dispatch.Phase(
    lambda state, batch: training.step(state, (), ()),
    sample=lambda state, number: (),
    rows=points,
    steps=2**30,
  )
  state = jax.jit(lambda key: training.init(key, (), ()))
  # Steps draw points of their own.
  return _row(task, phase, state, np.zeros((1, 1, 1, 1), np.uint8), points)


def _row(task, phase, state, pixels, examples):
  numbers = _TOGETHER[:2] if task.tiny else _TOGETHER
  data = Batch(jnp.asarray(pixels))
  key = jax.random.key(0)
  batch = phase.preprocess(dispatch.take(data, key, 0, phase.rows), key, 0)
  counted = flops.of(jax.make_jaxpr(phase.step)(state(key), batch))
  makers = {
    f'{together} in a dispatch': functools.partial(
      _own, phase, state(key), data, together, counted
    )
    for together in numbers
  }
  return rounds.compare(task, makers, examples)


def _own(phase, state, data, together, counted):
  loader = dispatch.from_device(data, parallel.mesh(1))
  return side(phase, state, loader, together, 'tf32')._replace(flops=counted)


def side(phase, state, loader, together, precision=''):
  """Returns the `Side` of dispatches of several steps.

  Args:
    phase: a `dispatch.Phase` without an end.
    state: what its first step takes.
    loader: a `dispatch.Loader` of a mesh of one device.
    together: steps in a dispatch.
    precision: what to call that of products.
  """
  mesh = parallel.mesh(1)
  number = max(1, 32 // together)
  before = {}

  def note(phase, steps, seconds, program):
    before['traced and compiled'] = seconds

  state = jax.device_put(state, parallel.whole(mesh))
  going = dispatch.dispatches((phase,), state, loader, mesh, together, note)

  def run():
    for _ in range(number):
      _, state, metrics, _ = next(going)
    jax.block_until_ready((state, metrics))

  run()
  return rounds.Side(run, number * together, before, precision)
