"""Advice: the thresholds at which a sentence is said."""

import pytest

from ganjax.training import warnings


@pytest.mark.parametrize(
  ('accuracies', 'logits', 'has_won'),
  [
    ((0.999, 0.999), (5, -5), True),
    ((0.995, 1.0), (4, -2.5), True),
    ((0.99, 1.0), (5, -5), False),
    ((1.0, 0.9), (5, -5), False),
    ((1.0, 1.0), (3, -3), False),
    ((0.5, 0.5), (0, 0), False),
  ],
)
def test_on_balance(accuracies, logits, has_won):
  sentence = warnings.on_balance(
    {
      'accuracy/real': accuracies[0],
      'accuracy/fake': accuracies[1],
      'logits/real': logits[0],
      'logits/fake': logits[1],
    }
  )
  assert bool(sentence) is has_won
  if has_won:
    assert 'optimizers.discriminator.learning_rate' in sentence


@pytest.mark.parametrize(
  ('spread', 'collapsed'), [(0.0, True), (0.9, True), (1.0, False), (4, False)]
)
def test_on_diversity(spread, collapsed):
  sentence = warnings.on_diversity(spread, 4.0)
  assert bool(sentence) is collapsed
  if collapsed:
    assert 'regularizers.discriminator.r1.weight' in sentence
