"""The convolution in groups and its transpose in the kernel.

The form <convolution(x, w), y> is linear in the images x, in the kernel w and
in the features y, as that of `ganjax.networks.convolution` is. With stride 1
and 'same' padding its transpose in x is a convolution in groups too, by the
kernel turned by 180 degrees, so that derivatives of any order (R1, R2) are
computed by the two functions here. Those that XLA has of its own grouped
convolution are slow: 12 to 16 times, on a GPU and on a CPU.

Three ways compute both of them. On accelerators, groups are taken together
until they have 128 channels, and each such block has a dense convolution, whose
kernel is 0 between groups: more operations, but of the shapes that matrix units
are made for, and each number is read and written once. On a CPU up to 16 groups
have a convolution each. More are a sum of products of matrices, one for each
pixel of the kernel. The transpose of groups that are not too small is there
that of `ganjax.networks.winograd`.
"""

import functools

import jax
import jax.numpy as jnp
from jax import lax

from ganjax.networks import convolution as dense
from ganjax.networks import cpu_convolution, winograd

_BLOCK = 128  # channels
_FEW_GROUPS = 16  # more convolutions would be slow to compile


@jax.custom_vjp
@jax.jit
def convolution(images, kernel):
  """Returns features [N, H, W, F], each from the channels of its group alone.

  This is the map of torch.nn.Conv2d with groups, stride 1 and 'same' padding.
  It has reverse derivatives only.

  Args:
    images: [N, H, W, C], of any float type.
    kernel: [k, k, C / groups, F], k odd, of the same type; the features of a
      group are consecutive.
  """
  groups = images.shape[-1] // kernel.shape[2]
  return _computed(
    functools.partial(convolution_by_blocks, groups),
    functools.partial(convolution_by_products, groups),
    None,
    groups,
    images,
    kernel,
  )


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3))
@functools.partial(jax.jit, static_argnums=(2, 3))
def correlation(images, features, size, groups):
  """Returns the kernel [k, k, C / groups, F] that is the transpose in it.

  Args:
    images: [N, H, W, C], of any float type.
    features: [N, H, W, F], of the same type.
    size: static k, of the kernel, odd.
    groups: static int.
  """
  kernel = (size, size, images.shape[-1] // groups, features.shape[-1])
  by_winograd = None
  if cpu_convolution.suits_correlation(kernel, groups):
    by_winograd = functools.partial(_correlation_by_winograd, groups, size)
  return _computed(
    functools.partial(correlation_by_blocks, groups, size),
    functools.partial(correlation_by_products, groups, size),
    by_winograd,
    groups,
    images,
    features,
  )


def convolution_by_blocks(groups, blocks, images, kernel):
  """Returns `convolution`, by a dense one for each of so many blocks."""
  size, _, width, features = kernel.shape
  together, out = groups // blocks, features // groups
  split = kernel.reshape(size, size, width, blocks, together, out)
  between = jnp.eye(together, dtype=kernel.dtype)
  kernels = jnp.einsum('hwibto,ts->bhwsito', split, between).reshape(
    blocks, size, size, together * width, together * out
  )
  parts = zip(jnp.split(images, blocks, -1), kernels, strict=True)
  return jnp.concatenate(
    [dense.convolution(*part, 1, size // 2) for part in parts], -1
  )


def correlation_by_blocks(groups, size, blocks, images, features):
  """Returns `correlation`, by a dense one for each of so many blocks."""
  together = groups // blocks

  def within_groups(images, features):
    kernel = dense.correlation(
      images, features, 1, size // 2, (size, size)
    ).reshape(
      size, size, together, -1, together, features.shape[-1] // together
    )
    own = jnp.einsum('hwtito->hwito', kernel)
    return own.reshape(size, size, -1, features.shape[-1])

  parts = zip(
    jnp.split(images, blocks, -1), jnp.split(features, blocks, -1), strict=True
  )
  return jnp.concatenate([within_groups(*part) for part in parts], -1)


def convolution_by_products(groups, images, kernel):
  """Returns `convolution`, as a sum of products of matrices."""
  size, _, width, features = kernel.shape
  split = kernel.reshape(size, size, width, groups, -1)
  products = (
    jnp.einsum(
      'nhwgi,igo->nhwgo',
      moved,
      split[y, x],
      preferred_element_type=_accumulated(images.dtype),
    )
    for y, x, moved in _moved(images, groups, size)
  )
  shape = (*images.shape[:3], features)
  return sum(products).reshape(shape).astype(images.dtype)


def correlation_by_products(groups, size, images, features):
  """Returns `correlation`, of which each pixel is a product of matrices."""
  split = features.reshape(*features.shape[:3], groups, -1)
  pixels = jnp.stack(
    [
      jnp.einsum(
        'nhwgi,nhwgo->igo',
        moved,
        split,
        preferred_element_type=_accumulated(images.dtype),
      )
      for _, _, moved in _moved(images, groups, size)
    ]
  )
  shape = (size, size, -1, features.shape[-1])
  return pixels.reshape(shape).astype(images.dtype)


def _moved(images, groups, size):
  """Yields the images that each pixel of a kernel sees, `[N, H, W, groups, C]`.

  Before them come the row and the column of the pixel.
  """
  n, height, width, channels = images.shape
  border = size // 2
  around = ((0, 0), (border, border), (border, border), (0, 0))
  padded = jnp.pad(images, around).reshape(
    n, height + size - 1, width + size - 1, groups, channels // groups
  )
  for y in range(size):
    for x in range(size):
      yield y, x, padded[:, y : y + height, x : x + width]


def _accumulated(dtype):
  return jnp.promote_types(dtype, jnp.float32)


def _correlation_by_winograd(groups, size, images, features):
  return winograd.correlation(images, features, size // 2, size, groups)


def _computed(by_blocks, by_products, by_winograd, groups, images, other):
  blocks = _blocks(groups, images.shape[-1] // groups)
  few = groups <= _FEW_GROUPS
  by_large_blocks = functools.partial(by_blocks, blocks)
  plain = functools.partial(by_blocks, groups) if few else by_products
  wide = jnp.finfo(images.dtype).bits >= 32
  # The platform is that of the lowering, as in `convolution`. The default is
  # what the operations of a program are counted by.
  return lax.platform_dependent(
    images,
    other,
    cuda=by_large_blocks,
    rocm=by_large_blocks,
    tpu=by_large_blocks,
    cpu=by_winograd if by_winograd and wide else plain,
    default=plain,
  )


def _blocks(groups, width):
  """Returns the smallest number of blocks of at most 128 channels, or a group.

  Args:
    groups: how many there are.
    width: channels of a group.
  """
  fitting = (
    blocks
    for blocks in range(1, groups)
    if groups % blocks == 0 and groups // blocks * width <= _BLOCK
  )
  return next(fitting, groups)


def _turned(kernel, groups):
  """Returns the kernel of the transpose in the images."""
  size, _, width, _ = kernel.shape
  split = kernel[::-1, ::-1].reshape(size, size, width, groups, -1)
  return split.transpose(0, 1, 4, 3, 2).reshape(size, size, -1, groups * width)


def _convolution_forward(images, kernel):
  return convolution(images, kernel), (images, kernel)


def _convolution_backward(arguments, y):
  x, w = arguments
  groups = x.shape[-1] // w.shape[2]
  return (
    convolution(y, _turned(w, groups)),
    correlation(x, y, w.shape[0], groups),
  )


def _correlation_forward(images, features, size, groups):
  return correlation(images, features, size, groups), (images, features)


def _correlation_backward(size, groups, arguments, w):
  x, y = arguments
  return convolution(y, _turned(w, groups)), convolution(x, w)


convolution.defvjp(_convolution_forward, _convolution_backward)
correlation.defvjp(_correlation_forward, _correlation_backward)
