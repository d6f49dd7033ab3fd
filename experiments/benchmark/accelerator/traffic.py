"""What the kernels of a compiled program read and write."""

import math
import re

_ARRAY = re.compile(r'(?:pred|[bcfsu]+(\d+))\[([\d,]*)\]')
# Of these nothing is moved, or what they call is counted by itself.
_NO_KERNELS = frozenset(
  ('parameter', 'constant', 'bitcast', 'tuple', 'get-tuple-element')
  + ('call', 'conditional', 'while', 'after-all')
)
_COMPUTATION = re.compile(r'(?:ENTRY )?%([\w.\-]+) \(.*\{$')
_INSTRUCTION = re.compile(
  r'\s+(?:ROOT )?%([\w.\-]+) = (\(.*?\)|\S+) ([\w\-]+)\((.*?)\)(?:, |$)'
)


def of(program):
  """Returns the bytes that the kernels of a program read and write.

  Each kernel reads its operands and writes its results once. The body of a loop
  counts once, and all branches count.

  Args:
    program: text of a compiled program, as `compiled.as_text()` returns it.
  """
  lines = program.splitlines()
  # What a fusion or a reduction calls is part of its kernel.
  within = {
    name
    for line in lines
    if ' call(' not in line
    for name in re.findall(r'(?:calls|to_apply)=%([\w.\-]+)', line)
  }
  total, computation, sizes = 0, None, {}
  for line in lines:
    if begins := _COMPUTATION.match(line):
      computation, sizes = begins[1], {}
    elif found := _INSTRUCTION.match(line):
      name, shape, operation, operands = found.groups()
      sizes[name] = _size(shape)
      if computation not in within and operation not in _NO_KERNELS:
        total += sizes[name] + sum(
          sizes.get(operand, 0)
          for operand in re.findall(r'%([\w.\-]+)', operands)
        )
  return total


def _size(shape):
  """Returns the bytes of the arrays that a shape of XLA names."""
  return sum(
    int(bits or 8) // 8 * math.prod(map(int, filter(None, sides.split(','))))
    for bits, sides in _ARRAY.findall(shape)
  )
