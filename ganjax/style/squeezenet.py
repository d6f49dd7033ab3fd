"""SqueezeNet 1.0 and 1.1, from the files in which people have them.

Iandola et al., "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters
and <0.5MB model size", 2016, arXiv:1602.07360, table 1.
"""

import functools

import jax
import jax.numpy as jnp

from ganjax.style import encoders
from ganjax.weights.layers import convolution, read_layer

_FIRES = tuple(f'fire{number}' for number in range(2, 10))
LAYERS = ('conv1', *_FIRES)

# The layers after a pool, by the side of the first kernel in pixels, which is 7
# in version 1.0 and 3 in version 1.1.
_POOLED = {7: ('fire2', 'fire5', 'fire9'), 3: ('fire2', 'fire4', 'fire6')}
_SMALLEST = {7: 21, 3: 17}
_VERSION = {7: '1.0', 3: '1.1'}

# The mean of ImageNet as SqueezeNet rounds it: blue, green, red in [0, 255].
_MEAN = (104.0, 117.0, 123.0)


def activations(params, images, layers):
  """Returns `{layer: features [N, h, w, C]}` of preprocessed images.

  Args:
    params: `{'conv1': {'kernel', 'bias'}, 'fire2': {'squeeze', 'expand1x1',
      'expand3x3'}, ...}`; the first kernel tells the version.
    images: `[N, H, W, 3]`, preprocessed as for the training of the weights.
    layers: names among conv1, fire2, ..., fire9, all of them rectified.

  Raises:
    ValueError: if a layer is none of these.
  """
  found, x = {}, images
  pooled = _POOLED[len(params['conv1']['kernel'])]
  for name in encoders.up_to(LAYERS, layers):
    if name in pooled:
      x = _max_pool(_max_pool(x, 1), 2)
    if name == 'conv1':
      x = convolution(x, params[name], stride=2, padding='VALID')
      x = jax.nn.relu(x)
    else:
      x = _fire(params[name], x)
    found[name] = x
  return {name: found[name] for name in layers}


def from_weights(arrays, source, prepare=None) -> encoders.Encoder:
  """Returns the encoder of SqueezeNet 1.0 or 1.1 from a file's arrays.

  The first kernel tells the version. The names tell whose weights they are:
  torchvision has 'features.0.weight', Caffe 'conv1/weight'.

  Args:
    arrays: by name, as `ganjax.weights.formats.read` returns them.
    source: where they are from, for the encoder's name.
    prepare: the preprocessing of pictures; None is `encoders.torchvision` for
      torchvision's names, and for Caffe's `encoders.caffe` with SqueezeNet's
      mean, (104, 117, 123).

  Raises:
    ValueError: if an array is missing or has another shape.
  """
  torchvision = 'features.0.weight' in arrays
  usual = functools.partial(encoders.caffe, mean=_MEAN)
  prepare = prepare or (encoders.torchvision if torchvision else usual)
  arrays = _by_layer(arrays)
  side = arrays['conv1.weight'].shape[-1] if 'conv1.weight' in arrays else 0
  if side not in _VERSION:
    raise ValueError(
      f'SqueezeNet ({source}) begins with a kernel of {side} pixels; expected '
      '7 (version 1.0) or 3 (version 1.1). The file holds another network.'
    )
  name = f'SqueezeNet {_VERSION[side]} ({source})'

  def layer(at, channels, side):
    found = read_layer(arrays, at, (None, channels, side, side), name)
    return found, found['bias'].size

  params = {}
  params['conv1'], channels = layer('conv1', 3, side)
  for fire in _FIRES:
    squeeze, squeezed = layer(f'{fire}.squeeze', channels, 1)
    one, ones = layer(f'{fire}.expand1x1', squeezed, 1)
    three, threes = layer(f'{fire}.expand3x3', squeezed, 3)
    params[fire] = {'squeeze': squeeze, 'expand1x1': one, 'expand3x3': three}
    channels = ones + threes

  def apply(params, pictures, layers):
    encoders.check(pictures, _SMALLEST[side])
    return activations(params, prepare(pictures), layers)

  return encoders.Encoder(
    name,
    params,
    apply,
    LAYERS,
    content=('fire5',) if side == 7 else ('fire4',),
    style=('conv1', 'fire3', 'fire5', 'fire6', 'fire8'),
    smallest=_SMALLEST[side],
  )


def recognises(arrays):
  """Returns whether the arrays have the names of a SqueezeNet."""
  return 'fire2.squeeze.weight' in _by_layer(arrays)


def _fire(params, x):
  x = jax.nn.relu(convolution(x, params['squeeze'], padding='VALID'))
  ones = convolution(x, params['expand1x1'], padding='VALID')
  threes = convolution(x, params['expand3x3'])
  return jax.nn.relu(jnp.concatenate([ones, threes], axis=-1))


def _max_pool(x, axis):
  """Returns the maximum of 3 features, every 2, along an axis.

  The last window may have only 2 features.
  """
  count = x.shape[axis] // 2
  around = [(0, 0)] * x.ndim
  around[axis] = (0, 2 * count + 2 - x.shape[axis])
  padded = jnp.pad(x, around, constant_values=-jnp.inf)
  even, odd = encoders.halves(padded, axis)

  def part(rows, start):
    return jax.lax.slice_in_dim(rows, start, start + count, axis=axis)

  pairs = jnp.maximum(part(even, 0), part(odd, 0))
  return jnp.maximum(pairs, part(even, 1))


def _by_layer(arrays):
  """Returns `{'conv1.weight': [F, C, k, k], 'fire2.squeeze.weight': ...}`."""
  if 'features.0.weight' not in arrays:
    return {
      name.replace('/', '.').replace('squeeze1x1', 'squeeze'): array
      for name, array in arrays.items()
    }
  # Torchvision counts layers, rectifiers and pools in one sequence.
  pooled = _POOLED.get(arrays['features.0.weight'].shape[-1], ())
  index, names = 1, {'0': 'conv1'}
  for fire in _FIRES:
    index += 2 if fire in pooled else 1
    names[str(index)] = fire
  found = {}
  for name, array in arrays.items():
    first, number, *rest = name.split('.')
    if first == 'features' and number in names:
      found['.'.join([names[number], *rest])] = array
  return found
