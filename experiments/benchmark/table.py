"""The table of the rows of the benchmark on this machine."""

import statistics

from experiments.benchmark import rounds
from experiments.benchmark.accelerator import limits
from ganjax import files
from ganjax.reports import render
from ganjax.reports.figures import bars, layout

_TITLES = [
  'case',
  'side',
  'ms',
  'a',
  'from',
  'to',
  'examples a second',
  'times the first',
  'GFLOP/s',
  'of the limit',
  'MiB at the peak',
  'of them for the steps',
]


def rates(size, number=5):
  """Returns what the machine reaches, medians: a dict of numbers.

  'product' is the FLOP/s of products of float32 matrices, and 'copy' the bytes
  a second of copies, of those that are read and those that are written.

  Args:
    size: of the matrices; there are 16 times as many numbers to copy.
    number: of rounds; one more is not counted.
  """
  numbers = 16 * size**2
  found = {}
  for name, side, work in (
    ('product', limits.product('float32', size), 2.0 * size**3),
    ('copy', limits.copy(numbers), 2.0 * 4 * numbers),
  ):
    times = [rounds.timed(side.run, 1) / side.steps for _ in range(number + 1)]
    found[name] = work / statistics.median(times[1:])
  return found


def write(path, rows, limit):
  """Writes table and figure beside the JSON file of the rows.

  Returns the path of the table; that of the figure ends with png.

  Args:
    path: of the JSON file.
    rows: as in `markdown`.
    limit: likewise.
  """
  taken = path.suffix in ('.md', '.png')
  beside = path.with_suffix('.table.md' if taken else '.md')
  files.write(beside, markdown(rows, limit))
  cases = {
    row['case']: {
      side: [1000 * seconds for seconds in times]
      for side, times in row['seconds'].items()
    }
    for row in rows
    if 'times_the_speed_of' in row
  }
  if cases:
    figure = bars.spreads(cases, 'milliseconds')
    layout.save(figure, beside.with_suffix('.png'))
  return beside


def markdown(rows, limit):
  """Returns the table in Markdown.

  The strongest peer of a case is the fastest side that is not ours.

  Args:
    rows: as the benchmark writes them; those without steps are left out.
    limit: as `rates` returns it.
  """
  lines, notes = [], []
  for row in rows:
    if 'times_the_speed_of' not in row:
      continue
    lines += _lines(row, limit)
    medians = {k: statistics.median(v) for k, v in row['seconds'].items()}
    ours = [side for side in medians if side.startswith('ganjax')]
    if peers := [side for side in medians if side not in ours]:
      best, strongest = (min(own, key=medians.get) for own in (ours, peers))
      notes.append(
        f'{row["case"]}: {best} is {medians[strongest] / medians[best]:.2f} '
        f'times as fast as the strongest peer, {strongest}.'
      )
    notes += [
      f'{row["case"]}, {side}: it failed: {error}'
      for side, error in row.get('failed', {}).items()
    ]
  notes += [
    rounds.MEDIANS,
    f'The limits are {limit["product"] / 1e9:.3g} GFLOP/s, the measured rate '
    f'of products of float32 matrices, and {limit["copy"] / 1e9:.3g} GB/s, '
    'that of copies, read and written: of input, the float32 batch is. '
    'Operations are counted in our step, by the definition of convolutions, of '
    'which Winograd convolutions compute fewer.',
    'Memory is resident at its peak, of a process of its own with its '
    'libraries and programs.',
  ]
  numbers = frozenset(range(2, len(_TITLES))) - {3}
  return render.markdown(render.Table(_TITLES, lines, numbers, notes))


def _lines(row, limit):
  lines, flops = [], row.get('flops')
  for side, times in row['seconds'].items():
    median, ours = statistics.median(times), side.startswith('ganjax')
    pace = flops / median if flops and ours else None
    share = pace and pace / limit['product']
    if moved := row.get('moved'):
      share = moved / median / limit['copy']
    ratio = row['times_the_speed_of'].get(side)
    examples = row.get('batch')
    lines.append(
      [row['case'], side, f'{1000 * median:.4g}', row.get('each', 'step')]
      + [f'{1000 * bound:.4g}' for bound in (min(times), max(times))]
      + [f'{examples / median:.4g} {row["unit"]}' if examples else '']
      + [f'{ratio:.2f}' if ratio else '']
      + [f'{pace / 1e9:.3g}' if pace else '']
      + [f'{share:.1%}' if share else '']
      + _mebibytes(row.get('bytes', {}).get(side))
    )
  return lines


def _mebibytes(found):
  if not found or found['peak'] is None:
    return ['', '']
  steps = found['peak'] - found['before']
  return [f'{number / 2**20:.0f}' for number in (found['peak'], steps)]
