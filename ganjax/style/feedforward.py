"""Feed-forward stylisation: the training of a network for one style.

Johnson, Alahi and Fei-Fei, "Perceptual Losses for Real-Time Style Transfer and
Super-Resolution", 2016, arXiv:1603.08155, section 3: the loss that style
transfer minimises for one picture is minimised over the parameters of a
network, for all pictures. Pictures are float32 `[N, H, W, 3]` in [0, 1].
"""

from typing import Any

import flax
import jax
import jax.numpy as jnp

from ganjax.style import objective, steps


@flax.struct.dataclass
class PainterState:
  """The state of a training between two steps.

  Attributes:
    step: int32, updates of the parameters so far.
    key: of the run; it never changes.
    params: of the painter.
    opt_state: of the optimiser.
  """

  step: jax.Array
  key: jax.Array
  params: Any
  opt_state: Any


def init(painter, optimizer, key):
  """Returns the `PainterState` before the first step.

  Args:
    painter: of `ganjax.style.image_transformation`.
    optimizer: of `ganjax.style.optimizers`.
    key: of the run.
  """
  init_key, key = jax.random.split(key)
  params = painter.init(init_key, jnp.zeros((1, 32, 32, 3)))
  return PainterState(jnp.int32(0), key, params, optimizer.init(params))


def scale(pixels):
  """Returns the pictures in [0, 1] of pixels `[N, H, W, 3]`, uint8."""
  return pixels.astype('float32') / 255


def random_crops(key, pictures, side):
  """Returns a crop `[N, side, side, 3]` of each picture, at its own place.

  Args:
    key: draws the places.
    pictures: `[N, H, W, 3]`.
    side: in pixels, static.

  Raises:
    ValueError: if the pictures are smaller than the crops.
  """
  number, height, width, channels = pictures.shape
  if side > min(height, width):
    raise ValueError(
      f'A picture of {height}x{width} pixels has no crop of {side} pixels. '
      'Choose a smaller crop or larger pictures.'
    )
  room = jnp.array([height - side, width - side])
  corners = jax.random.randint(key, (number, 2), 0, room + 1)

  def crop(picture, corner):
    return jax.lax.dynamic_slice(picture, (*corner, 0), (side, side, channels))

  return jax.vmap(crop)(pictures, corners)


def style_targets(encoder, terms, encoder_params, style, side):
  """Returns the targets of the terms 'style', the same for every content.

  Args:
    encoder: of `ganjax.style.encoders`.
    terms: a sequence of `objective.Term`, of which others are left out.
    encoder_params: the encoder's parameters.
    style: `[1, h, w, 3]` in [0, 1].
    side: of the crops of contents, in pixels.
  """
  shared = [term for term in terms if term.name == 'style']
  content = jnp.zeros((1, side, side, 3))
  styles = (objective.Exemplar(style),)
  return objective.targets(encoder, shared, encoder_params, content, styles)


def with_contents(targets, encoder, terms, encoder_params, contents):
  """Returns the targets, and those of all other terms, of the contents.

  Args:
    targets: of `objective.targets`, for terms that ask the same of every
      picture, as those of style do.
    encoder: of `ganjax.style.encoders`.
    terms: a sequence of `objective.Term`.
    encoder_params: the encoder's parameters.
    contents: `[N, H, W, 3]` in [0, 1].
  """
  others = [term for term in terms if term.name not in targets]
  return targets | objective.targets(
    encoder, others, encoder_params, contents, ()
  )


def sampler(painter, pixels):
  """Returns `(state, number) -> images`, contents and what is made of them.

  Of the number, the first half are contents, and the others the results, in the
  same order. Being images for a grid, they are in [-1, 1].

  Args:
    painter: of `ganjax.style.image_transformation`.
    pixels: of contents, `[N, H, W, 3]` uint8.
  """

  def sample(state, number):
    contents = scale(pixels[: number // 2])
    painted = painter.apply(state.params, contents)
    return 2 * jnp.concatenate([contents, painted]) - 1

  return sample


def stepper(painter, encoder, terms, optimizer, side):
  """Returns the step of `steps.stepper` for a painter, on crops of pictures.

  It is a function `(state, batch, encoder_params, targets, weights) -> (state,
  losses)`. It draws a crop of each image of the `Batch`, uint8 `[N, H, W, 3]`,
  and descends the mean over the crops of the weighted terms. Losses are
  scalars.

  Args:
    painter: of `ganjax.style.image_transformation`.
    encoder: of `ganjax.style.encoders`.
    terms: a sequence of `objective.Term`.
    optimizer: of `ganjax.style.optimizers`.
    side: of the crops, in pixels, static.
  """
  descend = steps.stepper(painter.apply, encoder, terms, optimizer, jnp.mean)

  def step(state, batch, encoder_params, targets, weights):
    key = jax.random.fold_in(state.key, state.step)
    contents = random_crops(key, scale(batch.images), side)
    targets = with_contents(targets, encoder, terms, encoder_params, contents)
    state, _, losses = descend(
      state, encoder_params, targets, weights, contents
    )
    return state, losses

  return step
