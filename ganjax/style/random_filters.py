"""An encoder that needs no file: random filters at four scales.

Ustyuzhaninov et al., "What does it take to generate natural textures?", 2017,
arXiv:1606.00021, and He, Wang and Hopcroft, "A Powerful Generative Model Using
Random Weights for the Deep Image Representation", 2016, arXiv:1606.04801: such
features hold a texture's colours and fine grain, and little of its form.
"""

import jax
import jax.numpy as jnp
import numpy as np

from ganjax.style import encoders
from ganjax.weights.layers import convolution

_WIDTHS = (24, 64, 128, 128)
_SMALLEST = 16
LAYERS = tuple(
  f'relu{scale}_{number}'
  for scale in range(1, len(_WIDTHS) + 1)
  for number in (1, 2)
)


def encoder(seed=0) -> encoders.Encoder:
  """Returns an encoder of four scales, with two 3x3 convolutions at each.

  The filters are orthogonal and scaled to preserve the mean square of the
  activations (He et al., 2015, arXiv:1502.01852). The picture is reflected at
  its border, and features are blurred before they are halved. Filters scaled to
  the same mean activation, or without a response to brightness, were tried and
  were worse by the style distance of a trained network.

  Args:
    seed: draws the filters, and is part of the name.
  """
  # NumPy keeps the stream of this generator for good (NEP 19).
  random = np.random.RandomState(seed)
  params, channels = {}, 3
  for layer, width in zip(LAYERS, np.repeat(_WIDTHS, 2), strict=True):
    drawn = random.standard_normal((9 * channels, width))
    # Gram and Schmidt's basis has no signs that a library could choose. The
    # rectifier halves the mean square, hence the root of 2.
    lower = np.linalg.cholesky(drawn.T @ drawn)
    columns = np.sqrt(2) * np.linalg.solve(lower, drawn.T).T
    kernel = columns.reshape(3, 3, channels, width)
    params[layer] = {
      'kernel': jnp.asarray(kernel, jnp.float32),
      'bias': jnp.asarray(np.zeros(width, np.float32)),
    }
    channels = width
  return encoders.Encoder(
    f'random filters (seed {seed}): colours and fine texture only',
    params,
    _apply,
    LAYERS,
    content=('relu2_1',),
    style=('relu1_1', 'relu2_1', 'relu3_1', 'relu4_1'),
    smallest=_SMALLEST,
  )


def _apply(params, pictures, layers):
  encoders.check(pictures, _SMALLEST)
  found, x = {}, encoders.torchvision(pictures)
  for name in encoders.up_to(LAYERS, layers):
    if name in ('relu2_1', 'relu3_1', 'relu4_1'):
      x = _downsampled(x)
    x = found[name] = _convolved(params[name], x)
  return {name: found[name] for name in layers}


def _convolved(layer, x):
  x = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), 'reflect')
  return jax.nn.relu(convolution(x, layer, padding='VALID'))


def _downsampled(x):
  """Returns `[N, H // 2, W // 2, C]` under the kernel 1 3 3 1.

  This kernel is wide enough not to leave a grid.
  """
  for axis in (1, 2):
    count = x.shape[axis] // 2
    around = [(0, 0)] * x.ndim
    around[axis] = (1, 1)
    even, odd = encoders.halves(jnp.pad(x, around, 'reflect'), axis)

    def part(rows, start, axis=axis, count=count):
      return jax.lax.slice_in_dim(rows, start, start + count, axis=axis)

    inner = part(odd, 0) + part(even, 1)
    x = (part(even, 0) + 3 * inner + part(odd, 1)) / 8
  return x
