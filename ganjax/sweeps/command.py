"""A sweep or a search from its command line to its end: plans, checks, runs."""

import json
import pathlib
from typing import Any, NamedTuple

import jax
from tqdm import tqdm

from ganjax import files
from ganjax.reports import columns, commands
from ganjax.sweeps import (
  axes,
  fields,
  forecast,
  jobs,
  places,
  plan,
  programs,
  runner,
  search,
  settings,
  status,
  studies,
  task,
  trials,
)


class Asked(NamedTuple):
  """What is asked for on the command line.

  Attributes:
    config: of a training on images or of a protocol of mode collapse.
    name: of its file, and after a colon what its `get_config` is given.
    overrides: of its fields, by dotted name.
    command: the program and its flags, a list.
    workdir: a `pathlib.Path`, for all results.
    grid: of `axes.grid`, a list of texts.
    search: of `axes.search`, a list of texts.
    seeds: how many runs each setting has.
    evaluations: how often a run is measured.
    samples: how many are drawn of each run on images to be measured.
    metrics: names of `measures.MEASURES`; for images.
    features: as in `extractors.extractor`; for images.
    reals: the split that samples are compared with; for images.
    objective: the value that settings are compared by; the first one if None.
    direction: 'minimize' or 'maximize'; that of the objective if None.
    mapping: of `mappings.MAPPINGS`; None chooses.
    trials: of a search.
    population: how many trials train at once.
    pruner: of `studies.PRUNERS`.
    storage: as in `studies.open_study`.
    quiet: whether nothing is printed.
  """

  config: Any
  name: str
  overrides: dict
  command: list
  workdir: pathlib.Path
  grid: list
  search: list
  seeds: int
  evaluations: int
  samples: int
  metrics: list
  features: str
  reals: str
  objective: str | None
  direction: str | None
  mapping: str | None
  trials: int
  population: int
  pruner: str
  storage: str
  quiet: bool


class Planned(NamedTuple):
  """A sweep or search that can run.

  Attributes:
    asked: the `Asked`.
    about: what `sweep.json` says, all that the results depend on.
    ranges: of `axes.search`; empty for a sweep.
    sweep: the `programs.Sweep`.
    traced: the set of fields that are traced.
    programs: of the sweep; of a search, those of an example of a trial.
  """

  asked: Asked
  about: dict
  ranges: dict
  sweep: programs.Sweep
  traced: set
  programs: tuple


def prepare(asked):
  """Returns the `Planned` of what is asked for, and writes nothing.

  Raises:
    ValueError: if a factor, a range or a setting makes no sense, nothing
      records the objective, or the workdir holds another sweep.
  """
  config = asked.config
  ranges = axes.search(config, asked.search)
  studies.check_storage(asked.storage)
  listed = settings.listed(config, asked.grid, ranges, asked.name)
  task_of = settings.tasks(
    config,
    asked.evaluations,
    asked.metrics,
    asked.samples,
    asked.features,
    asked.reals,
  )
  about = _about(asked, listed, ranges, task_of(listed[0]))
  claim(asked.workdir, about, write=False)
  own_mapping = config.get('mapping', 'auto')
  sweep = programs.Sweep(
    asked.workdir,
    task_of,
    listed,
    asked.mapping or (None if own_mapping == 'auto' else own_mapping),
  )
  traced = _traced(config, task_of, listed)
  planned = plan.programs(listed, about['seeds'], traced)
  drawn = fields.examples(ranges) if ranges else listed
  _check(
    plan.programs(drawn, about['seeds'][:1], traced),
    sweep._replace(settings=drawn),
    about,
  )
  return Planned(asked, about, ranges, sweep, traced, planned)


def claim(workdir, about, write=True):
  """Writes `sweep.json`, or checks that it is the same there.

  Raises:
    ValueError: if the workdir holds another sweep.
  """
  path = workdir / 'sweep.json'
  files.claim(path, about, 'sweep', ignore=('command',), write=write)


def announce(planned, place):
  """Prints what is going to run, and about how long it takes, if here."""
  asked = planned.asked
  devices = None
  if place.name == 'local':
    devices = max(len(jax.local_devices()), place.at_once)
  if planned.ranges:
    forecast.announce_search(
      planned.programs,
      planned.sweep,
      devices,
      asked.trials,
      asked.population,
    )
  else:
    forecast.announce_grid(planned.programs, planned.sweep, devices)


def run(planned, place):
  """Runs all that is missing, with all other processes of the same command.

  Args:
    planned: of `prepare`.
    place: the `places.Place` where it runs; not to print.

  Returns:
    False where a signal ended it.
  """
  asked, about, sweep = planned.asked, planned.about, planned.sweep
  study = _claimed(planned)
  try:
    if not places.here(place):
      observe = lambda: status.print_best(asked.workdir)  # noqa: E731
      names = _jobs(planned, place)
      ended = jobs.run(place, names, asked.workdir, observe)
    elif study:
      train = trials.trainer(
        sweep, about['seeds'], planned.traced, about['objective'], asked.quiet
      )
      ended = search.run(
        study,
        asked.workdir,
        planned.ranges,
        asked.trials,
        asked.population,
        asked.evaluations,
        train,
      )
    else:
      own = planned.programs
      if place.job:
        own = programs.named(place.job, own, sweep)
      ended = runner.run_all(own, sweep, asked.quiet)
  except KeyboardInterrupt:
    ended = False
  if ended and study and not asked.quiet:
    tqdm.write(
      search.text(
        study,
        about['objective'],
        lambda setting: commands.of_setting(about, setting, 'runs/best'),
      )
    )
  return ended


def printed(planned, place):
  """Returns whether a `Place` has jobs written as files, and writes them."""
  if not places.prints(place):
    return False
  _claimed(planned)
  jobs.write(place, _jobs(planned, place), planned.asked.workdir)
  return True


def _claimed(planned):
  """Claims the workdir; returns the study of a search, None for a sweep."""
  claim(planned.asked.workdir, planned.about)
  # It is made before any process needs it.
  return _study(planned) if planned.ranges else None


def _jobs(planned, place):
  """Returns the names of the jobs: programs, or the workers of a search."""
  if planned.ranges:
    return [f'search-{number}' for number in range(place.at_once or 1)]
  return programs.left(planned.programs, planned.sweep)


def finished(planned):
  """Returns whether all programs are finished; those of a search always are."""
  return bool(planned.ranges) or all(
    programs.finished(program, planned.sweep) for program in planned.programs
  )


def _about(asked, listed, ranges, own):
  """Returns what `sweep.json` says, where `own` is the `Task` of a setting."""
  measured = own.columns
  objective = asked.objective or next(iter(measured))
  first = asked.config.seed
  return {
    'task': 'modes' if 'protocol' in asked.config else 'images',
    'name': asked.name,
    'command': asked.command,
    'overrides': [
      f'--config.{name}={value}' for name, value in asked.overrides.items()
    ],
    'config': json.loads(asked.config.to_json()),
    'factors': axes.described(ranges) or fields.factors(listed),
    'settings': [] if ranges else listed,
    'seeds': [first + number for number in range(asked.seeds)],
    'evaluations': asked.evaluations,
    'samples': asked.samples,
    'columns': measured,
    'data': own.identity,
    'features': asked.features,
    'reals': asked.reals,
    'objective': objective,
    'direction': asked.direction or columns.direction(objective, measured),
  }


def _traced(config, task_of, listed):
  """Returns the fields that may be traced, of those that vary."""
  found = set()
  for field, values in fields.numbers(listed).items():
    if len(values) == 1 and len(listed) > 1:
      continue
    setting = next(
      setting for setting in listed if setting.get(field) in values
    )
    own = fields.changed(config, setting)
    found |= task.traceable(task_of(setting), own, {field})
  return found


def _check(planned, sweep, about):
  """Raises where a setting makes no training, or the objective no sense."""
  recorded = set(about['columns'])
  for program in planned:
    try:
      recorded |= programs.check(program, sweep)
    except ValueError as error:
      setting = fields.words(sweep.settings[program.settings[0]])
      raise ValueError(f'The setting {setting}: {error}') from error
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


def _study(planned):
  asked, about = planned.asked, planned.about
  names = (
    'config',
    'seeds',
    'evaluations',
    'samples',
    'columns',
    'features',
    'reals',
  )
  return studies.open_study(
    asked.workdir,
    'sweep',
    planned.ranges,
    {name: about[name] for name in names},
    about['direction'],
    asked.pruner,
    about['config']['seed'],
    asked.storage,
  )
