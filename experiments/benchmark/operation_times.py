"""Where the time of a compiled step goes on a CPU, by kinds of operations."""

import glob
import gzip
import json
import math
import re
import tempfile
from typing import NamedTuple

import jax

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
  products, convolved, lines = {}, set(), []
  for line in text.splitlines():
    if opened := re.match(r'(?:ENTRY )?%?([\w.-]+) .*\{$', line):
      # Names are of a computation, but those of what is run are of the program.
      computation, shapes = opened[1], {}
    if not (given := re.match(r'\s+(?:ROOT )?%?([\w.-]+) = (.*)$', line)):
      continue
    name, rest = given.groups()
    shapes[name] = _shape(rest)
    lines.append((name, rest))
    if ' dot(' in rest:
      flops = 2.0 * math.prod(shapes[name]) * _contracted(rest, shapes)
      products[computation] = products.get(computation, 0.0) + flops
      products[name] = flops
    if ' convolution(' in rest:
      convolved |= {computation, name}
  found = {}
  for name, rest in lines:
    # What a call computes has operations of its own.
    if ' call(' not in rest:
      fused = re.search(r'calls=%?([\w.-]+)', rest)
      inside = fused[1] if fused else name
      if inside in products:
        found[name] = Operation(PRODUCTS, products[inside])
      else:
        kind = CONVOLUTIONS if inside in convolved else _kind(rest)
        found[name] = Operation(kind, 0.0)
  return found


def _kind(rest):
  found = re.search(r'op_name="([^"]*)"', rest)
  place = found[1] if found else ''
  if '_along' in place:
    return TRANSFORMS
  return LAYOUTS if place.split('/')[-1] in _LAYOUTS else REST


def _contracted(rest, shapes):
  left = re.search(r' dot\((?:\w+\[\S* )?%?([\w.-]+)', rest)[1]
  axes = re.search(r'lhs_contracting_dims=\{([\d,]*)\}', rest)[1]
  return math.prod(shapes[left][int(axis)] for axis in axes.split(','))


def _shape(rest):
  found = re.match(r'\w+\[([\d,]*)\]', rest)
  return tuple(map(int, filter(None, found[1].split(',')))) if found else ()
