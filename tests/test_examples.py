"""Every snippet of the README runs, and its commands name what there is."""

import ast
import functools
import importlib.util
import pathlib
import re

import pytest

from ganjax import regularizers
from ganjax.training import population

README = pathlib.Path(__file__).resolve().parents[1] / 'README.md'
# What makes a snippet long, and what a test takes in its place.
SHORTER = {
  'batches, 1_000)': 'batches, 3)',
  'width=16': 'width=4',
  'number=2_000': 'number=3',
  'sides=(64, 90, 128)': 'sides=(32, 48)',
  'steps=(100, 50, 50)': 'steps=(2, 1)',
  '5_000, 10': '4, 2',
}
SNIPPETS = re.findall(r'```python\n(.*?)```', README.read_text(), re.DOTALL)


def bound(statement):
  """Returns the names that a statement of a module binds."""
  if isinstance(statement, ast.FunctionDef | ast.ClassDef):
    return {statement.name}
  if isinstance(statement, ast.Import | ast.ImportFrom):
    return {alias.asname or alias.name for alias in statement.names}
  return names(statement, ast.Store)


def names(statement, context):
  """Returns the names in a statement that it loads or stores."""
  return {
    node.id
    for node in ast.walk(statement)
    if isinstance(node, ast.Name) and isinstance(node.ctx, context)
  }


def shorter(snippet):
  """Returns a snippet with less to compute and to compile."""
  for long, short in SHORTER.items():
    snippet = snippet.replace(long, short)
  return snippet


def with_what_it_uses(number):
  """Returns the short code of a snippet, after what it uses of those before."""
  code, used = [], set()
  for place in range(number, -1, -1):
    for statement in reversed(ast.parse(shorter(SNIPPETS[place])).body):
      if place == number or bound(statement) & used:
        used = used - bound(statement) | names(statement, ast.Load)
        code.insert(0, ast.unparse(statement))
  return '\n'.join(code)


@pytest.mark.parametrize('number', range(len(SNIPPETS)))
def test_every_snippet_runs(tmp_path, monkeypatch, number):
  monkeypatch.chdir(tmp_path)
  # A snippet adds this function; the patch takes it away after the test.
  monkeypatch.setattr(regularizers, 'centred', None, raising=False)
  # Otherwise three mappings would be compiled, and the fastest taken.
  train = functools.partial(population.train, mapping='vmap')
  monkeypatch.setattr(population, 'train', train)
  code = with_what_it_uses(number)
  exec(compile(code, f'README snippet {number}', 'exec'), {})


def test_what_is_long_is_in_a_snippet():
  for long in SHORTER:
    assert any(long in snippet for snippet in SNIPPETS), long


def test_the_commands_name_what_there_is():
  root = README.parent
  text = README.read_text()
  programs = re.findall(r'python -m (experiments\.\w+)', text)
  configs = re.findall(r'--config (configs/\w+\.py)', text)
  assert programs
  assert configs
  for program in programs:
    assert importlib.util.find_spec(program), program
  for config in configs:
    assert (root / config).exists(), config
