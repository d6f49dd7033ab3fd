"""The truncation trick: samples whose styles lie nearer to their mean."""

import jax

from ganjax.arrays import Scalar
from ganjax.game import Game


def truncated(
  game: Game,
  psi: Scalar,
  mean_latents: jax.Array,
  mean_labels: jax.Array | None = None,
) -> Game:
  """Returns the `Game` whose samples have truncated styles.

  Karras, Laine and Aila, "A Style-Based Generator Architecture for Generative
  Adversarial Networks", 2019, arXiv:1812.04948, appendix B: styles are moved
  towards their mean, which trades variety for quality. In networks without a
  mapping, styles are the latents.

  Args:
    game: a `Game` with a mapping.
    psi: factor of the distance to the mean: 0 is the mean, 1 leaves styles as
      they are; an array `[L, 1]` has one for each layer. May be traced.
    mean_latents: `[M, Z]`, drawn from the prior, whose styles give the mean.
      The original takes a moving average during training.
    mean_labels: int32 `[M]`, the labels of these in a conditional game: the
      mean is that of all classes together.
  """

  def mapping(params, buffers, latents, *rest, **named):
    styles = game.mapping(params, buffers, latents, *rest, **named)
    many = game.mapping(params, buffers, mean_latents, labels=mean_labels)
    return (1 - psi) * many.mean(0) + psi * styles

  def sample(params, buffers, latents, *rest, **named):
    styles = mapping(params, buffers, latents, *rest, **named)
    return game.synthesis(params, buffers, styles, *rest, **named)

  return game._replace(mapping=mapping, sample=sample)
