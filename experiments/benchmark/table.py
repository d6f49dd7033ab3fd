"""The table of every side of the rows of the benchmark, and their figure."""

from experiments.benchmark import comparison, limits
from ganjax.reports import render
from ganjax.reports.figures import bars, layout

_TITLES = [
  'row',
  'side',
  'ms',
  'of a',
  'from',
  'to',
  'rounds',
  'a second',
  'of',
  'times the first',
  'GFLOP/s',
  'of the limit',
  'MiB at the peak',
  'of them for the steps',
  'first round after, s',
]


def draw(path, found):
  """Draws the times of all sides, if there are any.

  Args:
    path: of the picture.
    found: by name of the row, its JSON values as `schedule` writes them.
  """
  times = {
    name: {
      side: [1000 * seconds for seconds in own['seconds']]
      for side, own in comparison.timed(row).items()
    }
    for name, row in found.items()
    if name != limits.NAME and comparison.timed(row)
  }
  if times:
    layout.save(bars.spreads(times, 'milliseconds'), path)


def markdown(found, settings):
  """Returns the table in Markdown, with what the rows say below it.

  Args:
    found: by name of the row, its JSON values as `schedule` writes them.
    settings: those of all rows, with 'commit' and 'versions'.
  """
  lines, notes = [], []
  for name, row in found.items():
    sides = row.get('sides', {})
    first = next(iter(comparison.timed(row).values()), None)
    for side, own in sides.items():
      numbers = _numbers(own, first, row, found)
      lines.append([name, side, *numbers])
    if name != limits.NAME:
      notes.append(f'{name}: {row["sentence"]}')
    notes += [
      f'{name}, {side}: it failed: {own["failed"]}'
      for side, own in sides.items()
      if 'failed' in own
    ]
  notes += [
    *comparison.notes(found, settings),
    'Operations are counted in our steps, by the definition of convolutions, '
    'of which Winograd convolutions compute fewer.',
    'Memory is resident at its peak, of a process of its own with its '
    'libraries and programs.',
  ]
  right = frozenset(range(2, len(_TITLES))) - {3, 8}
  return render.markdown(render.Table(_TITLES, lines, right, notes))


def _numbers(own, first, row, found):
  """Returns the words of a line about a side, after its name."""
  if 'median' not in own:
    trial = own.get('trial')
    return [f'{1000 * trial:.4g} (a trial)' if trial else '–', *[''] * 12]
  pace, rate = own['examples_per_second'], own['flops_per_second']
  times = (
    pace / first['examples_per_second']
    if pace
    else (first['median'] / own['median'])
  )
  share = comparison.share(own, found)
  before = sum(own.get('before', {}).values())
  memory = own.get('bytes')
  return [
    f'{1000 * own["median"]:.4g}',
    row['each'],
    *(f'{1000 * bound:.4g}' for bound in own['spread']),
    f'{len(own["seconds"])}',
    f'{pace:.4g}' if pace else '',
    row['unit'] if pace else '',
    f'{times:.3g}',
    f'{rate / 1e9:.4g}' if rate else '',
    f'{share:.1%}' if share else '',
    *_mebibytes(memory),
    f'{before:.1f}' if before else '',
  ]


def _mebibytes(found):
  if not found or found['peak'] is None:
    return ['', '']
  steps = found['peak'] - found['before']
  return [f'{number / 2**20:.0f}' for number in (found['peak'], steps)]
