"""Runs the program that a pickle is, on a machine that can do no harm.

A pickle is a program for a machine with a stack and a memory. Python's own
machine imports what it names and calls it, allocates what it says, and hashes
what it builds, which for nested tuples can take longer than the universe. This
one has only the operations that containers of plain values need; the standard
library's `pickletools` reads them. What is called comes from a table.
"""

import pickletools
from collections.abc import Callable, Sized

from ganjax.limits import RefusedError

_OPERATIONS = 500_000  # a state_dict takes about 30 for each tensor
_COPIED = 200_000  # items, in all calls

_EMPTY = {'EMPTY_DICT': dict, 'EMPTY_LIST': list, 'EMPTY_TUPLE': tuple}
_VALUES = {'NONE': None, 'NEWTRUE': True, 'NEWFALSE': False}
_PLAIN = frozenset(
  (
    *('INT', 'BININT', 'BININT1', 'BININT2', 'LONG', 'LONG1', 'LONG4'),
    *('FLOAT', 'BINFLOAT', 'STRING', 'BINSTRING', 'SHORT_BINSTRING'),
    *('UNICODE', 'BINUNICODE', 'SHORT_BINUNICODE', 'BINUNICODE8'),
    *('BINBYTES', 'SHORT_BINBYTES', 'BINBYTES8', 'BYTEARRAY8'),
  )
)
_TUPLES = {'TUPLE1': 1, 'TUPLE2': 2, 'TUPLE3': 3}


def load(file, find: Callable, persistent: Callable, build: Callable):
  """Returns the value of the pickle at the position of a file, and moves it.

  Args:
    file: an open binary file, whose `read(n)` allocates no more than there is.
    find: `(module, name) -> value`, which is called where the pickle calls it,
      or raises RefusedError.
    persistent: `pid -> value` of a reference to something outside.
    build: `(value, state)`, which gives a value its state.

  Raises:
    RefusedError: if the pickle needs an operation that this machine lacks.
    Exception: of many kinds, if the pickle is damaged.
  """
  stack: list = []
  marks: list[int] = []
  memory: dict = {}
  copied = 0

  def pop(number):
    if number > len(stack) - (marks[-1] if marks else 0):
      raise EOFError('its pickle takes more values than it has')
    values = stack[len(stack) - number :]
    del stack[len(stack) - number :]
    return values

  def since_mark():
    items = pop(len(stack) - marks[-1])
    marks.pop()
    return items

  def call(function, arguments):
    nonlocal copied
    if not callable(function) or not isinstance(arguments, tuple):
      raise RefusedError(f'its pickle calls a {type(function).__name__}')
    copied += sum(len(own) for own in arguments if isinstance(own, Sized))
    if copied > _COPIED:
      raise RefusedError('its pickle copies more than weights need')
    return function(*arguments)

  for number, (operation, argument, _) in enumerate(pickletools.genops(file)):
    if number > _OPERATIONS:
      raise RefusedError('its pickle has more operations than weights need')
    match operation.name:
      case 'PROTO' | 'FRAME':
        pass
      case 'STOP':
        [value] = pop(1)
        return value
      case name if name in _PLAIN:
        stack.append(argument)
      case name if name in _EMPTY:
        stack.append(_EMPTY[name]())
      case name if name in _VALUES:
        stack.append(_VALUES[name])
      case name if name in _TUPLES:
        stack.append(tuple(pop(_TUPLES[name])))
      case 'MARK':
        marks.append(len(stack))
      case 'TUPLE':
        stack.append(tuple(since_mark()))
      case 'LIST':
        stack.append(since_mark())
      case 'DICT':
        stack.append(fill({}, since_mark()))
      case 'APPEND':
        [item] = pop(1)
        _of(list, stack).append(item)
      case 'APPENDS':
        items = since_mark()
        _of(list, stack).extend(items)
      case 'SETITEM':
        items = pop(2)
        fill(_of(dict, stack), items)
      case 'SETITEMS':
        items = since_mark()
        fill(_of(dict, stack), items)
      case 'PUT' | 'BINPUT' | 'LONG_BINPUT':
        memory[argument] = stack[-1]
      case 'MEMOIZE':
        memory[len(memory)] = stack[-1]
      case 'GET' | 'BINGET' | 'LONG_BINGET':
        stack.append(memory[argument])
      case 'DUP':
        stack.append(stack[-1])
      case 'POP':
        pop(1)
      case 'POP_MARK':
        since_mark()
      case 'GLOBAL':
        stack.append(find(*str(argument).split(' ', 1)))
      case 'STACK_GLOBAL':
        module, name = pop(2)
        if not isinstance(module, str) or not isinstance(name, str):
          raise RefusedError('its pickle asks for something without a name')
        stack.append(find(module, name))
      case 'REDUCE' | 'NEWOBJ':
        stack.append(call(*pop(2)))
      case 'BUILD':
        [state] = pop(1)
        build(stack[-1], state)
      case 'BINPERSID':
        [pid] = pop(1)
        stack.append(persistent(pid))
      case name:
        raise RefusedError(f'its pickle has a {name}, which no tensor needs')
  raise EOFError('its pickle has no end')


def _of(kind, stack):
  if type(stack[-1]) is not kind:
    raise RefusedError(f'its pickle fills a {type(stack[-1]).__name__}')
  return stack[-1]


def fill(target: dict, items) -> dict:
  """Returns a dict after more items were put into it.

  Args:
    target: the dict, which is changed.
    items: a list of keys and values in turns.

  Raises:
    RefusedError: if a key is no plain value, whose hash is quickly found.
  """
  for key, value in zip(items[::2], items[1::2], strict=True):
    if not isinstance(key, str | int | float | None):
      raise RefusedError(f'its pickle has a {type(key).__name__} as a name')
    target[key] = value
  return target
