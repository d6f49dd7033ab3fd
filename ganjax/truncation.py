"""The truncation trick: samples whose styles lie nearer to their mean."""

from collections.abc import Callable

import jax

from ganjax.arrays import Scalar, Tree
from ganjax.game import Game
from ganjax.players import Pair


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
      The original takes a moving average during training, see `tracked`.
    mean_labels: int32 `[M]`, the labels of these in a conditional game: the
      mean is that of all classes together.
  """

  def mean(params, buffers):
    many = game.mapping(params, buffers, mean_latents, labels=mean_labels)
    return many.mean(0)

  return _towards(game, psi, mean)


def tracked(game: Game, psi: Scalar) -> Game:
  """Returns the `Game` whose samples are truncated to the mean of training.

  That is the moving average of styles over the generator's updates, which its
  network carries, as `stylegan2` does and the papers' code: it lags behind the
  parameters by 200 updates, and of averaged buffers it is averaged again.

  Args:
    game: a `Game` with a mapping that tracks the mean of its styles.
    psi: as in `truncated`.

  Raises:
    ValueError: when traced with buffers without such a mean.
  """
  return _towards(game, psi, lambda params, buffers: _tracked_mean(buffers))


def _towards(game: Game, psi: Scalar, mean: Callable[[Tree, Pair], Tree]):
  """Returns the game with styles moved to `mean(params, buffers)`."""

  def mapping(params, buffers, latents, *rest, **named):
    styles = game.mapping(params, buffers, latents, *rest, **named)
    return (1 - psi) * mean(params, buffers) + psi * styles

  def sample(params, buffers, latents, *rest, **named):
    styles = mapping(params, buffers, latents, *rest, **named)
    return game.synthesis(params, buffers, styles, *rest, **named)

  return game._replace(mapping=mapping, sample=sample)


def _tracked_mean(buffers):
  for path, leaf in jax.tree_util.tree_leaves_with_path(buffers.generator):
    if [getattr(key, 'key', None) for key in path[-2:]] == [
      'average',
      'styles',
    ]:
      return leaf
  raise ValueError(
    'The buffers of this generator hold no mean of its styles; truncate with '
    'latents of the prior instead, by truncation.truncated.'
  )
