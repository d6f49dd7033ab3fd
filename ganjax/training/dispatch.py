"""From phases of training to compiled programs, and batches to feed them."""

import contextlib
import time
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from ganjax import parallel
from ganjax.data import order


class Phase(NamedTuple):
  """A stretch of training with one shape of images and one compiled step.

  Attributes:
    step: `(state, batch, *arguments) -> (state, metrics)`, of anything that is
      trained; the batch is a `Batch`. A state has `step`, int32, the steps so
      far, and `key`, that of the run.
    sample: `(state, number) -> images` in [-1, 1], or a tree of them: what the
      state has learnt to make.
    rows: how many images one step takes from the data.
    steps: how long the phase lasts.
    begin: `state -> state`, applied just before the first step.
    preprocess: `(batch, key, first) -> batch`, from stored images, uint8, to
      what the step is given; `key` is that of the run's data, and `first` the
      number of the first image in the run.
    title: what to call the phase, in words.
    arguments: a tuple of trees of arrays that the step takes besides: what it
      closed over would be folded into the program as constants.
    counted: how many of the rows are images seen; None: all of them. Where a
      generator has reals of its own, they are those of the discriminator.
  """

  step: Callable
  sample: Callable
  rows: int
  steps: int
  begin: Callable = lambda state: state
  preprocess: Callable = lambda batch, key, first: batch
  title: str = ''
  arguments: tuple = ()
  counted: int | None = None


def images_seen(phases, step):
  """Returns how many images a run has seen before a step.

  Args:
    phases: a sequence of `Phase`.
    step: the number of the step, from 0 on; `math.inf` counts the whole run.
  """
  counted = (phase.counted or phase.rows for phase in phases)
  return _total(phases, counted, step)


def rows_taken(phases, step):
  """Returns how many images were taken from the data before a step.

  For the arguments, see `images_seen`.
  """
  return _total(phases, (phase.rows for phase in phases), step)


def _total(phases, numbers, step):
  total = 0
  for phase, number in zip(phases, numbers, strict=True):
    total += number * min(step, phase.steps)
    step = max(0, step - phase.steps)
  return total


def play(phase, state, batch, first_step, first_image):
  """Returns `(state, metrics)` after the next step of a phase.

  Which images the step takes is a function of the state alone, whoever trains:
  a run on one device or on many, or a member of a population.

  Args:
    phase: a `Phase`.
    state: what the step takes.
    batch: `(key, first, rows) -> Batch`, of images uint8 `[rows, H, W, C]`,
      from number `first` of the run on.
    first_step: the number of the phase's first step in the run, uint32; it may
      be traced.
    first_image: that of its first image, modulo 2^32, uint32; it may be traced.
  """
  done = state.step.astype(jnp.uint32) - first_step
  position = first_image + done * jnp.uint32(phase.rows)
  key = order.data_key(state.key)
  stored = batch(key, position, phase.rows)
  prepared = phase.preprocess(stored, key, position)
  return phase.step(state, prepared, *phase.arguments)


class Loader(NamedTuple):
  """How batches reach the steps of one dispatch.

  Attributes:
    feed: `(key, first, rows, steps) -> iterator` of what each dispatch is
      given, from image number `first` of the run on.
    batch: `(fed, key, first, index, rows) -> Batch`, inside the compiled
      program: the batch of the step with that index in its dispatch, whose
      images are uint8 `[rows, H, W, C]`.
  """

  feed: Callable
  batch: Callable


def from_device(data, mesh):
  """Returns the `Loader` of images that lie on the devices.

  Args:
    data: a `Batch` of all images, uint8 `[M, H, W, C]`.
    mesh: with an axis 'data'; each device holds all images.
  """
  data = parallel.replicate(mesh, data)

  def feed(key, first, rows, steps):
    while True:
      yield data

  return Loader(
    feed, lambda fed, key, first, index, rows: take(fed, key, first, rows)
  )


def take(data, key, first, rows):
  """Returns the `Batch` of a step, of images in one array.

  Args:
    data: a `Batch` of all images, uint8 `[M, H, W, C]`.
    key: of the run's data.
    first: the number of the batch's first image in the run.
    rows: how many images.
  """
  chosen = order.indices(key, first, rows, len(data.images))
  return jax.tree.map(lambda leaf: leaf[chosen], data)


def from_host(batches, mesh):
  """Returns the `Loader` of images that the host gathers ahead of the steps.

  Args:
    batches: `(key, first, number, rows) -> iterator` of `Batch`es, the part
      `rows` (a slice) of each `number` images, uint8.
    mesh: with an axis 'data'.
  """
  sharding = NamedSharding(mesh, PartitionSpec(None, 'data'))

  def feed(key, first, rows, steps):
    own = rows // jax.process_count()
    start = own * jax.process_index()
    parts = batches(key, first, rows, slice(start, start + own))
    with contextlib.closing(parts):
      while True:
        fed = [next(parts) for _ in range(steps)]
        yield jax.tree.map(
          lambda *leaves: jax.make_array_from_process_local_data(
            sharding, np.stack(leaves)
          ),
          *fed,
        )

  def batch(fed, key, first, index, rows):
    return jax.tree.map(lambda leaf: leaf[index], fed)

  return Loader(feed, batch)


def dispatches(
  phases,
  state,
  loader,
  mesh,
  steps_together,
  compiled,
  compiling=lambda phase, steps: None,
):
  """Yields `(phase, state, metrics, step)` after each dispatch, to the end.

  Metrics are stacked over the steps of the dispatch. Going on from any state
  that was yielded gives the same states, bit for bit, as not having stopped.
  Phases with the same step and rows are one program.

  Args:
    phases: a sequence of `Phase`.
    state: what to go on from, on the mesh; its buffers are donated.
    loader: a `Loader`.
    mesh: with an axis 'data'.
    steps_together: in one dispatch; the last of a phase may have fewer.
    compiled: is called with the phase, the steps in one dispatch, the seconds
      that compiling took, and the compiled program, before it runs.
    compiling: is called with the phase and the steps before that.
  """
  # On the host: loaders ask for it outside of the compiled program.
  words = np.asarray(jax.random.key_data(order.data_key(state.key)))
  key = jax.random.wrap_key_data(words)
  step, first, programs = int(state.step), 0, {}
  for phase in phases:
    last = first + phase.steps
    if step == first:
      state = jax.jit(phase.begin, out_shardings=parallel.whole(mesh))(state)
    while step < last:
      # Two rounds at the most: whole dispatches, then what is left over.
      steps = min(steps_together, last - step)
      start = rows_taken(phases, first) + phase.rows * (step - first)
      with contextlib.closing(
        loader.feed(key, start, phase.rows, steps)
      ) as feed:
        # Unsigned and modulo 2^32, for a run may see more than 2^31 images.
        began = np.uint32(first), np.uint32(rows_taken(phases, first) % 2**32)
        which = phase.step, phase.rows, steps
        for fed in feed:
          if which not in programs:
            compiling(phase, steps)
            before = time.monotonic()
            program = _program(phase, loader, mesh, steps)
            programs[which] = program.lower(
              state, fed, began, phase.arguments
            ).compile()
            seconds = time.monotonic() - before
            compiled(phase, steps, seconds, programs[which])
          state, metrics = programs[which](state, fed, began, phase.arguments)
          step += steps
          yield phase, state, metrics, step
          if step + steps > last:
            break
    first = last


def _program(phase, loader, mesh, steps):
  """Returns the jitted `(state, fed, began, arguments) -> (state, metrics)`.

  It takes a number of steps; `began` are the numbers of the step and the image
  that the phase begins with.
  """

  step = parallel.spread(phase.step, mesh)

  def one(state, fed, began, arguments, index):
    def batch(key, first, rows):
      return loader.batch(fed, key, first, index, rows)

    own = phase._replace(step=step, arguments=arguments)
    return play(own, state, batch, *began)

  def several(state, fed, began, arguments):
    return jax.lax.scan(
      lambda state, index: one(state, fed, began, arguments, index),
      state,
      jnp.arange(steps),
    )

  def single(state, fed, began, arguments):
    state, metrics = one(state, fed, began, arguments, 0)
    return state, jax.tree.map(lambda value: value[None], metrics)

  return jax.jit(
    single if steps == 1 else several,
    out_shardings=parallel.whole(mesh),
    donate_argnums=0,
  )
