import gc
import json
import logging
import resource
import signal
import subprocess
import sys
import time
import types
from typing import Any, NamedTuple

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from ganjax import files
from ganjax.training import checkpoint

Sharding = jax.sharding.NamedSharding
Spec = jax.sharding.PartitionSpec


class Players(NamedTuple):
  generator: Any
  discriminator: Any


@flax.struct.dataclass
class State:
  step: Any
  key: Any
  params: Players
  opt_state: Any
  buffers: Any
  name: str = flax.struct.field(pytree_node=False, default='run')


def every_kind(seed=0):
  rng = np.random.default_rng(seed)
  weights = jnp.asarray(rng.normal(size=(5, 3)), jnp.float32)
  odd = np.float32([-0.0, np.nan, np.inf, 1e-42])
  params = Players({'c0/kernel': weights}, {'b': weights.astype(jnp.bfloat16)})
  return State(
    step=jnp.int32(seed),
    key=jax.random.key(seed),
    params=params,
    opt_state=optax.adam(1e-3, mu_dtype=jnp.float32).init(params),
    buffers={
      'bits': jnp.asarray(rng.integers(0, 2**32, 16384, dtype=np.uint32)),
      'empty': {},
      'flags': jnp.asarray([True, False]),
      'keys': jax.random.split(jax.random.key(seed, impl='rbg'), 3),
      'none': None,
      'numpy': odd,
      'rows': jnp.zeros((0, 4)),
      'scalar': 7,
      'tuple': (jnp.int8(3), jnp.float16(0.1)),
    },
  )


def raw(leaf):
  key = jnp.issubdtype(jnp.result_type(leaf), jax.dtypes.prng_key)
  return np.asarray(jax.random.key_data(leaf) if key else jnp.asarray(leaf))


def same(left, right):
  assert jax.tree.structure(left) == jax.tree.structure(right)
  for a, b in zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True):
    assert jnp.result_type(a) == jnp.result_type(b)
    assert jnp.shape(a) == jnp.shape(b)
    assert raw(a).tobytes() == raw(b).tobytes()


def abstract(state):
  return jax.eval_shape(lambda: state)


def payload(directory, step):
  """The file that holds the largest array."""
  files = (directory / str(step) / 'state').rglob('d/*')
  return max(files, key=lambda path: path.stat().st_size)


def flip(path):
  data = bytearray(path.read_bytes())
  data[len(data) // 2] ^= 4
  path.write_bytes(data)


@pytest.fixture
def opened(tmp_path):
  made = []

  def make(**options):
    made.append(checkpoint.manager(tmp_path, **options))
    return made[-1]

  yield make
  for manager in made:
    manager.close()


@pytest.fixture
def two_steps(opened, tmp_path):
  manager = opened()
  for step in 1, 2:
    checkpoint.save(manager, step, every_kind(step), {'step': step})
  checkpoint.wait(manager)
  return manager


def test_round_trip_is_bitwise_and_keeps_types(opened):
  state = every_kind()
  config = {'name': 'a', 'pair': (1, 2.5), 'none': None, 'deep': {'10': True}}
  first = opened()
  assert checkpoint.restore(first, abstract(state)) is None
  assert checkpoint.config(first) is None
  checkpoint.save(first, 3, state, config)
  checkpoint.close(first)
  second = opened()
  restored = checkpoint.restore(second, abstract(state))
  same(restored, state)
  assert isinstance(restored.params, Players)
  assert all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(restored))
  # The keys draw the same numbers, under their own generators.
  for key in 'key', 'keys':
    held = {'key': state.key, **state.buffers}[key]
    back = {'key': restored.key, **restored.buffers}[key]
    assert jax.random.key_impl(held) == jax.random.key_impl(back)
  assert checkpoint.config(second) == json.loads(json.dumps(config))


def test_donated_buffers_were_copied(opened):
  state = {'a': jnp.arange(2**18, dtype=jnp.float32)}
  want = np.array(state['a'])
  manager = opened()
  step = jax.jit(lambda s: jax.tree.map(lambda x: x * -1, s), donate_argnums=0)
  shapes = abstract(state)
  checkpoint.save(manager, 1, state, {})
  jax.block_until_ready(step(step(state)))
  restored = checkpoint.restore(manager, shapes)
  assert np.array_equal(restored['a'], want)
  assert np.array_equal(step(step(restored))['a'], want)


def test_manifest_is_written_beside(two_steps, tmp_path):
  (path,) = (tmp_path / '2' / 'manifest').glob('metadata')
  manifest = json.loads(path.read_text())
  leaf = manifest['leaves'][".params.discriminator['b']"]
  assert (leaf['shape'], leaf['dtype']) == ([5, 3], 'bfloat16')
  assert manifest['versions']['jax'] == jax.__version__
  assert set(manifest['versions']) >= {'python', 'flax', 'optax'}


@pytest.mark.parametrize(('step', 'age'), [(1, 'newer'), (-1, 'older')])
def test_another_format_is_told_and_left_alone(
  opened, tmp_path, monkeypatch, step, age
):
  state, manager = every_kind(), opened()
  checkpoint.save(manager, 1, state, {})
  with monkeypatch.context() as another:
    another.setattr(files, 'FORMAT', files.FORMAT + step)
    checkpoint.save(manager, 2, state, {})
    checkpoint.wait(manager)
  manifest = json.loads((tmp_path / '2' / 'manifest' / 'metadata').read_text())
  assert manifest['format'] == files.FORMAT + step
  for use in (
    lambda: checkpoint.restore(manager, abstract(state)),
    lambda: checkpoint.config(manager),
    lambda: checkpoint.save(manager, 2, state, {}),
  ):
    with pytest.raises(ValueError, match=rf'2 was written by an? {age} ganjax'):
      use()
  assert not list(tmp_path.glob('*.damaged*'))


def test_flipped_bit_falls_back(two_steps, tmp_path, opened):
  flip(payload(tmp_path, 2))
  manager = opened()
  with pytest.warns(UserWarning, match=r'step 2 .*2\.damaged.*checksum'):
    restored = checkpoint.restore(manager, abstract(every_kind()))
  same(restored, every_kind(1))
  assert (tmp_path / '2.damaged').is_dir()
  assert list(manager.all_steps()) == [1]
  # The same step is then written anew, and may be damaged anew.
  checkpoint.save(manager, 2, every_kind(2), {})
  checkpoint.wait(manager)
  flip(payload(tmp_path, 2))
  with pytest.warns(UserWarning, match=r'2\.damaged1'):
    same(checkpoint.restore(manager, abstract(every_kind())), every_kind(1))


def cut(path):
  path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def change_a_digit(path):
  path.write_text(path.read_text().replace('[5, 3]', '[5, 4]'))


@pytest.mark.parametrize(
  'damage',
  [
    lambda step: cut(payload(step.parent, step.name)),
    lambda step: payload(step.parent, step.name).unlink(),
    lambda step: cut(step / 'state' / 'manifest.ocdbt'),
    lambda step: cut(step / 'state' / '_METADATA'),
    lambda step: cut(step / 'manifest' / 'metadata'),
    lambda step: change_a_digit(step / 'manifest' / 'metadata'),
    lambda step: flip(step / 'config' / 'metadata'),
  ],
  ids=['cut', 'gone', 'index', 'tree', 'manifest', 'digit', 'config'],
)
def test_damage_falls_back(two_steps, tmp_path, opened, monkeypatch, damage):
  stray, lines = [], []
  monkeypatch.setattr(sys, 'unraisablehook', stray.append)
  handler = logging.Handler()
  handler.emit = lines.append
  monkeypatch.setattr(logging.getLogger('absl'), 'handlers', [handler])
  damage(tmp_path / '2')
  manager = opened()
  with pytest.warns(UserWarning, match='the checkpoint at step 2 is damaged'):
    restored = checkpoint.restore(manager, abstract(every_kind()))
  same(restored, every_kind(1))
  assert checkpoint.config(manager) == {'step': 1}
  assert not stray
  assert not lines


def test_only_stragglers_of_orbax_are_hushed(opened, monkeypatch):
  seen = []
  monkeypatch.setattr(sys, 'unraisablehook', seen.append)
  opened()
  once = sys.unraisablehook
  opened()
  assert sys.unraisablehook is once
  errors = [RuntimeError('Event loop is closed'), RuntimeError('of the user')]
  for error in errors:
    sys.unraisablehook(types.SimpleNamespace(exc_value=error))
  assert [unraisable.exc_value for unraisable in seen] == errors[1:]


def test_empty_folders_are_no_checkpoints(two_steps, tmp_path, opened):
  (tmp_path / '7').mkdir()
  manager = opened()
  assert checkpoint.config(manager) == {'step': 2}
  with pytest.warns(UserWarning, match='step 7'):
    same(checkpoint.restore(manager, abstract(every_kind())), every_kind(2))
  (tmp_path / '9').mkdir()
  with pytest.warns(UserWarning, match='step 9'):
    checkpoint.save(opened(), 9, every_kind(9), {})


def test_none_is_left(opened, tmp_path):
  (tmp_path / '7').mkdir()
  with pytest.warns(UserWarning, match='step 7'):
    assert checkpoint.restore(opened(), {'a': jnp.zeros(2)}) is None


@pytest.mark.parametrize(
  ('wanted', 'words'),
  [
    (jnp.zeros(3), r'w stored \(5,\) float32, wanted \(3,\) float32'),
    (jnp.zeros(5, jnp.bfloat16), r'w stored .* wanted \(5,\) bfloat16'),
    (None, r'w stored \(5,\) float32, wanted nothing'),
    ({'v': jnp.zeros(5)}, r"w\['v'\] stored nothing, wanted \(5,\) float32"),
    (jax.random.key(0), r'w stored \(5,\) float32, wanted \(\) key<fry>'),
  ],
)
def test_another_model_is_refused(opened, tmp_path, wanted, words):
  tree = Players(State(0, 0, jnp.zeros(5), (), ()), ())
  manager = opened()
  checkpoint.save(manager, 4, tree, {})
  other = Players(tree.generator.replace(params=wanted), ())
  words = words.replace('w', 'generator.params', 1)
  with pytest.raises(ValueError, match='step 4 does not match.*' + words):
    checkpoint.restore(manager, abstract(other))
  with pytest.raises(AttributeError):
    checkpoint.restore(manager, other.generator.replace(params='no array'))
  same(checkpoint.restore(manager, abstract(tree)), tree)


def test_step_is_never_dropped_silently(two_steps, opened, tmp_path):
  for manager in two_steps, opened():
    checkpoint.save(manager, 2, every_kind(2), {})
    with pytest.raises(ValueError, match='another state as step 2'):
      checkpoint.save(manager, 2, every_kind(3), {})
    with pytest.raises(ValueError, match='holds step 2, which is later'):
      checkpoint.save(manager, 1, every_kind(1), {})
  same(checkpoint.restore(manager, abstract(every_kind())), every_kind(2))
  assert checkpoint.config(manager) == {'step': 2}


def test_keeps_the_latest(opened, tmp_path):
  manager = opened(keep=2)
  for step in range(4):
    checkpoint.save(manager, step, {'a': jnp.full(3, step)}, {})
  checkpoint.wait(manager)
  assert sorted(path.name for path in tmp_path.iterdir()) == ['2', '3']
  with pytest.raises(ValueError, match='keep is 0'):
    checkpoint.manager(tmp_path, keep=0)


@pytest.mark.parametrize('leaf', ['dcgan', np.str_('x'), object()])
def test_only_arrays_are_state(opened, leaf):
  with pytest.raises(TypeError, match='arrays and numbers only'):
    checkpoint.save(opened(), 1, {'a': leaf}, {})


def test_only_json_is_config(opened):
  with pytest.raises(TypeError, match='JSON'):
    checkpoint.save(opened(), 1, {'a': 1}, {'f': print})


def test_restores_into_shardings(opened):
  devices = jax.device_count()
  if devices < 2:
    pytest.skip('one device only: set XLA_FLAGS for virtual ones')
  mesh = jax.make_mesh(
    (devices,), ('data',), axis_types=(jax.sharding.AxisType.Auto,)
  )
  split, whole = Sharding(mesh, Spec('data')), Sharding(mesh, Spec())
  state = {
    'a': jnp.arange(6.0 * devices).reshape(2 * devices, 3),
    'key': jax.random.key(1),
    'keys': jax.random.split(jax.random.key(2), devices),
  }
  wants = {'a': split, 'key': whole, 'keys': split}
  manager = opened()
  checkpoint.save(manager, 1, state, {})
  target = jax.tree.map(
    lambda x, s: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=s),
    state,
    wants,
  )
  restored = checkpoint.restore(manager, target)
  same(restored, state)
  for name, want in wants.items():
    assert restored[name].sharding.is_equivalent_to(want, state[name].ndim)
  # And back from shards into one device.
  checkpoint.save(manager, 2, restored, {})
  same(checkpoint.restore(manager, abstract(state)), state)
  # A sharding that does not divide the array is not taken for damage.
  target['a'] = jax.ShapeDtypeStruct(
    state['a'].shape, jnp.float32, sharding=Sharding(mesh, Spec(None, 'data'))
  )
  with pytest.raises(ValueError, match='divi'):
    checkpoint.restore(manager, target)
  assert list(manager.all_steps()) == [1, 2]


@pytest.fixture
def fill_the_disk():
  """A real EFBIG: files end at 20 kB, as on a disk without room."""
  soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

  def fill(full):
    limit = 20_000 if full else soft
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))

  yield fill
  fill(False)


def test_full_disk_is_an_error_and_nothing_older_is_lost(
  two_steps, opened, tmp_path, fill_the_disk, caplog
):
  fill_the_disk(True)
  sentence = 'could not be written .* older ones are intact.* free space'
  checkpoint.save(two_steps, 3, every_kind(3), {})
  with pytest.raises(OSError, match=sentence):
    checkpoint.wait(two_steps)
  checkpoint.save(two_steps, 4, every_kind(4), {})
  with pytest.raises(OSError, match=sentence):
    checkpoint.save(two_steps, 5, every_kind(5), {})
  checkpoint.save(two_steps, 6, every_kind(6), {})
  with pytest.raises(OSError, match=sentence):
    checkpoint.close(two_steps)
  fill_the_disk(False)
  gc.collect()
  assert not caplog.records
  manager = opened()
  same(checkpoint.restore(manager, abstract(every_kind())), every_kind(2))
  checkpoint.save(manager, 3, every_kind(3), {})
  checkpoint.close(manager)
  # What the failed writes took is free again.
  assert sorted(path.name for path in tmp_path.iterdir()) == ['1', '2', '3']


WORKER = """
import itertools, sys
import jax, jax.numpy as jnp
from ganjax.training import checkpoint

def state(step):
  key = jax.random.fold_in(jax.random.key(0), step)
  return {'step': jnp.int32(step), 'bits': jax.random.bits(key, (64, 8192))}

manager = checkpoint.manager(sys.argv[1], keep=2)
restored = checkpoint.restore(manager, jax.eval_shape(lambda: state(0)))
start = -1 if restored is None else int(restored['step'])
if restored is not None:
  assert (restored['bits'] == state(start)['bits']).all()
print('restored', start, flush=True)
for step in itertools.count(start + 1):
  checkpoint.save(manager, step, state(step), {})
  print('saved', step, flush=True)
"""


@pytest.mark.slow
def test_survives_being_killed(tmp_path):
  rng, newest = np.random.default_rng(0), -1
  for _ in range(4):
    worker = subprocess.Popen(
      [sys.executable, '-W', 'error', '-c', WORKER, str(tmp_path)],
      stdout=subprocess.PIPE,
      stderr=subprocess.PIPE,
      text=True,
    )
    assert worker.stdout.readline() != '', worker.stderr.read()
    begun = [int(worker.stdout.readline().split()[1]) for _ in range(4)]
    time.sleep(rng.uniform(0, 0.3))
    worker.send_signal(signal.SIGKILL)
    _, errors = worker.communicate()
    assert errors == ''
    # A save returns when the one before it is on the disk.
    assert begun[0] > newest
    newest = begun[-2]


def test_a_removal_that_a_kill_has_cut_short_is_finished(two_steps, tmp_path):
  # As orbax leaves it: the newest are whole, and of an older one a part.
  part = tmp_path / '0' / 'state'
  part.mkdir(parents=True)
  (part / 'manifest.ocdbt').touch()
  reader = checkpoint.reader(tmp_path)
  assert part.exists()
  checkpoint.close(reader)
  manager = checkpoint.manager(tmp_path, keep=2)
  assert not part.parent.exists() and sorted(manager.all_steps()) == [1, 2]
  same(checkpoint.restore(manager, abstract(every_kind())), every_kind(2))
  checkpoint.close(manager)


def test_a_reader_restores_and_leaves_half_written_steps_alone(
  two_steps, tmp_path
):
  unfinished = tmp_path / '3.orbax-checkpoint-tmp'
  unfinished.mkdir()
  manager = checkpoint.reader(tmp_path)
  same(checkpoint.restore(manager, abstract(every_kind())), every_kind(2))
  checkpoint.close(manager)
  assert unfinished.is_dir()
