"""Keeping colours: pure functions of pictures `[N, H, W, 3]`, RGB in [0, 1].

The two ways of Gatys et al., "Preserving Color in Neural Artistic Style
Transfer", 2016, arXiv:1606.05897: the style's picture takes the content's
colours before the transfer (section 3.1), or the result takes the content's
chroma after it (section 3.2). What leaves [0, 1] is left to the caller to clip.
"""

import functools

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
  """The luma `[N, H, W, 1]` in [0, 1] of pictures, .299 R + .587 G + .114 B."""
  return _product('nhwc,c->nhw', pictures, _YIQ[0])[..., None]


def with_chroma(pictures, content):
  """The pictures' luminance with the content's chroma, `[N, H, W, 3]`.

  Equal to exchanging Y in YIQ or in YCbCr: the difference of luminances is
  added to each of R, G and B.

  Args:
    pictures: `[N, H, W, 3]`.
    content: `[N, H, W, 3]`, or `[1, H, W, 3]` for all.
  """
  return content + luminance(pictures) - luminance(content)


def matched_luminance(style, content):
  """The style's picture with the luminance's mean and deviation of the content.

  For use with `with_chroma`, before the transfer (arXiv:1606.05897, eq. 10);
  chroma stays as it is.

  Args:
    style: `[N, h, w, 3]`.
    content: `[N, H, W, 3]`, or `[1, H, W, 3]` for all.
  """
  own, wanted = luminance(style), luminance(content)
  (mean, deviation), (new_mean, new_deviation) = (
    (values.mean((1, 2), keepdims=True), values.std((1, 2), keepdims=True))
    for values in (own, wanted)
  )
  ratio = new_deviation / jnp.maximum(deviation, 1e-6)
  return style + (own - mean) * ratio + new_mean - own


def symmetric_root(covariance):
  """The symmetric root `[N, 3, 3]` of covariances: colours move the least."""
  values, vectors = jnp.linalg.eigh(covariance)
  # Rounding may leave an eigenvalue of a grey picture a little under 0.
  scaled = vectors * jnp.sqrt(jnp.maximum(values, 0))[..., None, :]
  return _product('nij,nkj->nik', scaled, vectors)


def cholesky_root(covariance):
  """The lower triangular root `[N, 3, 3]` of covariances."""
  return jnp.linalg.cholesky(covariance)


def matched(style, content, root=symmetric_root):
  """The style's picture with the content's mean colour and covariance.

  A linear map of colours, arXiv:1606.05897, section 3.1: the root of the
  content's covariance times the inverse root of the style's.

  Args:
    style: `[N, h, w, 3]`.
    content: `[N, H, W, 3]`, or `[1, H, W, 3]` for all.
    root: of covariances `[N, 3, 3]`: `symmetric_root` (the paper's image
      analogies), or `cholesky_root`, which also fits its moments.
  """
  mean, covariance = _colours(style)
  new_mean, new_covariance = _colours(content)
  # A grey picture has no colours to be stretched: they would become noise.
  widening = 1e-6 * jnp.eye(3)
  inverse = jnp.linalg.inv(root(covariance + widening))
  turn = _product('nij,njk->nik', root(new_covariance + widening), inverse)
  centred = style - mean[:, None, None]
  return _product('nij,nhwj->nhwi', turn, centred) + new_mean[:, None, None]


def _colours(pictures):
  """The mean `[N, 3]` and the covariance `[N, 3, 3]` of the colours."""
  rows = pictures.reshape(len(pictures), -1, 3)
  mean = rows.mean(1)
  centred = rows - mean[:, None]
  covariance = _product('npi,npj->nij', centred, centred) / rows.shape[1]
  return mean, covariance
