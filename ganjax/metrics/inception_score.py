"""The inception score, of a classifier's certainty and of the variety."""

import numpy as np
from scipy import special


def inception_score(logits, splits=10) -> tuple[float, float]:
  """Returns mean and standard deviation of the score over parts of the samples.

  `exp E_x KL(p(y | x) || p(y))`: Salimans et al., "Improved Techniques for
  Training GANs", 2016, arXiv:1606.03498, section 4, between 1 and the number of
  classes; usually of 50,000 samples in ten parts. `p(y)` is the mean over a
  part, so that fewer samples have lower scores: compare equal counts only. The
  score does not depend on reals, and one perfect sample of each class gives the
  best score.

  Args:
    logits: [N, K], of the classes, of independent samples.
    splits: the number of parts, whose sizes differ by one at most.

  Raises:
    ValueError: if the logits are not [N, K], are not finite, or N < `splits`.
  """
  logits = np.asarray(logits, np.float64)
  if logits.ndim != 2 or not 1 <= splits <= len(logits):
    raise ValueError(
      f'The inception score got logits of the shape {logits.shape} in {splits} '
      'parts; expected [N, K] and at least one sample for each part.'
    )
  if not np.isfinite(logits).all():
    raise ValueError(
      'Some logits are not finite; look for a generator that has diverged.'
    )
  scores = [_score(part) for part in np.array_split(logits, splits)]
  return float(np.mean(scores)), float(np.std(scores))


def _score(logits):
  log_each = special.log_softmax(logits, axis=1)
  log_all = special.logsumexp(log_each, axis=0) - np.log(len(logits))
  divergences = np.sum(np.exp(log_each) * (log_each - log_all), axis=1)
  return np.exp(divergences.mean())
