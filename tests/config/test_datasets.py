"""The data of a config: which classes it has, and which its game is given."""

import jax
import numpy as np
import pytest

from configs import dcgan
from ganjax import parallel
from ganjax.config import datasets, games, runs
from ganjax.data import images


@pytest.fixture
def config():
  config = dcgan.get_config()
  config.labels = True
  config.data.resolution = 16
  return config


def image_set(labels, classes=('cat', 'dog', 'owl')):
  """As many images as labels, each of them of the value of its number."""
  number = 20 if labels is None else len(labels)
  pixels = np.arange(number, dtype=np.uint8)[:, None, None, None]
  return images.ImageSet(
    np.broadcast_to(pixels, (number, 16, 16, 1)),
    None if labels is None else np.int32(labels),
    'animals',
    classes,
  )


def test_the_classes_are_counted_in_the_data_where_labels_are_asked_for(config):
  data = image_set([0, 1, 2, 1])
  assert datasets.with_classes(config, data).classes == 3
  assert config.classes == 0
  config.labels = False
  assert datasets.with_classes(config, data) is config


@pytest.mark.parametrize(
  ('labels', 'classes', 'says'),
  [
    (None, 0, 'labels is true, but animals has no classes'),
    ([0, 2], 0, r'animals has no pictures of 1 of its 3 classes: 1 \(dog\)'),
    ([0, 1, 2], 2, 'lie from 0 to 2, but with classes set to 2'),
    ([-1, 0], 0, 'labels of animals lie from -1 to 0'),
  ],
)
def test_labels_that_make_no_sense_are_refused(config, labels, classes, says):
  config.classes = classes
  with pytest.raises(ValueError, match=says):
    datasets.with_classes(config, image_set(labels))


def test_a_game_needs_to_know_how_many_classes_there_are(config):
  with pytest.raises(ValueError, match='labels is true and classes is 0'):
    games.schedule(config, (16, 16, 1))


@pytest.mark.parametrize('loader', ['device', 'host'])
@pytest.mark.parametrize('labelled', [True, False])
def test_labels_stay_beside_their_images(config, loader, labelled):
  labels = np.arange(20) % 3
  config.labels, config.data.loader = labelled, loader
  config = datasets.with_classes(config, image_set(labels))
  mesh, key = parallel.mesh(1), jax.random.key(0)
  made = datasets.loader(config, image_set(labels), mesh)
  feed = made.feed(key, 0, 4, 1)
  batch = made.batch(next(feed), key, 0, 0, 4)
  feed.close()
  prepared = runs.phases(config, (16, 16, 1))[0].preprocess(batch, key, 0)
  if labelled:
    numbers = np.asarray(batch.images)[:, 0, 0, 0]
    np.testing.assert_array_equal(prepared.labels, labels[numbers])
  else:
    assert prepared.labels is None
  np.testing.assert_array_equal(prepared.images, images.scale(batch.images))


def test_a_stream_has_the_labels_of_the_decoded_pictures(config):
  config.data.loader = 'stream'
  data = images.load('digits', resolution=16)
  assert data.classes == tuple('0123456789')
  key = jax.random.key(0)
  mesh = parallel.mesh(1)
  found = []
  for loader in ('stream', 'host'):
    config.data.loader = loader
    feed = datasets.loader(config, data, mesh).feed(key, 3, 8, 2)
    found.append(next(feed))
    feed.close()
  jax.tree.map(np.testing.assert_array_equal, *found)
  assert found[0].labels.shape == (2, 8)


def test_a_grid_has_a_column_for_each_class(config):
  data = image_set(np.arange(20) % 3)
  config = datasets.with_classes(config, data)
  config.batch_size = 4
  run = runs.run(config, data, parallel.mesh(1))
  assert (run.samples, run.columns) == (63, 3)
