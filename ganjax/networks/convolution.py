"""The strided convolution and its two transposes, closed under derivatives.

The form <convolution(x, w), y> is linear in the images x, in the kernel w and
in the features y. Its derivative in one argument is a map of the two others:
`convolution` in y, `transposed` in x, `correlation` in w. The derivatives of
each of these three maps are the other two, so gradients of any order (R1,
WGAN-GP, path length) are computed by the three alone. The second derivatives of
`lax`, and the first ones of `lax.conv_transpose`, are other operations, which
are up to 40 times slower on a CPU.

`jax.custom_vjp` sets two limits: there are reverse derivatives only, and
`jax.shard_map` needs check_vma=False. Meshes under plain `jax.jit` have none.

On a CPU `ganjax.networks.cpu_convolution` computes them, and `lax` elsewhere.
Each is jitted, so that it is traced and lowered once for all calls of the same
shapes, as both turns of a game have them.
"""

import functools

import jax
import jax.numpy as jnp
from jax import lax

from ganjax.networks import cpu_convolution


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3))
@functools.partial(jax.jit, static_argnums=(2, 3))
def convolution(images, kernel, stride, padding):
  """Returns features [N, h, w, F], the map of torch.nn.Conv2d without bias.

  Args:
    images: [N, H, W, C], of any float type.
    kernel: [k, k, C, F], of the same type.
    stride: static int, at least 1, in pixels.
    padding: static int, zeros added to each side;
      h = (H + 2 padding - k) // stride + 1.
  """
  plain = functools.partial(_convolve, stride, padding)
  if not cpu_convolution.suits(images.shape, kernel.shape, stride, padding):
    return plain(images, kernel)

  def on_cpu(images, kernel):
    return cpu_convolution.convolution(images, kernel, stride, padding)

  return _computed(plain, on_cpu, images, kernel)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3, 4))
@functools.partial(jax.jit, static_argnums=(2, 3, 4))
def transposed(features, kernel, stride, padding, size=None):
  """Returns images [N, H, W, C], the linear transpose of `convolution`.

  This is the map of torch.nn.ConvTranspose2d without bias.

  Args:
    features: [N, h, w, F], of any float type.
    kernel: [k, k, C, F], of the same type, as `convolution` takes it: the
      channels of the output are its last but one axis.
    stride: static int, at least 1, in pixels.
    padding: static int, zeros that `convolution` adds to each side.
    size: static (H, W), one of the sizes that `convolution` takes to (h, w);
      None is the smallest, H = (h - 1) stride + k - 2 padding.
  """
  size = size or tuple(
    (h - 1) * stride + k - 2 * padding
    for h, k in zip(features.shape[1:3], kernel.shape[:2], strict=True)
  )
  shape = (features.shape[0], *size, kernel.shape[2])

  def plain(features, kernel):
    images = jax.ShapeDtypeStruct(shape, features.dtype)
    return jax.linear_transpose(
      lambda images: _convolve(stride, padding, images, kernel), images
    )(features)[0]

  def on_cpu(features, kernel):
    return cpu_convolution.transposed(features, kernel, stride, padding, size)

  return _computed(plain, on_cpu, features, kernel)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3, 4))
@functools.partial(jax.jit, static_argnums=(2, 3, 4))
def correlation(images, features, stride, padding, size):
  """Returns the kernel [k, k, C, F] that is the transpose in the kernel.

  Args:
    images: [N, H, W, C], of any float type.
    features: [N, h, w, F], of the same type.
    stride: static int, at least 1, in pixels.
    padding: static int, zeros that `convolution` adds to each side.
    size: static (k, k), the kernel's.
  """
  shape = (*size, images.shape[-1], features.shape[-1])

  def plain(images, features):
    kernel = jax.ShapeDtypeStruct(shape, images.dtype)
    return jax.linear_transpose(
      lambda kernel: _convolve(stride, padding, images, kernel), kernel
    )(features)[0]

  def on_cpu(images, features):
    return cpu_convolution.correlation(images, features, stride, padding, size)

  return _computed(plain, on_cpu, images, features)


def _convolve(stride, padding, images, kernel):
  return lax.conv_general_dilated(
    images,
    kernel,
    window_strides=(stride, stride),
    padding=((padding, padding), (padding, padding)),
    dimension_numbers=cpu_convolution.CANONICAL,
  )


def _computed(plain, on_cpu, *arguments):
  # Half precision is left to lax, which accumulates in float32. The platform is
  # that of the lowering and not of the process, so that this is right too where
  # a host with an accelerator compiles a program for its CPU.
  if jnp.finfo(arguments[0].dtype).bits >= 32:
    return lax.platform_dependent(*arguments, cpu=on_cpu, default=plain)
  return plain(*arguments)


def _with_arguments(product):
  # The derivatives of a bilinear map need its two arguments and nothing else.
  return lambda *arguments: (product(*arguments), arguments[:2])


def _convolution_backward(stride, padding, arguments, y):
  x, w = arguments
  return (
    transposed(y, w, stride, padding, x.shape[1:3]),
    correlation(x, y, stride, padding, w.shape[:2]),
  )


def _transposed_backward(stride, padding, _, arguments, x):
  y, w = arguments
  return (
    convolution(x, w, stride, padding),
    correlation(x, y, stride, padding, w.shape[:2]),
  )


def _correlation_backward(stride, padding, _, arguments, w):
  x, y = arguments
  return (
    transposed(y, w, stride, padding, x.shape[1:3]),
    convolution(x, w, stride, padding),
  )


convolution.defvjp(_with_arguments(convolution), _convolution_backward)
transposed.defvjp(_with_arguments(transposed), _transposed_backward)
correlation.defvjp(_with_arguments(correlation), _correlation_backward)
