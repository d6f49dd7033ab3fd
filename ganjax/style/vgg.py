"""VGG-16 and VGG-19, from the files in which people have them."""

import functools
import re

import jax
import jax.numpy as jnp

from ganjax.style import encoders
from ganjax.weights.layers import convolution, read_layer

# The number of convolutions in each block, by their number in all.
_BLOCKS = {13: (2, 2, 3, 3, 3), 16: (2, 2, 4, 4, 4)}


def max_pool(x):
  """Returns `[N, H // 2, W // 2, C]`, the maximum of 2x2 features."""
  rows = jnp.maximum(*encoders.halves(x, 1))
  return jnp.maximum(*encoders.halves(rows, 2))


def average_pool(x):
  """Returns `[N, H // 2, W // 2, C]`, twice the mean of 2x2 features.

  Gatys, Ecker and Bethge, "Image Style Transfer Using Convolutional Neural
  Networks", 2016, section 2, replace the maximum by the mean. The factor of 2
  keeps the features of later layers about as large as with the maximum that the
  network was trained with (K. Crowson, style-transfer-pytorch, 2021).
  """
  rows = sum(encoders.halves(x, 1))
  return sum(encoders.halves(rows, 2)) / 2


def l2_pool(x):
  """Returns `[N, H // 2, W // 2, C]`, 0.78 times the norm of 2x2 features.

  The factor has the same purpose and source as that of `average_pool`.
  """
  rows = sum(half**2 for half in encoders.halves(x, 1))
  squares = sum(encoders.halves(rows, 2))
  # The root has no derivative at 0, where rectified features often are.
  positive = squares > 0
  root = jnp.sqrt(jnp.where(positive, squares, 1))
  return jnp.where(positive, 0.78 * root, 0)


def activations(params, images, layers, pool=max_pool, border='constant'):
  """Returns `{layer: features [N, h, w, C]}` of preprocessed images.

  Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale
  Image Recognition", 2015, arXiv:1409.1556, table 1, columns D and E.

  Args:
    params: `{'conv1_1': {'kernel', 'bias'}, ...}` of 13 or 16 convolutions.
    images: `[N, H, W, 3]`, preprocessed as for the training of the weights.
    layers: names among conv1_1, relu1_1, ..., pool5.
    pool: `[N, H, W, C] -> [N, H // 2, W // 2, C]`.
    border: the mode of `jnp.pad` at the first convolution. 'constant' is the
      original's; 'edge' leaves no frame in pictures that are made from noise.

  Raises:
    ValueError: if a layer is none of these.
  """
  found, x = {}, images
  for name in encoders.up_to(_layers(len(params)), layers):
    if name == 'conv1_1':
      x = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), border)
      x = convolution(x, params[name], padding='VALID')
    elif name.startswith('conv'):
      x = convolution(x, params[name])
    else:
      x = jax.nn.relu(x) if name.startswith('relu') else pool(x)
    found[name] = x
  return {name: found[name] for name in layers}


def from_weights(
  arrays, source, prepare=None, pool=max_pool, border='constant'
) -> encoders.Encoder:
  """Returns the encoder of VGG-16 or VGG-19 from a file's arrays.

  The names tell the depth, and whose weights they are: torchvision has
  'features.0.weight', Gatys 'conv1_1.weight' and Keras 'block1_conv1/...'. The
  default layers are those of Gatys after the rectifier, relu4_2 for the
  content.

  Args:
    arrays: by name, as `ganjax.weights.formats.read` returns them.
    source: where they are from, for the encoder's name.
    prepare: the preprocessing of pictures; None is `encoders.torchvision` for
      torchvision's names and `encoders.caffe` for the others. Caffe's weights
      under torchvision's names need the latter, but nothing in the arrays
      tells; with the wrong one the features are worse.
    pool: `max_pool`, `average_pool` or `l2_pool`.
    border: as in `activations`.

  Raises:
    ValueError: if an array is missing or has another shape.
  """
  arrays, usual = _by_layer(arrays)
  prepare = prepare or usual
  deep = any(re.match(r'conv[345]_4\.', name) for name in arrays)
  layers = _layers(16 if deep else 13)
  name = f'VGG-{19 if deep else 16} ({source})'
  params, channels = {}, 3
  for layer in (layer for layer in layers if layer.startswith('conv')):
    shape = (None, channels, 3, 3)
    params[layer] = read_layer(arrays, layer, shape, name)
    channels = params[layer]['bias'].size
  encode = functools.partial(activations, pool=pool, border=border)
  smallest = 32

  def apply(params, pictures, layers):
    encoders.check(pictures, smallest)
    return encode(params, prepare(pictures), layers)

  return encoders.Encoder(
    name,
    params,
    apply,
    layers,
    content=('relu4_2',),
    style=('relu1_1', 'relu2_1', 'relu3_1', 'relu4_1', 'relu5_1'),
    smallest=smallest,
  )


def recognises(arrays):
  """Returns whether the arrays have the names of a VGG."""
  return 'conv1_1.weight' in _by_layer(arrays)[0]


def _layers(convolutions):
  """Returns the names of all layers, in torchvision's order."""
  names = []
  for block, count in enumerate(_BLOCKS[convolutions], 1):
    for number in range(1, count + 1):
      names += [f'conv{block}_{number}', f'relu{block}_{number}']
    names.append(f'pool{block}')
  return tuple(names)


def _by_layer(arrays):
  """Returns `{'conv1_1.weight': [F, C, 3, 3], ...}`, and the preprocessing."""
  keras = {}
  for name, array in arrays.items():
    if found := re.search(r'block(\d)_conv(\d)/', name):
      layer = 'conv{}_{}'.format(*found.groups())
      if array.ndim == 4:
        keras[f'{layer}.weight'] = array.transpose(3, 2, 0, 1)
      else:
        keras[f'{layer}.bias'] = array
  if keras:
    return keras, encoders.caffe
  if not any(name.startswith('features.') for name in arrays):
    return arrays, encoders.caffe
  # At this place VGG-19 has conv3_4, and VGG-16 a pool without weights.
  layers = _layers(16 if 'features.16.weight' in arrays else 13)
  return {
    f'{layer}.{part}': arrays[f'features.{index}.{part}']
    for index, layer in enumerate(layers)
    for part in ('weight', 'bias')
    if f'features.{index}.{part}' in arrays
  }, encoders.torchvision
