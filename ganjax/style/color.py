"""Preserving colours: functions of pictures `[N, H, W, 3]`, RGB in [0, 1].

Gatys et al., "Preserving Color in Neural Artistic Style Transfer", 2016,
arXiv:1606.05897, give two methods: the style takes the content's colours before
the transfer (section 3.1), or the result takes the content's chroma after it
(section 3.2). Results may leave [0, 1]; the caller clips them.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

# ITU-R BT.601, the luma of NTSC and of JPEG; rows are Y, I and Q.
_YIQ = np.array(
  [
    [0.299, 0.587, 0.114],
    [0.595716, -0.274453, -0.321263],
    [0.211456, -0.522591, 0.311135],
  ],
  np.float32,
)
_product = functools.partial(jnp.einsum, precision='highest')


def luminance(pictures):
  """Returns the luma `[N, H, W, 1]`, .299 R + .587 G + .114 B, in [0, 1]."""
  return _product('nhwc,c->nhw', pictures, _YIQ[0])[..., None]


def with_chroma(pictures, content):
  """Returns the pictures' luminance with the content's chroma, `[N, H, W, 3]`.

  The difference of luminances is added to each of R, G and B, which equals
  exchanging Y in YIQ or in YCbCr.

  Args:
    pictures: `[N, H, W, 3]`.
    content: `[N, H, W, 3]`, or `[1, H, W, 3]`, one for all.
  """
  return content + luminance(pictures) - luminance(content)


def matched_luminance(style, content):
  """Returns the style with the content's mean and deviation of luminance.

  The chroma stays as it is. This is done before a transfer whose result goes
  through `with_chroma` (arXiv:1606.05897, equation 10).

  Args:
    style: `[N, h, w, 3]`.
    content: `[N, H, W, 3]`, or `[1, H, W, 3]`, one for all.
  """
  own, wanted = luminance(style), luminance(content)
  (mean, deviation), (new_mean, new_deviation) = (
    (values.mean((1, 2), keepdims=True), values.std((1, 2), keepdims=True))
    for values in (own, wanted)
  )
  ratio = new_deviation / jnp.maximum(deviation, 1e-6)
  return style + (own - mean) * ratio + new_mean - own


def symmetric_sqrt(covariance):
  """Returns the symmetric root `[N, 3, 3]`, which changes colours the least."""
  values, vectors = jnp.linalg.eigh(covariance)
  # Rounding may leave an eigenvalue of a grey picture a little under 0.
  scaled = vectors * jnp.sqrt(jnp.maximum(values, 0))[..., None, :]
  return _product('nij,nkj->nik', scaled, vectors)


def cholesky(covariance):
  """Returns the lower triangular root `[N, 3, 3]` of covariances."""
  return jnp.linalg.cholesky(covariance)


def matched(style, content, root=symmetric_sqrt):
  """Returns the style with the content's mean colour and covariance.

  It is a linear map of colours (arXiv:1606.05897, section 3.1): the root of the
  content's covariance times the inverse root of the style's.

  Args:
    style: `[N, h, w, 3]`.
    content: `[N, H, W, 3]`, or `[1, H, W, 3]`, one for all.
    root: of covariances `[N, 3, 3]`: `symmetric_sqrt`, the paper's "image
      analogies", or `cholesky`; both give the content's moments.
  """
  mean, covariance = _color_moments(style)
  new_mean, new_covariance = _color_moments(content)
  # Without it the colours of a grey picture, which are noise, would be
  # stretched.
  floor = 1e-6 * jnp.eye(3)
  inverse = jnp.linalg.inv(root(covariance + floor))
  matrix = _product('nij,njk->nik', root(new_covariance + floor), inverse)
  centred = style - mean[:, None, None]
  return _product('nij,nhwj->nhwi', matrix, centred) + new_mean[:, None, None]


class Preservation(NamedTuple):
  """Whose colours a result has, and what that takes.

  Attributes:
    before: `(style, content) -> style`, before the transfer, in [0, 1].
    after: `(result, content) -> result`, after the transfer, not clipped.
  """

  before: Callable
  after: Callable


def _unchanged(picture, content):
  return picture


def _clipped(function):
  return lambda style, content: jnp.clip(function(style, content), 0, 1)


def _with_chroma_of(result, content):
  size = (len(content), *result.shape[1:3], 3)
  return with_chroma(result, jax.image.resize(content, size, 'cubic'))


PRESERVATIONS = {
  'style': Preservation(_unchanged, _unchanged),
  'luminance': Preservation(_clipped(matched_luminance), _with_chroma_of),
  'match': Preservation(_clipped(matched), _unchanged),
}
"""By name: the style's colours, or its luminance alone, or the content's."""


def _color_moments(pictures):
  """Returns the mean `[N, 3]` and the covariance `[N, 3, 3]` of colours."""
  rows = pictures.reshape(len(pictures), -1, 3)
  mean = rows.mean(1)
  centred = rows - mean[:, None]
  covariance = _product('npi,npj->nij', centred, centred) / rows.shape[1]
  return mean, covariance
