"""The rows of the benchmark that are no steps, rehearsed at tiny sizes."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.benchmark import cases, classifier_torch, evaluation
from ganjax.metrics import fid


@pytest.fixture
def rehearse(program, tmp_path):
  """`match -> rows, table` of the cases that match."""

  def run(match):
    path = tmp_path / 'benchmark.json'
    code, _, err = program(
      'benchmark',
      '--tiny',
      '--rounds=1',
      '--runs=2',
      f'--match={match}',
      f'--output={path}',
    )
    assert code == 0, err
    rows = json.loads(path.read_text())['rows']
    for row in rows:
      assert match in row['case']
      assert row.get('failed', {}) == {}
    assert path.with_suffix('.png').stat().st_size
    return rows, path.with_suffix('.md').read_text()

  return run


def test_an_evaluation_tells_images_a_second_and_its_share(rehearse):
  ((row,), text) = rehearse('evaluation')
  (seconds,) = row['seconds']['ganjax']
  assert row['images_per_second']['ganjax'] == pytest.approx(300 / seconds)
  assert f'{300 / seconds:.4g} images' in text
  # Two batches of 256; the first convolution alone has so many operations.
  assert row['flops'] > 2 * 2 * 256 * 16**2 * 32 * 9 * 12
  assert '%' in text


def test_input_is_timed_for_each_loader(rehearse):
  decoded, loaded = rehearse('at 32 pixels')[0]
  assert {'ganjax, stream', 'ganjax, all at once'} <= set(decoded['seconds'])
  assert list(loaded['seconds']) == [
    'ganjax, device',
    'ganjax, host',
    'ganjax, stream',
  ]
  # A batch of four in float32, written and read.
  assert loaded['moved'] == 2 * 4 * 4 * 32**2 * 3


@pytest.mark.slow
def test_a_start_ends_with_the_first_step(rehearse):
  ((row,), _) = rehearse('start of')
  assert set(row['seconds']) >= {'ganjax, filled cache', 'ganjax, empty cache'}
  # A process imports its libraries first.
  assert min(row['seconds']['ganjax, filled cache']) > 0.5


@pytest.mark.slow
def test_a_population_of_convolutions_goes_by_each_mapping(rehearse):
  ((row,), _) = rehearse('population of DCGAN')
  for mapping in 'steps', 'map', 'vmap':
    assert f"by '{mapping}'" in row['execution'][f'ganjax, {mapping}']
  assert (row['each'], row['batch']) == ('member', 16)


@pytest.mark.slow
def test_memory_at_its_peak_is_that_of_processes_of_their_own(rehearse):
  ((row,), text) = rehearse('DCGAN-64')
  found = row['bytes']['ganjax']
  assert found['peak'] > found['before'] > 0
  assert f'{found["peak"] / 2**20:.0f}' in text


def test_names_of_cases_are_different_and_choose_them():
  names = [name for name, _ in cases.matching('')]
  assert len(set(names)) == len(names)
  for name in names:
    assert name in [found for found, _ in cases.matching(name)]
  with pytest.raises(ValueError, match="'none' in its name; the cases are"):
    cases.matching('none')


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
