"""The laws of the design, held by reading the source or running a little."""

import ast
import importlib
import inspect
import os
import pathlib
import subprocess
import sys

import jax
import jax.numpy as jnp
import optax
import pytest

import ganjax as gx
from ganjax import losses, parallel, priors, steps
from ganjax.arrays import Batch
from ganjax.config import runs
from ganjax.game import gan
from ganjax.networks import mlp
from ganjax.players import Pair

ROOT = pathlib.Path(__file__).resolve().parents[1]

# Every room, from the ground up: a folder or a flat module of ganjax/, and the
# folders beside it. A set in a layer is a column, and columns of the same layer
# do not import one another.
LAYERS = (
  (
    {
      'arrays',
      'capacity',
      'players',
      'exits',
      'files',
      'locks',
      'lookup',
      'growth',
      'limits',
      'npz',
      'paths',
      'picture_files',
    },
  ),
  ({'augment'},),
  (
    {
      'losses',
      'class_losses',
      'consistency',
      'gradient_penalties',
      'regularizers',
      'priors',
      'optimizers',
      'schedules',
      'pictures',
    },
    {'networks'},
    {'data'},
    {'metrics'},
    # Beside the ladder: it imports nothing but that layer, and no jax.
    {'reports'},
  ),
  ({'turns', 'labels', 'passes', 'auxiliary'}, {'weights'}),
  ({'game'},),
  ({'memory', 'truncation', 'averages'},),
  (
    {
      'remedies',
      'adaptive',
      'updates',
      'steps',
      'lazy',
      'dynamics',
      'dirac',
      'dirac_cases',
      'parallel',
    },
  ),
  ({'training', 'launch', 'liveness', 'distributed'},),
  ({'config'}, {'style'}),
  ({'latent_spaces', 'inversion'},),
  ({'evaluation'},),
  ({'sweeps'},),
  ({'command_line', '__main__'},),
  ({'experiments'},),
)

# How many lines a file may have, by the folder at the top of the tree.
LONGEST = {'ganjax': 330, 'experiments': 155, 'configs': 330}

# Which rooms or files alone may import a library, at the top or in a function.
CONFINED = {
  'flax.linen': {'networks', 'evaluation', 'style'},
  'optax': {
    'averages',
    'steps',
    'updates',
    'optimizers',
    'dirac_cases',
    'style',
    'config',
    'evaluation',
    'experiments',
  },
  'orbax': {'training/checkpoint.py'},
  'tensorflow_datasets': {'data'},
  'grain': {'data'},
  'array_record': {'data'},
  'pyarrow': {'data'},
  'ml_collections': {'config', 'configs', 'experiments'},
  'absl': {'launch', 'distributed', 'experiments', 'sweeps/places.py'},
  'optuna': {'sweeps', 'reports'},
  'sqlalchemy': {'sweeps'},
  'submitit': {'sweeps/slurm.py'},
  'ray': {'sweeps/ray_cluster.py'},
  'yaml': {'sweeps/job_files.py'},
  'jinja2': {'reports'},
  'tensorboardX': {'training/log.py'},
  'matplotlib': {'reports/figures'},
  'tabulate': {'reports'},
  'h5py': {'weights'},
  'safetensors': {'weights'},
  'torch': {'experiments/benchmark'},
}
ONLY_IN_FUNCTIONS = {
  'tensorflow_datasets',
  'grain',
  'array_record',
  'pyarrow',
  'h5py',
  'safetensors',
  'torch',
  'submitit',
  'ray',
}

# The library up to the update rules leaves these to its callers, except:
IMPURE = {'jax.jit', 'jax.random.key', 'jax.random.PRNGKey', 'print'}
PURE = 5  # the last layer of which this holds
ALLOWED = {
  # A call that XLA must not inline has to be a compiled one.
  ('networks/winograd.py', 'jax.jit'),
  # Long to trace, and called with the same shapes in both turns of a game.
  ('networks/convolution.py', 'jax.jit'),
  ('networks/grouped.py', 'jax.jit'),
  # ARPACK's loop is on the host, around products that are compiled once.
  ('dynamics.py', 'jax.jit'),
  # What runs a game on a host stands beside the update rules.
  ('parallel.py', 'jax.jit'),
}

FILES = sorted(
  path
  for room in ('ganjax', 'experiments', 'configs')
  for path in (ROOT / room).rglob('*.py')
)
LARGE = ('flowers_matched', 'msg', 'progressive')
CONFIGS = sorted(
  path.stem
  for path in (ROOT / 'configs').glob('[!_]*.py')
  if path.stem
  not in ('base', 'mode_collapse', 'style_transfer', 'style_network')
)


def within_ganjax(path):
  """The path of a file below ganjax/, or below the root for the others."""
  relative = path.relative_to(ROOT)
  inside = relative.parts[0] == 'ganjax'
  return relative.relative_to('ganjax') if inside else relative


def top(path):
  """The folder at the top of the tree that a file is in."""
  return path.relative_to(ROOT).parts[0]


def room(path):
  """The name by which the table knows a file: of its module or its folder."""
  return within_ganjax(path).parts[0].removesuffix('.py')


def place(name):
  """The layer and the column of a room."""
  for layer, columns in enumerate(LAYERS):
    for number, column in enumerate(columns):
      if name in column:
        return layer, number
  raise AssertionError(
    f'{name} stands in no layer: put its name into LAYERS of '
    'tests/test_laws.py, as low as its imports allow.'
  )


def imports(tree):
  """The dotted names that a syntax tree imports."""
  for node in ast.walk(tree):
    if isinstance(node, ast.Import):
      yield from (alias.name for alias in node.names)
    if isinstance(node, ast.ImportFrom):
      assert not node.level, 'relative imports hide what is imported'
      yield from (f'{node.module}.{alias.name}' for alias in node.names)


def at_the_top(tree):
  """The syntax tree without the bodies of its functions."""

  class Strip(ast.NodeTransformer):
    def visit_FunctionDef(self, node):  # noqa: N802
      return None

  return Strip().visit(tree)


def within(name, library):
  return f'{name}.'.startswith(f'{library}.')


def parsed(path):
  return ast.parse(path.read_text())


def named(path):
  return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize('path', FILES, ids=named)
def test_imports_go_down_only(path):
  if room(path) == 'configs':
    for name in imports(parsed(path)):
      assert name.split('.')[0] in ('configs', 'difflib', 'ml_collections'), (
        named(path)
      )
    return
  if path == ROOT / 'ganjax' / '__init__.py':
    # The door: what it may lead to is said by the test of the core below.
    return
  layer, column = place(room(path))
  for name in imports(parsed(path)):
    package, *inner = name.split('.')
    assert package != 'tests', name
    if package in ('configs', 'experiments'):
      assert room(path) == 'experiments', f'{named(path)} imports {name}'
    if package != 'ganjax':
      continue
    assert inner, f'{named(path)} imports all of ganjax'
    below, other = place(inner[0])
    assert below <= layer, f'{named(path)} imports {name}, which is above it'
    assert below < layer or other == column, (
      f'{named(path)} imports {name}, of another column of its layer'
    )


@pytest.mark.parametrize('library', CONFINED)
def test_libraries_stay_where_they_belong(library):
  for path in FILES:
    tree, own = parsed(path), within_ganjax(path)
    places = {own.as_posix(), own.stem, *map(str, own.parents)}
    if not places & CONFINED[library]:
      found = [name for name in imports(tree) if within(name, library)]
      assert not found, f'{named(path)} imports {found[0]}'
    if library in ONLY_IN_FUNCTIONS:
      found = [n for n in imports(at_the_top(tree)) if within(n, library)]
      assert not found, f'{named(path)} imports {found[0]} outside a function'


@pytest.mark.parametrize('path', FILES, ids=named)
def test_the_library_neither_jits_nor_prints_nor_seeds(path):
  relative = within_ganjax(path).as_posix()
  if relative == '__init__.py' or room(path) == 'configs':
    return
  if place(room(path))[0] > PURE:
    return
  tree = parsed(path)
  # In any manner: jax.jit, random.key, or from jax import jit.
  short = {name.rsplit('.', 1)[1]: name for name in IMPURE if '.' in name}
  found = {name for name in imports(tree) if name in IMPURE}
  for node in ast.walk(tree):
    if isinstance(node, ast.Name) and node.id == 'print':
      found.add('print')
    if isinstance(node, ast.Attribute) and node.attr in short:
      owner = ast.unparse(node.value)
      whole = short[node.attr]
      if f'.{whole}'.endswith(f'.{owner}.{node.attr}'):
        found.add(whole)
  found -= {name for file, name in ALLOWED if file == relative}
  assert not found, f'ganjax/{relative} uses {found}; callers decide on that'


def test_files_are_short_and_named_after_ideas():
  for path in FILES:
    lines, longest = len(path.read_text().splitlines()), LONGEST[top(path)]
    assert lines <= longest, f'{named(path)} has {lines} lines: it is two ideas'
    assert path.stem not in ('utils', 'util', 'helpers', 'common', 'misc')


def test_many_steps_are_traced_once():
  traces = []

  def prior(key, number):
    traces.append(number)
    return priors.normal(2)(key, number)

  game = gan(
    mlp.generator((2,), (4,)),
    mlp.discriminator((4,)),
    losses.non_saturating,
    prior,
  )
  optimizers = Pair(optax.adam(1e-3), optax.adam(1e-3))
  mesh = parallel.mesh(1)
  state = jax.jit(
    lambda: steps.init(game, optimizers, jax.random.key(0)),
    out_shardings=parallel.whole(mesh),
  )()
  step = parallel.over_mesh(steps.alternating(game, optimizers), mesh)
  traces.clear()
  for number in range(5):
    state, _ = step(state, Batch(jnp.full((8, 2), number, jnp.float32)))
    # Once for each player's turn.
    assert traces == [8, 8]
  assert state.step == 5


@pytest.mark.parametrize(
  'name',
  [
    # Growth and pyramids take a step in the tests of their networks, too.
    pytest.param(name, marks=pytest.mark.slow if name in LARGE else ())
    for name in CONFIGS
  ],
)
def test_every_config_builds_and_takes_a_step(name, tiny):
  config = tiny(importlib.import_module(f'configs.{name}').get_config())
  assert config.is_locked
  shape = (16, 16, 1)
  [phase, *_] = runs.phases(config, shape)
  batch = Batch(jnp.zeros((phase.rows, *shape)))

  def one():
    return phase.step(runs.start(config, shape)(), batch)

  state, metrics = jax.jit(one)()
  assert state.step == 1
  for metric, value in metrics.items():
    assert jnp.isfinite(value), metric


@pytest.mark.parametrize('name', CONFIGS)
def test_every_sweep_changes_fields_that_there_are(name):
  module = importlib.import_module(f'configs.{name}')
  added = []
  module.sweep(added.append)
  assert len(added) > 1
  assert len({str(changes) for changes in added}) == len(added)
  shape = (module.get_config().data.resolution,) * 2 + (1,)
  for changes in added:
    config = module.get_config()
    # Locked and typed: an unknown field or another type raises.
    config.update_from_flattened_dict(changes)
    runs.phases(config, shape)


def shown_in_notebooks():
  """The functions that `import ganjax as gx` shows, by their dotted names."""
  for name in gx.__all__:
    entry = getattr(gx, name)
    members = vars(entry) if inspect.ismodule(entry) else {name: entry}
    for member, function in members.items():
      if member[0] == '_' or not inspect.isfunction(function):
        continue
      if function.__module__.startswith('ganjax.'):
        yield f'{function.__module__}.{member}', function


def test_what_notebooks_see_has_type_hints():
  # The type checker of `make lint` checks the hints that there are.
  functions = dict(shown_in_notebooks())
  assert {'ganjax.game.gan', 'ganjax.steps.alternating'} <= set(functions)
  missing = []
  for name, function in functions.items():
    signature = inspect.signature(function)
    hinted = [
      parameter.annotation for parameter in signature.parameters.values()
    ]
    if inspect.Signature.empty in (*hinted, signature.return_annotation):
      missing.append(name)
  assert not missing


def test_the_core_needs_no_data_checkpoint_or_log_library():
  heavy = [
    'tensorflow_datasets',
    'grain',
    'ml_collections',
    'tensorboardX',
    'orbax',
    'tqdm',
    'sklearn',
    'absl.flags',
    'matplotlib',
    'tabulate',
  ]
  script = f"""
import importlib, pkgutil, sys

class Refuse:
  def find_spec(self, name, path=None, target=None):
    if any(f'{{name}}.'.startswith(f'{{heavy}}.') for heavy in {heavy}):
      raise ImportError(f'{{name}} was imported')

# What flax itself imports is its own affair.
import flax, flax.linen, optax
for name in [n for n in sys.modules if n.split('.')[0] in {heavy}]:
  del sys.modules[name]
sys.meta_path.insert(0, Refuse())
import ganjax, ganjax.networks, ganjax.metrics
for package in ganjax.networks, ganjax.metrics:
  for found in pkgutil.iter_modules(package.__path__):
    importlib.import_module(f'{{package.__name__}}.{{found.name}}')

# Something of each kind, beyond what importing runs.
import jax, optax
import ganjax as gx
game = gx.gan(
  gx.mlp.generator((2,), (4,)), gx.mlp.discriminator((4,)),
  gx.losses.hinge, gx.priors.normal(2),
)
pair = gx.Pair(optax.sgd(.1), optax.sgd(.1))
state = jax.jit(lambda: gx.steps.init(game, pair, jax.random.key(0)))()
step = gx.steps.simultaneous(game, pair)
jax.eval_shape(step, state, gx.Batch(jax.numpy.ones((4, 2))))
print(*sorted(name for name in sys.modules if name.startswith('ganjax')))
"""
  done = subprocess.run(
    [sys.executable, '-c', script],
    cwd=ROOT,
    env=os.environ | {'JAX_PLATFORMS': 'cpu'},
    capture_output=True,
    text=True,
  )
  assert done.returncode == 0, done.stderr
  loaded = set(done.stdout.split())
  assert {'ganjax.steps', 'ganjax.networks.dcgan'} <= loaded
  assert (
    not {
      'ganjax.config.runs',
      'ganjax.training.loop',
      'ganjax.training.checkpoint',
    }
    & loaded
  )
