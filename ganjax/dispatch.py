"""Dispatching: phases of training become compiled programs, and are fed."""

import contextlib
import time
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from ganjax import parallel
from ganjax.data import images, order
from ganjax.steps import data_key


class Phase(NamedTuple):
  """A stretch of training with one shape and one compiled step.

  Attributes:
    step: of an update rule.
    view: of the same game, `(state, number) -> images`.
    rows: real images that one step takes.
    steps: how long the phase lasts.
    begin: `state -> state`, just before its first step.
  """

  step: Callable
  view: Callable
  rows: int
  steps: int
  begin: Callable = lambda state: state


class Road(NamedTuple):
  """How batches reach the steps of one dispatch.

  Attributes:
    feed: `(key, first, rows, steps) -> iterator` of what each dispatch is
      given, from image number `first` of the run on.
    batch: `(fed, key, first, turn, rows) -> uint8 [rows, H, W, C]`, inside the
      compiled program: the batch of its step number `turn`.
  """

  feed: Callable
  batch: Callable


def resident(pixels, mesh):
  """The `Road` of images that lie on the devices and are indexed there.

  Args:
    pixels: uint8 `[M, H, W, C]`.
    mesh: with an axis 'data'; each device holds all images.
  """
  pixels = parallel.replicate(mesh, pixels)

  def feed(key, first, rows, steps):
    while True:
      yield pixels

  def batch(pixels, key, first, turn, rows):
    return pixels[order.indices(key, first, rows, len(pixels))]

  return Road(feed, batch)


def hosted(batches, mesh):
  """The `Road` of images that the host gathers, ahead of the steps.

  Args:
    batches: `(key, first, number, rows) -> iterator` of uint8 arrays, the part
      `rows` (a slice) of each `number` images.
    mesh: with an axis 'data'.
  """
  sharding = NamedSharding(mesh, PartitionSpec(None, 'data'))

  def feed(key, first, rows, steps):
    own = rows // jax.process_count()
    start = own * jax.process_index()
    parts = batches(key, first, rows, slice(start, start + own))
    with contextlib.closing(parts):
      while True:
        fed = np.stack([next(parts) for _ in range(steps)])
        yield jax.make_array_from_process_local_data(sharding, fed)

  return Road(feed, lambda fed, key, first, turn, rows: fed[turn])


def shown(phases, step):
  """How many images the run has shown before `step`."""
  number = 0
  for phase in phases:
    number += phase.rows * min(step, phase.steps)
    step = max(0, step - phase.steps)
  return number


def steps_together(params):
  """How many steps to compile into one program: 32, or 1.

  Many save the host's work in between. But XLA on a CPU runs a convolution
  within a loop about seven times slower, so there a network with kernels of
  four axes takes one step at a time.
  """
  convolutional = any(leaf.ndim == 4 for leaf in jax.tree.leaves(params))
  return 1 if convolutional and jax.default_backend() == 'cpu' else 32


def dispatches(phases, state, road, mesh, together, announce):
  """Yields `(phase, state, metrics, step)` after each dispatch, to the end.

  Metrics are stacked over the steps of the dispatch. Going on from any state
  that was yielded gives the same states, bit for bit, as not having stopped.

  Args:
    phases: a sequence of `Phase`.
    state: the `TrainState` to go on from, on the mesh; its buffers are donated.
    road: a `Road`.
    mesh: with an axis 'data'.
    together: steps in one dispatch; the last of a phase may have fewer.
    announce: is told in words how long compiling took.
  """
  # On the host: roads ask for it outside of the compiled program.
  words = np.asarray(jax.random.key_data(data_key(state)))
  key = jax.random.wrap_key_data(words)
  step, first = int(state.step), 0
  for phase in phases:
    last = first + phase.steps
    if step == first:
      state = jax.jit(phase.begin, out_shardings=parallel.whole(mesh))(state)
    while step < last:
      # Two rounds at the most: whole dispatches, then what is left over.
      steps = min(together, last - step)
      start = shown(phases, first) + phase.rows * (step - first)
      with contextlib.closing(road.feed(key, start, phase.rows, steps)) as feed:
        program = None
        for fed in feed:
          if program is None:
            before = time.monotonic()
            dispatch = _program(phase, road, mesh, first, shown(phases, first))
            program = dispatch(steps).lower(state, fed).compile()
            seconds = time.monotonic() - before
            announce(f'Compiled {steps} step(s) a dispatch in {seconds:.1f} s.')
          state, metrics = program(state, fed)
          step += steps
          yield phase, state, metrics, step
          if step + steps > last:
            break
    first = last


def _program(phase, road, mesh, first_step, first_image):
  """Jitted `(state, fed) -> (state, metrics)` of a number of steps."""
  step = parallel.spread(phase.step, mesh)

  def one(state, fed, turn):
    # Unsigned and modulo 2^32, for a run may show more than 2^31 images.
    done = (state.step - first_step).astype(jnp.uint32)
    position = jnp.uint32(first_image % 2**32) + done * jnp.uint32(phase.rows)
    batch = road.batch(fed, data_key(state), position, turn, phase.rows)
    return step(state, images.scale(batch))

  def dispatch(steps):
    def several(state, fed):
      return jax.lax.scan(
        lambda state, turn: one(state, fed, turn), state, jnp.arange(steps)
      )

    def single(state, fed):
      state, metrics = one(state, fed, 0)
      return state, jax.tree.map(lambda value: value[None], metrics)

    return jax.jit(
      single if steps == 1 else several,
      out_shardings=parallel.whole(mesh),
      donate_argnums=0,
    )

  return dispatch
