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
    sample: of the same game, `(state, number) -> images`.
    rows: real images that one step takes.
    steps: how long the phase lasts.
    begin: `state -> state`, just before its first step.
    preprocess: `(pixels, key, first) -> images`, how stored pixels, uint8,
      become
      what the step is given; `first` is the number of the first in the run.
    title: what to call it, in words.
  """

  step: Callable
  sample: Callable
  rows: int
  steps: int
  begin: Callable = lambda state: state
  preprocess: Callable = lambda pixels, key, first: images.scale(pixels)
  title: str = ''


class Loader(NamedTuple):
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
  """The `Loader` of images that lie on the devices and are indexed there.

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

  return Loader(feed, batch)


def hosted(batches, mesh):
  """The `Loader` of images that the host gathers, ahead of the steps.

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

  return Loader(feed, lambda fed, key, first, turn, rows: fed[turn])


def images_seen(phases, step):
  """Returns how many images the run has seen before `step`."""
  number = 0
  for phase in phases:
    number += phase.rows * min(step, phase.steps)
    step = max(0, step - phase.steps)
  return number


def dispatches(phases, state, loader, mesh, together, compiled):
  """Yields `(phase, state, metrics, step)` after each dispatch, to the end.

  Metrics are stacked over the steps of the dispatch. Going on from any state
  that was yielded gives the same states, bit for bit, as not having stopped.
  Phases with the same step and rows are one program.

  Args:
    phases: a sequence of `Phase`.
    state: the `TrainState` to go on from, on the mesh; its buffers are donated.
    loader: a `Loader`.
    mesh: with an axis 'data'.
    together: steps in one dispatch; the last of a phase may have fewer.
    compiled: is called with the phase, the steps in one dispatch and the
      seconds that compiling took.
  """
  # On the host: loaders ask for it outside of the compiled program.
  words = np.asarray(jax.random.key_data(data_key(state)))
  key = jax.random.wrap_key_data(words)
  step, first, programs = int(state.step), 0, {}
  for phase in phases:
    last = first + phase.steps
    if step == first:
      state = jax.jit(phase.begin, out_shardings=parallel.whole(mesh))(state)
    while step < last:
      # Two rounds at the most: whole dispatches, then what is left over.
      steps = min(together, last - step)
      start = images_seen(phases, first) + phase.rows * (step - first)
      with contextlib.closing(
        loader.feed(key, start, phase.rows, steps)
      ) as feed:
        # Unsigned and modulo 2^32, for a run may see more than 2^31 images.
        began = np.uint32(first), np.uint32(images_seen(phases, first) % 2**32)
        which = phase.step, phase.rows, steps
        for fed in feed:
          if which not in programs:
            before = time.monotonic()
            program = _program(phase, loader, mesh, steps)
            programs[which] = program.lower(state, fed, began).compile()
            compiled(phase, steps, time.monotonic() - before)
          state, metrics = programs[which](state, fed, began)
          step += steps
          yield phase, state, metrics, step
          if step + steps > last:
            break
    first = last


def _program(phase, loader, mesh, steps):
  """Jitted `(state, fed, began) -> (state, metrics)` of a number of steps.

  Began: the step and the image that the phase began with.
  """
  step = parallel.spread(phase.step, mesh)

  def one(state, fed, began, turn):
    first_step, first_image = began
    done = state.step.astype(jnp.uint32) - first_step
    position = first_image + done * jnp.uint32(phase.rows)
    key = data_key(state)
    pixels = loader.batch(fed, key, position, turn, phase.rows)
    return step(state, phase.preprocess(pixels, key, position))

  def several(state, fed, began):
    return jax.lax.scan(
      lambda state, turn: one(state, fed, began, turn), state, jnp.arange(steps)
    )

  def single(state, fed, began):
    state, metrics = one(state, fed, began, 0)
    return state, jax.tree.map(lambda value: value[None], metrics)

  return jax.jit(
    single if steps == 1 else several,
    out_shardings=parallel.whole(mesh),
    donate_argnums=0,
  )
