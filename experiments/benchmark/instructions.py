"""The instructions of a compiled program, read from the text of XLA."""

import math
import re
from typing import NamedTuple

_COMPUTATION = re.compile(r'(?:ENTRY )?%?([\w.\-]+) .*\{$')
_INSTRUCTION = re.compile(
  r'\s+(?:ROOT )?%?([\w.\-]+) = (\(.*?\)|\S+) ([\w\-]+)\((.*?)\)(?:, |$)(.*)'
)
_ARRAY = re.compile(r'(?:pred|[bcfsu]+(\d+))\[([\d,]*)\]')


class Instruction(NamedTuple):
  """An instruction of a computation.

  Attributes:
    computation: the name of that.
    name: its own, which is that of its result.
    shape: what it returns, as XLA writes it.
    operation: what it does: 'fusion', 'dot'.
    operands: names of what it reads, a list.
    rest: its attributes and its place in the source, as XLA writes them.
  """

  computation: str
  name: str
  shape: str
  operation: str
  operands: list[str]
  rest: str


def of(program):
  """Yields the `Instruction`s of a program, those of called computations first.

  Args:
    program: its text, as `compiled.as_text()` returns it.
  """
  computation = ''
  for line in program.splitlines():
    if begins := _COMPUTATION.match(line):
      computation = begins[1]
    elif found := _INSTRUCTION.match(line):
      name, shape, operation, operands, rest = found.groups()
      read = re.findall(r'%([\w.\-]+)', operands)
      yield Instruction(computation, name, shape, operation, read, rest)


def called(instruction):
  """Returns the names of what a fusion, a call or a reduction computes."""
  return re.findall(r'(?:calls|to_apply)=%?([\w.\-]+)', instruction.rest)


def arrays(shape):
  """Returns `(bytes of a number, sides)` of each array in a shape of XLA."""
  return [
    (int(bits or 8) // 8, tuple(map(int, filter(None, sides.split(',')))))
    for bits, sides in _ARRAY.findall(shape)
  ]


def size(shape):
  """Returns the bytes of the arrays in a shape of XLA."""
  return sum(number * math.prod(sides) for number, sides in arrays(shape))
