"""What a CPU computes `ganjax.networks.convolution` by, in float32 and float64.

With enough channels, kernels of 2x2 and 3x3 pixels and a stride of 1 are left
to `ganjax.networks.winograd`, and so are those of DCGAN: one of 4x4 with stride
2 is one of 2x2 for tiles of 2x2 pixels. Kernels of one pixel are left to
`ganjax.networks.patches`, and so is what ends in the few channels of images or
in a kernel of them. Everything else is left to `lax`, in the one layout for
which XLA has fast convolutions on a CPU.
"""

import math

import jax.numpy as jnp
from jax import lax

from ganjax.networks import patches, winograd

# XLA brings other layouts into this one at the top of a program, but not within
# loops and branches.
CANONICAL = 'NHWC', 'HWIO', 'NHWC'

# With fewer channels, transforms cost more than products save: they read and
# write, which takes longer where caches do not hold the images.
_CHANNELS, _CHANNELS_OF_LARGE, _CHANNELS_OF_CORRELATION = 32, 128, 16
_LARGE = 2**22  # numbers
_PATCH = 128  # numbers that a kernel sees; more take much memory and time


def convolution(images, kernel, stride, padding):
  """Returns `ganjax.networks.convolution.convolution`, if it `suits`."""
  if _has_tiles(images.shape, kernel.shape, stride, padding):
    tiles = _tiles(images, padding)
    return winograd.convolution(tiles, _kernel_of_tiles(kernel), 0)
  if _is_pixel(kernel.shape):
    return patches.convolution(images, kernel, stride, padding)
  if stride == 1 and _suits_patches(kernel.shape, kernel.shape[3]):
    height, width = (
      side + 2 * padding - len(kernel) + 1 for side in images.shape[1:3]
    )
    border = len(kernel) - 1 - padding
    turned = _turned(kernel)
    return patches.transposed(images, turned, 1, border, (height, width))
  return winograd.convolution(images, kernel, padding)


def suits(images, kernel, stride, padding):
  """Returns whether `convolution` is faster than XLA.

  Args:
    images: shape [N, H, W, C].
    kernel: shape [k, k, C, F].
    stride: in pixels.
    padding: zeros on each side.
  """
  few = _suits_patches(kernel, kernel[3])
  return (
    (stride == 1 and (few or _suits_convolution(images, kernel)))
    or _is_pixel(kernel)
    or _has_tiles(images, kernel, stride, padding)
  )


def transposed(features, kernel, stride, padding, size):
  """Returns `ganjax.networks.convolution.transposed`."""
  shape = (len(features), *size, kernel.shape[2])
  if _has_tiles(shape, kernel.shape, stride, padding):
    tiled = [side // 2 + padding for side in size]
    tiles = winograd.transposed(features, _kernel_of_tiles(kernel), 0, tiled)
    return _pixels(tiles, padding)
  if stride == 1 and _suits_convolution(shape, kernel.shape):
    return winograd.transposed(features, kernel, padding, size)
  if _suits_patches(kernel.shape, kernel.shape[2]):
    return patches.transposed(features, kernel, stride, padding, size)
  border = len(kernel) - 1 - padding
  return lax.conv_general_dilated(
    features,
    _turned(kernel),
    window_strides=(1, 1),
    padding=[
      (border, H - (h - 1) * stride + len(kernel) - 2 - border)
      for H, h in zip(size, features.shape[1:3], strict=True)
    ],
    lhs_dilation=(stride, stride),
    dimension_numbers=CANONICAL,
  )


def correlation(images, features, stride, padding, size):
  """Returns `ganjax.networks.convolution.correlation`."""
  kernel = (*size, images.shape[-1], features.shape[-1])
  if _has_tiles(images.shape, kernel, stride, padding):
    tiles = _tiles(images, padding)
    return _kernel_from_tiles(winograd.correlation(tiles, features, 0, 2))
  if stride == 1 and suits_correlation(kernel):
    return winograd.correlation(images, features, padding, size[0])
  if _suits_patches(kernel, kernel[2]):
    return patches.correlation(images, features, stride, padding, size)
  if stride == 1 and _suits_patches(kernel, kernel[3]):
    border = size[0] - 1 - padding
    return _turned(patches.correlation(features, images, 1, border, size))
  # The zeros are added here, as XLA swaps the operands of a convolution whose
  # kernel is larger than its images.
  around = [
    (padding, k - H - padding + (h - 1) * stride, 0)
    for H, h, k in zip(
      images.shape[1:3], features.shape[1:3], size, strict=True
    )
  ]
  zero = jnp.zeros((), images.dtype)
  padded = lax.pad(images, zero, [(0, 0, 0), *around, (0, 0, 0)])
  channels_first = lax.conv_general_dilated(
    padded.transpose(3, 1, 2, 0),
    features.transpose(1, 2, 0, 3),
    window_strides=(1, 1),
    padding='VALID',
    rhs_dilation=(stride, stride),
    dimension_numbers=CANONICAL,
  )
  return channels_first.transpose(1, 2, 0, 3)


def suits_correlation(kernel, groups=1):
  """Returns whether `winograd.correlation` is faster than XLA.

  Args:
    kernel: shape of the result, [k, k, C / groups, F].
    groups: how many.
  """
  channels = min(kernel[2], kernel[3] // groups)
  return channels >= _CHANNELS_OF_CORRELATION and _is_small(kernel)


def _suits_convolution(images, kernel):
  large = math.prod(images) >= _LARGE
  channels = _CHANNELS_OF_LARGE if large else _CHANNELS
  return min(kernel[2:]) >= channels and _is_small(kernel)


def _is_small(kernel):
  return kernel[:2] in ((2, 2), (3, 3))


def _is_pixel(kernel):
  return kernel[:2] == (1, 1)


def _suits_patches(kernel, channels):
  few = math.prod(kernel[:2]) * channels <= _PATCH
  return few or _is_pixel(kernel)


def _turned(kernel):
  """Returns the kernel, turned by 180 degrees, of the transpose in images."""
  return kernel[::-1, ::-1].swapaxes(2, 3)


def _has_tiles(images, kernel, stride, padding):
  # The arguments images and kernel are shapes.
  return (
    (stride, padding, *kernel[:2]) == (2, 1, 4, 4)
    and images[1] % 2 == images[2] % 2 == 0
    and min(kernel[2:]) >= _CHANNELS
  )


def _tiles(images, padding):
  """Returns images [N, H, W, C], padded, as [N, H/2 + 1, W/2 + 1, 4C]."""
  around = (padding, padding)
  images = jnp.pad(images, ((0, 0), around, around, (0, 0)))
  n, height, width, channels = images.shape
  tiles = images.reshape(n, height // 2, 2, width // 2, 2, channels)
  return tiles.transpose(0, 1, 3, 2, 4, 5).reshape(
    n, height // 2, width // 2, 4 * channels
  )


def _pixels(tiles, padding):
  """Returns images [N, H, W, C], the transpose of `_tiles`."""
  n, height, width, channels = tiles.shape
  pixels = tiles.reshape(n, height, width, 2, 2, channels // 4)
  images = pixels.transpose(0, 1, 3, 2, 4, 5).reshape(
    n, 2 * height, 2 * width, channels // 4
  )
  within = slice(padding, -padding)
  return images[:, within, within]


def _kernel_of_tiles(kernel):
  """Returns a kernel [4, 4, C, F] as one of tiles, [2, 2, 4C, F]."""
  channels, features = kernel.shape[2:]
  tiles = kernel.reshape(2, 2, 2, 2, channels, features)
  return tiles.transpose(0, 2, 1, 3, 4, 5).reshape(2, 2, -1, features)


def _kernel_from_tiles(kernel):
  """Returns the kernel [4, 4, C, F] of one of tiles."""
  features = kernel.shape[-1]
  tiles = kernel.reshape(2, 2, 2, 2, -1, features)
  return tiles.transpose(0, 2, 1, 3, 4, 5).reshape(4, 4, -1, features)
