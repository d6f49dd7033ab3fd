"""The rows of the benchmark that are no steps, rehearsed at tiny sizes."""

import shutil
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.benchmark import (
  cases,
  classifier_torch,
  evaluation,
  populations,
  task,
)
from ganjax.metrics import fid


def rehearse(match):
  """Returns the row whose name contains this, of one round."""
  (row,) = (row for row in cases.ROWS if match in row.name)
  kept = []
  found = row.measured(
    task.Task(True, 0.0, kept.append, rounds=1, seconds=0.01, runs=2)
  )
  assert kept
  assert not any('failed' in side for side in found['sides'].values())
  return found


def test_an_evaluation_tells_images_a_second_and_its_operations():
  own = rehearse('evaluation')['sides']['ganjax']
  (seconds,) = own['seconds']
  assert own['examples_per_second'] == pytest.approx(300 / seconds)
  # Two batches of 256; the first convolution alone has so many operations.
  assert own['flops'] > 2 * 2 * 256 * 16**2 * 32 * 9 * 12


@pytest.mark.parametrize(
  ('match', 'batch'),
  [
    ('R3GAN', 4),
    ('progressive', 8),
    ('MSG', 8),
    pytest.param('StyleGAN2', 8, marks=pytest.mark.slow),
  ],
)
def test_games_of_configs_are_rehearsed(match, batch):
  own = rehearse(match)['sides']['ganjax']
  assert own['examples'] == batch
  assert own['before'].keys() >= {'traced', 'compiled'}


def test_input_is_timed_for_each_loader():
  decoded = rehearse('decoded at 32 pixels')['sides']
  assert {'ganjax, stream, 0 workers', 'ganjax, all at once'} <= set(decoded)
  loaded = rehearse('loaders at 32 pixels')['sides']
  assert list(loaded) == ['ganjax, device', 'ganjax, host', 'ganjax, stream']
  # A batch of four in float32, written and read.
  assert loaded['ganjax, host']['moved'] == 2 * 4 * 4 * 32**2 * 3


@pytest.mark.slow
@pytest.mark.parametrize('cache', ['filled', 'empty'])
def test_a_start_ends_with_the_first_step(cache):
  sides = rehearse(f'start of DCGAN-32, {cache} cache')['sides']
  assert set(sides) >= {'ganjax', 'ganjax, train'}
  # A process imports its libraries first.
  assert sides['ganjax']['median'] > 0.5


@pytest.mark.slow
def test_a_population_of_convolutions_goes_by_each_mapping():
  row = rehearse('population of DCGAN')
  for mapping in 'steps', 'map', 'vmap':
    assert f"by '{mapping}'" in row['execution'][f'ganjax, {mapping}']
  assert row['each'] == 'member'
  assert row['sides']['ganjax, steps']['examples'] == 16
  assert row['sides']['ganjax, steps']['steps'] % 2 == 0


@pytest.mark.slow
def test_a_population_on_the_ring_is_told_by_its_steps():
  row = rehearse('ring population')
  assert (row['runs'], row['each']) == (2, 'step of a run')
  # Two runs of two steps, or a multiple.
  assert row['sides']['ganjax']['steps'] % 4 == 0
  assert row['execution']['ganjax'] in row['words']


def test_a_population_says_when_a_process_of_its_own_ends(monkeypatch):
  monkeypatch.setattr(sys, 'executable', shutil.which('true'))
  with pytest.raises(RuntimeError, match="side 'ganjax' ended too early"):
    populations.of_ring(task.Task(True, 0.0, lambda found: None))


@pytest.mark.slow
def test_memory_at_its_peak_is_that_of_processes_of_their_own():
  found = rehearse('DCGAN-64')['sides']['ganjax']['bytes']
  assert found['peak'] > found['before'] > 0


def test_names_of_rows_are_different():
  names = [row.name for row in cases.ROWS]
  assert len(set(names)) == len(names)


def test_pytorch_has_the_same_features_and_distance():
  torch = pytest.importorskip('torch', reason='torch is not installed')
  images = evaluation.scene(300).astype(np.float32) / 127.5 - 1
  drawn = np.random.default_rng(0)
  params = jax.tree.map(
    lambda leaf: leaf + 0.1 * drawn.standard_normal(leaf.shape, np.float32),
    evaluation.weights(),
  )
  expected = jax.jit(evaluation.features_of(params))(jnp.asarray(images[:8]))
  found = classifier_torch.features(
    classifier_torch.tensors(params),
    torch.tensor(images[:8].transpose(0, 3, 1, 2)),
  )
  far = np.linalg.norm(found.numpy() - expected)
  assert far < 1e-5 * np.linalg.norm(expected)
  rows = drawn.standard_normal((2, 300, 8))
  rows[1] = 0.5 * rows[1] + 1
  assert classifier_torch.frechet(*rows) == pytest.approx(fid.fid(*rows))
