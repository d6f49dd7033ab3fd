"""The table of the rows of the benchmark on an accelerator."""

from experiments.benchmark import rounds
from experiments.benchmark.accelerator import rows
from ganjax.reports import render

_TITLES = [
  'row',
  'side',
  'products in',
  'ms a step',
  'from',
  'to',
  'a second',
  'of',
  'times the first',
  'GFLOP a step',
  'TFLOP/s',
  'of the limit',
  'first round after, s',
]


def markdown(found, tiny):
  """Returns the table in Markdown, with the device and the versions below.

  Args:
    found: by name of the row, its JSON values as `schedule` writes them.
    tiny: whether it is a rehearsal.
  """
  rates = found.get(rows.LIMITS, {}).get('rates', {})
  lines, notes = [], []
  if tiny:
    notes.append('A rehearsal at tiny sizes: its numbers say nothing.')
  for row in rows.ROWS:
    own = found.get(row.name)
    if own is None:
      continue
    lines += _lines(row.name, own, rates)
    notes.append(f'{row.name}: {own["sentence"]}')
    notes += [
      f'{row.name}, {side}: it failed: {about["failed"]}'
      for side, about in own.get('sides', {}).items()
      if 'failed' in about
    ]
  notes += [
    rounds.MEDIANS,
    'The limit is the measured rate of matrix products in the same precision.',
    *sorted({_place(own) for own in found.values() if 'about' in own}),
  ]
  numbers = frozenset(range(3, len(_TITLES))) - {7}
  return render.markdown(render.Table(_TITLES, lines, numbers, notes))


def _lines(name, own, rates):
  lines, first = [], None
  for side, about in own.get('sides', {}).items():
    if 'median' not in about:
      trial = about.get('trial')
      words = f'{1000 * trial:.4g} (a trial)' if trial else '–'
      lines.append([name, side, about.get('precision', ''), words, *[''] * 9])
      continue
    pace, rate = about['examples_per_second'], about['flops_per_second']
    first = first or pace
    limit = rates.get(about['precision'])
    before = sum(about['before'].values())
    lines.append(
      [name, side, about['precision'], f'{1000 * about["median"]:.4g}']
      + [f'{1000 * bound:.4g}' for bound in about['spread']]
      + [f'{pace:.4g}', own['unit'], f'{pace / first:.3g}']
      + [f'{about["flops"] / 1e9:.4g}' if rate else '']
      + [f'{rate / 1e12:.3g}' if rate else '']
      + [f'{rate / limit:.1%}' if rate and limit else '']
      + [f'{before:.1f}']
    )
  return lines


def _place(own):
  about = own['about']
  versions = ', '.join(' '.join(pair) for pair in about['versions'].items())
  return (
    f'{about["hardware"]}; {versions}; commit {own["commit"] or "unknown"}.'
  )
