"""The kernel distance against its definition."""

import numpy as np

from ganjax.metrics import kid


def test_kid_agrees_with_a_double_loop():
  random = np.random.default_rng(4)
  x, y = random.normal(size=(7, 3)), random.normal(1, 2, size=(7, 3))

  def kernel(a, b):
    return (sum(a * b) / 3 + 1) ** 3

  within = sum(
    kernel(set_[i], set_[j])
    for set_ in (x, y)
    for i in range(7)
    for j in range(7)
    if i != j
  )
  across = sum(kernel(a, b) for a in x for b in y)
  mean, deviation = kid.kid(x, y, subsets=3, size=1000, seed=0)
  np.testing.assert_allclose(mean, within / 42 - 2 * across / 49, rtol=1e-12)
  # Each subset is all of both sets.
  np.testing.assert_allclose(deviation, 0, atol=1e-12)


def test_kid_is_unbiased():
  random = np.random.default_rng(5)
  values = [
    kid.kid(*random.normal(size=(2, 20, 4)), subsets=1, size=20, seed=0)[0]
    for _ in range(400)
  ]
  standard_error = np.std(values) / np.sqrt(len(values))
  assert abs(np.mean(values)) < 4 * standard_error
  # The biased estimate, with its diagonals, would lie this far off.
  assert standard_error < 0.05
  assert min(values) < 0


def test_kid_takes_the_smaller_set_for_its_subsets_and_repeats():
  random = np.random.default_rng(6)
  x, y = random.normal(size=(30, 4)), random.normal(3, 1, size=(20, 4))
  first = kid.kid(x, y, subsets=5, size=25, seed=1)
  assert first == kid.kid(x, y, subsets=5, size=20, seed=1)
  assert first != kid.kid(x, y, subsets=5, size=20, seed=2)
  assert first[0] > 1
