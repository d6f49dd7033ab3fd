"""A protocol of mode collapse as a sweep whose factor is the remedy.

More seeds and remedies can be added to what the workdir holds: what is there
stays, and only what is missing is trained.
"""

import json
from typing import Any, NamedTuple

import jax

from ganjax import files, locks
from ganjax.config import ranges
from ganjax.evaluation import measures
from ganjax.sweeps import (
  fields,
  jobs,
  mode_problems,
  mode_task,
  places,
  plan,
  programs,
  runner,
  settings,
)

# Sections of a protocol that its runs do not read.
_BESIDE = ('remedies', 'published', 'seeds', 'mapping', 'source', 'note')


class Protocol(NamedTuple):
  """A protocol of which some remedies and seeds are asked for.

  Attributes:
    config: of the protocol.
    problem: its `mode_problems.Problem`.
    settings: what each remedy that is asked for changes, by name.
    shares: of the protocol's length that its runs have, by remedy.
    seeds: that are asked for.
    sweep: the `programs.Sweep`.
  """

  config: Any
  problem: mode_problems.Problem
  settings: dict
  shares: dict
  seeds: list
  sweep: programs.Sweep


def prepare(
  config, workdir, remedies=None, seeds=None, length=1.0, images=None
):
  """Returns a `Protocol`, and writes nothing.

  Args:
    config: of the protocol.
    workdir: for all results, a path.
    remedies: names; all of them if None.
    seeds: how many; the protocol's number if None.
    length: the share of the protocol's steps that a run takes.
    images: how many examples a run takes, instead of a share; or None.

  Raises:
    ValueError: if there is no such remedy, if one has a name that does not
      exist or a number outside its range, if the length is 0, or as
      `mode_problems.with_classes`.
  """
  if not length > 0:
    raise ValueError(
      f'The length is {length}, which leaves no steps; give a share of the '
      "protocol's steps above 0."
    )
  if remedies is not None and not remedies:
    raise ValueError(
      'No remedy was asked for; choose from '
      f'{", ".join(sorted(config.remedies))}.'
    )
  for name in remedies or config.remedies:
    ranges.check(mode_task.remedied(config, name))
  mapping = config.mapping
  problem = settings.problem(config)
  config = mode_problems.with_classes(config, problem)
  # As the protocol lists them; a ConfigDict sorts its own.
  names = remedies or list(json.loads(config.to_json())['remedies'])
  changes, shares = {}, {}
  for name in names:
    own = mode_task.remedied(config, name)
    changes[name], shares[name] = _shortened(own, name, length, images)
  task = settings.once(lambda own: mode_task.of(own, problem))
  sweep = programs.Sweep(
    folder=workdir,
    task=lambda changes: task(fields.changed(config, changes)),
    settings={},
    mapping=None if mapping == 'auto' else mapping,
    keep_states=True,
  )
  for own in changes.values():
    sweep.task(own)
  return Protocol(
    config,
    problem,
    changes,
    shares,
    [config.seed + number for number in range(seeds or config.seeds)],
    sweep,
  )


def _shortened(config, name, length, images):
  """Returns the setting of a remedy, and its share of the protocol's steps."""
  steps = config.steps * length
  if images:
    steps = images / mode_task.rows(config)
  # A whole number of steps from evaluation to evaluation.
  every = -(-max(1, round(steps)) // config.measure.evaluations)
  evaluations = -(-max(1, round(steps)) // every)
  changes = {'steps': every * evaluations, 'measure.evaluations': evaluations}
  now = {
    'steps': config.steps,
    'measure.evaluations': config.measure.evaluations,
  }
  changed = {
    field: value for field, value in changes.items() if value != now[field]
  }
  return {'remedy': name, **changed}, every * evaluations / config.steps


def claim(protocol, about, write=True):
  """Writes into `sweep.json` what is asked for, beside what is there.

  Args:
    protocol: a `Protocol`.
    about: the `name` of the config, the `overrides` and the `command`.
    write: False only checks that it fits to what is there.

  Returns:
    The `Protocol`, whose sweep knows the numbers of all settings.

  Raises:
    ValueError: if the workdir holds another protocol, or a remedy of another
      length.
  """
  folder = protocol.sweep.folder
  files.check_free(folder, 'sweep')
  path = folder / 'sweep.json'
  folder.mkdir(parents=True, exist_ok=True)
  with locks.wait(folder / 'sweep.lock'):
    there = files.read_json(path) if path.exists() else None
    now = _merged(protocol, about, there)
    if write:
      files.write_json(path, files.versioned(now, path))
  known = dict(enumerate(now['settings']))
  return protocol._replace(sweep=protocol.sweep._replace(settings=known))


def _merged(protocol, about, there):
  """Returns `sweep.json` with what is there and what is asked for."""
  config = json.loads(protocol.config.to_json())
  remedies = {name: config['remedies'][name] for name in protocol.settings}
  config = {name: own for name, own in config.items() if name not in _BESIDE}
  now = {
    'task': 'modes',
    **about,
    'config': config,
    'remedies': remedies,
    'settings': list(protocol.settings.values()),
    'seeds': protocol.seeds,
    'evaluations': protocol.config.measure.evaluations,
    'columns': measures.columns(mode_task.taken(protocol.config)),
    'objective': 'captured',
    'direction': 'maximize',
  }
  if there is None:
    return now
  both = protocol.settings.keys() & there['remedies'].keys()
  files.check_same(
    protocol.sweep.folder,
    _dependencies(there, both),
    _dependencies(now, both),
    'protocol',
  )
  return now | {
    'remedies': there['remedies'] | remedies,
    'settings': [
      *there['settings'],
      *(
        setting
        for setting in now['settings']
        if setting not in there['settings']
      ),
    ],
    'seeds': sorted({*there['seeds'], *protocol.seeds}),
  }


def _dependencies(about, names):
  """Returns what the results of these remedies depend on."""
  return {
    'config': about['config'],
    'remedies': {name: about['remedies'][name] for name in names},
    'settings': {
      setting['remedy']: setting
      for setting in about['settings']
      if setting['remedy'] in names
    },
  }


def text(protocol):
  """Returns what is asked for in a sentence."""
  name = f'{protocol.config.protocol}: {protocol.problem.name}'
  return (
    f'{name}; {len(protocol.settings)} remedies, {len(protocol.seeds)} seeds '
    f'each, on {len(jax.devices())} {jax.default_backend()} device(s).'
  )


def run(protocol, place):
  """Trains what is missing, with all other processes of the same command.

  Args:
    protocol: a `Protocol` of `claim`.
    place: the `places.Place` where it runs; not to print.

  Returns:
    False where a signal ended it.
  """
  sweep = protocol.sweep
  try:
    if not places.here(place):
      return jobs.run(place, _left(protocol), sweep.folder)
    own = planned(protocol)
    if place.job:
      own = programs.named(place.job, own, sweep)
    return runner.run_all(own, sweep, quiet=True)
  except KeyboardInterrupt:
    return False


def printed(protocol, place):
  """Returns whether a `Place` has jobs written as files, and writes them."""
  if not places.prints(place):
    return False
  jobs.write(place, _left(protocol), protocol.sweep.folder)
  return True


def _left(protocol):
  return programs.left(planned(protocol), protocol.sweep)


def finished(protocol):
  """Returns whether all runs that are asked for have ended."""
  sweep = protocol.sweep
  return all(programs.finished(own, sweep) for own in planned(protocol))


def planned(protocol):
  """Returns the programs of all runs that are asked for, those there first."""
  sweep = protocol.sweep
  numbers = [
    number
    for setting in protocol.settings.values()
    for number, own in sweep.settings.items()
    if own == setting
  ]
  wanted = [
    program._replace(
      settings=tuple(numbers[setting] for setting in program.settings)
    )
    for program in plan.programs(
      list(protocol.settings.values()), protocol.seeds, traced=set()
    )
  ]
  there = [
    plan.read(path.read_text())
    for path in sorted(sweep.folder.glob('programs/*/program.json'))
  ]
  return plan.completed(wanted, there)
