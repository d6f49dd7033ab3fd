"""What compiled programs need: floating-point operations and memory."""

import contextlib
from typing import NamedTuple

from ganjax import capacity, files
from ganjax.training import cost as costs


class CompiledCost(NamedTuple):
  """What the program of a training's steps needs, as XLA counts it.

  Attributes:
    flops: floating-point operations of one step; 0 where unknown.
    arguments: bytes of what it is given: the state, and images that lie on the
      device.
    temporaries: bytes of what it computes in between, such as activations and
      gradients.
    outputs: bytes of what it returns, without what takes the place of its
      arguments.
  """

  flops: float
  arguments: int
  temporaries: int
  outputs: int

  @property
  def bytes(self) -> int:
    """Bytes of all of it together: an estimate of the memory of a device."""
    return self.arguments + self.temporaries + self.outputs


def of(compiled) -> CompiledCost:
  """Returns the `CompiledCost` of a compiled program.

  The body of a loop counts once, so that of several steps the operations are
  those of one.

  Args:
    compiled: what `jax.jit(...).lower(...).compile()` returns.
  """
  needs, counts = compiled.memory_analysis(), compiled.cost_analysis() or {}
  sizes = [
    getattr(needs, f'{name}_size_in_bytes', 0)
    for name in ('argument', 'temp', 'output', 'alias')
  ]
  arguments, temporaries, outputs, alias = sizes
  flops = max(0.0, counts.get('flops', 0.0))
  return CompiledCost(flops, arguments, temporaries, max(0, outputs - alias))


def in_words(cost) -> str:
  """Returns a cost in words: '2.01 GFLOP a step, and about 0.03 GiB of memory'.

  Args:
    cost: a `CompiledCost`.
  """
  flops = f'{cost.flops / 1e9:,.3g} GFLOP a step, and ' if cost.flops else ''
  return f'{flops}about {_gibibytes(cost.bytes)} of memory'


@contextlib.contextmanager
def watched(advice, announce, note=lambda values: None):
  """Yields `compiled -> CompiledCost`, to be called before a program runs.

  What the largest of them needs is noted, and at the end of the block compared
  with the most memory that was held.

  Args:
    advice: what needs less memory, as an imperative.
    announce: is given sentences that a user should read.
    note: is given `{'memory': ...}`, JSON values.

  Raises:
    MemoryError: if the memory is full, with what was expected.
  """
  largest = None

  def noted(**peak):
    about = {**largest._asdict(), 'bytes': largest.bytes}
    note({'memory': {'estimate': about, **peak}})

  def expect(compiled):
    nonlocal largest
    cost, there = of(compiled), capacity.available()
    if largest is None or cost.bytes > largest.bytes:
      largest = cost
      noted()
    if cost.bytes > there:
      announce(f'Warning: {_needed(cost)}; {advice}.')
    return cost

  try:
    yield expect
  except (MemoryError, RuntimeError) as error:
    if largest is None or not files.out_of_memory(error):
      raise
    raise MemoryError(f'{_needed(largest)}; {advice}') from error
  if largest is not None:
    kind, most = costs.peak()
    noted(peak={'of': kind, 'bytes': most})
    announce(
      f'Of memory {_gibibytes(largest.bytes)} were expected for a step, and '
      f'{_gibibytes(most)} of {kind} were held at most'
      f'{", with Python and its libraries" * (kind == "main memory")}.'
    )


def _needed(cost):
  return (
    f'a step needs about {_gibibytes(cost.bytes)}, '
    f'{_gibibytes(cost.temporaries)} of it for activations and gradients, and '
    f'there are {_gibibytes(capacity.available())}'
  )


def _gibibytes(number):
  return f'{number / 2**30:,.2f} GiB'
