"""The benchmark of style transfer, beside PyTorch where it is installed.

Loss and gradient of both sides must agree at the start before anything is
timed. Rounds of the sides alternate, and memory is that of processes of their
own. PyTorch runs in eager mode.
"""

import functools

from experiments.benchmark import (
  limits,
  memory,
  rounds,
  style_losses,
  style_sides,
  torch_device,
)
from ganjax.style import optimizers

NEEDS = 'weights', 'content', 'style'
"""The flags of the files."""


def measured(size, task):
  """Returns the row of steps, with the memory of each side.

  Args:
    size: as in `steps`.
    task: likewise.
  """
  found = steps(size, task)
  for name, about in found['sides'].items():
    about['bytes'] = memory.of_process(
      style_sides.three_steps, name, task.style_files, _pixels(size, task)
    )
  return found


def steps(size, task):
  """Returns the row of steps.

  Args:
    size: of the longer side of both pictures, in pixels.
    task: a `task.Task`.

  Raises:
    ValueError: if the sides disagree at the start, or as `style_sides.scene`.
  """
  built = _sides(size, task)
  agreement = style_losses.agreement(built)
  makers = {
    name: functools.partial(
      rounds.Side,
      style_sides.round_of(side, 4),
      4,
      side.seconds,
      limits.usual(),
      side.flops,
    )
    for name, side in built.items()
  }
  found = rounds.compare(task, makers, 1, 'steps')
  far = [f'{part} agrees to {by:.1g}' for part, by in agreement.items()]
  more = {'words': f'{", ".join(far)}.'} if far else {}
  return found | {'agreement': agreement} | more


def descent(size, task):
  """Returns the row of the time until a loss, by optimiser.

  Args:
    size: as in `steps`.
    task: likewise.
  """
  own = _sides(size, task)
  sides = {f'{name}, Adam': side for name, side in own.items()}
  scene = style_sides.scene(task.style_files, _pixels(size, task))
  lbfgs = optimizers.lbfgs(bounds=optimizers.UNIT)
  sides['ganjax, L-BFGS'] = style_sides.ganjax_side(scene, lbfgs)
  return style_losses.by_evaluations(sides, 4 if task.tiny else 200)


def _sides(size, task):
  """Returns the `style_sides.Side`s by name."""
  scene = style_sides.scene(task.style_files, _pixels(size, task))
  names = ['ganjax']
  if task.torch_too:
    torch_device.allow_tf32(True)
    names.append('torch')
  return {name: style_sides.SIDES[name](scene) for name in names}


def _pixels(size, task):
  return 32 if task.tiny else size
