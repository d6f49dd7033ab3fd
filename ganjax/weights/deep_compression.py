"""SqueezeNet 1.0 in a file of 0.66 MB, with the weights of ImageNet.

Iandola et al., "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters",
2016, arXiv:1602.07360, is compressed by the method of Han, Mao and Dally, "Deep
Compression", 2016, arXiv:1510.00149: most weights are zero, and the others take
one of 256 values in each layer. The file has the gaps between their places.
"""

import numpy as np


def _layers():
  """Yields names and shapes [F, C, k, k] in the order of the file."""
  yield 'conv1', (96, 3, 7, 7)
  channels = 96
  for number, squeezed in enumerate((16, 16, 32, 32, 48, 48, 64, 64), 2):
    wide = 4 * squeezed
    yield f'fire{number}/squeeze1x1', (squeezed, channels, 1, 1)
    yield f'fire{number}/expand1x1', (wide, squeezed, 1, 1)
    yield f'fire{number}/expand3x3', (wide, squeezed, 3, 3)
    channels = 2 * wide
  yield 'conv10', (1000, channels, 1, 1)


LAYERS = tuple(_layers())
_HEADER = 4 * len(LAYERS)


def fits(header, size):
  """Returns whether a file has this format.

  Args:
    header: the first 104 bytes of the file, or all if it is shorter.
    size: of the file, in bytes.
  """
  if len(header) < _HEADER:
    return False
  counts = np.frombuffer(header[:_HEADER], '<u4').tolist()
  parts = (
    1024 + 4 * shape[0] + count + (count + 1) // 2
    for (_, shape), count in zip(LAYERS, counts, strict=True)
  )
  return size == _HEADER + sum(parts)


def decode(data):
  """Returns `{'conv1/weight': [96, 3, 7, 7], 'conv1/bias': [96], ...}`.

  Names and axes, [out, in, height, width], are those of Caffe; the arrays are
  float32.

  Args:
    data: the bytes of a file that `fits`.

  Raises:
    ValueError: if a weight lies outside its layer, so that the file is damaged.
  """
  arrays, at = {}, _HEADER

  def take(count, type_):
    nonlocal at
    values = np.frombuffer(data, type_, count, at)
    at += values.nbytes
    return values

  counts = np.frombuffer(data, '<u4', len(LAYERS)).tolist()
  for (name, shape), count in zip(LAYERS, counts, strict=True):
    values = take(256, '<f4')
    arrays[f'{name}/bias'] = take(shape[0], '<f4').astype(np.float32)
    codes = take(count, 'u1')
    pairs = take((count + 1) // 2, 'u1')
    # A byte has two gaps, the first one in its low half.
    gaps = np.stack([pairs & 15, pairs >> 4], 1).reshape(-1)[:count]
    where = np.cumsum(gaps.astype(np.int64) + 1) - 1
    weight = np.zeros(np.prod(shape), np.float32)
    if count and where[-1] >= weight.size:
      raise ValueError(
        f'{name} has a weight at place {where[-1]} of {weight.size}'
      )
    weight[where] = values[codes]
    arrays[f'{name}/weight'] = weight.reshape(shape)
  return arrays
