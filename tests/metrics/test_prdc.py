"""Neighbourhoods of two sets against scikit-learn, scipy and closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.neighbors import NearestNeighbors

from ganjax.metrics import prdc

precision_recall = jax.jit(prdc.precision_recall, static_argnames='k')
density_coverage = jax.jit(prdc.density_coverage, static_argnames='k')


def two_sets():
  """Counts that no block divides, and distributions that overlap in part."""
  random = np.random.default_rng(0)
  return random.normal(size=(301, 3)), 0.8 * random.normal(size=(203, 3)) + 0.7


def radii(points, k):
  # Asked without arguments, its neighbours leave the point itself out.
  fitted = NearestNeighbors(n_neighbors=k).fit(points)
  return fitted.kneighbors()[0][:, -1]


@pytest.mark.parametrize('k', [1, 3])
def test_precision_and_recall_agree_with_scikit_learn(k):
  real, fake = two_sets()
  away = cdist(real, fake)
  precision = (away <= radii(real, k)[:, None]).any(0).mean()
  recall = (away <= radii(fake, k)).any(1).mean()
  assert 0.1 < recall < precision < 1
  np.testing.assert_allclose(
    precision_recall(real, fake, k), (precision, recall), rtol=1e-6
  )


@pytest.mark.parametrize('k', [1, 5])
def test_density_and_coverage_agree_with_scikit_learn(k):
  real, fake = two_sets()
  inside = cdist(real, fake) < radii(real, k)[:, None]
  np.testing.assert_allclose(
    density_coverage(real, fake, k),
    (inside.sum() / (k * len(fake)), inside.any(1).mean()),
    rtol=1e-6,
  )


def test_by_hand_on_a_line_and_at_the_edges_of_balls():
  # With k = 1 the balls of the reals have the radii 1, 1 and 3.
  real = np.array([[0.0], [1], [4]])
  # Those of the fakes have the radii 2, 2, 2, 2 and 3.
  fake = np.array([[-3.0], [-1], [5], [7], [10]])
  # On an edge lie -1 and 7 among the reals, and 1 among the fakes.
  np.testing.assert_allclose(precision_recall(real, fake, 1), (3 / 5, 1))
  # Strictly inside: 5, in the ball of 4 alone.
  np.testing.assert_allclose(density_coverage(real, fake, 1), (1 / 5, 1 / 3))


def test_a_collapsed_set_is_precise_and_recalls_nothing():
  real, _ = two_sets()
  fake = np.repeat(real[:1] + 1e-3, 50, axis=0)
  np.testing.assert_allclose(precision_recall(real, fake, 3), (1, 0))
  density, covered = density_coverage(real, fake, 5)
  assert density > 0.2
  assert covered < 0.1


def test_a_set_and_its_copy_are_within_each_other():
  real, _ = two_sets()
  np.testing.assert_allclose(precision_recall(real, real, 3), (1, 1))
  # A real is in its own ball and, on average, strictly in k - 1 others.
  np.testing.assert_allclose(density_coverage(real, real, 5), (1, 1), rtol=1e-5)


@pytest.mark.parametrize('k', [3, 5])
def test_one_distribution_has_density_one_and_the_expected_coverage(k):
  # A real is missed if its k nearest of all N - 1 + M others are reals.
  nearer = np.arange(1, k + 1)
  expected = 1 - np.prod((1000 - nearer) / (2000 - nearer))
  np.testing.assert_allclose(expected, {3: 0.87538, 5: 0.96898}[k], atol=5e-6)

  @jax.jit
  def population(keys):
    def one(key):
      sets = jax.random.normal(key, (2, 1000, 2))
      return prdc.density_coverage(*sets, k)

    return jax.lax.map(one, keys)

  found = population(jax.random.split(jax.random.key(k), 16))
  for values, mean in (found.density, 1), (found.coverage, expected):
    np.testing.assert_allclose(values.mean(), mean, atol=values.std())
    assert values.std() < 0.05


def test_distances_are_never_held_all_at_once():
  shape = jax.ShapeDtypeStruct((2000, 2), jnp.float32)
  for measure in precision_recall, density_coverage:
    memory = measure.lower(shape, shape, k=3).compile().memory_analysis()
    assert memory.temp_size_in_bytes < 2000 * 2000 * 4


def test_sets_that_cannot_be_compared_are_refused():
  real, fake = two_sets()
  with pytest.raises(ValueError, match=r'\(301, 3\).*\(203, 2\)'):
    prdc.precision_recall(real, fake[:, :2])
  with pytest.raises(ValueError, match='3 fake features'):
    prdc.precision_recall(real, fake[:3])
  with pytest.raises(ValueError, match='5 real features'):
    prdc.density_coverage(real[:5], fake)
  with pytest.raises(ValueError, match='0 fake features'):
    prdc.density_coverage(real, fake[:0])
