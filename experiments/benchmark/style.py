"""The benchmark of style transfer, beside PyTorch where it is installed.

Loss and gradient of both sides must agree at the start before anything is
timed. Rounds of the sides alternate, and memory is that of processes of their
own. PyTorch runs in eager mode.
"""

from experiments.benchmark import (
  memory,
  rounds,
  style_losses,
  style_sides,
)
from ganjax.style import optimizers

NAMES = ('style transfer',)
_SIZES = (256, 512)  # of the longer side, in pixels
_STEPS = {256: 4, 512: 1}  # in a round


def rows(title, given):
  """Yields the row of each comparison, and words on it.

  Args:
    title: of `NAMES`.
    given: a `given.Given`.

  Raises:
    ValueError: if the sides disagree at the start, or as `style_sides.scene`.
  """
  files = given.style_files
  names = ['ganjax', 'torch'] if given.torch_too else ['ganjax']
  for size in _SIZES:
    # Processes come first, so that their memory has no part of what is
    # compiled here.
    taken = {
      name: memory.of_process(style_sides.three_steps, name, files, size)
      for name in names
    }
    scene = style_sides.scene(files, size)
    built = {name: style_sides.SIDES[name](scene) for name in names}
    agreement = style_losses.agreement(built)
    row, words = given.measure(
      f'{title} at {size}',
      1,
      {
        name: rounds.Side(
          style_sides.round_of(side, _STEPS[size]), _STEPS[size], {}
        )
        for name, side in built.items()
      },
    )
    before = built['ganjax'].seconds
    more = {'agreement': agreement, 'before': before, 'bytes': taken}
    more['flops'] = built['ganjax'].flops
    yield (
      row | more,
      '; '.join(
        [words, f'traced in {before["traced"]:.1f} s']
        + [f'compiled in {before["compiled"]:.1f} s']
        + [memory.in_words(name, found) for name, found in taken.items()]
        + [f'{part} agrees to {far:.1g}' for part, far in agreement.items()]
      ),
    )
  scene = style_sides.scene(files, _SIZES[0])
  sides = {f'{name}, Adam': style_sides.SIDES[name](scene) for name in names}
  lbfgs = optimizers.lbfgs(bounds=optimizers.UNIT)
  sides['ganjax, L-BFGS'] = style_sides.ganjax_side(scene, lbfgs)
  yield style_losses.by_evaluations(sides, f'{title}, descent')
