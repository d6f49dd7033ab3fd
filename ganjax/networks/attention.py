"""Self-attention between the pixels of an image."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from ganjax.networks import layers, resample


class SelfAttention(nn.Module):
  """Images `[N, H, W, C]` plus what each pixel attends to, at first nothing.

  Zhang et al., "Self-Attention Generative Adversarial Networks", 2019,
  arXiv:1805.08318, section 3, as BigGAN has it: keys and values are the largest
  of 2x2 pixels, products are not divided by the root of their dimension, and no
  map has a bias. The factor `gamma` of the result begins at 0. With C channels
  there are 5 C^2 / 4 + 1 parameters.

  Attributes:
    kernel_init: of the four maps of channels.
    dtype: of the computation; the weights of pixels are float32.
  """

  kernel_init: Any = layers.normal(0.02)
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, images):
    """Returns images of the same shape.

    Raises:
      ValueError: when traced, if 8 does not divide the channels, or a side is
        odd.
    """
    channels = images.shape[-1]
    if channels % 8:
      raise ValueError(
        f'Self-attention takes a multiple of 8 channels, not {channels}; '
        'choose another width, or leave attention out (attention=0).'
      )
    images = images.astype(self.dtype)
    queries = self._mapped(images, channels // 8, 'query')
    keys, values = (
      resample.maximum(self._mapped(images, width, name))
      for name, width in (('key', channels // 8), ('value', channels // 2))
    )
    queries, keys, values = (
      own.reshape(len(own), -1, own.shape[-1])
      for own in (queries, keys, values)
    )
    products = jnp.einsum(
      'nqc,nkc->nqk', queries, keys, preferred_element_type=jnp.float32
    )
    weights = jax.nn.softmax(products).astype(self.dtype)
    found = jnp.einsum('nqk,nkc->nqc', weights, values)
    found = self._mapped(found, channels, 'output').reshape(images.shape)
    gamma = self.param('gamma', nn.initializers.zeros, ())
    return images + gamma.astype(self.dtype) * found

  def _mapped(self, images, width, name):
    return layers.Dense(
      width,
      use_bias=False,
      kernel_init=self.kernel_init,
      dtype=self.dtype,
      name=name,
    )(images)
