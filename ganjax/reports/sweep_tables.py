"""The tables of a sweep: a line for each setting, run or evaluation."""

import math

import numpy as np

from ganjax.reports import columns, commands, render, sweep_results
from ganjax.reports.statistics import summary
from ganjax.reports.sweep_results import words
from ganjax.reports.tables import mean_and_deviation


def rows(sweep):
  """Returns the row of each setting, a dict with numbers and their words.

  Args:
    sweep: a `SweepResults`.
  """
  finals = {
    key: [sweep_results.final(setting, key) for setting in sweep.settings]
    for key in sweep.titles
  }
  formats = {
    key: number_format(
      [own[np.isfinite(own)].mean() for own in own_finals if _any(own)]
    )
    for key, own_finals in finals.items()
  }
  ranked, found = sweep_results.ranked(sweep), []
  for at, setting in enumerate(sweep.settings):
    states = [run.state for run in setting.runs]
    measured = {}
    for key in sweep.titles:
      own = summary(finals[key][at])
      measured[key] = own | {
        'words': _mean(own, formats[key], states.count('done')),
        'interval': _interval(own, formats[key]),
      }
    ended = states.count('done') + states.count('diverged')
    found.append(
      {
        'number': setting.number,
        'factors': setting.values,
        'measured': measured,
        'seeds': finals[sweep.objective][at],
        'done': states.count('done'),
        'of': len(states),
        'diverged': states.count('diverged'),
        'diverged_after': [
          s
          for s in map(sweep_results.diverged_after, setting.runs)
          if s is not None
        ],
        'best': bool(ranked) and setting is ranked[0],
        'unfinished': '' if ended else _unfinished(setting),
      }
    )
  return found


def run_lines(sweep):
  """Returns what was measured last of each run, flat dicts."""
  return [
    _line(setting, run, run.rows[-1] if run.rows else {})
    for setting in sweep.settings
    for run in setting.runs
  ]


def evaluation_lines(sweep):
  """Returns all that was measured of each run, a flat dict per evaluation."""
  return [
    _line(setting, run, row)
    for setting in sweep.settings
    for run in setting.runs
    for row in run.rows
  ]


def setting_lines(sweep):
  """Returns the summaries of the measures of each setting, flat dicts."""
  lines = []
  for setting in sweep.settings:
    states = [run.state for run in setting.runs]
    line = {
      'setting': setting.number,
      **setting.values,
      'evaluation': sweep_results.reached(setting),
      'seeds': len(states),
      **{state: states.count(state) for state in sweep_results.STATES},
    }
    for key in sweep.titles:
      for name, value in summary(sweep_results.final(setting, key)).items():
        line[f'{key}_{name}'] = value if math.isfinite(value) else None
    lines.append(line)
  return lines


def table(sweep):
  """Returns the `render.Table` of the settings."""
  titles = ['setting', *sweep.names.values()]
  left = len(titles)
  for key, title in sweep.titles.items():
    titles += [title, '95 %'] if key == sweep.objective else [title]
  titles += ['runs done', 'diverged']
  lines = []
  for line in rows(sweep):
    row = [f'{line["number"]}', *map(words, line['factors'].values())]
    for key, own in line['measured'].items():
      row.append(own['words'])
      if key == sweep.objective:
        row.append(own['interval'])
    done = f'{line["done"]} of {line["of"]}'
    lines.append([*row, done, f'{line["diverged"] or ""}'])
  numbers = frozenset(range(left, len(titles)))
  return render.Table(titles, lines, numbers, _notes(sweep))


def how_measured(sweep):
  """Returns how runs were measured: pairs of their number and a dict."""
  counts = []
  for run in sweep.runs:
    if not run.rows:
      continue
    row = run.rows[-1]
    own = {
      **row.get('settings', {}),
      'subject': row.get('subject', 'samples'),
      'number': f'{row["number"]:,}' if 'number' in row else 'unknown',
    }
    for measure, how in row.get('how', {}).items():
      own[measure] = ', '.join(
        f'{name.replace("_", " ")} {value}' for name, value in how.items()
      )
    # Nothing is measured of a run that diverged.
    if row.get('how') or run.state != 'diverged':
      counts.append(own)
  return [
    (counts.count(own), own)
    for at, own in enumerate(counts)
    if own not in counts[:at]
  ]


def cautions(sweep):
  """Returns sentences on what the measured values cannot say."""
  last = [run.rows[-1] for run in sweep.runs if run.rows]
  measured = [row for row in last if row.get('how')]
  return columns.cautions(sweep.columns, measured)


def provenance(sweep):
  """Returns triples: hardware, versions, and how many programs had them."""
  pairs = [
    (
      one['hardware'],
      ', '.join(f'{name} {v}' for name, v in one['versions'].items()),
    )
    for one in sweep.provenance
  ]
  return [(*one, pairs.count(one)) for one in dict.fromkeys(pairs)]


def number_format(values):
  """Returns a function that writes numbers: three digits of their median."""
  sizes = [abs(value) for value in values if value and math.isfinite(value)]
  places = 2
  if sizes:
    places = int(np.clip(2 - math.floor(math.log10(np.median(sizes))), 0, 5))
  return lambda value: f'{value:,.{places}f}' if math.isfinite(value) else '–'


def _notes(sweep):
  """Returns how the table is to be read, sentences."""
  measured = how_measured(sweep)
  return [
    "Mean ± standard deviation over the seeds; 95 %: Student's interval of the "
    'mean. (k of n): the measure is defined for k runs of the '
    'n that ended.',
    *cautions(sweep),
    *(
      ['Not all runs were measured in the same way:']
      if len(measured) > 1
      else []
    ),
    *(
      '; '.join(f'{name.replace("_", " ")}: {v}' for name, v in own.items())
      for _, own in measured
    ),
    *(
      f'{hardware}; {versions}.' for hardware, versions, _ in provenance(sweep)
    ),
    commands.of_sweep(sweep.about),
  ]


def _line(setting, run, row):
  """Returns all that was measured of a run at an evaluation, a flat dict."""
  scalars = {
    name: value
    for name, value in row.items()
    if name not in ('setting', 'seed') and not isinstance(value, dict | list)
  }
  parts = {
    f'{section}.{name}': value
    for section in ('settings', 'how')
    for name, value in row.get(section, {}).items()
  }
  return {
    'setting': setting.number,
    **setting.values,
    'seed': run.seed,
    'state': run.state,
    **scalars,
    **parts,
  }


def _unfinished(setting):
  """Returns how far the runs of a setting are, in words."""
  evaluations = next(
    (run.rows[-1]['of'] for run in setting.runs if run.rows), 0
  )
  return (
    f'at evaluation {sweep_results.reached(setting)} of {evaluations}'
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
