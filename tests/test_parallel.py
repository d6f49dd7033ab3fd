"""Many devices, and many processes, give what one gives."""

import json
import os
import pathlib
import resource
import shutil
import subprocess
import sys

import jax
import numpy as np
import pytest

from ganjax.config import restore
from tests.processes import ended, free_port

ROOT = pathlib.Path(__file__).resolve().parents[1]


def environment(devices):
  """The environment of a process that takes this CPU for several devices."""
  flags = os.environ.get('XLA_FLAGS', '').split()
  flags.append(f'--xla_force_host_platform_device_count={devices}')
  return os.environ | {'JAX_PLATFORMS': 'cpu', 'XLA_FLAGS': ' '.join(flags)}


# One process for all that eight devices are needed for; it writes JSON.
SCRIPT = """
import json, sys
import jax, jax.numpy as jnp, numpy as np, optax
from ganjax import dirac, losses, parallel, priors, steps
from ganjax.arrays import Batch
from ganjax.game import Game, gan
from ganjax.config import runs
from ganjax.data import images
from ganjax.networks import dcgan
from ganjax.players import Pair

found = {'devices': len(jax.devices())}
shape, rows = (16, 16, 1), 16
prior = priors.normal(6)


def game(axis_name):
  return gan(
    dcgan.generator(16, 1, 4, axis_name=axis_name),
    dcgan.discriminator(16, 1, 4, axis_name=axis_name),
    losses.non_saturating,
    prior,
  )


# Plain descent: Adam makes large moves of gradients that are 0 but for
# rounding, such as those of what a batch normalisation takes away again.
optimizers = Pair(optax.sgd(0.05), optax.sgd(0.05))

def plain(state):
  return jax.device_get(state.replace(key=0))


start = plain(
  jax.jit(lambda: steps.init(game(None), optimizers, jax.random.key(0)))()
)
batches = np.random.default_rng(0).uniform(-1, 1, (3, rows, *shape))


def trained(step, state):
  state, metrics = state.replace(key=jax.random.key(1)), []
  for batch in batches:
    state, measured = step(state, Batch(batch))
    metrics.append(jax.device_get(measured))
  return plain(state), metrics


def difference(left, right):
  return max(
    float(np.max(np.abs(np.asarray(a, float) - np.asarray(b, float))))
    for a, b in zip(
      jax.tree.leaves(left), jax.tree.leaves(right), strict=True
    )
  )


step = steps.alternating(game(None), optimizers)
alone = trained(parallel.over_mesh(step, parallel.mesh(1)), start)
whole = trained(parallel.over_mesh(step, parallel.mesh(8)), start)
found['mesh'] = [difference(*pair) for pair in zip(alone, whole)]
found['moved'] = difference(start.params, alone[0].params)

# By pmap each device draws its own latents, so that only a game that draws
# none can equal one device's: here each device takes its part of given ones.
given = np.linspace(-1, 1, rows * 6).reshape(rows, 6)


def told(axis_name):
  def latents(key, number):
    if axis_name is None:
      return jnp.asarray(given[:number])
    first = jax.lax.axis_index(axis_name) * number
    return jax.lax.dynamic_slice_in_dim(jnp.asarray(given), first, number)

  return latents


def fixed(axis_name):
  return steps.alternating(
    gan(
      dcgan.generator(16, 1, 4, axis_name=axis_name),
      dcgan.discriminator(16, 1, 4, axis_name=axis_name),
      losses.non_saturating,
      told(axis_name),
    ),
    optimizers,
    axis_name=axis_name,
  )

one = trained(jax.jit(fixed(None)), start)
mapped = parallel.over_pmap(fixed('data'))
eight = trained(mapped, start)
found['pmap'] = [difference(*pair) for pair in zip(one, eight)]
state, _ = mapped(start.replace(key=jax.random.key(1)), Batch(batches[0]))
copies = [
  [np.asarray(shard.data) for shard in leaf.addressable_shards]
  for leaf in jax.tree.leaves(state.replace(key=0, step=0))
  if hasattr(leaf, 'addressable_shards')
]
found['copies'] = [len(each) for each in copies]
found['copies differ'] = max(
  float(np.max(np.abs(copy - each[0]))) for each in copies for copy in each
)

# Through unrolled updates, whose gradients are means over the devices.
def unrolled(axis_name):
  return steps.simultaneous(
    dirac.game(losses.minimax), optimizers, unroll=3, axis_name=axis_name
  )

state = steps.init(dirac.game(losses.minimax), optimizers, jax.random.key(0))
reals = Batch(np.linspace(0.1, 3, rows)[:, None])
found['unrolled'] = difference(
  *(
    plain(step(state, reals)[0]).params
    for step in (jax.jit(unrolled(None)), parallel.over_pmap(unrolled('data')))
  )
)

# What each device draws, seen through a game whose metrics tell it.
def drawing(axis_name):
  def draws(params, buffers, batch, key):
    latents = prior(key, batch.images.shape[0])
    drawn = jnp.zeros((8, 6))
    if axis_name is not None:
      drawn = drawn.at[jax.lax.axis_index(axis_name)].set(latents[0])
    return params.generator * 0.0, (buffers, {'drawn': drawn})
  return Game(
    lambda key: (Pair(jnp.ones(()), jnp.ones(())), Pair({}, {})),
    draws,
    lambda params, buffers, batch, key: (
      params.discriminator * 0.0, (buffers, {})
    ),
    prior,
    None,
    lambda key, labels: labels,
  )

told_by_devices = drawing('data')
state = steps.init(told_by_devices, optimizers, jax.random.key(0))
_, metrics = parallel.over_pmap(
  steps.alternating(told_by_devices, optimizers, axis_name='data')
)(state, Batch(batches[0]))
# Each device filled its own row; the mean over devices divided it by 8.
found['drawn'] = np.asarray(8 * metrics['drawn']).tolist()

def complaint(call):
  try:
    call()
  except ValueError as error:
    return str(error)

from configs import dense

config = dense.get_config()
config.batch_size = 12
data = images.ImageSet(np.zeros((20, 28, 28, 1), np.uint8), None, 'zeros')
found['indivisible'] = complaint(
  lambda: runs.run(config, data, parallel.mesh(8))
)
found['too many'] = complaint(lambda: parallel.mesh(9))
found['none'] = complaint(lambda: parallel.mesh(0))
found['runs'] = complaint(lambda: parallel.mesh(3, 4))
found['too many runs'] = complaint(lambda: parallel.mesh(run=9))
found['some'] = parallel.mesh(3).size
with open(sys.argv[1], 'w') as file:
  json.dump(found, file)
"""


@pytest.fixture(scope='module')
def found(tmp_path_factory):
  path = tmp_path_factory.mktemp('devices') / 'found.json'
  done = subprocess.run(
    [sys.executable, '-c', SCRIPT, str(path)],
    cwd=ROOT,
    env=environment(8),
    capture_output=True,
    text=True,
    timeout=300,
  )
  assert done.returncode == 0, done.stderr
  return json.loads(path.read_text())


def test_a_mesh_of_eight_computes_what_one_device_does(found):
  assert found['devices'] == 8
  state, metrics = found['mesh']
  assert state < 1e-5
  assert metrics < 1e-5
  assert found['moved'] > 1e-2


def test_pmap_shares_statistics_gradients_and_metrics(found):
  state, metrics = found['pmap']
  assert state < 1e-5
  assert metrics < 1e-5


def test_pmap_shares_the_gradient_through_unrolled_updates(found):
  assert found['unrolled'] < 1e-6


def test_under_pmap_all_devices_hold_the_same_state(found):
  assert found['copies'] and set(found['copies']) == {8}
  assert found['copies differ'] == 0


def test_under_pmap_each_device_draws_its_own_latents(found):
  drawn = np.asarray(found['drawn'])
  assert len(np.unique(drawn.round(4), axis=0)) == 8
  assert (np.abs(drawn).max(axis=1) > 0.1).all()


def test_what_devices_cannot_share_is_said_in_a_sentence(found):
  assert found['indivisible'] == (
    'A batch of 12 cannot be divided among 8 devices; set batch_size to a '
    'multiple of 8, or mesh.data to a number that divides it.'
  )
  assert found['runs'] == (
    'A mesh over 3 devices for each of 4 parts of the runs was asked for, but '
    'there are 8; give a number up to 2, or -1 for all.'
  )
  assert found['too many runs'].startswith(
    'Runs are to be divided among 9 devices, but there are 8;'
  )
  for number, name in ((9, 'too many'), (0, 'none')):
    assert found[name] == (
      f'A mesh over {number} devices was asked for, but there are 8; give a '
      'number up to 8, or -1 for all.'
    )
  assert found['some'] == 3


# A population over the devices of one process or of several; it writes JSON.
POPULATION = """
import json, sys
import jax, numpy as np, optax
from jax.sharding import NamedSharding, PartitionSpec
from ganjax import losses, parallel, priors, steps
from ganjax.arrays import Batch
from ganjax.game import gan
from ganjax.networks import mlp
from ganjax.players import Pair

path, address, number, process = sys.argv[1:]
if int(number) > 1:
  jax.distributed.initialize(address, int(number), int(process))
game = gan(
  mlp.generator((8, 8, 1), (8,)),
  mlp.discriminator((8,)),
  losses.non_saturating,
  priors.normal(4),
)
optimizers = Pair(optax.sgd(0.05), optax.sgd(0.05))
step = steps.alternating(game, optimizers)
members, rows = 8, 6
batches = np.random.default_rng(0).uniform(-1, 1, (members, rows, 8, 8, 1))
batches = batches.astype(np.float32)


def begin():
  keys = jax.random.split(jax.random.key(0), members)
  return jax.vmap(lambda key: steps.init(game, optimizers, key))(keys)


def plain(state):
  return jax.tree.leaves((state.params, state.opt_state, state.ema_params))


mesh = parallel.mesh(data=2, run=4)
over = NamedSharding(mesh, PartitionSpec('run'))
states = jax.jit(begin, out_shardings=over)()
both = NamedSharding(mesh, PartitionSpec('run', 'data'))
spread = jax.make_array_from_callback(
  batches.shape, both, batches.__getitem__
)
advance = parallel.over_runs(step, mesh)
for _ in range(3):
  states, metrics = advance(states, Batch(spread))
held = states.params.generator['Dense_0']['kernel']
whole = jax.jit(
  lambda state: plain(state), out_shardings=parallel.whole(mesh)
)(states)
found = [np.asarray(leaf.addressable_data(0)) for leaf in whole]

own = jax.jit(begin)()
differences, moved = [], []
alone = jax.jit(step)
for member in range(members):
  state = first = jax.tree.map(lambda leaf: leaf[member], own)
  for _ in range(3):
    state, _ = alone(state, Batch(batches[member]))
  for a, b, c in zip(
    plain(state), [leaf[member] for leaf in found], plain(first)
  ):
    differences.append(float(np.max(np.abs(a - b), initial=0)))
    moved.append(float(np.max(np.abs(a - c), initial=0)))
about = {
  'devices': len(jax.devices()),
  'difference': max(differences),
  'moved': max(moved),
  'shards': [
    shard.data.shape[0] for shard in held.addressable_shards
  ],
}
if jax.process_index() == 0:
  with open(path, 'w') as file:
    json.dump(about, file)
"""


def population(number, path):
  """What processes find that share eight devices and eight members."""
  place = f'127.0.0.1:{free_port()}'
  workers = [
    subprocess.Popen(
      [sys.executable, '-c', POPULATION]
      + [f'{path}', place, f'{number}', f'{own}'],
      cwd=ROOT,
      env=environment(8 // number),
      stdout=subprocess.PIPE,
      stderr=subprocess.PIPE,
      text=True,
    )
    for own in range(number)
  ]
  finished(workers)
  return json.loads(path.read_text())


@pytest.mark.parametrize('number', [1, pytest.param(2, marks=pytest.mark.slow)])
def test_members_over_a_mesh_are_what_each_is_alone(number, tmp_path):
  found = population(number, tmp_path / 'found.json')
  assert found['devices'] == 8
  assert found['shards'] == 8 // number * [2]  # members on each device
  assert found['difference'] < 1e-6
  assert found['moved'] > 1e-2


def started(folder, loader, devices, *flags, preexec_fn=None):
  command = [
    sys.executable,
    '-m',
    'experiments.train',
    '--config=configs/dense.py',
    '--config.generator.widths=(8,)',
    '--config.discriminator.widths=(8,)',
    '--config.optimizers.generator.name=sgd',
    '--config.optimizers.discriminator.name=sgd',
    '--config.data.resolution=16',
    f'--config.data.loader={loader}',
    '--config.batch_size=8',
    '--config.images=48',
    '--config.steps_together=2',
    '--config.log.every=16',
    '--config.samples.every=32',
    '--config.checkpoint.every=32',
    f'--workdir={folder}',
    *flags,
  ]
  return subprocess.Popen(
    command,
    cwd=ROOT,
    env=environment(devices),
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
    preexec_fn=preexec_fn,
  )


EVALUATED = (
  '--config.evaluate.measures=fid',
  '--config.evaluate.every=16',
  '--config.evaluate.samples=40',
  '--config.evaluate.features=random',
)


def write_no_file():
  """Has the system refuse each byte that the process writes into a file."""
  resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def shared(number, folder, loader, devices, *flags):
  """Starts the processes of one run; only the first of them may write."""
  port = free_port()
  return [
    started(
      folder,
      loader,
      devices,
      f'--coordinator=127.0.0.1:{port}',
      f'--num_processes={number}',
      f'--process_id={own}',
      *flags,
      preexec_fn=write_no_file if own else None,
    )
    for own in range(number)
  ]


def finished(workers):
  """The workers' outputs, once all of them ended well; none is left behind."""
  codes, outputs = ended(workers, 400)
  for code, (_, err) in zip(codes, outputs, strict=True):
    assert code == 0, err
  return [out for out, _ in outputs]


@pytest.fixture(scope='module')
def one(tmp_path_factory):
  folder = tmp_path_factory.mktemp('one')
  finished([started(folder, 'device', 4, *EVALUATED)])
  return folder


@pytest.mark.slow
@pytest.mark.parametrize('loader', ['device', 'host', 'stream'])
def test_two_processes_train_as_one_does(loader, one, tmp_path):
  first, second = finished(shared(2, tmp_path, loader, 2, *EVALUATED))
  assert 'Done after 48 images.' in first
  assert 'Done' not in second  # one of them speaks
  measured = [
    [
      json.loads(line)
      for line in (folder / 'metrics.jsonl').read_text().splitlines()
    ]
    for folder in (one, tmp_path)
  ]
  assert len(measured[0]) == 3
  for left, right in zip(*measured, strict=True):
    assert left.keys() == right.keys()
    timed = {'images_per_second', 'compile_seconds', 'evaluation_seconds'}
    for name in left.keys() - timed:
      expected = pytest.approx(left[name], rel=1e-5, abs=1e-5)
      assert right[name] == expected, name
  for pattern in (
    'samples/*.png',
    'samples.png',
    'checkpoints/[0-9]*',
    'checkpoints/best/[0-9]*',
  ):
    names = [
      sorted(path.name for path in folder.glob(pattern))
      for folder in (one, tmp_path)
    ]
    assert names[0] == names[1] != []


@pytest.mark.slow
def test_other_processes_and_devices_go_on_with_a_run(one, tmp_path):
  """Two processes begin a run; four go on, and so does one on more devices."""
  same, other = tmp_path / 'same', tmp_path / 'other'
  finished(shared(2, same, 'device', 2, '--config.images=16'))
  shutil.copytree(same, other)
  finished(shared(4, same, 'device', 1))
  finished([started(other, 'device', 8)])
  whole, same, other = (
    jax.device_get(restore.last(folder).state.replace(key=0))
    for folder in (one, same, other)
  )
  # Sums over rows are rounded in the order of devices, so not to the bit.
  assert difference(whole, same) < 1e-6
  assert difference(whole, other) < 1e-6
  assert int(same.step) == int(other.step) == 6
  # The momenta among them are sums of gradients, far from 0.
  momenta = jax.tree.leaves(whole.opt_state)
  assert max(float(np.abs(leaf).max()) for leaf in momenta) > 1e-2


def difference(left, right):
  """The largest difference of two trees of arrays."""
  pairs = zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True)
  return max(float(np.max(np.abs(a - b), initial=0)) for a, b in pairs)
