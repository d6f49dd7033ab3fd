r"""Trains cells of a config with several seeds each, and reports on them.

  python -m experiments.sweep --config configs/dcgan.py --workdir runs/sweep
  python -m experiments.sweep --config configs/mode_collapse.py:ring \
    --grid loss=hinge,wasserstein --workdir runs/ring \
    --grid optimizers.generator.learning_rate=1e-4,3e-4,1e-3 --seeds 16
  python -m experiments.sweep --config configs/dcgan.py --workdir runs/search \
    --search optimizers.discriminator.learning_rate=log:1e-5..1e-2 --trials 50
  python -m experiments.sweep --workdir runs/sweep --report

The first takes the cells that the config file itself proposes. What differs in
seeds and traced numbers alone trains as one program. The same command goes on
where it was stopped; given on several machines that share the workdir, it
shares the work.
"""

import functools
import json
import pathlib
import statistics
import sys

import jax
from absl import flags
from ml_collections import config_flags
from tqdm import tqdm

from ganjax import files, launch
from ganjax.evaluation import measures
from ganjax.reports import columns, results, sweep_page
from ganjax.sweeps import (
  axes,
  fields,
  kinds,
  plan,
  runner,
  search,
  status,
  studies,
  task,
)
from ganjax.training import provenance

_CONFIG = config_flags.DEFINE_config_file(
  'config', 'configs/dcgan.py', 'Of a training, or of mode collapse.'
)
_WORKDIR = flags.DEFINE_string('workdir', None, 'Where it is written.')
_GRID = flags.DEFINE_multi_string(
  'grid', [], 'FIELD=VALUE,VALUE: a factor. FIELD+FIELD move together.'
)
_SEARCH = flags.DEFINE_multi_string(
  'search',
  [],
  'FIELD=RANGE: 0..1, log:1e-5..1e-2, int:1..8, or hinge|wasserstein.',
)
_TRIALS = flags.DEFINE_integer('trials', 100, 'Of a search.', 1)
_POPULATION = flags.DEFINE_integer(
  'population', 8, 'Trials of a search that train at once.', 1
)
_PRUNER = flags.DEFINE_enum(
  'pruner', 'median', list(studies.PRUNERS), 'What drops trials of a search.'
)
_STORAGE = flags.DEFINE_string(
  'storage', '', "Optuna's, by its URL or journal:PATH; study.db if not given."
)
_OBJECTIVE = flags.DEFINE_string(
  'objective', None, 'By which cells are compared; the first measure if not.'
)
_DIRECTION = flags.DEFINE_enum(
  'direction',
  None,
  ['minimize', 'maximize'],
  "Of the objective; the measure's own if not given.",
)
_SEEDS = flags.DEFINE_integer('seeds', 3, 'Runs of each cell.', 1)
_EVALUATIONS = flags.DEFINE_integer(
  'evaluations', 4, 'How often a run is measured.', 1
)
_SAMPLES = flags.DEFINE_integer(
  'samples', 1000, 'Images that are drawn of each run to be measured.', 2
)
_METRICS = flags.DEFINE_list(
  'metrics',
  ['fid', 'distance'],
  f'The measures of images, of {", ".join(measures.MEASURES)}.',
)
_FEATURES = flags.DEFINE_string(
  'features',
  'auto',
  'For FID and the like: classifier, random, auto, inception, or the path of '
  "its file, as experiments.evaluate's.",
)
_MAPPING = flags.DEFINE_enum(
  'mapping',
  None,
  ['vmap', 'map', 'steps'],
  'How members of a program are mapped.',
)
_PROCESSES = flags.DEFINE_integer(
  'processes', 1, 'Programs that run side by side, a device or core each.', 1
)
_ALONE = flags.DEFINE_integer(
  'alone',
  0,
  'Runs of the first program to train alone as well, one after another, to say '
  'what populations save.',
  0,
)
_QUIET = flags.DEFINE_bool(
  'quiet', False, 'Only run programs: no forecast, no table, no report.'
)
_DRY_RUN = flags.DEFINE_bool('dry_run', False, 'Stop after the plan.')
_REPORT = flags.DEFINE_bool('report', False, 'Only write the report again.')
flags.mark_flag_as_required('workdir')


def main():
  """Runs what is missing, and reports; returns the exit code."""
  folder = pathlib.Path(_WORKDIR.value)
  if _REPORT.value:
    return _report(folder)
  launch.one_device_a_core()
  config = _CONFIG.value
  kind = kinds.of(config, _METRICS.value, _SAMPLES.value, _FEATURES.value)
  ranges = axes.search(config, _SEARCH.value)
  cells = _cells(config, ranges)
  about = _about(config, kind, cells, ranges)
  claim = functools.partial(
    files.claim, folder / 'sweep.json', about, 'sweep', ignore=('command',)
  )
  claim(write=False)
  sweep = runner.Sweep(
    folder,
    kind,
    cells,
    _EVALUATIONS.value,
    _MAPPING.value or _own_mapping(config),
  )
  traced = _traced(kind, cells)
  planned = plan.programs(cells, about['seeds'], traced)
  _check(planned, sweep, about)
  if not _QUIET.value:
    _announce(planned, sweep, ranges)
  if _DRY_RUN.value:
    return 0
  claim()
  if ranges:
    # Made before any worker starts.
    study = _study(folder, about, ranges)
  try:
    if _PROCESSES.value > 1:
      ended = status.side_by_side(_PROCESSES.value, folder)
    elif ranges:
      ended = _searched(study, sweep, ranges, traced, about)
    else:
      ended = _swept(planned, sweep)
  except KeyboardInterrupt:
    ended = False
  if not ended:
    tqdm.write('Stopped by a signal; the same command goes on from there.')
    return launch.LEFT
  if _QUIET.value:
    return 0
  if ranges:
    words = search.text(
      study,
      about['objective'],
      lambda cell: fields.command(about, cell, 'runs/best'),
    )
    tqdm.write(words)
  elif not all(runner.finished(program, sweep) for program in planned):
    tqdm.write('Other processes are at the rest; the last of them reports.')
    return 0
  elif _ALONE.value:
    _compare(planned[0], sweep)
  return _report(folder)


def _cells(config, ranges):
  """The cells that there are before anything is trained.

  Of a search, an example: each range at its upper end.
  """
  factors = axes.grid(config, _GRID.value)
  axes.apart(factors, ranges)
  if factors:
    return plan.cross(factors)
  if ranges:
    return [fields.example(ranges)]
  added = []
  propose = fields.proposed(flags.FLAGS['config'].config_filename)
  propose(added.append)
  return fields.checked(config, added) or [{}]


def _about(config, kind, cells, ranges):
  """What `sweep.json` says: what all numbers of the sweep depend on."""
  objective = _OBJECTIVE.value or next(iter(kind.columns))
  overrides = flags.FLAGS['config'].override_values
  return {
    'kind': kind.name,
    'name': flags.FLAGS['config'].config_filename,
    'command': [provenance.program(), *sys.argv[1:]],
    'overrides': [
      f'--config.{name}={value}' for name, value in overrides.items()
    ],
    'config': json.loads(config.to_json()),
    'factors': axes.told(ranges) or fields.factors(cells),
    'cells': [] if ranges else cells,
    'seeds': [config.seed + number for number in range(_SEEDS.value)],
    'evaluations': _EVALUATIONS.value,
    'samples': _SAMPLES.value,
    'metrics': list(kind.columns),
    'columns': kind.columns,
    'features': _FEATURES.value,
    'objective': objective,
    'direction': _DIRECTION.value or columns.direction(objective, kind.columns),
  }


def _own_mapping(config):
  own = config.get('mapping', 'auto')
  return None if own == 'auto' else own


def _traced(kind, cells):
  """The fields that may be traced, of those that vary."""
  found = set()
  for field, values in fields.numbers(cells).items():
    if len(values) == 1 and len(cells) > 1:
      continue
    cell = next(cell for cell in cells if cell.get(field) in values)
    config = kind.config(cell)
    found |= task.traceable(kind.subject(config), config, {field})
  return found


def _check(planned, sweep, about):
  """Raises where a cell makes no training, or none records the objective."""
  recorded = set(sweep.kind.columns)
  for program in planned:
    try:
      recorded |= runner.check(program, sweep)
    except ValueError as error:
      cell = fields.words(sweep.cells[program.cells[0]])
      raise ValueError(f'The cell {cell}: {error}') from error
  if about['objective'] not in recorded:
    raise ValueError(
      f'No run records {about["objective"]!r}, which is to be the objective; '
      f'choose from {", ".join(sorted(recorded))}, or add its measure to '
      '--metrics.'
    )
  if about['direction'] is None:
    raise ValueError(
      f'Nothing says whether less or more of {about["objective"]} is better; '
      'add --direction=minimize or --direction=maximize.'
    )


def _announce(planned, sweep, ranges):
  """Says what is to come, and about how long it takes."""
  devices = max(len(jax.local_devices()), _PROCESSES.value)
  left = [own for own in planned if not runner.finished(own, sweep)]
  seconds = runner.forecast(left, sweep, devices) if left else 0
  runs = sum(len(program.seeds) for program in planned)
  if ranges:
    most = _TRIALS.value / len(planned)
    said = (
      f'{_TRIALS.value} trials x {_SEEDS.value} seeds, {_POPULATION.value} '
      f'trials at once; {sweep.evaluations} evaluations'
    )
    tqdm.write(f'{said}; at most about {status.duration(most * seconds)}.')
    return
  sizes = sorted({len(program.seeds) for program in planned})
  members = ' to '.join(
    str(size) for size in dict.fromkeys((sizes[0], sizes[-1]))
  )
  tqdm.write(
    f'{len(planned)} programs x {members} members, {runs} runs of '
    f'{len(sweep.cells)} cells, {sweep.evaluations} evaluations each; '
    + (f'about {status.duration(seconds)}.' if left else 'all there.')
  )


def _swept(planned, sweep):
  """Runs each program that no other process runs; False after a signal."""
  for number, program in enumerate(planned, 1):
    with runner.taken(runner.place(program, sweep)) as mine:
      if not mine:
        continue
      name = f'program {number} of {len(planned)}'
      for rows in runner.run(program, sweep, name):
        if rows is None:
          return False
        if not _QUIET.value:
          status.tell(sweep.folder)
  return True


def _compare(program, sweep):
  """Says how much faster a program was than its runs one after another."""
  times = runner.alone(program, sweep, _ALONE.value)
  if None in times:
    return
  rows = results.read(sweep.folder).runs
  place = runner.place(program, sweep).name
  together = [
    run.rows[-1]['seconds'] for run in rows if run.rows[-1]['program'] == place
  ]
  one, other = statistics.median(times), statistics.mean(together)
  tqdm.write(
    f'A run alone takes {one:.2f} s (median of {len(times)}), as a member of '
    f'{len(together)} {other:.2f} s with compiling: {one / other:.2f} times as '
    'fast as one after another.'
  )


def _study(folder, about, ranges):
  names = ['config', 'seeds', 'evaluations', 'samples', 'metrics', 'features']
  return studies.opened(
    folder,
    'sweep',
    ranges,
    {name: about[name] for name in names},
    about['direction'],
    _PRUNER.value,
    about['config']['seed'],
    _STORAGE.value,
  )


def _searched(study, sweep, ranges, traced, about):
  """Searches with all other workers; False after a signal."""

  def race(cells, numbers):
    planned = [
      program._replace(cells=tuple(numbers[own] for own in program.cells))
      for program in plan.programs(cells, about['seeds'], traced)
    ]
    own = sweep._replace(cells=dict(zip(numbers, cells, strict=True)))
    running = {
      name: runner.run(program, own, f'trials {min(numbers)}-{max(numbers)}')
      for name, program in enumerate(planned)
    }
    alive, sent = numbers, dict.fromkeys(running)
    for _ in range(sweep.evaluations):
      rows = {name: one.send(sent[name]) for name, one in running.items()}
      if None in rows.values():
        return
      if not _QUIET.value:
        status.tell(sweep.folder)
      values = _values(rows, about['objective'])
      kept = yield [values[number] for number in alive]
      keep = dict(zip(alive, kept, strict=True))
      sent = {
        name: [keep[row['cell']] for row in own] for name, own in rows.items()
      }
      running = {name: one for name, one in running.items() if any(sent[name])}
      alive = [number for number in alive if keep[number]]

  return search.run(
    study,
    sweep.folder,
    ranges,
    _TRIALS.value,
    _POPULATION.value,
    sweep.evaluations,
    race,
  )


def _values(rows, objective):
  """Each trial's mean of the objective over its seeds; None if one has none."""
  by_cell = {}
  for row in (row for own in rows.values() for row in own):
    by_cell.setdefault(row['cell'], []).append(row[objective])
  return {
    cell: None if None in own else sum(own) / len(own)
    for cell, own in by_cell.items()
  }


def _report(folder):
  paths = sweep_page.write(folder)
  names = ', '.join(path.name for path in paths)
  tqdm.write(f'In {folder}: {names}.')
  return 0


if __name__ == '__main__':
  launch.run(main)
