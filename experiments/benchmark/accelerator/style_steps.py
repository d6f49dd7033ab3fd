"""Steps of style transfer at the sizes of an accelerator, beside PyTorch."""

import functools
import importlib.util

from experiments.benchmark import rounds, style_sides, torch_device
from experiments.benchmark.accelerator import comparison


def measured(size, task):
  """Returns the row of a size: the longer side of both pictures, in pixels."""
  scene = style_sides.scene(task.style_files, 32 if task.tiny else size)
  names = ['ganjax']
  if importlib.util.find_spec('torch'):
    torch_device.allow_tf32(True)
    names.append('torch')
  makers = {
    f'{name}, tf32': functools.partial(_side, name, scene) for name in names
  }
  return comparison.compare(task, makers, 1, 'steps')


def _side(name, scene):
  number = 4
  built = style_sides.SIDES[name](scene)
  run = style_sides.round_of(built, number)
  return rounds.Side(run, number, built.seconds, 'tf32', built.flops)
