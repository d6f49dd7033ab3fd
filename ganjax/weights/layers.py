"""Layers of trained networks: read from the arrays of a file, and applied."""

import jax
import jax.numpy as jnp
import numpy as np

from ganjax.networks import convolution as convolutions


def convolution(features, layer, stride=1, padding='SAME'):
  """Returns the convolution of features `[N, H, W, C]`: `[N, h, w, F]`.

  With a stride of 1, kernels that are square and odd are left to
  `ganjax.networks.convolution`, which has reverse derivatives only.

  Args:
    features: of any float type; they are cast to the type of the layer.
    layer: `{'kernel': [k, l, C, F], 'bias': [F]}`.
    stride: in pixels.
    padding: 'SAME', which pads with zeros so that the size stays, or 'VALID',
      which does not pad.
  """
  kernel = layer['kernel']
  features = features.astype(kernel.dtype)
  height, width = kernel.shape[:2]
  if height == width and height % 2 and stride == 1:
    border = height // 2 if padding == 'SAME' else 0
    outputs = convolutions.convolution(features, kernel, 1, border)
  else:
    outputs = jax.lax.conv_general_dilated(
      features,
      kernel,
      window_strides=(stride, stride),
      padding=padding,
      dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
    )
  return outputs + layer['bias']


def read_layer(arrays, name, shape, source):
  """Returns the layer `{'kernel': [k, k, C, F], 'bias': [F]}` of that name.

  Args:
    arrays: the arrays of a file by name, among them `{name}.weight`
      `[F, C, k, k]` and `{name}.bias` `[F]`.
    name: of the layer.
    shape: the expected (F, C, k, k); F is None where any number will do.
    source: what the arrays belong to, for the errors.

  Raises:
    ValueError: if an array is missing or has another shape.
  """
  weight, bias = (
    _array(arrays, f'{name}.{part}', source) for part in ('weight', 'bias')
  )
  expected = (len(weight) if shape[0] is None else shape[0], *shape[1:])
  if weight.shape != expected or bias.shape != expected[:1]:
    raise ValueError(
      f'{source}: {name} has a kernel of {weight.shape} and a bias of '
      f'{bias.shape}; expected {expected} and {expected[:1]}. The file holds '
      'another network.'
    )
  return {
    'kernel': jnp.asarray(weight.transpose(2, 3, 1, 0), jnp.float32),
    'bias': jnp.asarray(bias, jnp.float32),
  }


def _array(arrays, name, source):
  if name not in arrays:
    raise ValueError(
      f'{source} has no {name}, but {sorted(arrays)[:4]} and so on '
      f'({len(arrays)} in all). The file holds another network, or a part of '
      'one.'
    )
  return np.atleast_1d(arrays[name])
