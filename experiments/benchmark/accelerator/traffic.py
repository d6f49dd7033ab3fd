"""What the kernels of a compiled program read and write."""

from experiments.benchmark import instructions

# Of these nothing is moved, or what they call is counted by itself.
_NO_KERNELS = frozenset(
  ('parameter', 'constant', 'bitcast', 'tuple', 'get-tuple-element')
  + ('call', 'conditional', 'while', 'after-all')
)


def of(program):
  """Returns the bytes that the kernels of a program read and write.

  Each kernel reads its operands and writes its results once. The body of a loop
  counts once, and all branches count.

  Args:
    program: text of a compiled program, as `compiled.as_text()` returns it.
  """
  found = [*instructions.of(program)]
  sizes = {
    (own.computation, own.name): instructions.size(own.shape) for own in found
  }
  # What a fusion or a reduction calls is part of its kernel.
  within = {
    name
    for own in found
    if own.operation != 'call'
    for name in instructions.called(own)
  }
  return sum(
    sizes.get((own.computation, name), 0)
    for own in found
    if own.computation not in within and own.operation not in _NO_KERNELS
    for name in (own.name, *own.operands)
  )
