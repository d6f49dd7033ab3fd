"""Style transfer: pictures are optimised until they have the features wanted.

Pictures are float32 `[N, H, W, 3]` in [0, 1], as in all published constants of
style transfer, not in [-1, 1] as a GAN's images. The encoder's parameters, the
targets and the weights are arguments of every compiled program.
"""

import functools
import math
import warnings
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import flax
import jax
import jax.numpy as jnp
import numpy as np

from ganjax.style import initial, objective, optimizers, sizes, steps
from ganjax.training import compilation


class Method(NamedTuple):
  """All that defines a transfer but the pictures, the encoder and the sizes.

  Attributes:
    terms: a sequence of `objective.Term`.
    weights: of the terms, by name; may be traced.
    optimizer: of `ganjax.style.optimizers`.
    init: of `ganjax.style.initial`, the picture to begin with.
    ema_decay: of the exponential moving average of pictures, which is the
      result, in [0, 1); with 0 the result is the last picture. May be traced.
    style_scale: the longer side of the styles, relative to that of the result;
      a style is enlarged beyond its own size only where the encoder needs it.
  """

  terms: tuple
  weights: Mapping[str, Any]
  optimizer: optimizers.Optimizer = optimizers.adam(bounds=optimizers.UNIT)
  init: Callable = initial.content
  ema_decay: Any = 0.99
  style_scale: float = 1.0


class Progress(NamedTuple):
  """How far a transfer has come.

  Attributes:
    size: (height, width) of the pictures, in pixels.
    step: evaluations so far, at all sizes.
    steps: evaluations in all.
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
  """The state of a transfer at one size.

  Attributes:
    step: int32, evaluations so far.
    params: the pictures at which the objective is evaluated next.
    average: of the best pictures after each evaluation.
    opt_state: of the optimiser.
  """

  step: jax.Array
  params: jax.Array
  average: jax.Array
  opt_state: Any


def init(optimizer, pictures):
  """Returns the `TransferState` before the first step.

  Args:
    optimizer: of `ganjax.style.optimizers`.
    pictures: `[N, H, W, 3]` in [0, 1].
  """
  return TransferState(
    step=jnp.int32(0),
    # Copies: the state is donated, and the pictures may be the caller's.
    params=jnp.copy(pictures),
    average=jnp.copy(pictures),
    opt_state=optimizer.init(pictures),
  )


def resized(optimizer, state, size):
  """Returns the `TransferState` at another size, which begins with the average.

  Args:
    optimizer: which resizes its own state.
    state: at the size before.
    size: (height, width), in pixels.
  """
  pictures = sizes.resized(jnp.clip(state.average, 0, 1), size)
  return TransferState(
    step=jnp.int32(0),
    params=pictures,
    average=jnp.copy(pictures),
    opt_state=optimizer.resize(state.opt_state, pictures),
  )


def stepper(encoder, terms, optimizer):
  """Returns the step of `steps.stepper` for pictures, which averages them.

  It is a function `(state, encoder_params, targets, weights, ema_decay) ->
  (state, losses)`, with losses `[N]`. The average is the exponential moving
  average of the best pictures, without bias.

  Args:
    encoder: of `ganjax.style.encoders`.
    terms: a sequence of `objective.Term`.
    optimizer: of `ganjax.style.optimizers`.
  """
  descend = steps.stepper(lambda own: own, encoder, terms, optimizer)

  def step(state, encoder_params, targets, weights, ema_decay):
    state, best, losses = descend(state, encoder_params, targets, weights)
    rate = (1 - ema_decay) / (1 - jnp.float32(ema_decay) ** state.step)
    average = state.average + rate * (best - state.average)
    return state.replace(average=average), losses

  return step


def several(step, number):
  """Returns `number` steps as one step, whose losses are those of the last.

  Args:
    step: of `stepper`.
    number: at least 1, a Python int.
  """
  # Without a loop, in which XLA on a CPU runs convolutions slowly.
  if number == 1:
    return step

  def looped(state, *arguments):
    state, losses = jax.lax.scan(
      lambda state, _: step(state, *arguments), state, length=number
    )
    return state, jax.tree.map(lambda values: values[-1], losses)

  return looped


def transfer(key, encoder, method, content, styles, sides, steps):
  """Returns the painted pictures `[N, H, W, 3]` in [0, 1], as a pure function.

  To compile it, pass `encoder._replace(params=params)`, where `params` are an
  argument of the compiled function. On a CPU `run` is about three times faster,
  because XLA runs convolutions slowly inside a loop there.

  Args:
    key: for the initial pictures.
    encoder: of `ganjax.style.encoders`.
    method: a `Method`.
    content: `[N, h, w, 3]` in [0, 1].
    styles: a sequence of `objective.Exemplar`.
    sides: the longer sides of the scales, in pixels, such as those of
      `sizes.sides`; the last is the result's.
    steps: evaluations at each scale.

  Raises:
    ValueError: if the content would be smaller than the encoder takes, or as
      `objective.targets`.
  """
  state = None
  step = stepper(encoder, method.terms, method.optimizer)
  for side, number in zip(sides, steps, strict=True):
    scene = _at_scale(encoder, method, content, styles, side)
    state = _begun(method, key, state, *scene)
    targets = objective.targets(encoder, method.terms, encoder.params, *scene)
    state, _ = several(step, number)(
      state, encoder.params, targets, method.weights, method.ema_decay
    )
  return jnp.clip(state.average, 0, 1)


def run(key, encoder, method, content, styles, sides, steps, every=50):
  """Yields a `Progress` after each `every` steps, and at the end of each scale.

  It runs on the host and compiles its programs, one for each size. The caller
  may stop at any time and use the pictures of the last `Progress`.

  Args:
    key: for the initial pictures.
    encoder: of `ganjax.style.encoders`.
    method: a `Method`.
    content: `[N, h, w, 3]` in [0, 1].
    styles: a sequence of `objective.Exemplar`.
    sides: as in `transfer`.
    steps: evaluations at each scale, at least 1.
    every: evaluations from one `Progress` to the next.

  Raises:
    FloatingPointError: if a loss is not finite.
    ValueError: as `transfer`.
  """
  state = None
  step = stepper(encoder, method.terms, method.optimizer)
  advance = jax.jit(
    lambda number, *rest: several(step, number)(*rest),
    static_argnums=0,
    donate_argnums=1,
  )
  aim = jax.jit(functools.partial(objective.targets, encoder, method.terms))
  # Where a loop is slow, steps are dispatched one by one.
  loops = compilation.steps_together(encoder.params) > 1
  done, total = 0, sum(steps)
  for side, last in zip(sides, steps, strict=True):
    scene = _at_scale(encoder, method, content, styles, side)
    state = _begun(method, key, state, *scene)
    targets = aim(encoder.params, *scene)
    for first in range(0, last, every):
      number = min(every, last - first)
      for together in [number] if loops else [1] * number:
        state, losses = advance(
          together,
          state,
          encoder.params,
          targets,
          method.weights,
          method.ema_decay,
        )
      done += number
      yield _progress(state, losses, done, total)


def in_words(progress):
  """Returns the size and the losses of the first picture, in words."""
  losses = (f'{name} {v[0]:.4g}' for name, v in progress.losses.items())
  return f'{progress.size[1]}x{progress.size[0]}: {", ".join(losses)}'


def _progress(state, losses, step, steps):
  losses = {name: np.asarray(values) for name, values in losses.items()}
  # The losses of a step are those before its update.
  if not np.all(np.isfinite([losses['loss'].sum(), state.average.sum()])):
    raise FloatingPointError(
      f'The loss became {losses["loss"]} within {step} of {steps} steps, or '
      'the picture undefined. Lower the learning rate or the weights.'
    )
  size = state.average.shape[1:3]
  pictures = jnp.clip(state.average, 0, 1)
  return Progress(size, step, steps, losses, pictures)


def _at_scale(encoder, method, content, styles, side):
  """Returns the content and the styles at the size of a scale."""

  least = encoder.smallest
  own = content.shape[1:3]
  size = sizes.shape(*own, side)
  if min(size) < least:
    raise ValueError(
      f'The content would have {size[1]}x{size[0]} pixels, but {encoder.name} '
      f'needs at least {least} on each side. Choose sizes (size and min_size) '
      f'of at least {math.ceil(least * max(own) / min(own))}.'
    )

  def of(number, exemplar):
    height, width = exemplar.picture.shape[1:3]
    if min(height, width) < least:
      warnings.warn(
        f'Style {number} has {width}x{height} pixels and is enlarged, for '
        f'{encoder.name} needs at least {least} on each side; a larger picture '
        'has more of a style.',
        stacklevel=4,
      )
    wanted = round(side * method.style_scale)
    picture = sizes.limited(exemplar.picture, wanted, least)
    return exemplar._replace(picture=picture)

  return sizes.resized(content, size), tuple(
    of(number, exemplar) for number, exemplar in enumerate(styles, 1)
  )


def _begun(method, key, state, content, styles):
  """Returns the state before the first step at a scale."""
  if state is not None:
    return resized(method.optimizer, state, content.shape[1:3])
  return init(method.optimizer, method.init(key, content, styles))
