"""Runs that begin with the networks of another run."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import dcgan, dense
from ganjax import parallel
from ganjax.arrays import Batch
from ganjax.config import datasets, runs, warm_start, workdir
from ganjax.data import images
from ganjax.training import checkpoint


def small(labels=False, width=4, **fields):
  config = dcgan.get_config().copy_and_resolve_references()
  config.unlock()
  config.update_from_flattened_dict(
    {
      'data.resolution': 16,
      'batch_size': 4,
      'labels': labels,
      'generator.width': width,
      'discriminator.width': width,
      'regularizers.discriminator.lecam.weight': 1.0,
      **fields,
    }
  )
  return config


@pytest.fixture(scope='module')
def data():
  return datasets.dataset(small())


@pytest.fixture(scope='module')
def trained(data, tmp_path_factory):
  """A folder, and the state of its only checkpoint, after two steps."""
  folder = tmp_path_factory.mktemp('run')
  config = datasets.with_classes(small(), data)
  run = runs.run(config, data, parallel.mesh(1))
  state = jax.jit(runs.start(config, data.images.shape[1:]))()
  reals = Batch(images.scale(data.images[:4]))
  for _ in range(2):
    state, _ = jax.jit(run.phases[0].step)(state, reals)
  with workdir.claimed(folder, config, data) as (place, records):
    manager = checkpoint.manager(place / 'checkpoints')
    checkpoint.save(manager, 2, state, records)
    checkpoint.close(manager)
  return folder, state


def begun(data, folder, players='generator,discriminator', **fields):
  """Returns the first states of a run by itself, and of one from a folder."""
  about = {'init_from.run': str(folder), 'init_from.players': players}
  config = datasets.with_classes(small(seed=3, **fields, **about), data)
  start = runs.start(config, data.images.shape[1:])
  begin, history = warm_start.begin(config, start)
  own = jax.jit(start)()
  return config, own, begin(own), history


def equal(left, right):
  same = jax.tree.map(lambda a, b: bool(jnp.array_equal(a, b)), left, right)
  return jax.tree.all(same)


def test_both_players_are_taken_and_the_rest_is_new(data, trained):
  folder, state = trained
  _, own, new, history = begun(data, folder)
  assert equal(new.params, state.params)
  assert equal(new.ema_params, state.ema_params)
  assert equal(new.ema_buffers, state.ema_buffers)
  assert not equal(new.ema_params, state.params.generator)
  for player in ('generator', 'discriminator'):
    there, here = (getattr(one.buffers, player) for one in (state, new))
    assert equal(there['network'], here['network'])
  memory = [one.buffers.discriminator['memory'] for one in (own, new, state)]
  assert equal(memory[0], memory[1]) and not equal(memory[1], memory[2])
  assert equal(new.opt_state, own.opt_state)
  assert int(new.step) == 0
  assert history == [
    f'Began with the generator and the discriminator of {folder}: the last '
    'checkpoint at step 2 (raw and averaged weights).'
  ]


def test_one_player_alone(data, trained):
  folder, state = trained
  _, own, new, _ = begun(data, folder, 'discriminator')
  assert equal(new.params.discriminator, state.params.discriminator)
  assert equal(new.params.generator, own.params.generator)
  assert equal(new.ema_params, own.ema_params)
  assert equal(new.ema_buffers, own.ema_buffers)


def test_a_conditional_run_begins_as_the_unconditional_one(data, trained):
  """With any label: whatever labels reach is 0."""
  folder, state = trained
  config, _, new, _ = begun(data, folder, labels=True)
  shape = data.images.shape[1:]
  before, after = runs.game(small(), shape, 2), runs.game(config, shape, 0)
  latents = before.prior(jax.random.key(1), 6)
  expected = before.sample(state.ema_params, state.buffers, latents)
  for labels in (jnp.zeros(6, int), jnp.arange(6)):
    drawn = after.sample(new.ema_params, new.buffers, latents, labels=labels)
    np.testing.assert_allclose(drawn, expected, atol=1e-6)
  classes = new.params.discriminator['classes']['kernel']
  assert classes.shape[0] == 10 and not classes.any()


def test_labels_beside_the_latents_begin_at_zero(data):
  config = dense.get_config()
  assert config.init_from.run == ''
  padded = warm_start._padded(jnp.ones((3, 5)), (3 + 10, 5), 10)
  np.testing.assert_array_equal(padded[3:], 0)
  np.testing.assert_array_equal(padded[:3], 1)
  assert warm_start._padded(jnp.ones((3, 5)), (4, 5), 10) is None
  assert warm_start._padded(jnp.ones((3, 5)), (13, 15), 10) is None
  assert warm_start._padded(jnp.ones((3, 5)), (13, 5), 0) is None


@pytest.mark.parametrize(
  ('fields', 'error', 'words'),
  [
    (
      {'width': 8},
      ValueError,
      r'do not fit this run: params\.gen',
    ),
    ({'players': 'generater'}, ValueError, "player 'generater'.*generator"),
    ({'init_from.checkpoint': 'beste'}, ValueError, "checkpoint 'beste'"),
    ({'init_from.checkpoint': 'best'}, FileNotFoundError, 'no best checkpoint'),
  ],
)
def test_what_does_not_fit_is_said(fields, error, words, data, trained):
  with pytest.raises(error, match=words):
    begun(data, trained[0], **fields)
  with pytest.raises(FileNotFoundError, match=r'holds no run\.json'):
    begun(data, trained[0] / 'nowhere')
