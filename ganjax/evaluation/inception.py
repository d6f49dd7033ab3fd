"""The Inception-v3 of FID: the features and classes of its first graph.

Szegedy et al., "Rethinking the Inception Architecture for Computer Vision",
2016, arXiv:1512.00567, in the graph of 2015-12-05 that Salimans et al., 2016,
arXiv:1606.03498, and Heusel et al., 2017, arXiv:1706.08500, measure with. Its
average pooling leaves out the padding, and its last block has max pooling
instead. Networks without either give other numbers.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from ganjax.evaluation import features
from ganjax.weights.layers import convolution

SIDE = 299  # pixels, to which all images are resized
CLASSES = 1008

_EPSILON = 1e-3  # of batch normalisation
_PARTS = (
  'conv.weight',
  *(f'bn.{part}' for part in ('weight', 'bias', 'running_mean', 'running_var')),
)


def from_weights(arrays, name) -> features.Features:
  """Returns features [N, 2048] and logits [N, 1008] of the network of a file.

  Images of 1 or 3 channels and any size are resized to 299 pixels as TensorFlow
  1 did: bilinearly from the upper left corner, without antialiasing. The logits
  have no biases, as those of the inception score.

  Args:
    arrays: by the names of PyTorch's files of this graph, as
      `weights.formats.read` returns them: 'Conv2d_1a_3x3.conv.weight', ...,
      'Mixed_7c.branch_pool.bn.running_var', 'fc.weight'.
    name: of the features, which identifies the weights.

  Raises:
    ValueError: if the arrays are not of this network; `apply`, if the images
      have another number of channels.
  """
  try:
    params = _folded(arrays)
    head = jnp.asarray(arrays['fc.weight'].T, jnp.float32)
    blank = jnp.zeros((1, SIDE, SIDE, 3))
    [_, width] = jax.eval_shape(_penultimate, params, blank).shape
    fits = head.shape == (width, CLASSES)
  except (KeyError, TypeError, ValueError) as error:
    raise ValueError(
      f'{name} is not of the Inception-v3 of FID ({error}); expected the file '
      'that pytorch-fid and torch-fidelity use.'
    ) from error
  if not fits:
    raise ValueError(
      f'{name} tells {head.shape[1]} classes apart by {head.shape[0]} features '
      f'where {CLASSES} and {width} were expected: it is another Inception-v3 '
      "(torchvision's has 1000), whose distances are not FID. Take the file "
      'that pytorch-fid and torch-fidelity use.'
    )

  def apply(images):
    if images.shape[-1] not in (1, 3):
      raise ValueError(
        f'Inception got images of {images.shape[-1]} channels; expected 1 or 3.'
      )
    images = jnp.broadcast_to(images, (*images.shape[:-1], 3))
    # The graph's scale is (pixels - 128) / 128 of pixels in [0, 255].
    scaled = (images * 127.5 - 0.5) / 128
    # TF32 and bfloat16 would make the measure depend on the device.
    with jax.default_matmul_precision('highest'):
      return _penultimate(params, resized(scaled, SIDE))

  return features.Features(
    name, apply, lambda rows: jnp.matmul(rows, head, precision='highest')
  )


def resized(images, side):
  """Returns images [N, H, W, C] resized to [N, side, side, C] as TensorFlow 1.

  Pixel `i` is interpolated at `i H / side`: the upper left corners coincide,
  and where the image becomes smaller, pixels in between have no influence.
  """
  for axis in (1, 2):
    count = images.shape[axis]
    at = np.arange(side, dtype=np.float32) * np.float32(count / side)
    low = np.floor(at).astype(int)
    high = np.minimum(low + 1, count - 1)
    part = (at - low).reshape([-1 if own == axis else 1 for own in range(4)])
    first, second = (jnp.take(images, own, axis) for own in (low, high))
    images = first + (second - first) * part
  return images


def _penultimate(params, x):
  """Returns features [N, 2048] of [N, 299, 299, 3] in the graph's scale."""
  return _NETWORK(params, x).mean((1, 2))


def _convolution(name, stride=1, padding='SAME'):
  def apply(params, x):
    return jax.nn.relu(convolution(x, params[name], stride, padding))

  return apply


def _pooled(x, start, combine, stride, padding):
  return jax.lax.reduce_window(
    x, start, combine, (1, 3, 3, 1), (1, stride, stride, 1), padding
  )


def _largest(stride, padding):
  def apply(_, x):
    return _pooled(x, -jnp.inf, jax.lax.max, stride, padding)

  return apply


def _mean(_, x):
  total = functools.partial(
    _pooled, start=0.0, combine=jax.lax.add, stride=1, padding='SAME'
  )
  return total(x) / total(jnp.ones((1, *x.shape[1:3], 1)))


def _chain(*steps):
  """Returns a chain of steps; a name stands for a convolution of stride 1."""
  steps = [_step(own) for own in steps]

  def apply(params, x):
    for step in steps:
      x = step(params, x)
    return x

  return apply


def _beside(*branches):
  """Returns branches whose channels are concatenated."""
  branches = [_step(own) for own in branches]

  def apply(params, x):
    return jnp.concatenate([own(params, x) for own in branches], axis=-1)

  return apply


def _step(own):
  return _convolution(own) if isinstance(own, str) else own


def _block(name, apply):
  return lambda params, x: apply(params[name], x)


_halved = _largest(2, 'VALID')
_to_half = functools.partial(_convolution, stride=2, padding='VALID')
_inside = functools.partial(_convolution, padding='VALID')

_A = _beside(
  'branch1x1',
  _chain('branch5x5_1', 'branch5x5_2'),
  _chain('branch3x3dbl_1', 'branch3x3dbl_2', 'branch3x3dbl_3'),
  _chain(_mean, 'branch_pool'),
)
_B = _beside(
  _to_half('branch3x3'),
  _chain('branch3x3dbl_1', 'branch3x3dbl_2', _to_half('branch3x3dbl_3')),
  _halved,
)
_C = _beside(
  'branch1x1',
  _chain(*(f'branch7x7_{number}' for number in range(1, 4))),
  _chain(*(f'branch7x7dbl_{number}' for number in range(1, 6))),
  _chain(_mean, 'branch_pool'),
)
_D = _beside(
  _chain('branch3x3_1', _to_half('branch3x3_2')),
  _chain(
    *(f'branch7x7x3_{number}' for number in range(1, 4)),
    _to_half('branch7x7x3_4'),
  ),
  _halved,
)


def _e(pool):
  return _beside(
    'branch1x1',
    _chain('branch3x3_1', _beside('branch3x3_2a', 'branch3x3_2b')),
    _chain(
      'branch3x3dbl_1',
      'branch3x3dbl_2',
      _beside('branch3x3dbl_3a', 'branch3x3dbl_3b'),
    ),
    _chain(pool, 'branch_pool'),
  )


_NETWORK = _chain(
  _to_half('Conv2d_1a_3x3'),
  _inside('Conv2d_2a_3x3'),
  'Conv2d_2b_3x3',
  _halved,
  'Conv2d_3b_1x1',
  _inside('Conv2d_4a_3x3'),
  _halved,
  *(_block(f'Mixed_{place}', _A) for place in ('5b', '5c', '5d')),
  _block('Mixed_6a', _B),
  *(_block(f'Mixed_{place}', _C) for place in ('6b', '6c', '6d', '6e')),
  _block('Mixed_7a', _D),
  _block('Mixed_7b', _e(_mean)),
  _block('Mixed_7c', _e(_largest(1, 'SAME'))),
)


def _folded(arrays):
  """Returns a tree {'Conv2d_1a_3x3': {'kernel', 'bias'}, 'Mixed_5b': ...}.

  Batch normalisation with fixed moments is a scale and a bias of each channel,
  which the kernel and the bias of the convolution take in.
  """
  params = {}
  for whole in arrays:
    layer, found, _ = whole.partition('.conv.weight')
    if not found:
      continue
    weight, scale, bias, mean, variance = (
      np.asarray(arrays[f'{layer}.{part}'], np.float64) for part in _PARTS
    )
    scale = scale / np.sqrt(variance + _EPSILON)
    *blocks, name = layer.split('.')
    own = functools.reduce(
      lambda tree, at: tree.setdefault(at, {}), blocks, params
    )
    own[name] = {
      'kernel': jnp.asarray((weight.T * scale).swapaxes(0, 1), jnp.float32),
      'bias': jnp.asarray(bias - mean * scale, jnp.float32),
    }
  return params
