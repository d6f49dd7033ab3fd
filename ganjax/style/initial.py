"""Initial pictures of a transfer: functions of a key, the content and styles.

Each is `(key, content, styles) -> pictures`, where the content is
`[N, H, W, 3]` in [0, 1] and the styles are a sequence of `objective.Exemplar`.
The pictures have the content's shape.
"""

import jax
import jax.numpy as jnp

from ganjax.style import color, sizes


def content(key, content, styles):
  """Returns the content itself."""
  return content


def noise(key, content, styles):
  """Returns noise, uniform in [0, 1)."""
  return jax.random.uniform(key, content.shape)


def noisy_content(key, content, styles):
  """Returns the content with noise N(-.3, .3^2), clipped to [0, 1]."""
  draws = jax.random.normal(key, content.shape)
  return jnp.clip(content + 0.3 * (draws - 1), 0, 1)


def style_stats(key, content, styles):
  """Returns Gaussian noise with the styles' mean and standard deviation.

  Both are those of each channel, over the pixels of all styles by their
  weights. The noise is clipped to [0, 1].
  """
  total = sum(exemplar.weight for exemplar in styles)
  mean, square = (
    sum(e.weight * (e.picture**power).mean((1, 2)) for e in styles) / total
    for power in (1, 2)
  )
  deviation = jnp.sqrt(jnp.maximum(square - mean**2, 0))
  draws = jax.random.normal(key, content.shape)
  return jnp.clip(mean[:, None, None] + deviation[:, None, None] * draws, 0, 1)


def colors(key, content, styles):
  """Returns the content with the mean colour and covariance of the styles.

  With several styles, it is the mean of what each one gives, by their weights.
  """
  total = sum(exemplar.weight for exemplar in styles)
  matched = (
    exemplar.weight * color.matched(content, exemplar.picture)
    for exemplar in styles
  )
  return jnp.clip(sum(matched) / total, 0, 1)


def picture(given):
  """Returns the function that begins with a given picture, resized.

  Args:
    given: `[1, h, w, 3]` or `[N, h, w, 3]` in [0, 1].
  """

  def resized(key, content, styles):
    small = sizes.resized(given, content.shape[1:3])
    return jnp.broadcast_to(small, content.shape)

  return resized
