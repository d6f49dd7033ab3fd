"""Where the time of a compiled step goes on a CPU, by kinds of operations."""

import glob
import gzip
import json
import math
import re
import tempfile
from typing import NamedTuple

import jax

from experiments.benchmark import instructions

PRODUCTS, CONVOLUTIONS = 'products of matrices', 'convolutions by XLA'
TRANSFORMS, LAYOUTS = "Winograd's transforms", 'tiles, padding and layouts'
REST = 'norms, activations, losses and optimisers'

_LAYOUTS = {
  *('transpose', 'reshape', 'slice', 'concatenate', 'split', 'squeeze'),
  *('jit(_pad)', 'pad', 'copy'),
}


class Operation(NamedTuple):
  """An operation of a compiled program.

  Attributes:
    kind: one of the constants above.
    flops: of products of matrices in it, 0 if there are none.
  """

  kind: str
  flops: float


def of(program, arguments, steps=5):
  """Returns `{kind: (seconds, FLOP)}` of one call of a program.

  Seconds are those in which an operation was under way, so that they add up to
  more than a call takes where two were at once.

  Args:
    program: a compiled `state, ... -> (state, metrics)`, which may donate its
      state.
    arguments: of its first call.
    steps: how many calls are traced, after as many that are not.
  """
  known = operations(program.as_text())
  state, *others = arguments
  for _ in range(steps):
    state, _ = program(state, *others)
  jax.block_until_ready(state)
  with tempfile.TemporaryDirectory() as folder:
    with jax.profiler.trace(folder):
      for _ in range(steps):
        state, _ = program(state, *others)
      jax.block_until_ready(state)
    (path,) = glob.glob(f'{folder}/**/*.trace.json.gz', recursive=True)
    with gzip.open(path) as file:
      events = json.load(file)['traceEvents']
  found = {}
  for event in events:
    operation = known.get(event.get('name'))
    if operation and 'dur' in event:
      seconds, flops = found.get(operation.kind, (0.0, 0.0))
      found[operation.kind] = (
        seconds + event['dur'] / 1e6 / steps,
        flops + operation.flops / steps,
      )
  return found


def operations(text):
  """Returns `{name: Operation}` of the operations of a program that are run.

  Args:
    text: of the compiled program, as XLA prints it.
  """
  found = [*instructions.of(text)]
  # Names are of a computation, but those of what is run are of the program.
  shapes = {(own.computation, own.name): own.shape for own in found}
  products, convolved = {}, set()
  for own in found:
    if own.operation == 'dot':
      left = shapes[own.computation, own.operands[0]]
      flops = 2.0 * math.prod(_sides(own.shape)) * _contracted(own.rest, left)
      products[own.computation] = products.get(own.computation, 0.0) + flops
      products[own.name] = flops
    if own.operation == 'convolution':
      convolved |= {own.computation, own.name}
  return {
    own.name: _operation(own, products, convolved)
    for own in found
    # What a call computes has operations of its own.
    if own.operation != 'call'
  }


def _operation(own, products, convolved):
  inside, *_ = [*instructions.called(own), own.name]
  if inside in products:
    return Operation(PRODUCTS, products[inside])
  kind = CONVOLUTIONS if inside in convolved else _kind(own.rest)
  return Operation(kind, 0.0)


def _kind(rest):
  found = re.search(r'op_name="([^"]*)"', rest)
  place = found[1] if found else ''
  if '_along' in place:
    return TRANSFORMS
  return LAYOUTS if place.split('/')[-1] in _LAYOUTS else REST


def _contracted(rest, left):
  axes = re.search(r'lhs_contracting_dims=\{([\d,]*)\}', rest)[1]
  return math.prod(_sides(left)[int(axis)] for axis in axes.split(','))


def _sides(shape):
  [(_, sides)] = instructions.arrays(shape)
  return sides
