"""The tables of a sweep: a line for each cell, run or evaluation."""

import math

import numpy as np

from ganjax.reports import commands, render, results
from ganjax.reports.results import words
from ganjax.reports.statistics import summary
from ganjax.reports.tables import mean_and_deviation


def cells(found):
  """The line of each cell, a dict, in their order: numbers, and words of them.

  Args:
    found: an `Outcome`.
  """
  finals = {
    key: [results.final(cell, key) for cell in found.cells]
    for key in found.titles
  }
  forms = {
    key: form([own[np.isfinite(own)].mean() for own in found_ if _any(own)])
    for key, found_ in finals.items()
  }
  ranked, lines = results.ranked(found), []
  for at, cell in enumerate(found.cells):
    states = [run.state for run in cell.runs]
    measured = {}
    for key in found.titles:
      own = summary(finals[key][at])
      measured[key] = own | {
        'words': _mean(own, forms[key], states.count('done')),
        'interval': _interval(own, forms[key]),
      }
    ended = states.count('done') + states.count('diverged')
    lines.append(
      {
        'number': cell.number,
        'settings': cell.settings,
        'measured': measured,
        'seeds': finals[found.objective][at],
        'done': states.count('done'),
        'of': len(states),
        'broken': states.count('diverged'),
        'steps': [s for s in map(results.broken, cell.runs) if s is not None],
        'best': bool(ranked) and cell is ranked[0],
        'early': '' if ended else _early(cell),
      }
    )
  return lines


def run_lines(found):
  """For each run, what was measured last: flat dicts."""
  return [
    _line(cell, run, run.rows[-1] if run.rows else {})
    for cell in found.cells
    for run in cell.runs
  ]


def evaluation_lines(found):
  """For each time that a run was measured, all of it: flat dicts."""
  return [
    _line(cell, run, row)
    for cell in found.cells
    for run in cell.runs
    for row in run.rows
  ]


def cell_lines(found):
  """For each cell, the summaries of its measures: flat dicts."""
  lines = []
  for cell in found.cells:
    states = [run.state for run in cell.runs]
    line = {
      'cell': cell.number,
      **cell.settings,
      'evaluation': results.reached(cell),
      'seeds': len(states),
      **{state: states.count(state) for state in results.STATES},
    }
    for key in found.titles:
      for name, value in summary(results.final(cell, key)).items():
        line[f'{key}_{name}'] = value if math.isfinite(value) else None
    lines.append(line)
  return lines


def for_papers(found):
  """Returns the `render.Table` of the cells."""
  titles = ['cell', *found.names.values()]
  left = len(titles)
  for key, title in found.titles.items():
    titles += [title, '95 %'] if key == found.objective else [title]
  titles += ['runs done', 'diverged']
  rows = []
  for line in cells(found):
    row = [f'{line["number"]}', *map(words, line['settings'].values())]
    for key, own in line['measured'].items():
      row.append(own['words'])
      if key == found.objective:
        row.append(own['interval'])
    done = f'{line["done"]} of {line["of"]}'
    rows.append([*row, done, f'{line["broken"] or ""}'])
  numbers = frozenset(range(left, len(titles)))
  return render.Table(titles, rows, numbers, _notes(found))


def ways(found):
  """How the runs were measured: pairs of how many, and a dict of words."""
  counts = []
  for run in found.runs:
    if not run.rows:
      continue
    row = run.rows[-1]
    way = {
      **row.get('settings', {}),
      'subject': row.get('subject', 'samples'),
      'number': f'{row["number"]:,}' if 'number' in row else 'unknown',
    }
    for measure, how in row.get('how', {}).items():
      way[measure] = ', '.join(
        f'{name.replace("_", " ")} {value}' for name, value in how.items()
      )
    # A run that diverged was measured in no way at all.
    if row.get('how') or run.state != 'diverged':
      counts.append(way)
  return [
    (counts.count(way), way)
    for at, way in enumerate(counts)
    if way not in counts[:at]
  ]


def made(found):
  """Hardware, versions, and how many programs ran with them: triples."""
  told = [
    (
      one['hardware'],
      ', '.join(f'{name} {v}' for name, v in one['versions'].items()),
    )
    for one in found.made
  ]
  return [(*one, told.count(one)) for one in dict.fromkeys(told)]


def form(values):
  """The function that writes numbers to three places of the usual one's."""
  sizes = [abs(value) for value in values if value and math.isfinite(value)]
  places = 2
  if sizes:
    places = int(np.clip(2 - math.floor(math.log10(np.median(sizes))), 0, 5))
  return lambda value: f'{value:,.{places}f}' if math.isfinite(value) else '–'


def _notes(found):
  """Returns how the table is to be read, sentences."""
  found_ways = ways(found)
  return [
    'Mean ± standard deviation over the seeds; 95 %: percentile bootstrap '
    'interval of the mean. (k of n): the measure is defined for k runs of the '
    'n that ended.',
    *(['Measured in different ways:'] if len(found_ways) > 1 else []),
    *(
      '; '.join(f'{name.replace("_", " ")}: {v}' for name, v in way.items())
      for _, way in found_ways
    ),
    *(f'{hardware}; {versions}.' for hardware, versions, _ in made(found)),
    commands.of_sweep(found.about),
  ]


def _line(cell, run, row):
  """All that there is of a run at an evaluation, flat."""
  scalars = {
    name: value
    for name, value in row.items()
    if name not in ('cell', 'seed') and not isinstance(value, dict | list)
  }
  parts = {
    f'{section}.{name}': value
    for section in ('settings', 'how')
    for name, value in row.get(section, {}).items()
  }
  return {
    'cell': cell.number,
    **cell.settings,
    'seed': run.seed,
    'state': run.state,
    **scalars,
    **parts,
  }


def _early(cell):
  evaluations = next((run.rows[-1]['of'] for run in cell.runs if run.rows), 0)
  return (
    f'at evaluation {results.reached(cell)} of {evaluations}'
    if evaluations
    else 'not begun'
  )


def _any(values):
  return np.isfinite(values).any()


def _mean(own, write, done):
  """Returns a summary in words; it may be undefined for runs that ended."""
  return mean_and_deviation(own, write, done) if own['number'] else '–'


def _interval(own, write):
  if not math.isfinite(own['low']):
    return '–'
  return f'{write(own["low"])} to {write(own["high"])}'
