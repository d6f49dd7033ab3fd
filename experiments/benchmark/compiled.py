"""A compiled step of ganjax as a side of a benchmark."""

import time

import jax

from experiments.benchmark import flops, limits, rounds


def side(step, state, arguments, number=1, precision=None, name=''):
  """Returns the `Side` of a step, with one step in each dispatch.

  Args:
    step: `(state, *arguments) -> (state, metrics)`; the state is donated.
    state: what the first step is given.
    arguments: a tuple of trees of arrays, the same for every step.
    number: of steps in a round.
    precision: of products, as `jax.default_matmul_precision` takes it; None is
      that of the device: on a GPU factors are rounded to TF32.
    name: what to call the precision; '' is that of the device.
  """
  with jax.default_matmul_precision(precision):
    begun = time.perf_counter()
    traced = jax.jit(step, donate_argnums=0).trace(state, *arguments)
    lowered = traced.lower()
    then = time.perf_counter()
    program = lowered.compile()
    seconds = {'traced': then - begun, 'compiled': time.perf_counter() - then}

  def run():
    nonlocal state
    for _ in range(number):
      state, metrics = program(state, *arguments)
    jax.block_until_ready((state, metrics))

  return rounds.Side(
    run, number, seconds, name or limits.usual(), flops.of(traced.jaxpr)
  )
