"""What a discriminator makes of reals, as a measure and in sweeps."""

import json

import jax.numpy as jnp
import numpy as np
import pytest
from ml_collections import ConfigDict

from ganjax.evaluation import critics, measures, samples


@pytest.mark.parametrize('labels', [False, True])
def test_the_share_is_that_of_whole_batches(labels):
  """By a critic that takes bright images for real, where it is told to."""
  config = ConfigDict({'batch_size': 32, 'labels': labels})
  given, sizes = jnp.array(0.5), []

  def metrics(threshold, batch, key):
    sizes.append(batch.images.shape)
    assert (batch.labels is not None) == labels
    real = batch.images.mean((1, 2, 3)) > threshold
    return {'accuracy/real': real.mean(), 'accuracy/fake': 0.0}

  pixels = np.zeros((100, 4, 4, 1), np.uint8)
  pixels[::2] = 255
  share = critics.judge(metrics, config)
  found = share(given, pixels, np.arange(100), seed=0)
  assert sizes == [(32, 4, 4, 1)]
  # 96 of the 100 images, half of which are bright.
  assert found == pytest.approx(0.5, abs=2.1 / 96)
  assert found * 96 == pytest.approx(round(found * 96))
  assert share(given, np.full_like(pixels, 255), np.arange(100), 0) == 1
  # Few images are a batch of their own.
  assert share(given, pixels[:2], np.arange(2), 0) == 0.5


def test_the_measure_judges_the_reals():
  asked = []

  def judge(pixels, labels, seed):
    asked.append((len(pixels), labels, seed))
    return 0.25

  reals, fakes = (
    samples.Samples(np.zeros((number, 2, 2, 1)), None, None, labels)
    for number, labels in ((5, 'labels'), (7, None))
  )
  own = measures.MEASURES['critic']
  assert own.of_runs
  found = own.take(reals, fakes._replace(judge=judge), 3)
  assert found == ({'taken_for_real': 0.25}, {'reals': 5})
  assert asked == [(5, 'labels', 3)]


SMALL = (
  '--config=configs/dense.py',
  '--config.images=64',
  '--config.batch_size=8',
  '--config.data.resolution=8',
  '--config.generator.widths=(8,)',
  '--config.discriminator.widths=(8,)',
)


def test_programs_take_it_and_a_sweep_compares_with_another_split(
  program, tmp_path
):
  """Of the digits that are held out, where evaluate takes the others."""
  run, sweep = tmp_path / 'run', tmp_path / 'sweep'
  assert program('train', *SMALL, f'--workdir={run}')[0] == 0
  code, out, err = program(
    'evaluate', f'--workdir={run}', '--metrics=critic', '--samples=20'
  )
  assert code == 0, err
  assert 'reals that D takes for real' in out
  rows = json.loads((run / 'evaluation.json').read_text())['measures']
  # Rows of held-out reals have no discriminator beside them.
  found = [row['taken_for_real'] for row in rows if 'taken_for_real' in row]
  assert len(found) == 1 and 0 <= found[0] <= 1
  code, _, err = program(
    'sweep',
    *SMALL,
    *('--grid=loss=hinge', '--reals=test', '--metrics=distance,critic'),
    *('--samples=20', '--evaluations=1', '--seeds=1', '--quiet'),
    f'--workdir={sweep}',
  )
  assert code == 0, err
  [path] = sweep.glob('programs/*/evaluation.json')
  [row] = json.loads(path.read_text())['measures']
  assert row['settings']['data'].startswith('digits/test')
  assert row['settings']['split'] == 'train'
  assert row['how']['critic'] == {'reals': 297}
  assert 0 <= row['taken_for_real'] <= 1
