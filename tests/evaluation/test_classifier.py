"""The classifier learns, is kept bit for bit, and says what does not fit."""

import io
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sklearn.datasets

from ganjax.data.images import ImageSet
from ganjax.evaluation import classifier, extractors, features


@pytest.fixture(scope='module')
def digits():
  """Handwritten digits [1797, 16, 16, 1] uint8, each pixel doubled."""
  bunch = sklearn.datasets.load_digits()
  images = np.round(bunch.images * (255 / 16)).astype(np.uint8)[..., None]
  return images.repeat(2, axis=1).repeat(2, axis=2), bunch.target


@pytest.fixture(scope='module')
def kept(digits, tmp_path_factory):
  """A classifier's directory, its record and the steps reported."""
  directory = tmp_path_factory.mktemp('cache') / 'made'
  reports = []
  trained = classifier.trained_for(
    *digits,
    directory,
    'digits/all',
    epochs=6,
    report=lambda *report: reports.append(report),
  )
  return directory, trained, reports


def test_it_learns_the_digits(digits, kept):
  _, trained, reports = kept
  images, labels = digits
  assert classifier.accuracy(trained.params, images, labels) > 0.9
  # In the name stands what it reached on the tenth it never saw.
  assert trained.name.startswith('classifier-128 (digits/all, ')
  assert float(trained.name.split()[2]) > 90
  # 1618 images are kept for training: 12 whole batches a pass.
  assert [report[0] for report in reports] == list(range(73))
  assert {report[1] for report in reports} == {72}
  assert reports[-1][2] < 0.5 < reports[1][2]


def test_a_second_use_loads_the_same_bits(digits, kept):
  directory, trained, _ = kept

  def refuse(*_):
    raise AssertionError('It was trained again.')

  again = classifier.trained_for(
    *digits, directory, 'digits/all', epochs=6, report=refuse
  )
  assert again.name == trained.name
  jax.tree.map(np.testing.assert_array_equal, again.params, trained.params)
  measure = classifier.features_for(
    *digits, directory, 'digits/all', epochs=6, report=refuse
  )
  assert measure.name == trained.name
  found = features.in_batches(measure.apply, digits[0][:256])
  assert found.shape == (256, 128)
  shown = digits[0][:256].astype(np.float32) / 127.5 - 1
  logits, penultimate = classifier.outputs(trained.params, shown)
  assert logits.shape == (256, 10)
  np.testing.assert_allclose(found, penultimate, atol=1e-4)
  np.testing.assert_allclose(measure.logits(found), logits, atol=1e-3)
  # One file and nothing half written.
  assert [path.suffix for path in directory.iterdir()] == ['.npz']


def test_a_damaged_file_is_not_believed(tmp_path, monkeypatch):
  images, labels = np.zeros((10, 8, 8, 1), np.uint8), np.arange(10) % 2

  def train(images, labels, classes, key, epochs, report):
    network = features.Classifier(classes)
    made = jax.jit(network.init)(key, jnp.zeros((1, 8, 8, 1)))['params']
    return jax.tree.map(np.asarray, made)

  monkeypatch.setattr(classifier, 'train', train)
  monkeypatch.setattr(classifier, 'accuracy', lambda *_: 0.25)
  whole = classifier.trained_for(images, labels, tmp_path, 'a')
  [path] = tmp_path.iterdir()
  data = path.read_bytes()
  with np.load(path) as file:
    arrays = dict(file)
  entry = next(name for name in arrays if name.endswith('kernel'))
  arrays[entry] = -arrays[entry]  # another network, in a whole file

  def damages():
    yield data[: len(data) // 2]
    for at in 40, len(data) // 2, len(data) - 300, len(data) - 10:
      yield data[:at] + bytes([data[at] ^ 16]) + data[at + 1 :]
    other = io.BytesIO()
    np.savez(other, **arrays)
    yield other.getvalue()

  said = 0
  for damaged in damages():
    path.write_bytes(damaged)
    with warnings.catch_warnings(record=True) as caught:
      warnings.simplefilter('always')
      again = classifier.trained_for(images, labels, tmp_path, 'a')
    said += len(caught)
    for one in caught:
      assert 'damaged' in f'{one.message}' and f'{path}' in f'{one.message}'
      assert path.read_bytes() == data
    assert again.name == whole.name
    jax.tree.map(np.testing.assert_array_equal, again.params, whole.params)
  assert said >= 4  # a few bits of a zip file mean nothing


def test_other_data_or_settings_are_trained_for_anew(tmp_path, monkeypatch):
  images = np.zeros((10, 8, 8, 2), np.uint8)
  labels = np.arange(10) % 2
  calls = []

  def train(images, labels, classes, key, epochs, report):
    calls.append((len(images), classes, epochs))
    network = features.Classifier(classes)
    shapes = jax.eval_shape(network.init, key, images.astype(np.float32))
    return jax.tree.map(lambda x: np.zeros(x.shape), shapes['params'])

  monkeypatch.setattr(classifier, 'train', train)
  monkeypatch.setattr(classifier, 'accuracy', lambda *_: 0.25)
  settings = [{}, {'seed': 1}, {'epochs': 2}, {}, {'epochs': 2}]
  names = [
    classifier.trained_for(images, labels, tmp_path, 'a b/c', **each).name
    for each in settings
  ]
  classifier.trained_for(images + 1, labels, tmp_path, 'a b/c')
  assert calls == [(9, 2, 5), (9, 2, 5), (9, 2, 2), (9, 2, 5)]
  assert names[0].startswith('classifier-128 (a b/c, 25.0 % held out, sha ')
  assert len(list(tmp_path.glob('classifier-a-b-c-*.npz'))) == 4


def test_data_with_labels_are_measured_on_their_classifier(digits, monkeypatch):
  asked = []
  monkeypatch.setattr(
    classifier, 'features_for', lambda *data, **how: asked.append((data, how))
  )
  images, labels = digits
  extractors.extractor(ImageSet(images, labels, 'digits'))
  [(data, how)] = asked
  assert data[0] is images and data[1] is labels
  assert data[3] == 'digits'
  # 1797 images need more passes than 5 for enough steps.
  assert how['epochs'] == 16
  unlabelled = extractors.extractor(ImageSet(images, None, 'digits'))
  assert unlabelled.name.startswith('random')
  assert len(asked) == 1


def test_the_classifier_takes_any_size_and_tells_it(kept):
  network = features.Classifier(3)
  for shape in ((8, 8, 1), (28, 28, 3), (17, 64, 1)):
    logits, penultimate = jax.eval_shape(
      lambda x: network.init_with_output(jax.random.key(0), x)[0],
      jnp.zeros((2, *shape)),
    )
    assert (logits.shape, penultimate.shape) == ((2, 3), (2, 128))
  params = kept[1].params
  for shape in ((2, 28, 28, 1), (2, 16, 16, 3)):
    with pytest.raises(ValueError, match=r'expected \[N, H, W, 1\] of the si'):
      classifier.outputs(params, jnp.zeros(shape))


@pytest.mark.parametrize(
  ('images', 'labels', 'message'),
  [
    (np.zeros((12, 8, 8), np.uint8), np.zeros(12, int), 'axis of the channels'),
    (np.zeros((12, 8, 8, 1)), np.zeros(12, int), 'float64 of the shape'),
    (np.zeros((12, 8, 8, 1), np.uint8), np.zeros(11, int), 'one integer for'),
    (np.zeros((12, 8, 8, 1), np.uint8), np.full(12, 3), r'\[0, 3\)'),
    (np.zeros((12, 8, 8, 1), np.uint8), np.full(12, -1), 'from -1 to -1'),
  ],
)
def test_images_and_labels_that_do_not_fit_are_refused(images, labels, message):
  with pytest.raises(ValueError, match=message):
    classifier.train(images, labels, 3, jax.random.key(0), 1)


def test_nine_images_cannot_spare_a_tenth(tmp_path):
  with pytest.raises(ValueError, match='A tenth of 9 images'):
    classifier.trained_for(
      np.zeros((9, 8, 8, 1), np.uint8), np.zeros(9, int), tmp_path, 'few'
    )
