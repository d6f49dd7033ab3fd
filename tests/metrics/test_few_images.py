"""Samples of small data sets by class, against distances of all pairs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import cdist

from ganjax.metrics import few_images, prdc

CLASSES, EACH = 3, 50
OWNERS = np.repeat(np.arange(CLASSES), EACH)
LABELS = np.arange(200) % CLASSES
count = jax.jit(few_images.count_by_class, static_argnames=('number', 'k'))


@pytest.fixture(scope='module')
def rows():
  """Reals and samples of three classes that overlap, as small images."""
  random = np.random.default_rng(0)
  reals = random.normal(size=(len(OWNERS), 2, 2, 1))
  samples = 0.7 * random.normal(size=(len(LABELS), 2, 2, 1))
  shift = np.arange(CLASSES).reshape(-1, 1, 1, 1) / 2
  found = samples + shift[LABELS], reals + shift[OWNERS]
  return tuple(np.float32(own) for own in found)


@pytest.mark.parametrize('k', [1, 5])
def test_counts_agree_with_distances_of_all_pairs(rows, k):
  samples, reals = (own.reshape(len(own), -1) for own in rows)
  found = count(rows[0], LABELS, rows[1], OWNERS, CLASSES, k)
  captured, good, occupancy = [], [], np.zeros(len(reals), int)
  for label in range(CLASSES):
    own, mine = reals[label == OWNERS], samples[label == LABELS]
    radii = np.sort(cdist(own, own), 1)[:, k]
    away = cdist(mine, own)
    inside = (away < radii).any(1)
    captured.append(len(set(away.argmin(1)[inside])))
    good.extend(inside)
    np.add.at(occupancy, np.flatnonzero(label == OWNERS)[away.argmin(1)], 1)
  np.testing.assert_array_equal(found.captured_by_label, captured)
  assert found.captured == sum(captured)
  np.testing.assert_allclose(found.quality, np.mean(good), rtol=1e-6)
  np.testing.assert_array_equal(found.occupancy, occupancy)
  assert 0 < sum(captured) < len(reals)


def test_one_sample_that_covers_a_class_has_captured_one_of_its_reals(rows):
  _, reals = rows
  means = reals.reshape(CLASSES, EACH, 2, 2, 1).mean(1)
  found = count(means, np.arange(CLASSES), reals, OWNERS, CLASSES, 5)
  np.testing.assert_array_equal(found.captured_by_label, np.ones(CLASSES))
  assert found.quality == 1
  own = reals[:EACH].reshape(EACH, -1), means[:1].reshape(1, -1)
  assert prdc.density_coverage(*own, 5).coverage > 0.1


def test_the_divergence_is_that_of_the_good_samples(rows):
  _, reals = rows
  # Three of the first real, one of the second, and one that is near none.
  samples = jnp.concatenate([reals[[0, 0, 0, 1]], reals[:1] + 100])
  found = count(samples, np.zeros(5, int), reals, OWNERS, CLASSES)
  np.testing.assert_allclose(
    found.divergence,
    np.log(len(reals)) - stats.entropy([3, 1]),
    rtol=1e-5,
  )
  np.testing.assert_allclose(found.quality, 0.8, rtol=1e-6)


def test_the_reals_cover_themselves_but_not_as_another_class(rows):
  _, reals = rows
  apart = reals + 100 * OWNERS[:, None, None, None]
  own = count(apart, OWNERS, apart, OWNERS, CLASSES)
  assert (own.captured, own.quality) == (len(reals), 1)
  other = count(apart, (OWNERS + 1) % CLASSES, apart, OWNERS, CLASSES)
  assert (other.captured, other.quality) == (0, 0)
  broken = count(np.nan * apart, OWNERS, apart, OWNERS, CLASSES)
  assert broken.occupancy.sum() == broken.captured == 0
