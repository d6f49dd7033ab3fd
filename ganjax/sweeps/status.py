"""What a sweep prints while it runs."""

import numpy as np
from tqdm import tqdm

from ganjax.reports import sweep_results, tables

_SETTINGS = 10  # at most


def print_best(folder):
  """Prints the best settings so far, those first that are trained the longest.

  Of those, settings of which all runs have the objective come before others.
  """
  found = sweep_results.read(folder)
  settings = [
    setting for setting in found.settings if sweep_results.reached(setting)
  ]
  sign = {'minimize': 1, 'maximize': -1}[found.direction]

  def place(setting):
    values = sweep_results.final(setting, found.objective)
    finite = values[np.isfinite(values)]
    mean = sign * np.mean(finite) if len(finite) else np.inf
    return -sweep_results.reached(setting), len(values) - len(finite), mean

  best = sorted(settings, key=place)[:_SETTINGS]
  rows = [
    {
      'label': sweep_results.label(found, setting),
      'values': {
        key: sweep_results.final(setting, key) for key in found.titles
      },
      'words': {
        'evaluation': f'{sweep_results.reached(setting)} of '
        f'{found.about["evaluations"]}'
      },
    }
    for setting in best
  ]
  columns = [
    tables.Column(key, title, '.3g') for key, title in found.titles.items()
  ]
  measured = sum(len(run.rows) for run in found.runs)
  diverged = sum(run.state == 'diverged' for run in found.runs)
  counts = (
    f'{measured} evaluations at {len(found.runs)} runs; {diverged} diverged.'
  )
  varied = [
    sweep_results.factor_name(found, own)
    for own in sweep_results.factors(found)
  ]
  title = f'setting: {", ".join(varied)}' if varied else 'setting'
  tqdm.write(tables.text(rows, columns, (counts,), title=title))


def duration(seconds):
  """Returns a time, in seconds, in words."""
  minutes = seconds / 60
  if minutes < 1.5:
    return f'{seconds:.0f} seconds'
  return (
    f'{minutes:.0f} minutes' if minutes < 90 else f'{minutes / 60:.1f} hours'
  )
