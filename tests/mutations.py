"""Wrong changes to the mathematics, one at a time, each of which must fail.

  python tests/mutations.py [subject ...]

A test that no wrong sign fails says little. Each mutation is made by a rule of
the syntax (`RULES`) in a copy of the tree, and the tests of its subject run
until the first failure. Survivors are printed, and make the exit status 1.
Those of `EQUIVALENT`, which nothing can tell from the original, are not run.
Processes are forked from one that has imported JAX, and share a cache of
compilations. Nothing is written into the tree. pytest does not collect this
file.
"""

import ast
import contextlib
import copy
import json
import os
import pathlib
import select
import shutil
import signal
import sys
import tempfile
import time
from typing import NamedTuple

ROOT = pathlib.Path(__file__).resolve().parents[1]
SECONDS = 600  # at most, for the tests of one mutation

# The files of `tests` that must notice a change of a file of `ganjax`, the fast
# ones first.
SUBJECTS = {
  'losses': ('test_losses', 'test_dirac'),
  'class_losses': ('test_class_losses',),
  'auxiliary': ('test_auxiliary',),
  'regularizers': ('test_regularizers',),
  'consistency': ('test_consistency',),
  'adaptive': ('test_adaptive',),
  'remedies': ('test_remedies', 'test_dirac'),
  'updates': ('test_steps', 'test_dirac'),
  'steps': ('test_steps', 'test_averages', 'test_dirac'),
  'game': ('test_game', 'test_remedies', 'test_labels'),
}

# Why no test can see what rules do: (subject, name, before) -> (rules, why).
EQUIVALENT = {
  ('updates', '_gradient', 'gradient'): (
    {'sign', 'detach'},
    'it is the argument of a norm, in a metric that nothing differentiates',
  ),
  ('losses', 'features_only', 'jnp.zeros_like(fake)'): (
    {'sign', 'factor'},
    'twice zero, and minus zero, are zero',
  ),
  (
    'regularizers',
    'mode_seeking',
    'jnp.abs(rows - jnp.roll(rows, 1, 0)).mean()',
  ): (
    {'sign', 'factor'},
    'both sides of the ratio of distances change alike',
  ),
  (
    'class_losses',
    '_unit',
    'rows * jax.lax.rsqrt((rows ** 2).sum(-1, keepdims=True) + 1e-12)',
  ): ({'sign'}, 'both vectors of each cosine change their signs'),
  ('auxiliary', '_nothing', 'jnp.zeros(len(labels))'): (
    {'sign', 'factor'},
    'twice zero, and minus zero, are zero',
  ),
  (
    'auxiliary',
    '_embedded',
    "features @ own['kernel'] + own['bias']",
  ): ({'sign'}, 'the bias is 0 at first, and learned with either sign'),
  (
    'auxiliary',
    '_lecun',
    'fan_in ** (-0.5) * jax.random.normal(key, shape)',
  ): ({'sign'}, 'the initial weights have a symmetric law'),
  ('remedies', 'pack', 'jnp.repeat(leaf, m, 0)'): (
    {'sign', 'factor'},
    'it is an example for the initialisation, of which only shapes matter',
  ),
  (
    'remedies',
    'instance_noise',
    'leaf + std * jax.random.normal(key, leaf.shape)',
  ): ({'sign'}, 'the noise has a symmetric law'),
  ('remedies', 'consensus', 'gradient'): ({'sign'}, 'it is squared'),
  ('remedies', '_unit', 'jnp.linalg.norm(vector) + 1e-12'): (
    {'sign'},
    'the constant is below rounding, and a vector of zeros stays one',
  ),
  (
    'consistency',
    '_near',
    'latents + spread * jax.random.normal(key, latents.shape)',
  ): ({'sign'}, 'the noise has a symmetric law'),
  ('losses', 'zero_sum', 'own(real, fake).sum()'): (
    {'mean'},
    'both of the gradients that are compared are divided by 9',
  ),
}

# Calls whose results are numbers, besides those of `jnp` and `jax.nn`.
NUMBERS = {
  'softplus',
  'relu',
  'r1',
  '_cross_entropy',
  '_against_average',
  '_hinge_against_average',
  '_distances',
  '_square',
  '_unit',
}
MEANS = {'mean': 'sum', 'sum': 'mean', 'pmean': 'psum'}
# Names of trees of numbers, where they are handed on.
TREES = {'gradient', 'updates'}
# What can be taken for one another: players, and names in `updates`.
OTHERS = {
  "'generator'": "'discriminator'",
  "'discriminator'": "'generator'",
  'extrapolated': 'state',
  'fixed': 'response',
  'response': 'fixed',
  'fixed_fakes': 'fakes',
}


class Mutation(NamedTuple):
  """A change of one expression of a file.

  Attributes:
    subject: the file's name, without its ending.
    name: of the function or constant of the module that it is in.
    line: its first line, from 1.
    rule: a key of `RULES`.
    before: the expression.
    after: what stands in its place.
    span: its first and last byte in the file.
  """

  subject: str
  name: str
  line: int
  rule: str
  before: str
  after: str
  span: tuple[int, int]


def _is(node, *operators):
  return isinstance(node, ast.BinOp) and isinstance(node.op, operators)


def _calls(node, name):
  """Returns whether it calls what has this name, or is an attribute of it."""
  return isinstance(node, ast.Call) and (
    ast.unparse(node.func).rpartition('.')[2] == name
  )


def _sum(node):
  """Returns whether it is a sum or a difference, and no constant."""
  return _is(node, ast.Add, ast.Sub) and any(
    isinstance(part, ast.Name) for part in ast.walk(node)
  )


def _product(node):
  """Returns whether it is a product of numbers, not of a sequence."""
  return (
    _is(node, ast.Mult, ast.Div, ast.Pow)
    and not any(isinstance(part, ast.List) for part in ast.walk(node))
    and any(isinstance(part, ast.Name) for part in ast.walk(node))
  )


def _term(node, parent):
  """Returns whether it is a whole product, or a call that gives a number."""
  if _product(node):
    return not _product(parent)
  if not isinstance(node, ast.Call):
    return False
  if _product(parent) and not _is(parent, ast.Pow):
    return False  # That is the product's.
  called = ast.unparse(node.func)
  return (
    called in NUMBERS or called.startswith(('jnp.', 'jax.nn.'))
  ) and isinstance(parent, ast.Return | ast.Lambda | ast.BinOp | ast.UnaryOp)


def _tree(node, parent):
  """Returns whether it is one of `TREES` as an argument."""
  return (
    isinstance(node, ast.Name)
    and node.id in TREES
    and isinstance(node.ctx, ast.Load)
    and isinstance(parent, ast.Call | ast.ListComp)
  )


def _mapped(template, node):
  name = ast.unparse(node)
  return ast.parse(template.format(name), mode='eval').body


def sign(node, parent):
  """Turns a sum or a term into its opposite."""
  if _sum(node) or (
    isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add)
  ):
    opposite = copy.copy(node)
    opposite.op = ast.Sub() if isinstance(node.op, ast.Add) else ast.Add()
    yield opposite
  elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
    if not isinstance(node.operand, ast.Constant):  # or else an axis
      yield node.operand
  elif _tree(node, parent):
    yield _mapped('jax.tree.map(lambda leaf: -leaf, {})', node)
  elif (
    _term(node, parent)
    and not isinstance(parent, ast.UnaryOp)
    and not _is(parent, ast.Pow)
    # There it is the sign of the sum.
    and not (_sum(parent) and parent.right is node)
  ):
    yield ast.UnaryOp(ast.USub(), node)


def factor(node, parent):
  """Doubles a term."""
  if _tree(node, parent):
    yield _mapped('jax.tree.map(lambda leaf: 2 * leaf, {})', node)
  elif _term(node, parent):
    yield ast.BinOp(ast.Constant(2), ast.Mult(), node)


def detach(node, parent):
  """Removes a `stop_gradient`, or adds one to a gradient."""
  if _tree(node, parent):
    yield _mapped('jax.lax.stop_gradient({})', node)
  elif _calls(node, 'stop_gradient'):
    yield node.args[0]


def mean(node, parent):
  """Turns a mean into a sum, and a sum into a mean."""
  del parent
  for called, turned in MEANS.items():
    if _calls(node, called) and isinstance(node.func, ast.Attribute):
      other = copy.deepcopy(node)
      other.func.attr = turned
      yield other
  if _is(node, ast.Div) and _calls(node.right, 'len'):
    yield node.left


def other(node, parent):
  """Takes one player, or one state, for the other."""
  readable = isinstance(node, ast.Constant) or isinstance(
    getattr(node, 'ctx', None), ast.Load
  )
  # Keys are names for those who read them.
  if readable and not isinstance(parent, ast.Dict):
    found = OTHERS.get(ast.unparse(node))
    if found:
      yield ast.parse(found, mode='eval').body


def count(node, parent):
  """Goes through a loop one time less."""
  del parent
  if _calls(node, 'range'):
    less = ast.BinOp(node.args[-1], ast.Sub(), ast.Constant(1))
    yield ast.Call(node.func, [*node.args[:-1], less], [])


RULES = {
  rule.__name__: rule for rule in (sign, factor, detach, mean, other, count)
}


def mutations(subject, source):
  """Returns all `Mutation`s of a file, from the first line to the last."""
  starts = [0]
  for line in source.encode().splitlines(keepends=True):
    starts.append(starts[-1] + len(line))
  found = []
  for top in ast.parse(source).body:
    if isinstance(top, ast.Assign):
      name = ast.unparse(top.targets[0])
    elif isinstance(top, ast.FunctionDef):
      name = top.name
    else:
      continue
    for parent in ast.walk(top):
      for node in ast.iter_child_nodes(parent):
        for rule, change in RULES.items():
          for other in change(node, parent):
            after = ast.unparse(other)
            if not isinstance(node, ast.stmt):
              after = f'({after})'
            span = (
              starts[node.lineno - 1] + node.col_offset,
              starts[node.end_lineno - 1] + node.end_col_offset,
            )
            before = ast.unparse(node)
            found.append(
              Mutation(subject, name, node.lineno, rule, before, after, span)
            )
  return sorted(found, key=lambda mutation: mutation.span)


def equivalent(mutation):
  """Returns why no test can see the mutation, or None."""
  rules, reason = EQUIVALENT.get(
    (mutation.subject, mutation.name, mutation.before), ((), None)
  )
  return reason if mutation.rule in rules else None


def words(mutation):
  """Returns the mutation in one line."""
  return (
    f'{mutation.subject}.py:{mutation.line} {mutation.name}, {mutation.rule}: '
    f'{mutation.before} -> {mutation.after}'
  )


class _First:
  """A plugin of pytest that keeps the name of the first failed test."""

  name = None

  def pytest_runtest_logreport(self, report):
    if report.failed and self.name is None:
      self.name = report.nodeid.removeprefix('tests/')

  def pytest_collectreport(self, report):
    if report.failed and self.name is None:
      self.name = f'the import of {report.nodeid}'


def run(folder, files):
  """Returns the first failed test, '' if all passed, or None after `SECONDS`.

  Args:
    folder: of the copy.
    files: of its tests, by their names.
  """
  reader, writer = os.pipe()
  child = os.fork()
  if not child:
    os.close(reader)
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    os.dup2(silent, 2)
    import pytest

    first = _First()
    paths = [f'tests/{name}.py' for name in files]
    options = ['-x', '-q', '-m', 'not slow', '-p', 'no:cacheprovider']
    code = pytest.main([*options, *paths], plugins=[first])
    name = first.name or ('' if code == 0 else f'pytest, code {int(code)}')
    os.write(writer, json.dumps(name).encode())
    os._exit(0)
  os.close(writer)
  with os.fdopen(reader) as stream:
    if not select.select([stream], [], [], SECONDS)[0]:
      os.kill(child, signal.SIGKILL)
    said = stream.read()
  os.waitpid(child, 0)
  return json.loads(said) if said else None


@contextlib.contextmanager
def copied():
  """Gives a folder with a copy of what the tests need."""
  with tempfile.TemporaryDirectory(prefix='ganjax-mutations-') as name:
    folder = pathlib.Path(name)
    for part in ('ganjax', 'tests', 'configs', 'experiments'):
      shutil.copytree(
        ROOT / part,
        folder / part,
        ignore=shutil.ignore_patterns('__pycache__'),
      )
    shutil.copy(ROOT / 'pyproject.toml', folder)
    (folder / 'tmp').mkdir()
    tempfile.tempdir = str(folder / 'tmp')
    os.environ['JAX_COMPILATION_CACHE_DIR'] = str(folder / 'xla')
    os.environ['JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS'] = '0'
    yield folder
    tempfile.tempdir = None


def main(subjects):
  """Prints a line for each mutation; returns how many survived."""
  survived, total = [], 0
  with copied() as folder:
    import flax  # noqa: F401 once, for all that are forked
    import jax  # noqa: F401
    import optax  # noqa: F401
    import pytest  # noqa: F401

    for subject in subjects or SUBJECTS:
      path, files = folder / 'ganjax' / f'{subject}.py', SUBJECTS[subject]
      source = path.read_bytes()
      failed = run(folder, files)
      if failed != '':
        sys.exit(f'Without any change, {failed or "the time"} fails already.')
      for number, mutation in enumerate(mutations(subject, source.decode()), 1):
        reason = equivalent(mutation)
        if reason:
          print(f'{words(mutation)} | equivalent: {reason}', flush=True)
          continue
        first, last = mutation.span
        path.write_bytes(
          source[:first] + mutation.after.encode() + source[last:]
        )
        # Else the next one of the same second and size is taken for this one.
        os.utime(path, (number, number))
        begin = time.monotonic()
        failed = run(folder, files)
        total += 1
        if failed:
          verdict = f'killed by {failed}'
        else:
          verdict = 'OUT OF TIME' if failed is None else 'SURVIVED'
          survived.append(words(mutation))
        print(
          f'{words(mutation)} | {verdict} | {time.monotonic() - begin:.0f} s',
          flush=True,
        )
      path.write_bytes(source)
  print(f'{total} mutations, {len(survived)} survived.')
  print(*survived, sep='\n')
  return len(survived)


if __name__ == '__main__':
  sys.exit(bool(main(sys.argv[1:])))
