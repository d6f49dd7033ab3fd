"""Style transfer: pictures move until their features are those asked for.

Pictures are float32 `[N, H, W, 3]` in [0, 1], as in all published constants of
style transfer, not in [-1, 1] as a GAN's images. The encoder's parameters, the
targets and the weights are arguments of every compiled program.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import flax
import jax
import jax.numpy as jnp
import numpy as np

from ganjax.style import canvas, color, objective
from ganjax.training import compilation


class Recipe(NamedTuple):
  """All that defines a transfer but the pictures, the encoder and the sizes.

  Attributes:
    terms: a sequence of `objective.Term`.
    weights: of the terms, by name; may be traced.
    optimizer: of `ganjax.style.canvas`.
    start: `(key, content, styles) -> pictures`, such as `noise`.
    decay: of the moving average of pictures, which is the result, in [0, 1); 0
      is the last picture. May be traced.
    style_scale: the style's longer side by the result's; a style is never
      enlarged beyond its own size.
  """

  terms: tuple
  weights: Mapping[str, Any]
  optimizer: canvas.Optimizer = canvas.adam(bounds=canvas.UNIT)
  start: Callable = lambda key, content, styles: content
  decay: Any = 0.99
  style_scale: float = 1.0


class Report(NamedTuple):
  """Where a transfer stands.

  Attributes:
    size: (height, width) of the pictures, in pixels.
    step: evaluations at this size so far.
    steps: evaluations at this size in all.
    losses: NumPy `[N]` by the terms' names, without their weights, and their
      weighted sum as 'loss', at the last evaluation.
    pictures: the moving average, `[N, H, W, 3]` in [0, 1].
  """

  size: tuple
  step: int
  steps: int
  losses: dict
  pictures: Any


@flax.struct.dataclass
class TransferState:
  """All that moves at one size.

  Attributes:
    step: int32, evaluations so far.
    pictures: where the objective is evaluated next.
    average: of the pictures reached so far.
    opt_state: of the optimiser.
  """

  step: jax.Array
  pictures: jax.Array
  average: jax.Array
  opt_state: Any


# Starts.


def noise(key, content, styles):
  """Pictures of the content's shape, uniform in [0, 1)."""
  return jax.random.uniform(key, content.shape)


def noisy_content(key, content, styles):
  """The content with noise N(-.3, .3^2), clipped to [0, 1]."""
  draws = jax.random.normal(key, content.shape)
  return jnp.clip(content + 0.3 * (draws - 1), 0, 1)


def style_stats(key, content, styles):
  """Noise of the content's shape with the styles' mean and deviation.

  Of each channel, over the pixels of all styles by their weights.
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
  """The content in the colours of the styles: their means and covariances.

  Of several styles, the mean of what each would make of it, by their weights.
  """
  total = sum(exemplar.weight for exemplar in styles)
  made = (
    exemplar.weight * color.matched(content, exemplar.picture)
    for exemplar in styles
  )
  return jnp.clip(sum(made) / total, 0, 1)


def picture(start):
  """The start that is a picture, `[1, h, w, 3]` or `[N, h, w, 3]`, resized."""

  def resized(key, content, styles):
    small = canvas.resized(start, content.shape[1:3])
    return jnp.broadcast_to(small, content.shape)

  return resized


# The steps.


def init(optimizer, pictures):
  """The `TransferState` before the first step.

  Args:
    optimizer: of `ganjax.style.canvas`.
    pictures: `[N, H, W, 3]` in [0, 1].
  """
  return TransferState(
    step=jnp.int32(0),
    # Copies: the state is donated, and the pictures may be the caller's.
    pictures=jnp.copy(pictures),
    average=jnp.copy(pictures),
    opt_state=optimizer.init(pictures),
  )


def carried(optimizer, state, size):
  """The `TransferState` at another size: it starts from the average.

  Args:
    optimizer: whose own state is carried as it says.
    state: at the size before.
    size: (height, width), in pixels.
  """
  pictures = canvas.resized(jnp.clip(state.average, 0, 1), size)
  return TransferState(
    step=jnp.int32(0),
    pictures=pictures,
    average=jnp.copy(pictures),
    opt_state=optimizer.carry(state.opt_state, pictures),
  )


def stepper(encoder, terms, optimizer):
  """The function `(state, params, targets, weights, decay) -> (state, losses)`.

  One evaluation of the objective and of its gradient. Losses are those at
  `state.pictures`, `[N]` by the terms' names, and their weighted sum 'loss'.
  The average is the unbiased exponential one of the pictures reached.

  Args:
    encoder: whose `params` are not looked at.
    terms: a sequence of `objective.Term`.
    optimizer: of `ganjax.style.canvas`.
  """

  def step(state, params, targets, weights, decay):
    def total(pictures):
      values = objective.losses(encoder, terms, params, pictures, targets)
      loss = sum(weights[name] * value for name, value in values.items())
      return loss.sum(), values | {'loss': loss}

    gradients, values = jax.grad(total, has_aux=True)(state.pictures)
    ahead, reached, opt_state = optimizer.update(
      state.pictures, values['loss'], gradients, state.opt_state
    )
    number = state.step + 1
    rate = (1 - decay) / (1 - jnp.float32(decay) ** number)
    average = state.average + rate * (reached - state.average)
    return TransferState(number, ahead, average, opt_state), values

  return step


def chunk(step, number):
  """`number` steps as one function like `step`; losses are the last one's.

  Args:
    step: of `stepper`.
    number: at least 1, a Python int.
  """
  # Without a loop, in which XLA on a CPU runs convolutions slowly.
  if number == 1:
    return step

  def several(state, *arguments):
    state, values = jax.lax.scan(
      lambda state, _: step(state, *arguments), state, length=number
    )
    return state, jax.tree.map(lambda value: value[-1], values)

  return several


def transfer(key, encoder, recipe, content, styles, sides, steps):
  """The pictures `[N, H, W, 3]` in [0, 1], as a pure function.

  To compile it, pass `encoder._replace(params=params)` with the parameters an
  argument. On a CPU `reports` is about three times faster, for XLA runs
  convolutions slowly inside a loop there.

  Args:
    key: for the start.
    encoder: of `ganjax.style.encoders`.
    recipe: a `Recipe`.
    content: `[N, h, w, 3]` in [0, 1].
    styles: a sequence of `objective.Exemplar`.
    sides: the longer sides of the scales, in pixels, as `canvas.sides` has
      them; the last is the result's.
    steps: evaluations at each of them.

  Raises:
    ValueError: if a picture would be smaller than the encoder takes, or as
      `objective.targets`.
  """
  state = None
  step = stepper(encoder, recipe.terms, recipe.optimizer)
  for side, number in zip(sides, steps, strict=True):
    scene = _scene(encoder, recipe, content, styles, side)
    state = _placed(recipe, key, state, *scene)
    aims = objective.targets(encoder, recipe.terms, encoder.params, *scene)
    state, _ = chunk(step, number)(
      state, encoder.params, aims, recipe.weights, recipe.decay
    )
  return jnp.clip(state.average, 0, 1)


def reports(key, encoder, recipe, content, styles, sides, steps, every=50):
  """Yields a `Report` after each `every` steps, and at the end of each size.

  It runs on the host and compiles its programs, one for each size. The caller
  may stop at any report and keep its pictures.

  Args:
    key: for the start.
    encoder: of `ganjax.style.encoders`.
    recipe: a `Recipe`.
    content: `[N, h, w, 3]` in [0, 1].
    styles: a sequence of `objective.Exemplar`.
    sides: as in `transfer`.
    steps: evaluations at each of them, at least 1.
    every: evaluations from one report to the next.

  Raises:
    FloatingPointError: if a loss is not finite.
    ValueError: as `transfer`.
  """
  state = None
  step = stepper(encoder, recipe.terms, recipe.optimizer)
  run = jax.jit(
    lambda number, *rest: chunk(step, number)(*rest),
    static_argnums=0,
    donate_argnums=1,
  )
  aim = jax.jit(functools.partial(objective.targets, encoder, recipe.terms))
  # Where a loop is slow, steps are dispatched one by one.
  loops = compilation.steps_together(encoder.params) > 1
  for side, last in zip(sides, steps, strict=True):
    scene = _scene(encoder, recipe, content, styles, side)
    state = _placed(recipe, key, state, *scene)
    aims = aim(encoder.params, *scene)
    for first in range(0, last, every):
      number = min(every, last - first)
      for together in [number] if loops else [1] * number:
        state, values = run(
          together, state, encoder.params, aims, recipe.weights, recipe.decay
        )
      yield _report(state, values, last)


def _report(state, values, steps):
  values = {name: np.asarray(value) for name, value in values.items()}
  if not np.all(np.isfinite(values['loss'])):
    raise FloatingPointError(
      f'The loss is {values["loss"]} after {int(state.step)} steps of {steps}: '
      'lower the learning rate or the weights.'
    )
  size = state.average.shape[1:3]
  shown = jnp.clip(state.average, 0, 1)
  return Report(size, int(state.step), steps, values, shown)


def _scene(encoder, recipe, content, styles, side):
  """The content and the styles at the size that a scale has."""

  def small(picture, side):
    size = canvas.shape(*picture.shape[1:3], side)
    if min(size) < encoder.smallest:
      raise ValueError(
        f'A picture would have {size[0]}x{size[1]} pixels, but {encoder.name} '
        f'needs {encoder.smallest} on each side: ask for a longer side.'
      )
    return canvas.resized(picture, size)

  def of(exemplar):
    own = max(exemplar.picture.shape[1:3])
    wanted = min(own, round(side * recipe.style_scale))
    return exemplar._replace(picture=small(exemplar.picture, wanted))

  return small(content, side), tuple(of(exemplar) for exemplar in styles)


def _placed(recipe, key, state, content, styles):
  if state is not None:
    return carried(recipe.optimizer, state, content.shape[1:3])
  return init(recipe.optimizer, recipe.start(key, content, styles))
