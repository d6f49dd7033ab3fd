"""ADA's transforms 14 to 17: the gains of four bands of frequencies.

Karras et al., "Training Generative Adversarial Networks with Limited Data",
2020, arXiv:2006.06676, appendix B.
"""

import jax
import jax.numpy as jnp
import numpy as np

from ganjax.arrays import Scalar
from ganjax.augment.affine import reflected
from ganjax.augment.per_image import used

# The low-pass filter of Daubechies' symlet of order 2, whose sum is sqrt(2).
_SYM2 = np.array([[1, 3, 3, 1], [-1, -1, 1, 1]]).T @ [1, 3**0.5] / 32**0.5
# The shares of the bands in the power of natural images, which is 1 / f.
_POWER = np.array([10, 1, 1, 1], np.float32) / 13


def filters() -> np.ndarray:
  """Returns the filters `[4, 43]` of the bands, whose sum is the identity.

  The first keeps an eighth of the frequencies, the lowest, and the others the
  second, third and fourth octave; all are symmetric.
  """
  pair = _SYM2, _SYM2 * np.array([1, -1, 1, -1])
  low, high = (np.convolve(own, own[::-1]) / 2 for own in pair)
  bank = np.eye(4, 1)
  for band in (1, 2, 3):
    spread = np.zeros((4, 2 * bank.shape[1] - 1))
    spread[:, ::2] = bank
    bank = np.stack([np.convolve(row, low) for row in spread])
    middle = (bank.shape[1] - len(high)) // 2
    bank[band, middle : middle + len(high)] += high
  return bank


def band_gains(image: jax.Array, key: jax.Array, p: Scalar) -> jax.Array:
  """Returns the image `[H, W, C]` with its bands of frequencies amplified.

  Each band in its turn is used with probability `p`: it is amplified by 2^N(0,
  1), and then all of them by the factor that keeps the power of an image whose
  spectrum is 1 / f. Beyond its border an image goes on as its reflection.
  """
  gains = jnp.ones(4)
  for band, own in enumerate(jax.random.split(key, 4)):
    gate, draw = jax.random.split(own)
    amount = jnp.where(used(gate, p), jax.random.normal(draw), 0)
    gain = jnp.ones(4).at[band].set(jnp.exp2(amount))
    gains *= gain / jnp.sqrt((_POWER * gain**2).sum())
  down, right = (
    jnp.einsum('b,bij->ij', gains, _matrices(length), precision='highest')
    for length in image.shape[:2]
  )
  return jnp.einsum('ih,jw,hwc->ijc', down, right, image, precision='highest')


def _matrices(length):
  """Returns the bands as matrices `[4, L, L]` of a row of L pixels."""
  bank, pixels = filters(), np.arange(length)
  matrices = np.zeros((len(bank), length, length), np.float32)
  for tap in range(bank.shape[1]):
    source = reflected(pixels + tap - bank.shape[1] // 2, length)
    np.add.at(matrices, (slice(None), pixels, source), bank[:, tap, None])
  return matrices
