"""Counts of modes against scipy, closed forms and simulated samplers."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.spatial
import scipy.special
import scipy.stats

from ganjax.data import toy
from ganjax.metrics import modes

RING, GRID = toy.ring(), toy.grid()
# Of the ten digits in all 70,000 images of MNIST.
DIGITS = np.array(
  [6903, 7877, 6990, 7141, 6824, 6313, 6876, 7293, 6825, 6958], float
)


def labelled(counts):
  """Labels that occur so often, all of them good."""
  labels = np.repeat(np.arange(len(counts)), counts)
  return labels, np.ones(len(labels), bool)


def scattered(number=400):
  """Samples around the grid, good, bad and worse, and unequal deviations."""
  random = np.random.default_rng(0)
  std = random.uniform(0.1, 0.4, len(GRID))
  own = random.integers(0, 12, number)
  noise = 2 * std[own, None] * random.normal(size=(number, 2))
  return np.asarray(GRID)[own] + noise, std


# --- counting --------------------------------------------------------------


def test_count_agrees_with_scipy():
  samples, std = scattered()
  found = jax.jit(modes.count)(samples, GRID, std)
  away = scipy.spatial.distance.cdist(samples, GRID) / std
  labels, good = away.argmin(1), away.min(1) < 3
  histogram = np.bincount(labels[good], minlength=25)
  assert 0.2 < good.mean() < 0.9
  assert found.captured == (histogram > 0).sum()
  np.testing.assert_allclose(found.quality, good.mean(), rtol=1e-6)
  np.testing.assert_allclose(
    found.divergence,
    scipy.stats.entropy(histogram / histogram.sum(), np.full(25, 1 / 25)),
    rtol=1e-5,
  )
  np.testing.assert_array_equal(
    found.occupancy, np.bincount(labels, minlength=25)
  )


def test_nearest_is_counted_in_deviations_of_the_mode():
  # Five from the narrow mode and three from the wide one: 5 and 1.5 of theirs.
  samples, centres = jnp.array([[5.0, 0]]), jnp.array([[0.0, 0], [8, 0]])
  for std, label, distance in (1.0, 1, 3), (jnp.array([1.0, 2]), 1, 1.5):
    found = modes.nearest(samples, centres, std)
    np.testing.assert_allclose(found, ([label], [distance]))
  found = modes.nearest(samples, centres, jnp.array([2.0, 1]))
  np.testing.assert_allclose(found, ([0], [2.5]))


def test_the_edge_is_good_only_if_the_comparison_says_so():
  centres, std = jnp.array([[0.0, 0], [16, 0]]), 0.5
  samples = jnp.array([[1.5, 0], [0, -1.5], [1.25, 0]])
  strict = modes.count(samples, centres, std)
  np.testing.assert_allclose(strict.quality, 1 / 3)
  closed = modes.count(samples, centres, std, closer=jnp.less_equal)
  assert closed.quality == 1
  narrow = modes.count(samples, centres, std, within=2.5)
  assert (narrow.quality, narrow.captured) == (0, 0)


def test_a_mode_needs_the_minimum_of_good_samples():
  labels, good = labelled([4, 3, 0, 9])
  good[0] = False
  captured = [modes.tally(labels, good, 4, n).captured for n in (1, 3, 4, 10)]
  assert captured == [3, 3, 1, 0]


def test_the_divergence_counts_what_its_reach_holds_and_smooths_it():
  centres = jnp.array([[0.0], [10], [20]])
  samples = jnp.array([[0.0], [0.5], [1], [4], [11], [15.5]])
  # Good are 3, 1 and 0 of 4, 1 and 1; the target is uniform.
  for rules, histogram in (
    ({}, [3, 1, 0]),
    ({'smoothing': 1}, [4, 2, 1]),
    ({'reach': jnp.inf}, [4, 1, 1]),
    ({'reach': jnp.inf, 'smoothing': 1}, [5, 2, 2]),
  ):
    found = modes.count(samples, centres, 1.0, **rules)
    share = np.array(histogram) / np.sum(histogram)
    expected = np.log(3) - scipy.stats.entropy(share)
    np.testing.assert_allclose(found.divergence, expected, rtol=1e-5)
    np.testing.assert_allclose(found.quality, 4 / 6, rtol=1e-6)
    np.testing.assert_array_equal(found.occupancy, [4, 1, 1])


def test_the_divergence_from_a_target_in_any_unit():
  counts = [3, 5, 0, 2]
  for target in [3.0, 5, 1, 2], [6, 10, 0, 4], [1.0, 1, 1, 1]:
    found = modes.tally(*labelled(counts), 4, target=target).divergence
    expected = scipy.stats.entropy(counts, target)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)


def test_k_modes_hit_evenly_lie_log_k_from_all():
  for hit in 1, 2, 4, 8:
    found = jax.jit(modes.tally, static_argnums=2)(*labelled([30] * hit), 8)
    np.testing.assert_allclose(
      found.divergence, np.log(8 / hit), rtol=1e-6, atol=1e-6
    )
    assert found.captured == hit


def test_nothing_good_has_no_divergence_and_still_an_occupancy():
  found = modes.count(RING + 0.1, RING, 0.01)
  assert (found.captured, found.quality) == (0, 0)
  assert jnp.isnan(found.divergence)
  assert found.occupancy.sum() == 8


def test_what_is_not_finite_belongs_to_no_mode():
  samples = jnp.array([[1.0, 0], [jnp.nan, 0], [0, jnp.inf], [0, 1]])
  found = modes.count(samples, RING, 0.01, reach=jnp.inf)
  np.testing.assert_array_equal(found.occupancy, [1, 0, 1, 0, 0, 0, 0, 0])
  assert found.quality == 0.5
  np.testing.assert_allclose(found.divergence, np.log(4), rtol=1e-6)


def test_a_population_is_counted_under_vmap_with_traced_rules():
  samples, std = scattered()
  groups = samples.reshape(4, 100, 2)
  within = jnp.array([1.0, 2, 3, 4])
  minimum, smoothing = jnp.array([1, 2, 3, 4]), jnp.array([0.0, 1, 2, 3])

  def one(samples, within, minimum, smoothing):
    return modes.count(
      samples, GRID, std, within, minimum=minimum, smoothing=smoothing
    )

  rules = within, minimum, smoothing
  together = jax.jit(jax.vmap(one))(groups, *rules)
  for member in range(4):
    alone = one(groups[member], *(rule[member] for rule in rules))
    for field, value in zip(alone._fields, alone, strict=True):
      np.testing.assert_allclose(
        getattr(together, field)[member], value, rtol=1e-5
      )


# --- counting by label -----------------------------------------------------

OWNERS = np.arange(8) % 4  # of the modes of the ring


def by_label(samples, labels, **rules):
  return modes.count_by_label(
    jnp.asarray(samples), np.asarray(labels), RING, 0.02, OWNERS, 4, **rules
  )


def test_a_mode_is_captured_by_samples_of_its_own_label_only():
  # Modes 0 and 4 are of the label 0, and 1 and 5 of the label 1.
  places = np.array([0, 0, 4, 5, 1, 2, 3])
  labels = np.array([0, 0, 0, 1, 0, 3, 3])
  found = by_label(RING[places], labels)
  # Those of the labels 0 on mode 1 and 3 on mode 2 are not good.
  assert found.captured == 4
  np.testing.assert_allclose(found.quality, 5 / 7)
  np.testing.assert_array_equal(found.captured_by_label, [2, 1, 0, 1])
  share = np.array([2, 1, 1, 1]) / 5
  np.testing.assert_allclose(
    found.divergence, np.log(8) - scipy.stats.entropy(share), rtol=1e-5
  )
  # Mode 1 lies nearer to mode 0 than to mode 4, and mode 2 to mode 3.
  np.testing.assert_array_equal(found.occupancy, [3, 0, 0, 2, 1, 1, 0, 0])


def test_one_mode_for_each_label_is_what_conditional_collapse_looks_like():
  labels = np.arange(400) % 4
  found = by_label(RING[labels], labels)
  assert (found.captured, found.quality) == (4, 1)
  np.testing.assert_array_equal(found.captured_by_label, [1, 1, 1, 1])
  np.testing.assert_allclose(found.divergence, np.log(2), rtol=1e-6)
  # All modes, and no label obeyed: as many samples, and none of them good.
  found = by_label(RING[(labels + 1) % 8], labels)
  assert (found.captured, found.quality) == (0, 0)
  np.testing.assert_array_equal(found.captured_by_label, [0, 0, 0, 0])


def test_a_single_label_is_counted_as_without_labels():
  random = np.random.default_rng(0)
  own = RING[random.integers(0, 6, 300)]
  samples = own + 0.04 * random.normal(size=(300, 2))
  none = np.zeros(300, int)
  rules = {'minimum': 20, 'reach': jnp.inf, 'smoothing': 1.0, 'within': 2.0}
  plain = modes.count(samples, RING, 0.02, **rules)
  found = jax.jit(
    lambda samples: modes.count_by_label(
      samples, none, RING, 0.02, none[:8], 1, **rules
    )
  )(samples)
  for name, value in plain._asdict().items():
    np.testing.assert_allclose(getattr(found, name), value, rtol=1e-6)
  np.testing.assert_array_equal(found.captured_by_label, [plain.captured])
  assert 0 < plain.captured < 7


def test_the_minimum_of_good_samples_is_that_of_each_mode_of_a_label():
  places = np.repeat([0, 4, 1, 5, 2, 6, 3], [3, 2, 3, 3, 1, 1, 4])
  found = by_label(RING[places], OWNERS[places], minimum=3)
  np.testing.assert_array_equal(found.captured_by_label, [1, 2, 0, 1])
  assert found.captured == 4


def test_what_is_not_finite_belongs_to_no_label_s_mode():
  samples = jnp.array([[1.0, 0], [jnp.nan, 0], [0, jnp.inf], [0, 1]])
  found = by_label(samples, [0, 0, 1, 2], reach=jnp.inf)
  np.testing.assert_array_equal(found.occupancy, [1, 0, 1, 0, 0, 0, 0, 0])
  np.testing.assert_array_equal(found.captured_by_label, [1, 0, 1, 0])
  assert found.quality == 0.5


def test_samples_and_centres_of_unlike_shapes_are_refused():
  with pytest.raises(ValueError, match=r'\(5, 3\).*\(8, 2\)'):
    modes.nearest(jnp.zeros((5, 3)), RING, 1)
  with pytest.raises(ValueError, match='flatten'):
    modes.nearest(jnp.zeros((5, 4, 2)), RING, 1)


# --- Stacked MNIST ---------------------------------------------------------


def test_a_class_a_channel_makes_the_mode_by_place_value():
  digits = jnp.array([[0, 0, 7], [9, 4, 2], [9, 4, 2], [1, 0, 0]])
  stacked = jax.jit(modes.stacked)
  found = stacked(5 * jax.nn.one_hot(digits, 10))
  expected = np.zeros(1000, int)
  expected[[7, 942, 100]] = 1, 2, 1
  np.testing.assert_array_equal(found.occupancy, expected)
  assert (found.captured, found.quality) == (3, 1)
  share = np.array([1, 2, 1]) / 4
  np.testing.assert_allclose(
    found.divergence, np.log(1000) - scipy.stats.entropy(share), rtol=1e-5
  )
  pairs = stacked(jax.nn.one_hot(digits[:, :2], 10), minimum=2)
  assert len(pairs.occupancy) == 100
  assert (pairs.captured, pairs.occupancy[94]) == (1, 2)


def test_every_channel_has_to_be_as_sure_as_is_asked():
  sure = np.array([[0.95, 0.9], [0.95, 0.6], [0.55, 0.9], [np.nan, 0.9]])
  logits = jnp.log(jnp.stack([sure, 1 - sure], -1))
  for confidence, quality in (0, 3 / 4), (0.58, 2 / 4), (0.8, 1 / 4), (0.93, 0):
    found = modes.stacked(logits, confidence)
    assert found.quality == quality
    np.testing.assert_array_equal(found.occupancy, [3, 0, 0, 0])
  with pytest.raises(ValueError, match=r'\(4, 2\)'):
    modes.stacked(sure)


# --- what a perfect sampler scores -----------------------------------------


@pytest.mark.parametrize(
  ('shares', 'samples', 'published'),
  [
    (np.full(8, 1 / 8), 2500, 0.0014),
    (np.full(25, 1 / 25), 2500, 0.0048),
    (functools.reduce(np.multiply.outer, [DIGITS] * 3).ravel(), 26000, 0.0236),
  ],
  ids=['ring', 'grid', 'Stacked MNIST'],
)
def test_floor_of_the_divergence(shares, samples, published):
  shares, number, trials = shares / shares.sum(), len(shares), 200
  own = scipy.stats.entropy(shares, np.full(number, 1 / number))
  floor = modes.floor(number, samples, own)
  np.testing.assert_allclose(floor, published, atol=5e-5)
  random = np.random.default_rng(0)
  counts = random.multinomial(samples, shares, trials)
  drawn = np.log(number) - scipy.stats.entropy(counts, axis=1)
  deviation = np.sqrt((number - 1) / 2) / samples
  # The next term of the expansion, (sum of 1 / p - 1) / 12 N^2.
  further = ((1 / shares).sum() - 1) / (12 * samples**2)
  np.testing.assert_allclose(
    drawn.mean(), floor + further, atol=4 * drawn.std() / np.sqrt(trials)
  )
  if own < 1e-12:
    np.testing.assert_allclose(drawn.std(), deviation, rtol=0.2)


def test_a_perfect_sampler_reaches_the_ceiling_and_the_floor():
  keys = jax.random.split(jax.random.key(0), 40)
  for centres, std in (RING, 0.01), (GRID, 0.05):
    sample = toy.mixture(centres, std)

    @jax.jit
    @jax.vmap
    def found(key, sample=sample, centres=centres, std=std):
      return modes.count(sample(key, 2500), centres, std)

    scores = found(keys)
    assert (scores.captured == len(centres)).all()
    # 100,000 draws: a deviation of the mean is 0.00033.
    np.testing.assert_allclose(
      scores.quality.mean(), 1 - np.exp(-4.5), atol=0.0012
    )
    counted = 2500 * modes.ceiling()
    error = 4 * scores.divergence.std() / np.sqrt(40)
    np.testing.assert_allclose(
      scores.divergence.mean(), modes.floor(len(centres), counted), atol=error
    )


def test_ceiling_is_the_distribution_of_a_radius():
  within = jnp.array([0.5, 1, 2, 3])
  np.testing.assert_allclose(modes.ceiling(), 0.98889, atol=5e-6)
  np.testing.assert_allclose(
    jax.jit(modes.ceiling)(within), 1 - np.exp(-(within**2) / 2), rtol=1e-5
  )
  np.testing.assert_allclose(
    modes.ceiling(within, 1), scipy.special.erf(within / 2**0.5), rtol=1e-5
  )
  np.testing.assert_allclose(
    modes.ceiling(within, 7), scipy.stats.chi(7).cdf(within), rtol=1e-4
  )
