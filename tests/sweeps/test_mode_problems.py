"""The data of protocols: few images of each class, of which each is a mode."""

import jax
import numpy as np
import pytest

from configs import mode_collapse
from ganjax.arrays import Batch
from ganjax.sweeps import mode_problems, mode_task

KEY = jax.random.key(0)


def digits(**changes):
  """The remedied config of `conditional_digits`, tiny."""
  config = mode_task.remedied(
    mode_collapse.get_config('conditional_digits'), 'projection'
  )
  config.generator.widths = config.discriminator.widths = (6,)
  config.prior.size, config.measure.samples = 3, 40
  config.data.number = 4
  config.update_from_flattened_dict(changes)
  return config


@pytest.fixture(scope='module')
def problem():
  return mode_problems.problem(digits())


def test_few_images_are_as_many_of_each_class(problem):
  assert (problem.shape, problem.modes, problem.classes) == ((8, 8, 1), 40, 10)
  np.testing.assert_array_equal(problem.data.labels, np.repeat(range(10), 4))
  batch = problem.batch((), KEY, 0, 40, problem.data)
  # An epoch has each image once, beside its own label.
  pixels = np.asarray(problem.data.images).reshape(40, -1)
  drawn = np.asarray(batch.images).reshape(40, -1)
  places = (drawn[:, None] == pixels).all(-1).argmax(1)
  assert sorted(places) == list(range(40))
  np.testing.assert_array_equal(batch.labels, places // 4)
  assert np.abs(pixels).max() == 1
  assert problem.name.startswith('4 images of each of 10 classes of digits')


def test_images_capture_themselves_and_one_image_is_a_collapse(problem):
  found = problem.count(problem.data, problem.data)
  assert found.captured == 40
  np.testing.assert_array_equal(found.captured_by_label, np.full(10, 4))
  first = problem.data.images[::4]
  found = problem.count(Batch(first, problem.data.labels[::4]), problem.data)
  np.testing.assert_array_equal(found.captured_by_label, np.ones(10))
  np.testing.assert_allclose(found.divergence, np.log(4), rtol=1e-5)


def test_an_evaluation_measures_the_distance_within_a_class(problem):
  config = digits(**{'measure.pictures': 20})
  made = mode_task.of(config, problem, 2)
  state = made.training.init(KEY, (), problem.data)
  record = made.training.evaluate(state, (), problem.data)
  measured = made.measure(0, state['state'], (), record)
  assert measured.values.keys() == made.columns.keys()
  assert measured.values.keys() >= {'captured', 'fewest', 'distance_within'}
  # Samples of number 0 and 10 have the label 0, and so on.
  flat = np.float32(record['samples']).reshape(2, 10, -1) / 127.5
  apart = ((flat[0] - flat[1]) ** 2).mean(-1) ** 0.5
  np.testing.assert_allclose(
    measured.values['distance_within'], apart.mean(), rtol=1e-4
  )
  # A sampler that draws the images: (K - 9) / 2N, one fewer for each label.
  np.testing.assert_allclose(
    mode_problems.floor(config, problem), (40 - 10) / (2 * 40), rtol=1e-6
  )


@pytest.mark.parametrize(
  ('changes', 'words'),
  [
    ({'data.number': 400}, 'class 0 of .* has 1.. images, but data.number is'),
    ({'data.source': 'digit'}, 'did you mean digits'),
    ({'data.split': 'none'}, "no split 'none'"),
  ],
)
def test_data_that_is_not_there_is_named(changes, words):
  with pytest.raises(ValueError, match=words):
    mode_problems.problem(digits(**changes))
