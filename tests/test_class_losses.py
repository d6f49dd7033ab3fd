"""Losses of class labels: loops over examples in float64, and closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ganjax import class_losses

LABELS = [0, 2, 1, 0, 2, 2]
CLASSES, SIZE = 3, 4
RANDOM = np.random.default_rng(0)
LOGITS = RANDOM.normal(size=(6, CLASSES))
EMBEDDINGS = RANDOM.normal(size=(6, SIZE))
PROXIES = RANDOM.normal(size=(CLASSES, SIZE))


# The formulas of the papers, an example and a pair at a time.


def entropy_by_loops(logits):
  values = []
  for row, label in zip(logits, LABELS, strict=True):
    values.append(-jnp.log(jnp.exp(row[label]) / sum(map(jnp.exp, row))))
  return jnp.stack(values)


def cosine(a, b):
  return (a * b).sum() / jnp.sqrt((a * a).sum() * (b * b).sum())


def contrastive_by_loops(embeddings, proxies, temperature):
  values = []
  for i, label in enumerate(LABELS):
    own = jnp.exp(cosine(embeddings[i], proxies[label]) / temperature)
    above, below = own, own
    for j, other in enumerate(LABELS):
      if j != i:
        near = jnp.exp(cosine(embeddings[i], embeddings[j]) / temperature)
        below += near
        above += near if other == label else 0
    values.append(-jnp.log(above / below))
  return jnp.stack(values)


def data_to_data_by_loops(embeddings, proxies, temperature, margin):
  values = []
  for i, label in enumerate(LABELS):
    away = margin - cosine(embeddings[i], proxies[label])
    pull = jnp.maximum(away, 0) / temperature
    total = jnp.exp(-pull)
    for j, other in enumerate(LABELS):
      if other != label:
        near = cosine(embeddings[i], embeddings[j]) - (1 - margin)
        total += jnp.exp(jnp.maximum(near, 0) / temperature)
    values.append(pull + jnp.log(total))
  return jnp.stack(values)


CASES = {
  'cross-entropy': (
    lambda logits: class_losses.cross_entropy(logits, jnp.int32(LABELS)),
    entropy_by_loops,
    (LOGITS,),
  ),
  'contrastive': (
    lambda *given: class_losses.conditional_contrastive(
      *given, jnp.int32(LABELS), 0.7
    ),
    lambda *given: contrastive_by_loops(*given, 0.7),
    (EMBEDDINGS, PROXIES),
  ),
  'data to data': (
    lambda *given: class_losses.data_to_data_cross_entropy(
      *given, jnp.int32(LABELS)
    ),
    lambda *given: data_to_data_by_loops(*given, 0.5, 0.98),
    (EMBEDDINGS, PROXIES),
  ),
  'data to data, a narrow margin': (
    lambda *given: class_losses.data_to_data_cross_entropy(
      *given, jnp.int32(LABELS), 0.3, 0.4
    ),
    lambda *given: data_to_data_by_loops(*given, 0.3, 0.4),
    (EMBEDDINGS, PROXIES),
  ),
}


@pytest.mark.parametrize('name', CASES)
def test_values_and_gradients_are_those_of_loops_in_float64(name):
  loss, loops, inputs = CASES[name]
  # A weight for each example, so that its gradient is not that of another.
  weights = np.linspace(0.5, 2, 6)
  places = tuple(range(len(inputs)))

  def both(function, inputs):
    weighted = jax.grad(
      lambda *given: (weights * function(*given)).sum(), places
    )
    return function(*inputs), weighted(*inputs)

  with jax.enable_x64(True):
    expected = both(loops, [jnp.asarray(own, jnp.float64) for own in inputs])
    expected = jax.tree.map(np.asarray, expected)
  assert expected[0].dtype == np.float64
  found = both(loss, [jnp.asarray(own, jnp.float32) for own in inputs])
  jax.tree.map(
    lambda own, other: np.testing.assert_allclose(
      own, other, rtol=2e-5, atol=1e-6
    ),
    found,
    expected,
  )


def test_a_classifier_that_is_right_for_certain_has_no_loss_and_no_gradient():
  labels = jnp.int32(LABELS)
  logits = 200.0 * jax.nn.one_hot(labels, CLASSES)
  value, gradient = jax.value_and_grad(
    lambda logits: class_losses.cross_entropy(logits, labels).sum()
  )(logits)
  assert value == 0
  np.testing.assert_array_equal(gradient, np.zeros((6, CLASSES)))


def test_a_classifier_that_says_nothing_has_the_logarithm_of_the_classes():
  logits = jnp.full((6, CLASSES), 7.0)
  found = class_losses.cross_entropy(logits, jnp.int32(LABELS))
  np.testing.assert_allclose(found, np.log(CLASSES), rtol=1e-6)


@pytest.mark.parametrize(
  'loss',
  [
    class_losses.conditional_contrastive,
    class_losses.data_to_data_cross_entropy,
  ],
)
def test_a_batch_of_one_class_has_no_negatives_and_exactly_0(loss):
  def total(embeddings, proxies):
    return loss(embeddings, proxies, jnp.full(6, 1)).sum()

  value, gradients = jax.value_and_grad(total, (0, 1))(
    jnp.asarray(EMBEDDINGS, jnp.float32), jnp.asarray(PROXIES, jnp.float32)
  )
  assert value == 0
  assert not any(np.any(own) for own in gradients)


def test_pairs_that_are_near_or_far_enough_have_no_gradient():
  # Each embedding is its proxy, and the classes are orthogonal.
  proxies = jnp.eye(CLASSES, SIZE)
  labels = jnp.int32([0, 0, 1, 2])
  values, gradient = jax.value_and_grad(
    lambda embeddings: class_losses.data_to_data_cross_entropy(
      embeddings, proxies, labels
    ).sum()
  )(3 * proxies[labels])
  # ln(1 + negatives): 2, 2, 3 and 3 of them.
  np.testing.assert_allclose(values, 2 * np.log(3) + 2 * np.log(4), rtol=1e-6)
  np.testing.assert_array_equal(gradient, np.zeros((4, SIZE)))


def test_the_length_of_an_embedding_says_nothing():
  labels = jnp.int32(LABELS)
  given = (
    jnp.asarray(EMBEDDINGS, jnp.float32),
    jnp.asarray(PROXIES, jnp.float32),
  )
  longer = 5 * given[0], 0.1 * given[1]
  for loss in (
    class_losses.conditional_contrastive,
    class_losses.data_to_data_cross_entropy,
  ):
    np.testing.assert_allclose(
      loss(*given, labels), loss(*longer, labels), rtol=1e-4
    )
  zero = jnp.zeros_like(given[0])
  gradient = jax.grad(
    lambda own: class_losses.conditional_contrastive(
      own, given[1], labels
    ).sum()
  )(zero)
  assert np.isfinite(gradient).all()
