"""Presets for a folder of one's own pictures."""

import jax
import numpy as np
import pytest
from PIL import Image

from configs import dcgan, small, stylegan2
from ganjax import files
from ganjax.arrays import Batch
from ganjax.config import datasets, runs

# In what all presets differ from those that they begin with, by name.
OF_FOLDERS = {'data.name', 'data.mirror', 'augment.name', 'images'}
OF_GPUS = {'data.loader', 'samples.every', 'checkpoint.every'} | (
  OF_FOLDERS - {'data.name', 'data.mirror'}
)
OF_CPUS = {
  *OF_FOLDERS,
  'augment.policy',
  'regularizers.discriminator.r1.weight',
  'regularizers.discriminator.r1.every',
  'optimizers.generator.learning_rate',
  'optimizers.discriminator.learning_rate',
  'ema.half_life',
}


def differing(one, other):
  """The fields in which two configs with the same fields differ."""
  one, other = (files.flat(config.to_dict()) for config in (one, other))
  assert one.keys() == other.keys()
  return {name for name in one if one[name] != other[name]}


@pytest.mark.parametrize(
  ('name', 'source', 'fields', 'resolution'),
  [
    ('cpu32', dcgan.get_config('digits'), OF_CPUS, 32),
    ('gpu64', stylegan2.get_config('auto64'), OF_GPUS, 64),
    ('gpu128', stylegan2.get_config('auto128'), OF_GPUS, 128),
  ],
)
def test_presets_are_those_of_their_networks_but_for(
  name, source, fields, resolution
):
  config = small.get_config(name)
  assert differing(config, source) == fields
  assert config.data.resolution == resolution
  assert (config.data.name, config.data.mirror) == ('folder', True)
  augmentation = 'diffaugment' if name == 'cpu32' else 'ada'
  assert config.augment.name == augmentation
  # None is left without checkpoints and samples on the way.
  assert config.images >= 5 * config.samples.every
  assert config.images >= 5 * config.checkpoint.every


def test_the_smallest_preset_comes_first():
  assert small.get_config() == small.get_config('cpu32')


@pytest.fixture
def folder(tmp_path):
  """Seven pictures: grey, transparent, of a palette, tall and wide."""
  rng = np.random.default_rng(0)
  shapes = [(20, 30), (40, 17, 3), (16, 16, 4), (9, 50, 3), (30, 30), (5, 5, 3)]
  for number, shape in enumerate(shapes):
    pixels = rng.integers(0, 256, shape, np.uint8)
    Image.fromarray(pixels).save(tmp_path / f'{number}.png')
  Image.fromarray(pixels).convert('P').save(tmp_path / 'palette.png')
  return tmp_path


@pytest.mark.parametrize('name', ['cpu32', 'gpu64'])
@pytest.mark.parametrize('channels', [1, 3, 4])
def test_mixed_pictures_make_a_step(folder, tiny, monkeypatch, name, channels):
  monkeypatch.setenv('XDG_CACHE_HOME', f'{folder}/cache')
  changes = {'data.dir': f'{folder}', 'data.channels': channels}
  config = tiny(small.get_config(name), changes)
  with pytest.warns(UserWarning, match='enlarged'):
    data = datasets.dataset(config)
  assert data.images.shape == (7, 16, 16, channels)
  [phase] = runs.phases(config, data.images.shape[1:])
  # Traced only: what is compiled are the steps of tests/config/test_config.py.
  state = jax.eval_shape(runs.start(config, data.images.shape[1:]))
  batch = jax.ShapeDtypeStruct((phase.rows, 16, 16, channels), np.float32)
  after, metrics = jax.eval_shape(phase.step, state, Batch(batch))
  assert jax.tree.structure(after) == jax.tree.structure(state)
  adapted = {'augment/p', 'augment/sign'} & metrics.keys()
  assert len(adapted) == (0 if name == 'cpu32' else 2)
