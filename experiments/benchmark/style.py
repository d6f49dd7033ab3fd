"""The benchmark of style transfer, beside PyTorch where it is installed.

Loss and gradient of both sides must agree at the start before anything is
timed. Rounds of the sides alternate, and memory is that of processes of their
own. PyTorch runs in eager mode.
"""

from experiments.benchmark import (
  rounds,
  style_losses,
  style_memory,
  style_sides,
)
from ganjax.style import optimizers

NAME = 'style transfer'
_SIZES = (256, 512)  # of the longer side, in pixels
_STEPS = {256: 4, 512: 1}  # in a round


def rows(measure, files, torch_too):
  """Yields the row of each comparison, and words on it.

  Args:
    measure: `rounds.measure` with the number of rounds bound.
    files: the paths (weights, content, style).
    torch_too: whether PyTorch is there.

  Raises:
    ValueError: if the sides disagree at the start, or as
      `style_sides.scene`.
  """
  names = ['ganjax', 'torch'] if torch_too else ['ganjax']
  for size in _SIZES:
    # Processes come first, so that their memory has no part of what is
    # compiled here.
    memory = {
      name: style_memory.of_process(style_sides.three_steps, name, files, size)
      for name in names
    }
    given = style_sides.scene(files, size)
    built = {name: style_sides.SIDES[name](given) for name in names}
    agreement = style_losses.agreement(built)
    row, words = measure(
      f'{NAME} at {size}',
      1,
      {
        name: rounds.Side(
          style_sides.round_of(side, _STEPS[size]), _STEPS[size], {}
        )
        for name, side in built.items()
      },
    )
    before = built['ganjax'].seconds
    more = {'agreement': agreement, 'before': before, 'bytes': memory}
    yield (
      row | more,
      '; '.join(
        [words, f'traced in {before["traced"]:.1f} s']
        + [f'compiled in {before["compiled"]:.1f} s']
        + [style_memory.in_words(name, found) for name, found in memory.items()]
        + [f'{part} agrees to {far:.1g}' for part, far in agreement.items()]
      ),
    )
  given = style_sides.scene(files, _SIZES[0])
  sides = {f'{name}, Adam': style_sides.SIDES[name](given) for name in names}
  lbfgs = optimizers.lbfgs(bounds=optimizers.UNIT)
  sides['ganjax, L-BFGS'] = style_sides.ganjax_side(given, lbfgs)
  yield style_losses.by_evaluations(sides, f'{NAME}, descent')
