"""The sides of the benchmark of style transfer: ganjax and PyTorch.

Both take steps of the default method of `configs/style_transfer.py` on
SqueezeNet 1.0, with the same weights, pictures, layers, losses and Adam.
"""

import functools
import time
from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np

from configs import style_transfer
from experiments.benchmark import flops, memory, style_torch
from ganjax import pictures
from ganjax.style import from_config, objective, pretrained, sizes, transfer


class Scene(NamedTuple):
  """What both sides are given."""

  encoder: NamedTuple
  method: transfer.Method
  content: jax.Array  # [1, H, W, 3] in [0, 1]
  style: jax.Array  # [1, h, w, 3] in [0, 1]


class Side(NamedTuple):
  """One implementation of the transfer of a scene."""

  start: Callable  # () -> loss, gradient [1, H, W, 3]: NumPy, at the content
  evaluate: Callable  # makes one step; the loss before it, not waited for
  seconds: dict  # until the step could run: targets, traced, compiled
  flops: float | None = None  # floating-point operations of a step


def scene(files, side):
  """Returns the `Scene` of files at a size.

  Args:
    files: the paths (weights, content, style).
    side: the longer side of both pictures, in pixels.

  Raises:
    ValueError: if the weights are not of a SqueezeNet, or a file is unreadable.
  """
  weights, *paths = files
  encoder = pretrained.load(weights)
  if 'fire9' not in encoder.layers:
    raise ValueError(
      f"{weights} holds {encoder.name}, but PyTorch's side is written for "
      'SqueezeNet 1.0. Give compressed_SqueezeNet.net.'
    )

  def small(path):
    picture = pictures.load(path)[None]
    return sizes.resized(picture, sizes.shape(*picture.shape[1:3], side))

  method = from_config.method(style_transfer.get_config(), encoder)
  return Scene(encoder, method, *map(small, paths))


def ganjax_side(scene, optimizer=None):
  """Returns the `Side` of this package, which dispatches each step by itself.

  Args:
    scene: a `Scene`.
    optimizer: of `ganjax.style.optimizers`; None is that of the method.
  """
  encoder, method = scene.encoder, scene.method
  optimizer = optimizer or method.optimizer
  begun = time.perf_counter()
  targets = jax.jit(
    functools.partial(objective.targets, encoder, method.terms)
  )(encoder.params, scene.content, (objective.Exemplar(scene.style),))
  state = transfer.init(optimizer, scene.content)
  known = encoder.params, targets, method.weights
  aimed = time.perf_counter()
  step = transfer.stepper(encoder, method.terms, optimizer)
  jitted = jax.jit(step, donate_argnums=0)
  staged = jitted.trace(state, *known, method.ema_decay)
  lowered = staged.lower()
  traced = time.perf_counter()
  program = lowered.compile()
  compiled = time.perf_counter()

  def total(content, params, targets, weights):
    losses = objective.losses(encoder, method.terms, params, content, targets)
    return sum(weights[name] * values.sum() for name, values in losses.items())

  def start():
    found = jax.jit(jax.value_and_grad(total))(scene.content, *known)
    return jax.tree.map(np.asarray, found)

  def evaluate():
    nonlocal state
    state, losses = program(state, *known, method.ema_decay)
    return losses['loss']

  seconds = {
    'targets': aimed - begun,
    'traced': traced - aimed,
    'compiled': compiled - traced,
  }
  return Side(start, evaluate, seconds, flops.of(staged.jaxpr))


def torch_side(scene):
  """Returns the same `Side` of PyTorch in eager mode."""
  return Side(*style_torch.descent(scene), {})


SIDES = {'ganjax': ganjax_side, 'torch': torch_side}


def round_of(side, steps):
  """Returns the function that makes a number of steps and waits for them."""

  def run():
    for _ in range(steps):
      loss = side.evaluate()
    loss.item()

  return run


def three_steps(name, files, size):
  """Makes three steps; returns the bytes of memory before them.

  Args:
    name: of `SIDES`.
    files: as in `scene`.
    size: of the longer side of both pictures, in pixels.
  """
  given = scene(files, size)
  if name == 'torch':
    import torch  # noqa: F401 so that its own memory is there before
  before = memory.resident()
  round_of(SIDES[name](given), 3)()
  return before
