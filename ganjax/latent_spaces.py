"""Where a generator can be inverted: in its latents, or in its styles."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from ganjax import pictures
from ganjax.game import Game
from ganjax.labels import in_turn
from ganjax.priors import Prior

_STYLES = 10_000  # whose mean a search in styles begins with


class Candidates(NamedTuple):
  """Where a search may begin.

  Attributes:
    points: latents or styles, `[K, ...]`.
    labels: int32 `[K]`, or None where the game is unconditional.
    center: mean of what was drawn, `[...]`.
    spread: root mean square distance from it, a scalar.
  """

  points: jax.Array
  labels: jax.Array | None
  center: jax.Array
  spread: jax.Array


class Space(NamedTuple):
  """What a generator is inverted in.

  Attributes:
    render: `(given, points, labels) -> images`, of the points `[N, ...]` of the
      space. `given` is a tree of arrays, the generator's weights.
    draw: `(key, given, number, classes) -> Candidates`, with `classes` 0 where
      the game is unconditional.
  """

  render: Callable
  draw: Callable


def latents(generate: Callable, prior: Prior, side: int) -> Space:
  """Returns the `Space` of latents.

  Args:
    generate: `(given, latents, key, labels) -> images` in [-1, 1], or a tree of
      them, of which the largest are taken. The key is None: networks that draw
      noise make their mean.
    prior: `(key, number) -> latents [number, Z]`.
    side: of the images, in pixels, to which smaller ones are enlarged.
  """

  def draw(key, given, number, classes):
    # A class without a draw could not be searched in.
    drawn = prior(key, max(number, classes))
    center = drawn.mean(0)
    labels = in_turn(len(drawn), classes)
    return Candidates(drawn, labels, center, _spread(drawn - center))

  return Space(_rendering(generate, side), draw)


def styles(game: Game, side: int) -> Space:
  """Returns the `Space` of styles, in which a search begins at their mean.

  All layers of the synthesis have the same style. In a conditional game there
  is a mean for each class.

  Args:
    game: a `Game` with a mapping.
    side: as in `latents`.

  Raises:
    ValueError: if the generator has no mapping, when candidates are drawn.
  """

  def generate(given, points, key, labels):
    # Only the shape of the styles is asked for.
    some = jax.eval_shape(lambda: mapped(given, jax.random.key(0), 1, labels))
    repeated = jnp.broadcast_to(points, (len(points), *some.shape[1:]))
    return game.synthesis(*given, repeated, key, labels=labels)

  def mapped(given, key, number, labels):
    own = None if labels is None else labels[:number]
    return game.mapping(*given, game.prior(key, number), labels=own)

  def draw(key, given, number, classes):
    some = game.prior(key, 2)
    same = game.mapping(*given, some, labels=in_turn(2, min(classes, 1)))
    if same.shape == some.shape and bool(jnp.all(same == some)):
      raise ValueError(
        'This generator has no mapping, so that its styles are its latents; '
        'search in the space z.'
      )
    labels = in_turn(_STYLES, classes)
    drawn = mapped(given, key, _STYLES, labels)
    drawn = drawn[:, :1] if drawn.ndim == 3 else drawn
    if not classes:
      labels = jnp.zeros(_STYLES, jnp.int32)
    sums = jax.ops.segment_sum(drawn, labels, max(classes, 1))
    counts = jnp.bincount(labels, length=max(classes, 1))
    means = sums / counts.reshape(-1, *[1] * (drawn.ndim - 1))
    center, own = drawn.mean(0), in_turn(classes, classes)
    return Candidates(means, own, center, _spread(drawn - center))

  return Space(_rendering(generate, side), draw)


def _rendering(generate, side):
  def render(given, points, labels):
    images = pictures.finest(generate(given, points, None, labels))
    return pictures.enlarged(images.astype(jnp.float32), side)

  return render


def _spread(differences):
  return jnp.sqrt((differences**2).sum() / len(differences))
