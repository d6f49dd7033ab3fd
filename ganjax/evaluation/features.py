"""Features that images are compared on, under a name, and small networks.

A Frechet or kernel distance has no meaning without the name of its features, so
`Features` has both.
"""

from collections.abc import Callable
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from ganjax.arrays import Array
from ganjax.networks import convolution


class Features(NamedTuple):
  """A function from images to features, and its name.

  Attributes:
    name: which identifies the features, with all that they depend on.
    apply: images [N, H, W, C] in [-1, 1] to features [N, D]. It is traceable
      and takes the whole array at once; `in_batches` bounds its memory.
    logits: features [N, D] to logits [N, K] of the classes that the network was
      trained to classify; None if it was not trained.
  """

  name: str
  apply: Callable
  logits: Callable | None = None


def random_features(seed: int = 0) -> Features:
  """Returns features [N, 384] of an untrained network, for sides of 8 or more.

  Three 3x3 convolutions of 64 channels (He et al., Delving deep into
  rectifiers, 2015, arXiv:1502.01852), each at half the resolution of the one
  before; the features are the mean and standard deviation of each channel. They
  order sets by colour and texture, not by content. Distances are comparable at
  one image size only. `apply` raises ValueError for a side under 8.

  Args:
    seed: of the weights. It is part of the name, for it defines the measure.
  """

  def apply(images):
    if images.ndim != 4 or min(images.shape[1:3]) < 8:
      raise ValueError(
        f'Random features got images of the shape {images.shape}; expected '
        '[N, H, W, C] with H and W of at least 8: enlarge the images first.'
      )
    # NumPy never changes the stream of this generator (NEP 19), so that no
    # version and no setting of jax changes the measure.
    random = np.random.RandomState(seed)
    x, found = images, []
    for scale in range(3):
      if scale:
        x = nn.avg_pool(x, (2, 2), (2, 2))
      shape = (3, 3, x.shape[-1], 64)
      kernel = random.standard_normal(shape) * np.sqrt(2 / np.prod(shape[:3]))
      x = nn.relu(
        jax.lax.conv_general_dilated(
          x,
          kernel.astype(np.float32),
          window_strides=(1, 1),
          padding='SAME',
          dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
          # TF32 and bfloat16 would make the measure depend on the device.
          precision='highest',
        )
      )
      found += [x.mean(axis=(1, 2)), x.std(axis=(1, 2))]
    return jnp.concatenate(found, axis=-1)

  return Features(f'random-conv-384 (seed {seed}, untrained)', apply)


class Classifier(nn.Module):
  """Logits [N, classes] and penultimate activations [N, 128] of images.

  A small network for images of 16 to 64 px: 2x2 patches become channels, two
  3x3 convolutions of 32 channels follow, and then, until the side is 8 px or
  less, the patches again and a 3x3 convolution, of 64. The patches
  replace strides and max pooling, whose gradients are slow on a CPU.
  """

  classes: int

  @nn.compact
  def __call__(self, images):
    """Images [N, H, W, C] in [-1, 1] to (logits, penultimate)."""
    x = nn.relu(_conv(32, name='stem')(_patches(images)))
    x = nn.relu(_conv(32)(x))
    while max(x.shape[1:3]) > 8:
      x = nn.relu(nn.Dense(64)(_patches(x)))
      x = nn.relu(_conv(64)(x))
    x = nn.relu(nn.Dense(128, name='penultimate')(x.reshape(len(x), -1)))
    return nn.Dense(self.classes, name='logits')(x), x


def _conv(features, name=None):
  """Returns a 3x3 convolution by the one that is fast on CPUs."""

  def convolve(images, kernel, *_, **__):
    return convolution.convolution(images, kernel, 1, 1)

  return nn.Conv(features, (3, 3), conv_general_dilated=convolve, name=name)


def _patches(x):
  """Returns [N, H/2, W/2, 4 C] of [N, H, W, C], odd sides padded with 0."""
  n, height, width, channels = x.shape
  x = jnp.pad(x, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)))
  x = x.reshape(n, (height + 1) // 2, 2, (width + 1) // 2, 2, channels)
  return x.swapaxes(2, 3).reshape(*x.shape[:2], x.shape[3], 4 * channels)


def in_batches(
  apply: Callable[[jax.Array], jax.Array], images: Array, size: int = 256
) -> np.ndarray:
  """Returns `apply` of all images, a NumPy array [N, ...], in compiled batches.

  Args:
    apply: images [size, H, W, C] float32 in [-1, 1] to an array [size, ...].
    images: [N, H, W, C], N >= 1, float32 in [-1, 1] or uint8, which is scaled.
    size: images at once. The last batch is filled up, to compile only once.
  """
  jitted, outputs = jax.jit(apply), []
  for start in range(0, len(images), size):
    batch = np.asarray(images[start : start + size])
    if missing := size - len(batch):
      batch = np.concatenate([batch, batch[-1:].repeat(missing, 0)])
    scaled = _scaled(batch) if batch.dtype == np.uint8 else batch
    outputs.append(jitted(scaled))
    # This batch is computed while the next one is read.
    outputs[-2:-1] = map(np.asarray, outputs[-2:-1])
  return np.concatenate(outputs)[: len(images)]


@jax.jit
def _scaled(images):
  return images.astype(jnp.float32) / 127.5 - 1
