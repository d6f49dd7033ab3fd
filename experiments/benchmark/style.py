"""Style transfer's part of the benchmark, beside PyTorch where it is installed.

The default recipe on SqueezeNet 1.0, in eager mode there: the same weights,
pictures, start, layers, losses and Adam. Loss and gradient at the start must
agree before anything is timed. All sides take their turns at every round, or at
every evaluation where they descend; memory is that of processes of their own.
"""

import functools
import multiprocessing
import pathlib
import time
from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np
from tqdm import tqdm

from configs import style_transfer
from experiments.benchmark import style_torch
from ganjax import pictures
from ganjax.style import canvas, from_config, objective, pretrained, transfer

NAME = 'style transfer'
_SIZES = (256, 512)  # of the longer side, in pixels
_STEPS = {256: 4, 512: 1}  # in a round
_BUDGET, _SHOWN = 200, (50, 100, 200)  # evaluations
_AGREEMENT = 1e-4


class Scene(NamedTuple):
  """What both sides are given."""

  encoder: NamedTuple
  recipe: transfer.Recipe
  content: jax.Array  # [1, H, W, 3] in [0, 1]
  style: jax.Array  # [1, h, w, 3] in [0, 1]


class Descent(NamedTuple):
  """One implementation of a scene's descent."""

  start: Callable  # () -> loss, gradient [1, H, W, 3]: NumPy, at the content
  evaluate: Callable  # makes one step; the loss before it, not waited for
  seconds: dict  # until the step could run: traced, compiled


def scene(files, side):
  """The `Scene` of files at a size.

  Args:
    files: (weights, content, style), their paths.
    side: the longer one of both pictures, in pixels.

  Raises:
    ValueError: if the weights are not of a SqueezeNet, or a file is unreadable.
  """
  weights, *shown = files
  encoder = pretrained.load(weights)
  if 'fire9' not in encoder.layers:
    raise ValueError(
      f"{weights} holds {encoder.name}, but PyTorch's side is written for "
      'SqueezeNet 1.0: give compressed_SqueezeNet.net.'
    )

  def small(path):
    picture = pictures.load(path)[None]
    return canvas.resized(picture, canvas.shape(*picture.shape[1:3], side))

  recipe = from_config.recipe(style_transfer.get_config(), encoder)
  return Scene(encoder, recipe, *map(small, shown))


def ganjax_descent(scene, optimizer=None):
  """The `Descent` of this package, one step a dispatch.

  Args:
    scene: a `Scene`.
    optimizer: of `ganjax.style.canvas`; the recipe's where None.
  """
  encoder, recipe = scene.encoder, scene.recipe
  optimizer = optimizer or recipe.optimizer
  begun = time.perf_counter()
  aims = jax.jit(functools.partial(objective.targets, encoder, recipe.terms))(
    encoder.params, scene.content, (objective.Exemplar(scene.style),)
  )
  state = transfer.init(optimizer, scene.content)
  known = encoder.params, aims, recipe.weights
  aimed = time.perf_counter()
  step = transfer.stepper(encoder, recipe.terms, optimizer)
  lowered = jax.jit(step, donate_argnums=0).lower(state, *known, recipe.decay)
  traced = time.perf_counter()
  program = lowered.compile()
  compiled = time.perf_counter()

  def total(content, params, aims, weights):
    values = objective.losses(encoder, recipe.terms, params, content, aims)
    return sum(weights[name] * value.sum() for name, value in values.items())

  def start():
    found = jax.jit(jax.value_and_grad(total))(scene.content, *known)
    return jax.tree.map(np.asarray, found)

  def evaluate():
    nonlocal state
    state, values = program(state, *known, recipe.decay)
    return values['loss']

  seconds = {
    'aimed': aimed - begun,
    'traced': traced - aimed,
    'compiled': compiled - traced,
  }
  return Descent(start, evaluate, seconds)


def torch_descent(scene):
  """The same `Descent` of PyTorch in eager mode."""
  return Descent(*style_torch.descent(scene), {})


_SIDES = {'ganjax': ganjax_descent, 'torch': torch_descent}


def rows(measured, files, torch_too):
  """Yields the row of each comparison, and words on it.

  Args:
    measured: of `experiments.benchmark`.
    files: (weights, content, style), their paths.
    torch_too: whether PyTorch is there.

  Raises:
    ValueError: if the sides disagree at the start, or as `scene`.
  """
  names = ['ganjax', 'torch'] if torch_too else ['ganjax']
  for side in _SIZES:
    # Processes come first: their memory is not what this one has compiled.
    memory = {name: alone(name, files, side) for name in names}
    shown = scene(files, side)
    built = {name: _SIDES[name](shown) for name in names}
    agreement = agreed(built)
    row, words = measured(
      f'{NAME} at {side}',
      1,
      {
        name: (_round(descent, _STEPS[side]), _STEPS[side], {})
        for name, descent in built.items()
      },
    )
    before = built['ganjax'].seconds
    more = {'agreement': agreement, 'before': before, 'bytes': memory}
    yield (
      row | more,
      '; '.join(
        [words, f'traced in {before["traced"]:.1f} s']
        + [f'compiled in {before["compiled"]:.1f} s']
        + [_memory_in_words(name, found) for name, found in memory.items()]
        + [f'{part} agrees to {far:.1g}' for part, far in agreement.items()]
      ),
    )
  yield descended(scene(files, _SIZES[0]), names, f'{NAME}, descent')


def agreed(descents):
  """{'loss', 'gradient', 'most of it'}: how far the others are from ours.

  Relative differences. Rounding turns a few rectifiers and pools of millions,
  and with them the gradient around a few pixels, so what must agree is the
  gradient without the tenth of the pixels that differ the most. (PyTorch's own
  in float64 is farther from its own in float32 than ours is.)

  Args:
    descents: by name, ours first; of one alone the result is empty.

  Raises:
    ValueError: if the loss or most of the gradient differs by more than 1e-4.
  """
  (loss, gradient), *others = (d.start() for d in descents.values())
  far, whole = {}, np.linalg.norm(gradient)
  for other_loss, other_gradient in others:
    errors = np.sort(np.linalg.norm(other_gradient - gradient, axis=-1), None)
    most = errors[: len(errors) * 9 // 10]
    far['loss'] = abs(float(other_loss / loss) - 1)
    far['gradient'] = float(np.linalg.norm(errors) / whole)
    far['most of it'] = float(np.linalg.norm(most) / whole)
  for part in set(far) - {'gradient'}:
    if not far[part] <= _AGREEMENT:
      raise ValueError(
        f'At the start PyTorch is {far} away from ours, relatively, but '
        f'{part} may be {_AGREEMENT} at most: this is another objective, so '
        "there is nothing to compare. It is written for Caffe's SqueezeNet 1.0 "
        'and the default recipe.'
      )
  return far


def descended(scene, names, case):
  """The row of losses by evaluations and seconds, and words on it.

  The sides take turns at every evaluation. L-BFGS also evaluates where it will
  not go, so what counts is the lowest loss so far.
  """
  lbfgs = canvas.lbfgs(bounds=canvas.UNIT)
  descents = {f'{name}, Adam': _SIDES[name](scene) for name in names}
  descents['ganjax, L-BFGS'] = ganjax_descent(scene, lbfgs)
  losses = {name: [] for name in descents}
  seconds = {name: [] for name in descents}
  for _ in tqdm(range(_BUDGET), case, disable=None):
    for name, descent in descents.items():
      before = time.perf_counter()
      losses[name].append(descent.evaluate().item())
      seconds[name].append(time.perf_counter() - before)
  lowest = {k: np.minimum.accumulate(v) for k, v in losses.items()}
  taken = {k: np.cumsum(v) for k, v in seconds.items()}
  wanted = lowest['ganjax, Adam'][-1]
  reached = {
    name: first_below(series, taken[name], wanted)
    for name, series in lowest.items()
  }
  row = {
    'case': case,
    'losses': losses,
    'seconds': seconds,
    'loss': wanted.item(),
    'reached': reached,
  }
  words = []
  for name, series in lowest.items():
    found = ', '.join(f'{series[n - 1]:.4f}' for n in _SHOWN)
    words.append(f'{name} {found} in {taken[name][-1]:.1f} s')
    if reached[name]:
      at, after = reached[name]
      words[-1] += f' ({wanted:.4f} at {at} after {after:.1f} s)'
  evaluations = ', '.join(map(str, _SHOWN))
  return row, f'{case}, loss at {evaluations} evaluations: {"; ".join(words)}'


def first_below(losses, seconds, wanted):
  """(evaluations, seconds) until a loss is at most `wanted`, or None."""
  below = np.flatnonzero(np.asarray(losses) <= wanted)
  if not below.size:
    return None
  return int(below[0]) + 1, float(seconds[below[0]])


def alone(name, files, side):
  """{'before', 'peak'}: the bytes of a process that makes three steps."""
  spawn = multiprocessing.get_context('spawn')
  with spawn.Pool(1) as pool:
    return pool.apply(_three_steps, (name, files, side))


def _three_steps(name, files, side):
  shown = scene(files, side)
  if name == 'torch':
    import torch  # noqa: F401 what a library brings is there before
  before = _bytes('VmRSS')
  descent = _SIDES[name](shown)
  _round(descent, 3)()
  return {'before': before, 'peak': _bytes('VmHWM')}


def _bytes(what):
  """A line of Linux's status of this process, or None elsewhere.

  The getrusage of a process begins with the peak of the one that started it.
  """
  path = pathlib.Path('/proc/self/status')
  if not path.exists():
    return None
  lines = dict(line.split(':') for line in path.read_text().splitlines())
  return 1024 * int(lines[what].split()[0])


def _memory_in_words(name, found):
  if found['peak'] is None:
    return f'memory of {name} is not known here'
  before, peak = (found[k] / 2**20 for k in ('before', 'peak'))
  return (
    f'{name} took {peak:.0f} MiB, {peak - before:.0f} of them for the steps'
  )


def _round(descent, steps):
  def run():
    for _ in range(steps):
      loss = descent.evaluate()
    loss.item()

  return run
