"""A painter of one style: its training, as a pure function of a key.

Johnson, Alahi and Fei-Fei, "Perceptual Losses for Real-Time Style Transfer and
Super-Resolution", 2016, arXiv:1603.08155, section 3: what style transfer
minimises for one picture is minimised over the parameters of a network, for
all of them. Pictures are float32 `[N, H, W, 3]` in [0, 1].
"""

from typing import Any

import flax
import jax
import jax.numpy as jnp
import optax

from ganjax.style import objective


@flax.struct.dataclass
class PainterState:
  """All that a training is, between two steps.

  Attributes:
    step: int32, moves of the parameters so far.
    key: the run's key; it never changes.
    params: of the painter.
    opt_state: of the optimiser.
  """

  step: jax.Array
  key: jax.Array
  params: Any
  opt_state: Any


def init(painter, optimizer, key):
  """The `PainterState` before the first step.

  Args:
    painter: of `ganjax.style.transformer`.
    optimizer: an `optax.GradientTransformation`.
    key: of the run.
  """
  init_key, key = jax.random.split(key)
  params = painter.init(init_key, jnp.zeros((1, 32, 32, 3)))
  return PainterState(jnp.int32(0), key, params, optimizer.init(params))


def scale(pixels):
  """The pictures in [0, 1] of pixels `[N, H, W, 3]`, uint8."""
  return pixels.astype('float32') / 255


def windows(key, pictures, side):
  """A window `[N, side, side, 3]` of each picture, at a place of its own.

  Args:
    key: draws the places.
    pictures: `[N, H, W, 3]`.
    side: in pixels, static.

  Raises:
    ValueError: if a picture is smaller than that.
  """
  number, height, width, channels = pictures.shape
  if side > min(height, width):
    raise ValueError(
      f'There is no window of {side} pixels in a picture of {height}x{width}; '
      'give a smaller window, or larger pictures.'
    )
  most = jnp.array([height - side, width - side])
  corners = jax.random.randint(key, (number, 2), 0, most + 1)

  def window(picture, corner):
    return jax.lax.dynamic_slice(picture, (*corner, 0), (side, side, channels))

  return jax.vmap(window)(pictures, corners)


def losses(painter, encoder, terms, params, own, contents, targets):
  """The terms' values, `[N]` each by name, for what the painter makes.

  Args:
    painter: of `ganjax.style.transformer`.
    encoder: whose `params` are not looked at.
    terms: a sequence of `objective.Term`.
    params: of the encoder.
    own: the painter's parameters.
    contents: `[N, H, W, 3]`.
    targets: of `objective.targets`, for the terms that ask the same of every
      picture, as those of style do; of each other term, the contents
      themselves are the target.
  """
  others = [term for term in terms if term.name not in targets]
  aims = objective.targets(encoder, others, params, contents, ())
  painted = painter.apply(own, contents)
  return objective.losses(encoder, terms, params, painted, targets | aims)


def stepper(painter, encoder, terms, optimizer, side):
  """The step `(state, pixels, params, targets, weights) -> (state, losses)`.

  It draws a window of each of the pixels, uint8 `[N, H, W, 3]`, and moves the
  painter's parameters down the mean over these of the weighted terms. Losses
  are scalars by the terms' names, before the move, and their weighted sum
  'loss'. As in `ganjax.style.transfer`, the encoder's parameters, the targets
  and the weights are arguments.

  Args:
    painter: of `ganjax.style.transformer`.
    encoder: whose `params` are not looked at.
    terms: a sequence of `objective.Term`.
    optimizer: an `optax.GradientTransformation`.
    side: of the windows, in pixels, static.
  """

  def step(state, pixels, params, targets, weights):
    key = jax.random.fold_in(state.key, state.step)
    contents = windows(key, scale(pixels), side)

    def total(own):
      values = losses(painter, encoder, terms, params, own, contents, targets)
      means = {name: value.mean() for name, value in values.items()}
      loss = sum(weights[name] * value for name, value in means.items())
      return loss, means | {'loss': loss}

    slopes, values = jax.grad(total, has_aux=True)(state.params)
    moves, opt_state = optimizer.update(slopes, state.opt_state, state.params)
    return state.replace(
      step=state.step + 1,
      params=optax.apply_updates(state.params, moves),
      opt_state=opt_state,
    ), values

  return step
