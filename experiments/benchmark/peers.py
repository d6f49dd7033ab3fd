"""The row of a case: our step beside those of others."""

from experiments.benchmark import memory, rounds


def row(measure, name, batch, own, makers, taken):
  """Returns the row of a case, and a sentence about it.

  Args:
    measure: `(name, batch, sides) -> row, sentence`, of `rounds.measure`.
    name: of the case.
    batch: images in a step.
    own: the `rounds.Side` of ganjax.
    makers: functions `() -> rounds.Side` of the others, by name.
    taken: the bytes of sides by name, as `memory.of_process` returns them.
  """
  others, failed = rounds.ready(makers)
  found, words = measure(name, batch, {'ganjax': own} | others)
  more = {'before': own.seconds, 'failed': failed, 'flops': own.flops}
  more |= {'bytes': taken} if taken else {}
  return found | more, '; '.join(
    [words, f'traced in {own.seconds["traced"]:.1f} s']
    + [f'compiled in {own.seconds["compiled"]:.1f} s']
    + [memory.in_words(side, bytes) for side, bytes in taken.items()]
    + [f'{side} fails ({error})' for side, error in failed.items()]
  )
