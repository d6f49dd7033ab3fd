"""The page of a training run: `index.html`, written while it trains."""

import json
import shlex
import tempfile
from pathlib import Path

import numpy as np

from ganjax import files
from ganjax.reports import evaluations, pages, render, run_results
from ganjax.reports.figures import curves, layout

_MOMENTS = 40  # grids of samples at most


def write(workdir, warn=lambda metrics: None):
  """Writes the page of a run, which needs no other file; returns its path.

  Args:
    workdir: the folder of the run, finished or not.
    warn: from a row of metrics to a sentence where something goes wrong, and
      what to change; or None.

  Raises:
    FileNotFoundError: if no run was started there.
    ValueError: if a file leads out of the folder, or cannot be read.
  """
  run = run_results.read(workdir)
  path = run.folder / 'index.html'
  files.write(path, pages.render('run', _context(run, warn)))
  return path


def drawn(figure):
  """Returns a figure as `pages.figure` does, without a file that stays."""
  with tempfile.TemporaryDirectory() as folder:
    path = Path(folder, 'figure.png')
    layout.save(figure, path)
    return pages.figure(path)


def _context(run, warn):
  """Returns the values of the page, by the names that its template has."""
  _, *arguments = run.about['command']
  changed = _overrides(arguments)
  flat = files.flat(run.config)
  rows, columns = run.measured
  table = evaluations.table(rows, columns) if rows else None
  return {
    'name': run.folder.resolve().name,
    'network': run.config.get('network', ''),
    'data': run.about.get('name', ''),
    'images': run.images,
    'total': run.config['images'],
    'seconds': run.seconds,
    'tiles': _tiles(run),
    'grids': _grids(run),
    'reals': pages.picture(run.folder, 'reals.png', large=False),
    'figures': {'metrics': drawn(_figure(run))} if run.metrics else {},
    'warnings': _warnings(run, warn),
    'history': run.about.get('history', []),
    'table': pages.markup(render.html(table)) if table else '',
    'notes': table.notes if table else [],
    'commands': _commands(run, arguments),
    'config': {name: json.dumps(value) for name, value in flat.items()},
    'changed': changed,
    'about': run.about,
  }


def _tiles(run):
  """Returns the last value of what says most of a run, by its title."""
  last = {}
  for row in run.metrics:
    last |= row
  tiles = {
    'D right on reals': last.get('accuracy/real'),
    'D right on fakes': last.get('accuracy/fake'),
    'images a second': last.get('images_per_second'),
  }
  evaluated = {
    name.removeprefix('evaluation/'): value
    for name, value in last.items()
    if name.startswith('evaluation/')
  }
  return {
    title: f'{value:,.3g}' if value < 1000 else f'{value:,.0f}'
    for title, value in {**dict([*evaluated.items()][:2]), **tiles}.items()
    if value is not None
  }


def _grids(run):
  """Returns the grids of samples, at most `_MOMENTS`, with the images seen."""
  moments = list(run.grids)
  if len(moments) > _MOMENTS:
    places = np.linspace(0, len(moments) - 1, _MOMENTS).round().astype(int)
    moments = [moments[place] for place in places]
  found = [
    (images, pages.picture(run.folder, run.grids[images], large=False))
    for images in moments
  ]
  return [(images, source) for images, source in found if source]


def _figure(run):
  """Returns the figure of all metrics, with a panel for each kind."""
  panels = {}
  for name in run_results.names(run):
    curve = run_results.curve([run], name)
    if curve and np.isfinite(curve.mean).any():
      kind, _, own = name.removeprefix('evaluation/').partition('/')
      title = kind.replace('_', ' ')
      panels.setdefault(title, {})[own or title] = curve
  return curves.curves(panels, '', shared=False, alike=False)


def _warnings(run, warn):
  """Returns the sentences that held at two rows in a row, and since when.

  They are those that a run prints.
  """
  found, last = {}, None
  for row in run.metrics:
    sentence = _said(warn, row)
    if sentence and sentence == last:
      found.setdefault(sentence, row['images'])
    last = sentence
  return found


def _said(warn, row):
  try:
    return warn(row)
  except KeyError:  # It has none of the metrics that the sentence is about.
    return None


def _overrides(arguments):
  """Returns the fields of the config that a command sets, a set of names."""
  return {
    argument.removeprefix('--config.').partition('=')[0]
    for argument in arguments
    if argument.startswith('--config.')
  }


def _commands(run, arguments):
  """Returns the commands of what can be done with a run, by what they do."""
  folder = shlex.quote(str(run.folder))
  train = f'python -m experiments.train {shlex.join(arguments)}'
  return {
    'go on, or train again in an empty folder': train,
    'draw samples': f'python -m experiments.sample --workdir {folder}',
    'measure them': f'python -m experiments.evaluate --workdir {folder}',
    'compare with another run': (
      f'python -m experiments.compare --run {folder} --run OTHER '
      '--output comparison.html'
    ),
  }
