"""The rules of `make mutations`, and what it leaves out as equivalent."""

import ast
import pathlib
import runpy
from types import SimpleNamespace

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
MUTATIONS = SimpleNamespace(**runpy.run_path(ROOT / 'tests' / 'mutations.py'))
SOURCE = '''
def value(real, fake):
  """Returns -real + 2 * fake."""
  for _ in range(3):
    fake = stop_gradient(fake) / len(real)
  return -softplus(real).mean() + real * fake / 2
'''


def mutated(source):
  """The statements and expressions of a source after each mutation, by rule."""
  found = {}
  for mutation in MUTATIONS.mutations('losses', source):
    first, last = mutation.span
    whole = source.encode()
    after = whole[:first] + mutation.after.encode() + whole[last:]
    ast.parse(after)
    assert whole[first:last].decode() == mutation.before
    found.setdefault(mutation.rule, set()).add(mutation.after)
  return found


def test_each_rule_makes_its_mutations():
  last = '-softplus(real).mean() + real * fake / 2'
  quotient = 'stop_gradient(fake) / len(real)'
  assert mutated(SOURCE) == {
    'sign': {
      f'({last.replace(" + ", " - ")})',
      '(softplus(real).mean())',
      f'(-({quotient}))',
    },
    'factor': {'(2 * (real * fake / 2))', f'(2 * ({quotient}))'},
    'detach': {'(fake)'},
    'mean': {'(softplus(real).sum())', '(stop_gradient(fake))'},
    'count': {'(range(3 - 1))'},
  }


@pytest.mark.parametrize('subject', MUTATIONS.SUBJECTS)
def test_every_mutation_can_be_parsed_and_has_tests(subject):
  source = (ROOT / 'ganjax' / f'{subject}.py').read_bytes()
  found = MUTATIONS.mutations(subject, source.decode())
  assert found
  for mutation in found:
    first, last = mutation.span
    ast.parse(source[:first] + mutation.after.encode() + source[last:])
  for name in MUTATIONS.SUBJECTS[subject]:
    assert (ROOT / 'tests' / f'{name}.py').exists()
  # What is called equivalent is still there.
  left = {
    (mutation.subject, mutation.name, mutation.before, mutation.rule)
    for mutation in found
    if MUTATIONS.equivalent(mutation)
  }
  assert left == {
    (*place, rule)
    for place, (rules, _) in MUTATIONS.EQUIVALENT.items()
    for rule in rules
    if place[0] == subject
  }
