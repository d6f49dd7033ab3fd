"""The report of a sweep: a page, tables and figures, from what is on disk."""

import base64
import json
import pathlib

import jinja2
import numpy as np
from PIL import Image

from ganjax import files
from ganjax.reports import (
  columns,
  commands,
  effects,
  render,
  results,
  sweep_figures,
  sweep_tables,
)
from ganjax.reports.figures import layout
from ganjax.reports.results import words

_SHOWN = 60  # sample grids at most: of the best cells, and a fifth of the worst

_PAGES = jinja2.Environment(
  loader=jinja2.FileSystemLoader(pathlib.Path(__file__).parent / 'templates'),
  autoescape=True,
  trim_blocks=True,
  lstrip_blocks=True,
  undefined=jinja2.StrictUndefined,
)


def write(workdir):
  """Writes the report of the sweep in a folder, whole or not; returns paths.

  `report.html` is one file that needs no other. `table.csv` has a line for each
  run, `table_evaluations.csv` for each time that one was measured, and
  `table_cells.csv` for each cell; `table.tex` (booktabs) and `table.md` are of
  the cells. Figures are PNG and PDF.

  Args:
    workdir: of a sweep.

  Raises:
    FileNotFoundError: if there is no sweep, or nothing measured yet.
  """
  folder = pathlib.Path(workdir)
  found = results.read(folder)
  paths, images = [], {}
  for name, figure in sweep_figures.draw(found).items():
    for ending in ('png', 'pdf'):
      paths.append(folder / f'{name}.{ending}')
      layout.save(figure, paths[-1])
    images[name] = _drawn(folder / f'{name}.png')
  page = _PAGES.get_template('sweep.html.jinja')
  table = sweep_tables.for_papers(found)
  contents = {
    'report.html': page.render(_context(found, folder, images)),
    'table.csv': render.csv(sweep_tables.run_lines(found)),
    'table_evaluations.csv': render.csv(sweep_tables.evaluation_lines(found)),
    'table_cells.csv': render.csv(sweep_tables.cell_lines(found)),
    'table.tex': render.latex(table),
    'table.md': render.markdown(table),
  }
  for name, content in contents.items():
    files.write(folder / name, content)
  return [*(folder / name for name in contents), *paths]


def _context(found, folder, images):
  """What the page says, by the names that its template has for it."""
  states = [run.state for run in found.runs]
  order = results.ranked(found) if found.searched else []
  order += [cell for cell in found.cells if cell not in order]
  lines = {line['number']: line for line in sweep_tables.cells(found)}
  rows = [lines[cell.number] for cell in order]
  ways = sweep_tables.ways(found)
  place, scale, ends = _scale(found)
  return {
    'about': found.about,
    'asked': commands.of_sweep(found.about),
    'searched': found.searched,
    'objective': found.objective,
    'direction': found.direction,
    'names': found.names,
    'varied': [
      sweep_figures.name(found, fields) for fields in results.factors(found)
    ],
    'factors': {
      field: list(
        effects.ordered([cell.settings[field] for cell in found.cells])
      )
      for field in found.names
    },
    'number': len(states),
    'states': {
      state: states.count(state) for state in results.STATES if state in states
    },
    'broken': [run for run in found.runs if run.state == 'diverged'],
    'titles': found.titles,
    'rows': rows,
    'best': next((row for row in rows if row['best']), None),
    'place': place,
    'scale': scale,
    'ends': ends,
    'effects': {} if found.searched else _effects(found),
    'importance': sweep_figures.importance(found) if found.searched else {},
    'images': images,
    'samples': _samples(found, folder, order, lines),
    'cells': order,
    'command': lambda cell: commands.of_cell(
      found.about, cell.changes, f'runs/cell-{cell.number}'
    ),
    'ways': ways,
    'differing': _differing(ways),
    'made': sweep_tables.made(found),
    'features': any(
      title.endswith(columns.ON_FEATURES) for title in found.titles.values()
    ),
    'words': words,
    'json': json.dumps,
    'step': results.broken,
  }


def _differing(ways):
  """What is not the same for all runs, of all that says how they are measured.

  Numbers of samples differ rightly between runs; whatever else does forbids to
  compare them.
  """
  (_, first), *others = ways or [(0, {})]
  return sorted(
    {
      name
      for _, way in others
      for name in {*first, *way}
      if first.get(name) != way.get(name)
    }
  )


def _scale(found):
  """Where a value lies among all of the objective, in [0, 1], and the ends."""
  values = np.concatenate(
    [results.final(cell, found.objective) for cell in found.cells]
  )
  values = values[np.isfinite(values)]
  if not len(values) or values.min() == values.max():
    return lambda value: 0.5, 'linear', ()
  scale = 'log' if effects.wide(values.tolist()) else 'linear'
  bend = {'log': np.log, 'linear': np.asarray}[scale]
  low, high = values.min(), values.max()

  def place(value):
    return float((bend(value) - bend(low)) / (bend(high) - bend(low)))

  return place, scale, (f'{low:.3g}', f'{high:.3g}')


def _effects(found):
  """The levels of each factor in words, by measure and factor's name."""
  by_measure = {}
  for key in found.titles:
    by_factor = sweep_figures.main_effects(found, key)
    write_ = sweep_tables.form(
      [level.mean for levels in by_factor.values() for level in levels]
    )
    by_measure[key] = {
      sweep_figures.name(found, fields): [
        level._replace(
          mean=write_(level.mean),
          error=write_(level.error),
          difference=write_(level.difference) if at else '',
          difference_error=write_(level.difference_error) if at else '',
        )
        for at, level in enumerate(levels)
      ]
      for fields, levels in by_factor.items()
    }
  return {key: own for key, own in by_measure.items() if own}


def _samples(found, folder, order, lines):
  """The newest sample grid of each cell's first seed, dicts; some, of many."""
  if len(order) > _SHOWN:
    ranked = results.ranked(found)
    pool = ranked if len(ranked) > _SHOWN else order
    order = [*pool[: _SHOWN - _SHOWN // 5], *pool[-(_SHOWN // 5) :]]
  samples = []
  for cell in order:
    run, line = cell.runs[0], lines[cell.number]
    row = next(
      (
        row
        for row in reversed(run.rows)
        if row.get('picture') and (folder / row['picture']).exists()
      ),
      None,
    )
    samples.append(
      {
        'line': line,
        'label': sweep_figures.label(found, cell),
        'run': run,
        'row': row,
        'source': row and _embedded(folder / row['picture']),
      }
    )
  return samples if any(sample['source'] for sample in samples) else []


def _drawn(path):
  """A figure for the page, and its width there: 120 pixels an inch."""
  with Image.open(path) as image:
    return {'source': _embedded(path), 'width': round(0.6 * image.width)}


def _embedded(path):
  told = base64.b64encode(path.read_bytes()).decode()
  return f'data:image/png;base64,{told}'
