"""Reconstruction as a measure: of a generator by itself, and in programs."""

import json

import jax
import numpy as np
import pytest

from ganjax import inversion, priors
from ganjax.data import images
from ganjax.evaluation import measures, reconstruction, samples
from ganjax.evaluation.features import Features

SMALL = (
  '--config=configs/dense.py',
  '--config.images=16',
  '--config.batch_size=8',
  '--config.data.resolution=8',
  '--config.generator.widths=(8,)',
  '--config.discriminator.widths=(8,)',
  '--config.prior.size=4',
)
TAKE = measures.MEASURES['reconstruction'].take


@pytest.fixture
def quick(monkeypatch):
  """A measure of few steps."""
  method = inversion.Method(steps=20, draws=50, restarts=1)
  monkeypatch.setattr(reconstruction, 'METHOD', method)
  monkeypatch.setattr(reconstruction, 'IMAGES', 20)


def generate(given, latents, key, labels):
  """Grey squares, brighter in the class 1, whose right half is black."""
  value = 0.3 * np.tanh(1) * latents.clip(-1, 1)[:, :1, None, None]
  if labels is not None:
    value += 0.5 * labels[:, None, None, None]
  return value * given


def drawn_by(held_out, classes, labels=None):
  """The samples of `generate`, which are themselves of no matter."""
  left = np.ones((1, 4, 4, 1), np.float32)
  left[:, :, 2:] = 0
  reconstruct = reconstruction.reconstructor(generate, priors.normal(1), 4)
  return samples.of(
    np.zeros((10, 4, 4, 1), np.uint8),
    Features('none', None),
    labels,
    lambda: reconstruct(left, held_out, classes, 0),
  )


def test_what_a_generator_lacks_is_found_by_its_error(quick):
  # Nine squares that it makes, and one whose right half it leaves black: 128
  # is about 0 of [-1, 1].
  pixels = np.full((10, 4, 4, 1), 128, np.uint8)
  pixels[:, :, :2] = 140
  pixels[9, :, 2:] = 255
  data = images.ImageSet(pixels, None, 'squares')
  values, settings = TAKE(None, drawn_by(data, 0), 0)
  # Half of the pixels by half of the range.
  right = 1000 * 0.5 * (127 / 255) ** 2
  assert values['reconstruction_worst'] == pytest.approx(right, rel=0.02)
  assert values['reconstruction'] == pytest.approx(right / 10, rel=0.02)
  assert (settings['images'], settings['of']) == (10, 'squares')
  assert (settings['steps'], settings['draws']) == (20, 50)


def test_images_are_searched_for_in_their_class_and_measured_by_class(quick):
  pixels = np.full((3, 4, 4, 1), 128, np.uint8)
  pixels[:, :, :2] = 128 + 64
  # Of the brightness of class 1.
  labels = np.array([0, 1, 1], np.int32)
  data = images.ImageSet(pixels, labels, 'squares', ('a', 'b', 'c'))
  own = drawn_by(data, 2, np.arange(10) % 3)
  whole, _ = TAKE(None, own, 0)
  first, how = TAKE(None, samples.of_class(own, 0), 0)
  second, _ = TAKE(None, samples.of_class(own, 1), 0)
  assert how['images'] == 1
  assert second['reconstruction'] < 0.1 < first['reconstruction']
  mean = (first['reconstruction'] + 2 * second['reconstruction']) / 3
  assert whole['reconstruction'] == pytest.approx(mean)
  none, how = TAKE(None, samples.of_class(own, 2), 0)
  assert none == {} and how['images'] == 0
  assert samples.first(own, 4).reconstructions is own.reconstructions


def test_programs_measure_it_alike(program, tmp_path, quick):
  run, sweep = tmp_path / 'run', tmp_path / 'sweep'
  evaluate = (
    '--config.evaluate.measures=reconstruction',
    '--config.evaluate.samples=20',
  )
  code, _, err = program('train', *SMALL, *evaluate, f'--workdir={run}')
  assert code == 0, err
  lines = (run / 'metrics.jsonl').read_text().splitlines()
  [trained] = [
    own['evaluation/reconstruction']
    for own in map(json.loads, lines)
    if 'evaluation/reconstruction' in own
  ]
  code, out, err = program(
    'evaluate',
    f'--workdir={run}',
    '--samples=20',
    '--features=random',
    '--metrics=reconstruction,distance',
  )
  assert code == 0, err
  own, reals = json.loads((run / 'evaluation.json').read_text())['measures']
  assert own['reconstruction'] == trained
  assert own['how']['reconstruction']['of'].startswith('digits/test 8x8x1 (')
  # Reals were drawn by no generator.
  assert 'distance' in reals and 'reconstruction' not in reals
  assert 'reconstruction: images 20, of digits/test' in out
  code, _, err = program(
    'sweep',
    *SMALL,
    '--metrics=reconstruction',
    '--objective=reconstruction',
    '--samples=20',
    '--evaluations=1',
    '--seeds=1',
    '--mapping=vmap',
    '--quiet',
    '--grid=optimizers.discriminator.learning_rate=2e-4,1e-3',
    f'--workdir={sweep}',
  )
  assert code == 0, err
  code, out, err = program('sweep', f'--workdir={sweep}', '--report')
  assert code == 0, err
  assert 'reconstruction MSE x 1000' in (sweep / 'table.md').read_text()


def test_without_a_test_split_the_data_itself_is_taken(quick):
  from configs import dense
  from ganjax.evaluation import trained

  config = dense.get_config()
  config.data.update(split='all', resolution=8)
  data = images.load('digits', split='test', resolution=8)
  found = trained.to_reconstruct(config, data, 0)
  assert found.name.startswith('digits/test 8x8x1 (')
  config.data.name = 'folder'
  with pytest.warns(UserWarning, match='No held-out reals'):
    found = trained.to_reconstruct(config, data, 0)
  assert found.name.endswith('), trained on')
  assert len(found.images) == len(found.labels) == 20


def test_the_key_of_the_search_is_the_seed(quick):
  data = images.ImageSet(np.full((2, 4, 4, 1), 150, np.uint8), None, '')
  reconstruct = reconstruction.reconstructor(generate, priors.normal(1), 4)
  given = np.ones((1, 4, 4, 1), np.float32)
  errors = [reconstruct(given, data, 0, seed).errors for seed in (0, 0, 1)]
  np.testing.assert_array_equal(errors[0], errors[1])
  assert (errors[0] != errors[2]).any()
  assert jax.tree.leaves(errors)[0].shape == (2,)
