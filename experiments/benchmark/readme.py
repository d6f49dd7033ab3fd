"""The table with a line for each row, and its place in a page."""

from experiments.benchmark import comparison, limits
from ganjax import files, paths
from ganjax.reports import render

_TITLES = [
  'row',
  'of a',
  'ganjax',
  'ms',
  'strongest peer',
  'ms',
  'times as long',
  'rounds',
  'of the limit',
]
BEGIN, END = '<!-- benchmark -->', '<!-- end of benchmark -->'
"""What a page has before and behind the table."""


def markdown(found, settings):
  """Returns the table in Markdown: our best sides and the strongest peers.

  Args:
    found: by name of the row, its JSON values as `schedule` writes them.
    settings: those of all rows, with 'commit' and 'versions'.
  """
  lines = []
  for name, row in found.items():
    if name == limits.NAME:
      continue
    sides, (own, peer) = comparison.timed(row), comparison.best(row)
    line = [name, row.get('each', ''), own or row['state'], *[''] * 6]
    if own:
      median, share = sides[own]['median'], comparison.share(sides[own], found)
      line[3] = f'{1000 * median:.4g}'
      line[7] = f'{len(sides[own]["seconds"])}'
      line[8] = f'{share:.0%}' if share else ''
    if peer:
      other = sides[peer]['median']
      line[4:7] = peer, f'{1000 * other:.4g}', f'{other / median:.2f}'
    lines.append(line)
  notes = comparison.notes(found, settings)
  numbers = frozenset({3, 5, 6, 7, 8})
  return render.markdown(render.Table(_TITLES, lines, numbers, notes))


def insert(path, text):
  """Puts the table into a page, for what is between its two comments.

  Args:
    path: of the page.
    text: as `markdown` returns it.

  Raises:
    ValueError: as `around`.
  """
  before, behind = around(path)
  files.write(path, f'{before}{BEGIN}\n\n{text}\n{END}{behind}')


def around(path):
  """Returns what a page has before the first comment and behind the second.

  Args:
    path: of the page.

  Raises:
    ValueError: if the page has not each comment once, in their order.
  """
  page = paths.check_file(path).read_text(encoding='utf-8')
  before, _, rest = page.partition(BEGIN)
  _, end, behind = rest.partition(END)
  if not end or BEGIN in rest or END in before + behind:
    raise ValueError(
      f'{path} needs the line {BEGIN} and below it {END}, each once; the table '
      'is put between them.'
    )
  return before, behind
