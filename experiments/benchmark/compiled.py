"""A compiled step of ganjax as a side of a benchmark."""

import contextlib
import time

import jax

from experiments.benchmark import rounds


def side(step, state, arguments, number=1, precision=None, name=''):
  """Returns the `Side` of a step, with one step in each dispatch.

  Args:
    step: `(state, *arguments) -> (state, metrics)`; the state is donated.
    state: what the first step is given.
    arguments: a tuple of trees of arrays, the same for every step.
    number: of steps in a round.
    precision: of products, as `jax.default_matmul_precision` takes it; None is
      that of the device: on a GPU factors are rounded to TF32.
    name: what to call the precision.
  """
  with jax.default_matmul_precision(precision):
    begun = time.perf_counter()
    lowered = jax.jit(step, donate_argnums=0).lower(state, *arguments)
    traced = time.perf_counter()
    program = lowered.compile()
    compiled = time.perf_counter()

  def run():
    nonlocal state
    for _ in range(number):
      state, metrics = program(state, *arguments)
    jax.block_until_ready((state, metrics))

  seconds = {'traced': traced - begun, 'compiled': compiled - traced}
  return rounds.Side(run, number, seconds, name, flops(lowered, program))


def flops(*stages):
  """Returns the operations of the first stage that knows them, or None.

  XLA counts the body of a loop once, and of branches the largest.

  Args:
    *stages: of compilation. A program that is not optimised yet comes first:
      where libraries compute convolutions, they are not counted later.
  """
  for stage in stages:
    # Not every backend counts, and it may raise anything.
    with contextlib.suppress(Exception):
      if (found := stage.cost_analysis()['flops']) > 0:
        return float(found)
  return None
