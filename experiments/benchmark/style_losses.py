"""Losses of both sides: whether they agree, and how soon they fall."""

import time

import numpy as np
from tqdm import tqdm

from experiments.benchmark import rounds

_TOLERANCE = 1e-4


def agreement(sides):
  """Returns {'loss', 'gradient', 'most of it'}: relative differences from ours.

  Rounding switches a few rectifiers and pools of millions, and with them the
  gradient around a few pixels. What must agree is therefore the gradient
  without the tenth of the pixels that differ the most. (PyTorch in float64 is
  farther from PyTorch in float32 than our side is.)

  Args:
    sides: `style_sides.Side`s by name, ours first; one alone gives no result.

  Raises:
    ValueError: if the loss or most of the gradient differs by more than 1e-4.
  """
  (loss, gradient), *others = (side.start() for side in sides.values())
  far, whole = {}, np.linalg.norm(gradient)
  for other_loss, other_gradient in others:
    errors = np.sort(np.linalg.norm(other_gradient - gradient, axis=-1), None)
    most = errors[: len(errors) * 9 // 10]
    far['loss'] = abs(float(other_loss / loss) - 1)
    far['gradient'] = float(np.linalg.norm(errors) / whole)
    far['most of it'] = float(np.linalg.norm(most) / whole)
  for part in set(far) - {'gradient'}:
    if not far[part] <= _TOLERANCE:
      raise ValueError(
        f"At the start PyTorch's relative differences from ours are {far}, but "
        f'{part} may be {_TOLERANCE} at most. There is nothing to compare, '
        "because the objectives differ. The benchmark is for Caffe's "
        'SqueezeNet 1.0 and the default method.'
      )
  return far


def by_evaluations(sides, budget):
  """Returns the row of the time until a loss, that of Adam in the end.

  The sides alternate at every evaluation. L-BFGS also evaluates points that it
  rejects, so what counts is the lowest loss so far.

  Args:
    sides: `style_sides.Side`s by name, with 'ganjax, Adam' among them.
    budget: evaluations of each side.
  """
  losses = {name: [] for name in sides}
  seconds = {name: [] for name in sides}
  for _ in tqdm(range(budget), disable=None):
    for name, side in sides.items():
      before = time.perf_counter()
      losses[name].append(side.evaluate().item())
      seconds[name].append(time.perf_counter() - before)
  lowest = {k: np.minimum.accumulate(v) for k, v in losses.items()}
  taken = {k: np.cumsum(v) for k, v in seconds.items()}
  wanted = lowest['ganjax, Adam'][-1]
  found, words = {}, []
  for name, series in lowest.items():
    found[name] = {'losses': losses[name], 'evaluations': seconds[name]}
    reached = first_below(series, taken[name], wanted)
    if reached:
      number, after = reached
      found[name] |= rounds.summary([after], found[name])
      words.append(f'{name} after {number} evaluations')
    else:
      words.append(f'{name} not after {budget}')
  return {
    'unit': '',
    'each': 'descent',
    'sides': found,
    'words': f'The loss of {wanted:.4f} is reached by {", ".join(words)}.',
  }


def first_below(losses, seconds, wanted):
  """Returns (evaluations, seconds) until a loss is at most `wanted`, or None.

  Args:
    losses: by evaluation.
    seconds: from the start to each of them.
    wanted: a loss.
  """
  below = np.flatnonzero(np.asarray(losses) <= wanted)
  if not below.size:
    return None
  return int(below[0]) + 1, float(seconds[below[0]])
