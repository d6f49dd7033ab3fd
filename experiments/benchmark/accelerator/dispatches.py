"""Steps that are dispatched together, as a training run does it."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from experiments.benchmark import compiled, dcgan, ring_game, rounds
from experiments.benchmark.accelerator import comparison
from ganjax import parallel, steps
from ganjax.arrays import Batch
from ganjax.data import images
from ganjax.training import dispatch

_TOGETHER = 1, 8, 32, 128


def of_dcgan(task):
  """Returns the row of DCGAN-32 in batches of 32, by steps in a dispatch."""
  case = dcgan.Case('DCGAN-32', 32, 1, 32, 0.0, 1, batch=32)
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
  makers = {
    f'{together} in a dispatch': functools.partial(
      side,
      phase,
      state(jax.random.key(0)),
      Batch(jnp.asarray(pixels)),
      together,
    )
    for together in numbers
  }
  return comparison.compare(task, makers, examples)


def side(phase, state, data, together, loader=None, precision='tf32'):
  """Returns the `Side` of dispatches of several steps.

  Args:
    phase: a `dispatch.Phase` without an end.
    state: what its first step takes.
    data: a `Batch` of all images, uint8, which lie on the device.
    together: steps in a dispatch.
    loader: a `dispatch.Loader` in place of the data.
    precision: what to call that of products.
  """
  mesh = parallel.mesh(1)
  loader = loader or dispatch.from_device(data, mesh)
  number = max(1, 32 // together)
  before, programs = {}, []

  def note(phase, steps, seconds, program):
    before['traced and compiled'] = seconds
    programs.append(program)

  going = dispatch.dispatches(
    (phase,), _copied(mesh, state), loader, mesh, together, note
  )

  def run():
    for _ in range(number):
      _, state, metrics, _ = next(going)
    jax.block_until_ready((state, metrics))

  run()
  return rounds.Side(
    run, number * together, before, precision, compiled.flops(*programs)
  )


def _copied(mesh, state):
  return jax.device_put(state, parallel.whole(mesh))
