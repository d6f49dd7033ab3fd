"""The report of a sweep: a page, tables and figures, from its folder."""

import json
import pathlib

import numpy as np

from ganjax import files
from ganjax.reports import (
  columns,
  commands,
  effects,
  pages,
  render,
  sweep_figures,
  sweep_results,
  sweep_tables,
)
from ganjax.reports.figures import layout
from ganjax.reports.sweep_results import words

# Of samples, at most: of the best settings, and a fifth of the worst.
_GRIDS = 60


def write(workdir, announce=lambda sentence: None):
  """Writes the report of a sweep, finished or not; returns the paths.

  `report.html` needs no other file. `table.csv` has a line for each run,
  `table_evaluations.csv` for each evaluation of a run, and
  `table_settings.csv` for each setting of the factors; `table.tex` (booktabs)
  and `table.md` are of the settings. Figures are PNG and PDF.

  Args:
    workdir: the folder of the sweep.
    announce: is given a sentence before anything is drawn.

  Raises:
    FileNotFoundError: if there is no sweep, or nothing was measured yet.
  """
  folder = pathlib.Path(workdir)
  sweep = sweep_results.read(folder)
  announce('Drawing figures and writing the report ...')
  drawn, images = [], {}
  for name, figure in sweep_figures.draw(sweep).items():
    for ending in ('png', 'pdf'):
      drawn.append(folder / f'{name}.{ending}')
      layout.save(figure, drawn[-1])
    images[name] = pages.figure(folder / f'{name}.png')
  table = sweep_tables.table(sweep)
  contents = {
    'report.html': pages.render('sweep', _context(sweep, folder, images)),
    'table.csv': render.csv(sweep_tables.run_lines(sweep)),
    'table_evaluations.csv': render.csv(sweep_tables.evaluation_lines(sweep)),
    'table_settings.csv': render.csv(sweep_tables.setting_lines(sweep)),
    'table.tex': render.latex(table),
    'table.md': render.markdown(table),
  }
  for name, content in contents.items():
    files.write(folder / name, content)
  return [*(folder / name for name in contents), *drawn]


def _context(sweep, folder, images):
  """Returns the values of the page, by the names that its template has."""
  states = [run.state for run in sweep.runs]
  order = sweep_results.ranked(sweep) if sweep.searched else []
  order += [setting for setting in sweep.settings if setting not in order]
  lines = {line['number']: line for line in sweep_tables.rows(sweep)}
  rows = [lines[setting.number] for setting in order]
  measured = sweep_tables.how_measured(sweep)
  place, scale, ends = _scale(sweep)
  return {
    'about': sweep.about,
    'command': commands.of_sweep(sweep.about),
    'searched': sweep.searched,
    'objective': sweep.objective,
    'direction': sweep.direction,
    'names': sweep.names,
    'varied': [
      sweep_results.factor_name(sweep, fields)
      for fields in sweep_results.factors(sweep)
    ],
    'factors': {
      field: list(
        effects.ordered([setting.values[field] for setting in sweep.settings])
      )
      for field in sweep.names
    },
    'number': len(states),
    'states': {
      state: states.count(state)
      for state in sweep_results.STATES
      if state in states
    },
    'diverged': [run for run in sweep.runs if run.state == 'diverged'],
    'titles': sweep.titles,
    'rows': rows,
    'best': next((row for row in rows if row['best']), None),
    'place': place,
    'scale': scale,
    'ends': ends,
    'effects': {} if sweep.searched else _effects(sweep),
    'importance': sweep_figures.importance(sweep) if sweep.searched else {},
    'images': images,
    'samples': _samples(sweep, folder, order, lines),
    'settings': order,
    'setting_command': lambda setting: commands.of_setting(
      sweep.about, setting.changes, f'runs/setting-{setting.number}'
    ),
    'cautions': sweep_tables.cautions(sweep),
    'measured': measured,
    'differing': _differing(measured),
    'provenance': sweep_tables.provenance(sweep),
    'features': any(
      title.endswith(columns.ON_FEATURES) for title in sweep.titles.values()
    ),
    'words': words,
    'json': json.dumps,
    'diverged_after': sweep_results.diverged_after,
  }


def _differing(settings):
  """Returns the names of the settings that are not the same for all runs.

  Runs may have different numbers of samples; with any other difference they
  cannot be compared.
  """
  (_, first), *others = settings or [(0, {})]
  return sorted(
    {
      name
      for _, other in others
      for name in {*first, *other}
      if first.get(name) != other.get(name)
    }
  )


def _scale(sweep):
  """Returns the place of a value of the objective in [0, 1], and the ends."""
  values = np.concatenate(
    [
      sweep_results.final(setting, sweep.objective)
      for setting in sweep.settings
    ]
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


def _effects(sweep):
  """Returns the table of the levels of each factor, by measure and factor."""
  by_measure = {}
  for key in sweep.compared:
    by_factor = sweep_figures.main_effects(sweep, key)
    write_ = sweep_tables.number_format(
      [level.mean for levels in by_factor.values() for level in levels]
    )
    by_measure[key] = {
      sweep_results.factor_name(sweep, fields): _level_table(
        levels, sweep.titles[key], write_
      )
      for fields, levels in by_factor.items()
    }
  return {key: own for key, own in by_measure.items() if own}


def _level_table(levels, title, write_):
  """Returns the table of the levels of a factor, HTML."""
  rows = []
  for at, level in enumerate(levels):
    difference = 'reference'
    if at:
      difference = f'{write_(level.difference)} ± '.replace('-', '−')
      difference += write_(level.difference_error)
    mean = f'{write_(level.mean)} ± {write_(level.error)}'
    rows.append(
      [words(level.value), mean, difference, level.settings, level.runs]
    )
  titles = ['', title, 'difference', 'settings', 'runs']
  return pages.markup(
    render.html(render.Table(titles, rows, frozenset(range(1, 5))))
  )


def _samples(sweep, folder, order, lines):
  """Returns the newest sample grid of the first seed of settings, dicts."""
  if len(order) > _GRIDS:
    ranked = sweep_results.ranked(sweep)
    pool = ranked if len(ranked) > _GRIDS else order
    order = [*pool[: _GRIDS - _GRIDS // 5], *pool[-(_GRIDS // 5) :]]
  samples = []
  for setting in order:
    run, line = setting.runs[0], lines[setting.number]
    row, source = next(
      (
        (row, source)
        for row in reversed(run.rows)
        if (source := pages.picture(folder, row.get('picture')))
      ),
      (None, None),
    )
    samples.append(
      {
        'line': line,
        'label': sweep_results.label(sweep, setting),
        'run': run,
        'row': row,
        'source': source,
      }
    )
  return samples if any(sample['source'] for sample in samples) else []
