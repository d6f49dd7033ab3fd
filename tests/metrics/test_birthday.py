"""The birthday test against the birthdays themselves, and brute force."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.distance import pdist

from ganjax.metrics import birthday

compiled = jax.jit(birthday.birthday)


def first_repetition(kinds):
  """Smallest batch of uniform draws that repeats one with probability 1/2."""
  different = np.cumprod(1 - np.arange(kinds) / kinds)
  return 1 + np.argmax(different <= 0.5)


@pytest.mark.parametrize(('kinds', 'batch'), [(365, 23), (1000, 38)])
def test_as_many_samples_as_people_share_a_birthday(kinds, batch):
  assert first_repetition(kinds) == batch
  # So many of each that drawing without replacement changes nothing.
  found = compiled(jnp.full(kinds, 100_000))
  assert (found.batch, found.size) == (batch, batch**2)
  np.testing.assert_allclose(found.uniform, kinds, rtol=0.06)


def test_a_thousand_modes_are_found_from_26000_samples():
  random = np.random.default_rng(0)
  counts = random.multinomial(26_000, np.full(1000, 1e-3), 8)
  found = jax.jit(jax.vmap(birthday.birthday))(counts)
  assert set(np.asarray(found.batch)) <= {37, 38, 39}
  np.testing.assert_allclose(found.uniform.mean(), 1000, rtol=0.06)


def test_every_batch_of_few_samples_is_weighed():
  counts = [3, 1, 2, 0, 1, 1]
  labels = np.repeat(np.arange(6), counts)
  repeats = [
    np.mean([len(set(b)) < s for b in itertools.combinations(labels, s)])
    for s in range(1, 9)
  ]
  expected = 1 + np.argmax(np.array(repeats) >= 0.5)
  assert repeats[expected - 2] < 0.5
  assert compiled(jnp.array(counts)).batch == expected


def test_rare_kinds_hardly_count():
  # One kind is half of all samples, forty make the rest. Three differ with
  # the probability 3 / 2 (1 / 4) (39 / 40) + (1 / 8) (39 * 38 / 1600) = 0.48.
  found = compiled(jnp.array([500_000] + [12_500] * 40))
  assert found.batch == 3


def test_samples_that_never_repeat_say_nothing():
  for counts in jnp.ones(40, int), jnp.zeros(40, int):
    assert jnp.isinf(jnp.array(compiled(counts))).all()


def test_one_kind_repeats_at_once():
  batch, size, uniform = compiled(jnp.array([0, 7, 0]))
  assert (batch, size) == (2, 4)
  np.testing.assert_allclose(uniform, 2 / math.log(2), rtol=1e-6)


def test_near_points_are_duplicates():
  key_label, key_noise, key = jax.random.split(jax.random.key(0), 3)
  labels = jax.random.randint(key_label, (3000,), 0, 100)
  points = jnp.stack([labels // 10, labels % 10], -1) + 0.0
  points += jax.random.uniform(key_noise, points.shape, maxval=0.1)
  points_support = jax.jit(
    birthday.birthday_of_points, static_argnames=('trials', 'largest')
  )
  found = points_support(points, 0.5, key, trials=400, largest=50)
  exact = compiled(jnp.bincount(labels, length=100))
  assert exact.batch == first_repetition(100) == 13
  assert abs(found.batch - exact.batch) <= 1
  # Nothing lies so near that a batch of 50 would hold a pair.
  none = points_support(points, 0.0, key, trials=400, largest=50)
  assert jnp.isinf(none.batch)


def test_fewer_points_than_a_trial_may_draw():
  # Six of the ten pairs are alike.
  points = jnp.array([[0.0], [5], [5], [5], [5]])
  took = birthday.birthday_of_points(points, 1.0, jax.random.key(1))
  assert took.batch == 2


@pytest.mark.parametrize('number', [1, 20, 500])
def test_closest_pairs_are_those_of_scipy(number):
  points = np.random.default_rng(0).normal(size=(150, 4))
  pairs, distances = jax.jit(birthday.closest, static_argnums=1)(points, number)
  np.testing.assert_allclose(distances, np.sort(pdist(points))[:number], 1e-5)
  first, second = pairs.T
  assert (first < second).all()
  np.testing.assert_allclose(
    np.linalg.norm(points[first] - points[second], axis=1), distances, 1e-5
  )
  assert len(set(map(tuple, np.asarray(pairs)))) == number


def test_more_pairs_than_there_are_is_refused():
  images = jnp.arange(8.0).reshape(2, 2, 2, 1)
  pairs, distances = birthday.closest(images, 1)
  np.testing.assert_allclose(
    (pairs[0, 0], pairs[0, 1], distances[0]), (0, 1, 8)
  )
  with pytest.raises(ValueError, match='2 points have 1 pairs, and 20'):
    birthday.closest(images)
