"""What the discriminator of a run makes of images that it may not have seen."""

import jax
import numpy as np

from ganjax.arrays import Batch
from ganjax.data import images

_MOST = 1024  # images that are judged


def judge(metrics, config):
  """Returns `(given, pixels, labels, seed) -> share` of images taken for real.

  The images pass as the reals of the discriminator's objective, with all that
  it does to them there: augmentation, noise, batch statistics, and comparison
  with fakes. Of images that it was trained on the share is the accuracy on
  reals that a training logs; where that of held-out images falls behind it, the
  discriminator has learned its examples by heart (Karras et al., "Training
  Generative Adversarial Networks with Limited Data", 2020, arXiv:2006.06676,
  figure 1). Pixels are uint8 `[N, H, W, C]`, of which whole batches are judged,
  1,024 images at most.

  Args:
    metrics: `(given, batch, key) -> dict`, the metrics of the discriminator's
      objective; `given` is any tree of arrays.
    config: of the training.
  """
  compiled = jax.jit(metrics)

  def share(given, pixels, labels, seed):
    number = min(len(pixels), _MOST)
    size = min(config.batch_size, number)
    order = np.random.default_rng(seed).permutation(len(pixels))
    rows = order[: number // size * size].reshape(-1, size)
    key = jax.random.key(seed)
    shares = [
      compiled(
        given,
        Batch(
          images.scale(pixels[own]), labels[own] if config.labels else None
        ),
        jax.random.fold_in(key, at),
      )['accuracy/real']
      for at, own in enumerate(rows)
    ]
    return float(np.mean(shares))

  return share
