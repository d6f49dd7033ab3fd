"""Total variation: how rough pictures `[N, H, W, 3]` are."""

import jax.numpy as jnp


def l1(pictures):
  """Returns the sum of absolute differences of neighbouring pixels, `[N]`.

  It is the anisotropic total variation of `tf.image.total_variation`.

  Args:
    pictures: `[N, H, W, 3]`.
  """
  return sum(_total(jnp.abs(change)) for change in _differences(pictures))


def l2(pictures):
  """Returns the sum of squared differences of neighbouring pixels, `[N]`.

  Args:
    pictures: `[N, H, W, 3]`.
  """
  return sum(_total(change**2) for change in _differences(pictures))


def nine_point(pictures):
  """Returns the mean squared differences from all eight neighbours, `[N]`.

  It is the nine-point stencil of K. Crowson's style-transfer-pytorch (2021):
  2/3 of the mean over pixels and channels along rows and columns, and 1/6 along
  each diagonal, with edges repeated. As a mean it does not depend on the size.

  Args:
    pictures: `[N, H, W, 3]`.
  """
  padded = jnp.pad(pictures, ((0, 0), (1, 1), (1, 1), (0, 0)), 'edge')
  falling = padded[:, 1:, 1:] - padded[:, :-1, :-1]
  rising = padded[:, 1:, :-1] - padded[:, :-1, 1:]
  # The difference across an edge is 0, but it counts in the mean.
  straight = l2(pictures) / pictures[0].size
  diagonal = _total(falling**2 + rising**2) / falling[0].size
  return 2 * straight / 3 + diagonal / 6


def _differences(pictures):
  return (
    pictures[:, 1:] - pictures[:, :-1],
    pictures[:, :, 1:] - pictures[:, :, :-1],
  )


def _total(values):
  return values.sum(tuple(range(1, values.ndim)))
