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
  'ms a step',
  'from',
  'to',
  'times as long as ours',
  'GFLOP/s',
  'of the limit',
]


def product_rate(size, number=5):
  """Returns the FLOP/s of products of float32 matrices, a median.

  Args:
    size: of the matrices.
    number: of rounds; one more is not counted.
  """
  side = limits.product('float32', size)
  times = [rounds.timed(side.run, 1) / side.steps for _ in range(number + 1)]
  return side.flops / statistics.median(times[1:])


def write(path, rows, rate):
  """Writes table and figure beside the JSON file of the rows.

  Returns the path of the table; that of the figure ends with png.

  Args:
    path: of the JSON file.
    rows: as in `markdown`.
    rate: likewise.
  """
  taken = path.suffix in ('.md', '.png')
  beside = path.with_suffix('.table.md' if taken else '.md')
  files.write(beside, markdown(rows, rate))
  cases = {
    row['case']: {
      side: [1000 * seconds for seconds in times]
      for side, times in row['seconds'].items()
    }
    for row in rows
    if 'times_the_speed_of' in row
  }
  if cases:
    figure = bars.spreads(cases, 'milliseconds a step')
    layout.save(figure, beside.with_suffix('.png'))
  return beside


def markdown(rows, rate):
  """Returns the table in Markdown.

  The strongest peer of a case is the fastest side that is not ours.

  Args:
    rows: as the benchmark writes them; those without steps are left out.
    rate: FLOP/s that the machine reaches in products of matrices.
  """
  lines, notes = [], []
  for row in rows:
    if 'times_the_speed_of' not in row:
      continue
    lines += _lines(row, rate)
    if ratios := row['times_the_speed_of']:
      strongest = min(ratios, key=ratios.get)
      notes.append(
        f'{row["case"]}: {ratios[strongest]:.2f} times as fast as the '
        f'strongest peer, {strongest}.'
      )
    notes += [
      f'{row["case"]}, {side}: it failed: {error}'
      for side, error in row.get('failed', {}).items()
    ]
  notes += [
    rounds.MEDIANS,
    f'The limit is {rate / 1e9:.3g} GFLOP/s, the measured rate of products of '
    'float32 matrices. Operations are counted in our step, by the definition '
    'of convolutions, of which Winograd convolutions compute fewer.',
  ]
  numbers = frozenset(range(2, len(_TITLES)))
  return render.markdown(render.Table(_TITLES, lines, numbers, notes))


def _lines(row, rate):
  lines, flops = [], row.get('flops')
  for side, times in row['seconds'].items():
    median = statistics.median(times)
    pace = flops / median if flops and side == 'ganjax' else None
    ratio = row['times_the_speed_of'].get(side)
    lines.append(
      [row['case'], side, f'{1000 * median:.4g}']
      + [f'{1000 * bound:.4g}' for bound in (min(times), max(times))]
      + [f'{ratio:.2f}' if ratio else '']
      + [f'{pace / 1e9:.3g}' if pace else '']
      + [f'{pace / rate:.0%}' if pace else '']
    )
  return lines
