"""Warnings about a running game: what a metric means, and what to change."""

_HAS_WON = (
  'The discriminator has won: it is right on nearly all reals and fakes, so '
  'the generator learns little. Lower '
  'optimizers.discriminator.learning_rate, let it rest with skip_below, or '
  'raise regularizers.discriminator.r1.weight.'
)
_HAVE_COLLAPSED = (
  'The samples have collapsed: they differ from each other less than a quarter '
  'as much as reals do. Raise regularizers.discriminator.r1.weight, set '
  'spectral.discriminator, or lower optimizers.generator.learning_rate.'
)


def on_balance(metrics):
  """Returns a sentence if the discriminator has won, or None.

  Args:
    metrics: means over some steps, with `accuracy/real` and `accuracy/fake`,
      in [0, 1], and `logits/real` and `logits/fake`.
  """
  accuracy = min(metrics['accuracy/real'], metrics['accuracy/fake'])
  gap = metrics['logits/real'] - metrics['logits/fake']
  return _HAS_WON if accuracy > 0.99 and gap > 6 else None


def on_diversity(spread, real_spread):
  """Returns a sentence if the samples have collapsed, or None.

  Args:
    spread: the mean distance of two samples.
    real_spread: the mean distance of two reals, on the same scale.
  """
  return _HAVE_COLLAPSED if spread < real_spread / 4 else None
